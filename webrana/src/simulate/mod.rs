//! `webrana simulate`: the vendors' stand-ins by themselves, on loopback.

mod arguments;

use self::arguments::SimulatorArguments;
use crate::config::general::GeneralConfig;
use crate::config::vendor_setting::possessive;
use crate::signals;
use crate::stack::ports::PortChoice;
use crate::tasks::Tasks;
use crate::vendors::{self, Limits};
use anyhow::{Context, Result, bail};
use axum::Router;
use simulators::mail::MailServer;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

const GRACE: Duration = Duration::from_secs(3);

/// Which simulators, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which ones, where and with which credentials.
    #[command(flatten)]
    simulators: SimulatorArguments,

    /// How long a simulated server takes to boot, in seconds; fractions count
    #[arg(
        id = "simulate.boot_seconds",
        long = "sim-boot-seconds",
        env = "WEBRANA_SIM_BOOT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3.0
    )]
    boot_seconds: f64,

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

impl Arguments {
    /// The simulators that are wanted: slug, name, version and service.
    fn wanted(&self) -> Result<Vec<(&'static str, &'static str, &'static str, Router)>> {
        let (wanted, state_dir) = (&self.simulators, self.state_dir.as_deref());
        let mut all = Vec::new();
        for it in vendors::providers().iter().filter(|it| wanted.wants(it.vendor.slug)) {
            let credential = wanted.credential(it.vendor.environment.credential);
            let app = it.app(credential, self.boot_seconds, Limits::AsTheVendor, state_dir)?;
            all.push((it.vendor.slug, it.vendor.name, it.simulator.version, app));
        }
        for it in vendors::gateways().iter().filter(|it| wanted.wants(it.vendor.slug)) {
            let credentials: Vec<&str> =
                it.vendor.credentials.iter().map(|known| wanted.credential(known.env)).collect();
            let app = it.app(&credentials, &self.api_url, state_dir)?;
            all.push((it.vendor.slug, it.vendor.name, it.simulator.version, app));
        }
        if wanted.wants(simulators::telegram::SLUG) {
            let app = simulators::telegram::open(wanted.credential(arguments::BOT_TOKEN)).router;
            all.push((simulators::telegram::SLUG, "Telegram", "/bot<token>", app));
        }
        Ok(all)
    }

    /// The mail server, and its inbox.
    fn serve_mail(&self, tasks: &mut Tasks) -> Result<()> {
        let server = MailServer::default();
        let smtp = PortChoice::Default.listen(self.simulators.port(arguments::SMTP), "the mail simulator")?;
        let port = self.simulators.port(simulators::mail::SLUG);
        let inbox = PortChoice::Default.listen(port, "the mail simulator's inbox")?;
        println!("{:<14}smtp+plain://{}", "Mail:", smtp.local_addr()?);
        println!("{:<14}http://{}, control: /__sim", "Inbox:", inbox.local_addr()?);
        let (app, stop) = (server.inbox(), tasks.stop_token().cancelled_owned());
        tasks.spawn("Inbox", async move { Ok(simulators::server::serve(inbox, app, stop).await?) });
        let stop = tasks.stop_token().cancelled_owned();
        tasks.spawn("Mail", async move { Ok(server.serve(smtp, stop).await?) });
        Ok(())
    }
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
    if let Some(directory) = &arguments.state_dir {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    let mut tasks = Tasks::default();
    for (slug, name, version, app) in arguments.wanted()? {
        let what = format!("{} simulator", possessive(name));
        let listener = PortChoice::Default.listen(arguments.simulators.port(slug), &what)?;
        let label = format!("{name}:");
        println!("{label:<14}http://{}{version}, control: /__sim", listener.local_addr()?);
        let stop = tasks.stop_token().cancelled_owned();
        tasks.spawn(name, async move { Ok(simulators::server::serve(listener, app, stop).await?) });
    }
    if arguments.simulators.wants(simulators::mail::SLUG) {
        arguments.serve_mail(&mut tasks)?;
    }
    let failure = tokio::select! {
        () = stop.cancelled() => None,
        failure = tasks.failure() => Some(failure),
    };
    tasks.stop(GRACE).await;
    failure.map_or(Ok(()), |failure| bail!("{failure}"))
}
