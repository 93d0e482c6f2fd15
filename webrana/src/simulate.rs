//! `webrana simulate`: the vendors' stand-ins by themselves, on loopback.

use crate::config::general::GeneralConfig;
use crate::config::payments::Gateway;
use crate::signals;
use crate::stack::ports::PortChoice;
use crate::tasks::Tasks;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Where DigitalOcean's simulator listens.
pub const DIGITALOCEAN_PORT: u16 = 4010;
/// Where Midtrans' simulator listens.
pub const MIDTRANS_PORT: u16 = 4020;
/// Where Xendit's simulator listens.
pub const XENDIT_PORT: u16 = 4021;
const GRACE: Duration = Duration::from_secs(3);

/// Which simulators, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which ones; all when none is named
    #[arg(value_name = "NAME")]
    names: Vec<Name>,

    /// Port of DigitalOcean's simulator
    #[arg(
        id = "simulate.digitalocean_port",
        long = "digitalocean-port",
        env = "SIM_DIGITALOCEAN_PORT",
        value_name = "PORT",
        default_value_t = DIGITALOCEAN_PORT
    )]
    digitalocean_port: u16,

    /// The token it accepts
    #[arg(
        id = "simulate.digitalocean_token",
        long = "digitalocean-token",
        env = "DIGITALOCEAN_TOKEN",
        value_name = "TOKEN",
        default_value = "digitalocean-simulator-token",
        hide_env_values = true
    )]
    digitalocean_token: String,

    /// How long its servers take to boot, in seconds; fractions count
    #[arg(
        id = "simulate.boot_seconds",
        long = "sim-boot-seconds",
        env = "WEBRANA_SIM_BOOT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3.0
    )]
    boot_seconds: f64,

    /// Port of Midtrans' simulator
    #[arg(
        id = "simulate.midtrans_port",
        long = "midtrans-port",
        env = "SIM_MIDTRANS_PORT",
        value_name = "PORT",
        default_value_t = MIDTRANS_PORT
    )]
    midtrans_port: u16,

    /// The server key it accepts and signs with
    #[arg(
        id = "simulate.midtrans_server_key",
        long = "midtrans-server-key",
        env = "MIDTRANS_SERVER_KEY",
        value_name = "KEY",
        default_value = "SB-Mid-server-simulator",
        hide_env_values = true
    )]
    midtrans_server_key: String,

    /// Port of Xendit's simulator
    #[arg(
        id = "simulate.xendit_port",
        long = "xendit-port",
        env = "SIM_XENDIT_PORT",
        value_name = "PORT",
        default_value_t = XENDIT_PORT
    )]
    xendit_port: u16,

    /// The secret key it accepts
    #[arg(
        id = "simulate.xendit_secret_key",
        long = "xendit-secret-key",
        env = "XENDIT_SECRET_KEY",
        value_name = "KEY",
        default_value = "xnd_development_simulator",
        hide_env_values = true
    )]
    xendit_secret_key: String,

    /// The token its webhooks carry
    #[arg(
        id = "simulate.xendit_callback_token",
        long = "xendit-callback-token",
        env = "XENDIT_CALLBACK_TOKEN",
        value_name = "TOKEN",
        default_value = "simulator-callback-token",
        hide_env_values = true
    )]
    xendit_callback_token: String,

    /// The API that gateways notify of payments
    #[arg(
        id = "simulate.api_url",
        long = "api-url",
        env = "API_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:3000"
    )]
    api_url: Url,

    /// Directory to remember servers and transactions in; forgotten at the end when not set
    #[arg(id = "simulate.state_dir", long = "state-dir", env = "SIM_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// What kind of installation this is.
    #[command(flatten)]
    general: GeneralConfig,
}

/// A simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// DigitalOcean's API v2.
    Digitalocean,
    /// Midtrans' core API.
    Midtrans,
    /// Xendit's Payments API.
    Xendit,
}

/// DigitalOcean's simulator.
///
/// # Errors
/// When its state cannot be read.
pub fn digitalocean(
    token: &str,
    boot_seconds: f64,
    state_dir: Option<&Path>,
) -> Result<Arc<simulators::digitalocean::Simulator>> {
    use simulators::digitalocean::{Config, Settings, Simulator};
    let config = Config {
        token: token.to_owned(),
        settings: Settings { boot_seconds, ..Settings::default() },
        state: state_dir.map(|directory| directory.join("digitalocean.json")),
    };
    Simulator::new(config)
        .context("the state of DigitalOcean's simulator cannot be read: remove digitalocean.json")
}

/// Midtrans' simulator.
///
/// # Errors
/// When its state cannot be read.
pub fn midtrans(
    server_key: &str,
    webhook: Option<String>,
    state_dir: Option<&Path>,
) -> Result<Arc<simulators::midtrans::Simulator>> {
    use simulators::midtrans::{Config, Settings, Simulator};
    let config = Config {
        server_key: server_key.to_owned(),
        settings: Settings { notification_url: webhook, ..Settings::default() },
        state: state_dir.map(|directory| directory.join("midtrans.json")),
    };
    Simulator::new(config).context("the state of Midtrans' simulator cannot be read: remove midtrans.json")
}

/// Xendit's simulator.
///
/// # Errors
/// When its state cannot be read.
pub fn xendit(
    secret_key: &str,
    callback_token: &str,
    webhook: Option<String>,
    state_dir: Option<&Path>,
) -> Result<Arc<simulators::xendit::Simulator>> {
    use simulators::xendit::{Config, Settings, Simulator};
    let config = Config {
        secret_key: secret_key.to_owned(),
        callback_token: callback_token.to_owned(),
        settings: Settings { notification_url: webhook, ..Settings::default() },
        state: state_dir.map(|directory| directory.join("xendit.json")),
    };
    Simulator::new(config).context("the state of Xendit's simulator cannot be read: remove xendit.json")
}

/// Where an API takes a gateway's notifications.
pub fn webhook(api_url: &Url, gateway: Gateway) -> String {
    format!("{}/api/v1/webhooks/{}", api_url.as_str().trim_end_matches('/'), gateway.slug())
}

/// Runs simulators until told to stop.
///
/// # Errors
/// In production, or when a port is taken.
pub async fn run(arguments: Arguments) -> Result<()> {
    if arguments.general.is_production() {
        bail!("production refuses simulators");
    }
    let stop = signals::stop_token()?;
    let wanted = |name| arguments.names.is_empty() || arguments.names.contains(&name);
    let state_dir = arguments.state_dir.as_deref();
    if let Some(directory) = state_dir {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    let mut tasks = Tasks::default();
    if wanted(Name::Digitalocean) {
        let simulator = digitalocean(&arguments.digitalocean_token, arguments.boot_seconds, state_dir)?;
        let listener = PortChoice::Default.listen(arguments.digitalocean_port, "DigitalOcean's simulator")?;
        println!("DigitalOcean: http://{}/v2, control: /__sim", listener.local_addr()?);
        let stop = tasks.stop_token().cancelled_owned();
        tasks.spawn("DigitalOcean's simulator", async move {
            Ok(simulators::digitalocean::serve(listener, simulator, stop).await?)
        });
    }
    if wanted(Name::Midtrans) {
        let webhook = webhook(&arguments.api_url, Gateway::Midtrans);
        let simulator = midtrans(&arguments.midtrans_server_key, Some(webhook), state_dir)?;
        let listener = PortChoice::Default.listen(arguments.midtrans_port, "Midtrans' simulator")?;
        println!("Midtrans:     http://{}/v2, control: /__sim", listener.local_addr()?);
        let stop = tasks.stop_token().cancelled_owned();
        tasks.spawn("Midtrans' simulator", async move {
            Ok(simulators::midtrans::serve(listener, simulator, stop).await?)
        });
    }
    if wanted(Name::Xendit) {
        let webhook = webhook(&arguments.api_url, Gateway::Xendit);
        let (key, token) = (&arguments.xendit_secret_key, &arguments.xendit_callback_token);
        let simulator = xendit(key, token, Some(webhook), state_dir)?;
        let listener = PortChoice::Default.listen(arguments.xendit_port, "Xendit's simulator")?;
        println!("Xendit:       http://{}/v3, control: /__sim", listener.local_addr()?);
        let stop = tasks.stop_token().cancelled_owned();
        tasks.spawn("Xendit's simulator", async move {
            Ok(simulators::xendit::serve(listener, simulator, stop).await?)
        });
    }
    let failure = tokio::select! {
        () = stop.cancelled() => None,
        failure = tasks.failure() => Some(failure),
    };
    tasks.stop(GRACE).await;
    failure.map_or(Ok(()), |failure| bail!("{failure}"))
}
