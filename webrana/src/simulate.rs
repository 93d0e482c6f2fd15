//! `webrana simulate`: the vendors' stand-ins by themselves, on loopback.

use crate::config::general::GeneralConfig;
use crate::config::payments::Gateway;
use crate::signals;
use crate::stack::ports::PortChoice;
use crate::tasks::Tasks;
use anyhow::{Context, Result, bail};
use axum::Router;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// A provider's simulator: what it is called, and what a stack tells of it.
#[derive(Debug, Clone, Copy)]
pub struct ProviderSimulator {
    /// The catalog's slug.
    pub slug: &'static str,
    /// What the vendor is called.
    pub name: &'static str,
    /// Where it listens.
    pub port: u16,
    /// The version its paths begin with.
    version: &'static str,
    /// The variable that tells its address.
    pub simulator_env: &'static str,
    /// The variable of the adapter's address.
    pub url_env: &'static str,
    /// The variable of the adapter's credential.
    pub credential_env: &'static str,
}

/// The providers that can be simulated.
pub const PROVIDERS: [ProviderSimulator; 3] = [
    ProviderSimulator {
        slug: "digitalocean",
        name: "DigitalOcean",
        port: 4010,
        version: "/v2",
        simulator_env: "SIM_DIGITALOCEAN_URL",
        url_env: "DIGITALOCEAN_URL",
        credential_env: "DIGITALOCEAN_TOKEN",
    },
    ProviderSimulator {
        slug: "vultr",
        name: "Vultr",
        port: 4011,
        version: "/v2",
        simulator_env: "SIM_VULTR_URL",
        url_env: "VULTR_URL",
        credential_env: "VULTR_API_KEY",
    },
    ProviderSimulator {
        slug: "linode",
        name: "Linode",
        port: 4012,
        version: "/v4",
        simulator_env: "SIM_LINODE_URL",
        url_env: "LINODE_URL",
        credential_env: "LINODE_API_TOKEN",
    },
];

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
        default_value_t = 4010
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

    /// Port of Vultr's simulator
    #[arg(
        id = "simulate.vultr_port",
        long = "vultr-port",
        env = "SIM_VULTR_PORT",
        value_name = "PORT",
        default_value_t = 4011
    )]
    vultr_port: u16,

    /// The key it accepts
    #[arg(
        id = "simulate.vultr_api_key",
        long = "vultr-api-key",
        env = "VULTR_API_KEY",
        value_name = "KEY",
        default_value = "vultr-simulator-key",
        hide_env_values = true
    )]
    vultr_api_key: String,

    /// Port of Linode's simulator
    #[arg(
        id = "simulate.linode_port",
        long = "linode-port",
        env = "SIM_LINODE_PORT",
        value_name = "PORT",
        default_value_t = 4012
    )]
    linode_port: u16,

    /// The token it accepts
    #[arg(
        id = "simulate.linode_api_token",
        long = "linode-api-token",
        env = "LINODE_API_TOKEN",
        value_name = "TOKEN",
        default_value = "linode-simulator-token",
        hide_env_values = true
    )]
    linode_api_token: String,

    /// How long a simulated server takes to boot, in seconds; fractions count
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
    /// Vultr's API v2.
    Vultr,
    /// Linode's API v4.
    Linode,
    /// Midtrans' core API.
    Midtrans,
    /// Xendit's Payments API.
    Xendit,
}

impl Arguments {
    /// The provider's simulator of a name, with its port and the credential it accepts.
    fn provider(&self, name: Name) -> Option<(&'static ProviderSimulator, u16, &str)> {
        let (slug, port, credential) = match name {
            Name::Digitalocean => ("digitalocean", self.digitalocean_port, &self.digitalocean_token),
            Name::Vultr => ("vultr", self.vultr_port, &self.vultr_api_key),
            Name::Linode => ("linode", self.linode_port, &self.linode_api_token),
            Name::Midtrans | Name::Xendit => return None,
        };
        let simulator = PROVIDERS.iter().find(|simulator| simulator.slug == slug)?;
        Some((simulator, port, credential))
    }
}

/// Whether a simulator limits how often it is called and how much an account may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// As its vendor does.
    AsTheVendor,
    /// Not at all.
    Lifted,
}

/// The HTTP service of a provider's simulator.
///
/// # Errors
/// When its state cannot be read.
pub fn provider(
    which: &ProviderSimulator,
    credential: &str,
    boot_seconds: f64,
    limits: Limits,
    state_dir: Option<&Path>,
) -> Result<Router> {
    let are_lifted = limits == Limits::Lifted;
    let file = format!("{}.json", which.slug);
    let state = state_dir.map(|directory| directory.join(&file));
    let token = credential.to_owned();
    let app = match which.slug {
        "digitalocean" => {
            use simulators::digitalocean::{Config, Settings, Simulator};
            let mut settings = Settings { boot_seconds, ..Settings::default() };
            if are_lifted {
                (settings.rate_limits, settings.account_limit) = (false, None);
            }
            Simulator::new(Config { token, settings, state }).map(Simulator::app)
        }
        "vultr" => {
            use simulators::vultr::{Config, Settings, Simulator};
            let mut settings = Settings { boot_seconds, ..Settings::default() };
            if are_lifted {
                (settings.rate_limits, settings.account_limit) = (false, None);
            }
            Simulator::new(Config { token, settings, state }).map(Simulator::app)
        }
        "linode" => {
            use simulators::linode::{Config, Settings, Simulator};
            let mut settings = Settings { boot_seconds, ..Settings::default() };
            if are_lifted {
                (settings.rate_limits, settings.account_limit) = (false, None);
            }
            Simulator::new(Config { token, settings, state }).map(Simulator::app)
        }
        unknown => bail!("there is no simulator of {unknown}"),
    };
    app.with_context(|| format!("the state of {}'s simulator cannot be read: remove {file}", which.name))
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
    for name in Name::value_variants().iter().copied().filter(|name| wanted(*name)) {
        let Some((which, port, credential)) = arguments.provider(name) else { continue };
        let app = provider(which, credential, arguments.boot_seconds, Limits::AsTheVendor, state_dir)?;
        let listener = PortChoice::Default.listen(port, &format!("{}'s simulator", which.name))?;
        let label = format!("{}:", which.name);
        println!("{label:<14}http://{}{}, control: /__sim", listener.local_addr()?, which.version);
        let stop = tasks.stop_token().cancelled_owned();
        tasks.spawn("a provider's simulator", async move {
            Ok(simulators::server::serve(listener, app, stop).await?)
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
