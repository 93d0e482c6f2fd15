//! The whole product in one process, on its own servers and simulators.

mod accounts;
mod gateways;
mod messengers;
mod place;
mod services;

pub use self::place::{Place, refuse_in_production};

use self::services::{Listeners, Services, Wanted};
use crate::config::Config;
use crate::progress::Progress;
use crate::stack::data_dir::{self, DataDir};
use crate::stack::env_file::{EnvFile, WrittenEnvFile};
use crate::stack::secrets::StackSecrets;
use crate::stack::{ServerOptions, Servers};
use crate::telemetry;
use crate::vendors;
use crate::wiring;
use anyhow::Result;
use domain::term;
use secrecy::ExposeSecret;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;

/// Name of our own log among the servers'.
const LOG: &str = "webrana";

/// How much of the product runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Postgres and Temporal.
    Servers,
    /// The servers, the simulators, the API, the dispatcher and a worker.
    All,
    /// The same, but nobody works on the providers' queues.
    AllButProviders,
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// To standard error.
    ToTerminal,
    /// To a file among the servers' logs.
    ToFile,
}

/// What stack is asked for.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// How much of the product runs.
    pub parts: Parts,
    /// Whether the data is wiped at the end.
    pub ephemeral: bool,
    /// Whether what the database commits survives a power failure.
    pub durable: bool,
    /// Where log lines go.
    pub log: Log,
    /// Whether people are told by mail and by Telegram, by stand-ins where none is set.
    pub messengers: bool,
    /// Where it runs.
    pub place: Place,
    /// The product's settings.
    pub config: Config,
}

/// A running stack.
pub struct LocalStack {
    servers: Servers,
    services: Option<Services>,
    env: EnvFile,
    written: WrittenEnvFile,
    /// What is asked every day, with where the web UI answers it.
    views: Vec<(String, String)>,
}

/// The views that a start shows; the runbook names them all.
const SHOWN: [&str; 4] = ["stuck_orders", "failed_orders", "due_today", "suspended_servers"];

impl LocalStack {
    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// When something is missing or `stop` came first; what was started is stopped again.
    pub async fn start(options: StackOptions, progress: &Progress, stop: &CancellationToken) -> Result<Self> {
        let root = options.place.data_dir.clone().map_or_else(data_dir::default_path, Ok)?;
        let data_dir = DataDir::open(&root, options.ephemeral)?;
        let log = (options.log == Log::ToFile).then(|| data_dir.log_file(LOG)).transpose()?;
        telemetry::start(&options.config, log)?;
        let listeners = match options.parts {
            Parts::All | Parts::AllButProviders => {
                Some(Listeners::open(&options.config, options.place.ports)?)
            }
            Parts::Servers => None,
        };
        let wanted = server_options(&options);
        let servers = Servers::start(data_dir, &wanted, progress, stop.cancelled()).await?;
        match Self::complete(&options, &servers, listeners, progress, stop).await {
            Ok((services, env, written)) => {
                let views = views(&config_for(&options.config, &servers));
                Ok(Self { servers, services, env, written, views })
            }
            Err(error) => {
                servers.stop().await?;
                Err(error)
            }
        }
    }

    /// Everything on top of the servers.
    async fn complete(
        options: &StackOptions,
        servers: &Servers,
        listeners: Option<Listeners>,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<(Option<Services>, EnvFile, WrittenEnvFile)> {
        let mut env = servers_env(servers);
        let services = match listeners {
            None => None,
            Some(listeners) => {
                let secrets = StackSecrets::load_or_create(servers.data_dir().state())?;
                let config = config_for(&options.config, servers);
                let wanted = Wanted {
                    sim_boot_seconds: options.place.sim_boot_seconds,
                    provider_workers: options.parts == Parts::All,
                    messengers: options.messengers,
                };
                let starting =
                    Services::start(config, wanted, servers, secrets, listeners, &mut env, progress);
                let services = tokio::select! {
                    services = starting => services?,
                    () = stop.cancelled() => anyhow::bail!("stopped while starting"),
                };
                Some(services)
            }
        };
        let written = env.write(&servers.data_dir().env_file())?;
        Ok((services, env, written))
    }

    /// Where things are, as `dev.env` says.
    pub fn env(&self) -> &EnvFile {
        &self.env
    }

    /// Where log lines go that do not go to the terminal.
    pub fn log_file(&self) -> PathBuf {
        self.servers.data_dir().logs().join(format!("{LOG}.log"))
    }

    /// Says where things are.
    pub fn announce(&self, progress: &Progress) {
        progress.say(format!("ready: see {}", self.servers.data_dir().env_file().display()));
        let parts = [
            ("API_URL", "API"),
            ("API_DOCS_URL", "API documentation"),
            ("TEMPORAL_UI_URL", "Temporal"),
            ("METRICS_URL", "Metrics"),
            ("SIM_MAIL_URL", "Mails that were sent (simulator)"),
            ("SIM_TELEGRAM_URL", "Telegram (simulator)"),
            ("ADMIN_EMAIL", "Administrator"),
        ]
        .map(|(key, label)| (key, label.to_owned()));
        let simulator = |name: &str| format!("{name} (simulator)");
        let gateways = vendors::gateways().iter().map(|it| (&*it.url_env, simulator(it.vendor.name)));
        let providers = vendors::providers().iter().map(|it| (&*it.url_env, simulator(it.vendor.name)));
        for (key, label) in parts.into_iter().chain(gateways).chain(providers) {
            if let Some(value) = self.env.get(key) {
                progress.note(format!("            {label:<26} {value}"));
            }
        }
        for (question, url) in &self.views {
            progress.note(format!("            {question:<33} {url}"));
        }
        progress.note("            Ctrl-C stops it");
    }

    /// Resolves when a part failed, with what a person should know.
    pub async fn failure(&self) -> String {
        let services = async {
            match &self.services {
                Some(services) => services.failure().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            failure = self.servers.failure() => failure,
            failure = services => failure,
        }
    }

    /// Stops the product first, then what it stands on.
    ///
    /// # Errors
    /// When the data of an ephemeral stack cannot be removed.
    pub async fn stop(self) -> Result<()> {
        drop(self.written);
        if let Some(services) = self.services {
            services.stop().await;
        }
        self.servers.stop().await
    }
}

/// Where the web UI answers what is asked every day, as of today.
#[expect(clippy::disallowed_methods, reason = "a person reads it, and nothing is decided by it")]
fn views(config: &Config) -> Vec<(String, String)> {
    let Some(ui) = wiring::namespace_ui_url(config) else { return Vec::new() };
    let today = term::day(chrono::Utc::now());
    let views = domain::views::all(&config.temporal.queue_prefix, today);
    let shown = views.into_iter().filter(|view| SHOWN.contains(&view.name.as_str()));
    shown.map(|view| (view.question.clone(), view.url(&ui))).collect()
}

fn server_options(options: &StackOptions) -> ServerOptions {
    let (config, place) = (&options.config, &options.place);
    ServerOptions {
        database_url: config.database.url().map(|url| url.expose_secret().to_owned()),
        temporal_address: config.temporal.address(),
        temporal_ui_url: config.temporal.ui_url.clone(),
        ports: place.ports,
        postgres_binaries: place.postgres_binaries.clone(),
        durable: options.durable,
    }
}

fn config_for(config: &Config, servers: &Servers) -> Config {
    let mut config = config.clone();
    config.database = config.database.with_url(&servers.database_url);
    config.temporal =
        config.temporal.with_server(&servers.temporal_address, servers.temporal_ui_url.as_deref());
    config
}

fn servers_env(servers: &Servers) -> EnvFile {
    let mut env = EnvFile::default();
    env.set("DATABASE_URL", &servers.database_url);
    env.set("TEMPORAL_ADDRESS", &servers.temporal_address);
    if let Some(url) = &servers.temporal_ui_url {
        env.set("TEMPORAL_UI_URL", url);
    }
    env
}
