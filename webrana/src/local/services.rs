//! The product itself within a local stack: simulators, API, worker and dispatcher, all in this process.

use super::accounts;
use super::gateways::{self, GatewayListeners};
use super::messengers::MessengerListeners;
use crate::config::Config;
use crate::config::vendor_setting::possessive;
use crate::progress::Progress;
use crate::random::random_token;
use crate::stack::Servers;
use crate::stack::env_file::EnvFile;
use crate::stack::ports::PortChoice;
use crate::stack::secrets::StackSecrets;
use crate::tasks::Tasks;
use crate::vendors::{self, Limits, SimulatedProvider};
use crate::wiring::{self, Stores, bootstrap};
use adapters::providers;
use anyhow::{Context, Result};
use secrecy::ExposeSecret;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use temporal::roles::Roles;
use temporal::worker::WorkerSettings;
use tokio::net::TcpListener;
use url::Url;
use workflows::queues::WorkflowQueue;

/// Simulators hold nothing that needs time to finish.
const SIMULATOR_GRACE: Duration = Duration::from_secs(3);

/// Ports of the parts that run in this process, held from the start so that nobody takes them meanwhile.
pub struct Listeners {
    api: TcpListener,
    internal: TcpListener,
    metrics: TcpListener,
    providers: Vec<(&'static SimulatedProvider, TcpListener)>,
    gateways: GatewayListeners,
    messengers: MessengerListeners,
}

impl Listeners {
    /// Opens them all.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn open(config: &Config, ports: PortChoice) -> Result<Self> {
        let simulator = |which: &'static SimulatedProvider| -> Result<_> {
            let what = format!("{} simulator", possessive(which.vendor.name));
            Ok((which, ports.listen(which.simulator.port, &what)?))
        };
        Ok(Self {
            api: ports.listen(config.api.port, "the API")?,
            internal: ports.listen(config.api.internal_port, "the internal API")?,
            metrics: ports.listen(config.observability.metrics_port, "metrics")?,
            providers: vendors::providers().iter().map(simulator).collect::<Result<_>>()?,
            gateways: GatewayListeners::open(ports)?,
            messengers: MessengerListeners::open(ports)?,
        })
    }
}

/// How the product is to run.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// How long a simulated server takes to boot, in seconds.
    pub sim_boot_seconds: f64,
    /// Whether this process works on the providers' queues.
    pub provider_workers: bool,
    /// Whether there are stand-ins for mail and Telegram, where none is set.
    pub messengers: bool,
}

/// The running product.
pub struct Services {
    ready: Arc<AtomicBool>,
    product: Tasks,
    simulators: Tasks,
    grace: Duration,
}

impl Services {
    /// Prepares the database, then starts everything. Adds to `env` where things are.
    ///
    /// # Errors
    /// When a part cannot start.
    pub async fn start(
        mut config: Config,
        wanted: Wanted,
        servers: &Servers,
        mut secrets: StackSecrets,
        listeners: Listeners,
        env: &mut EnvFile,
        progress: &Progress,
    ) -> Result<Self> {
        config.auth = config.auth.with_secret_unless_given(&secrets.jwt_secret);
        config.credentials = config.credentials.with_key_unless_given(&secrets.credentials_key);
        let stores = wiring::stores(&config, true).await?;
        let store = &stores.main;
        bootstrap::migrate(store, true).await?;
        store.claim_installation().await?;
        accounts::ensure(store, &mut secrets, &stack_name(servers)).await?;
        secrets.save(servers.data_dir().state())?;
        progress.say("the database has its schema and catalog");

        let mut services = Self {
            ready: Arc::new(AtomicBool::new(false)),
            product: Tasks::default(),
            simulators: Tasks::default(),
            grace: config.api.shutdown_grace,
        };
        let api_url = url_of(&listeners.api)?;
        let Listeners { api, internal, metrics, providers, gateways, messengers } = listeners;
        let state_dir = servers.data_dir().state();
        let limits = match config.provider_shares.shares() {
            Some(_) => Limits::AsTheVendor,
            None => Limits::Lifted,
        };
        for (which, listener) in providers {
            let vendor = which.vendor;
            if config.providers.account(vendor.slug).is_some_and(|account| account.credential().is_some()) {
                continue;
            }
            let (url, credential) =
                (url_of(&listener)?, secrets.of_simulator(vendor.environment.credential)?);
            config.providers.simulate(vendor.slug, url.clone(), credential);
            let app = which.app(credential, wanted.sim_boot_seconds, limits, Some(state_dir))?;
            let stop = services.simulators.stop_token().cancelled_owned();
            services
                .simulators
                .spawn(vendor.name, async move { Ok(simulators::server::serve(listener, app, stop).await?) });
            env.set(&which.url_env, plain(&url));
        }
        gateways.simulate(&mut config, &secrets, &api_url, state_dir, &mut services.simulators, env)?;
        if wanted.messengers {
            messengers.simulate(&mut config, &mut services.simulators, env)?;
        }
        config.notifications.lead_to(&api_url);
        services.start_product(&config, wanted, &stores, [api, internal, metrics], env).await?;
        set_credentials(env, &config, &secrets);
        Ok(services)
    }

    async fn start_product(
        &mut self,
        config: &Config,
        wanted: Wanted,
        stores: &Stores,
        [api, internal, metrics]: [TcpListener; 3],
        env: &mut EnvFile,
    ) -> Result<()> {
        let state = wiring::app_state(config, stores, Arc::clone(&self.ready))?;
        let providers = if wanted.provider_workers { Arc::clone(&state.providers) } else { Arc::default() };
        let store = stores.main.clone();
        let (temporal, roles) = (wiring::temporal(config)?, Roles::default());
        env.set("API_URL", plain(&url_of(&api)?));
        env.set("API_DOCS_URL", format!("{}/api/docs", plain(&url_of(&api)?)));
        env.set("INTERNAL_URL", plain(&url_of(&internal)?));
        let (stop, bounds) = (self.product.stop_token(), wiring::bounds(config));
        self.product.spawn("open connections", wiring::end_live(state.live.clone(), stop.clone()));
        let api = wiring::serve_http(api, api::router(state.clone()), bounds.clone(), stop.clone());
        self.product.spawn("the API", api);
        let internal =
            wiring::serve_http(internal, api::internal_router(state), bounds.clone(), stop.clone());
        self.product.spawn("the internal API", internal);
        if config.observability.prometheus_enabled {
            env.set("METRICS_URL", plain(&url_of(&metrics)?));
            let health = crate::worker_health::routes(store.clone(), roles.clone());
            self.product.spawn("metrics", wiring::serve_metrics(metrics, health, bounds, stop.clone())?);
            self.product
                .spawn("the pools' figures", wiring::figures::show_pools(stores.named(), stop.clone()));
            self.product
                .spawn("the orders' figures", wiring::figures::show_orders(store.clone(), stop.clone()));
            let deliveries = wiring::figures::show_deliveries(store.clone(), stop.clone());
            self.product.spawn("the deliveries' figures", deliveries);
        }
        // Before the first order: a workflow may carry search attributes from its start.
        let client = engine::connect(&temporal).await?;
        temporal::bootstrap::ensure(&client).await?;
        let settings = WorkerSettings {
            temporal: temporal.clone(),
            store: store.clone(),
            providers,
            configured: wiring::configured(config),
            workflows: WorkflowQueue::ALL.to_vec(),
            version: config.versions.settings(true),
            schedules: Some(config.upkeep.schedules()),
            ledger: Some(config.upkeep.ledger()),
            purge: Some(config.upkeep.purge()),
            sweep: Some(config.upkeep.sweep(config.payments.refund_policy())),
            payments: wiring::gateways::payment_work(&config.payments, &store)?,
            notifications: wiring::notifications::notification_work(&config.notifications)?,
        };
        let channels = &settings.notifications.channels;
        // Before the first order, so that it is told of.
        channels.open(&store, &settings.notifications.policy).await?;
        if let Some(telegram) = channels.telegram.clone() {
            let (store, stop) = (store.clone(), stop.clone());
            self.product.spawn("the bot's reader", async move {
                activities::telegram_reader::run(store, telegram, stop).await;
                Ok(())
            });
        }
        let (worker_stop, dispatcher_stop) = (stop.clone(), stop);
        let worker_roles = roles.clone();
        self.product.spawn("the worker", async move {
            temporal::worker::run(settings, worker_roles, worker_stop).await?;
            Ok(())
        });
        let store = stores.dispatcher.clone().unwrap_or(store);
        let (watch, watching) = (wiring::queue_watch(config, temporal.clone()), stores.main.clone());
        let watched_until = dispatcher_stop.clone();
        self.product.spawn("the look at the queues", async move {
            temporal::queue_watch::run(watching, watch, watched_until).await;
            Ok(())
        });
        self.product.spawn("the dispatcher", async move {
            Ok(temporal::dispatcher::run(store, temporal, roles, dispatcher_stop).await?)
        });
        self.ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Resolves when a part ended on its own, with what a person should know.
    pub async fn failure(&self) -> String {
        tokio::select! {
            failure = self.product.failure() => failure,
            failure = self.simulators.failure() => failure,
        }
    }

    /// Lets running requests and activities finish, then stops the simulators they talk to.
    pub async fn stop(self) {
        self.ready.store(false, Ordering::Relaxed);
        self.product.stop(self.grace).await;
        self.simulators.stop(SIMULATOR_GRACE).await;
    }
}

/// Tells stacks on one database apart.
fn stack_name(servers: &Servers) -> String {
    let root = servers.data_dir().root();
    let name = crate::stack::server_user::stand_in(root);
    name.file_name().map_or_else(random_token, |name| name.to_string_lossy().into_owned())
}

/// What a person or a program needs to act: as administrator, as another service, as a worker of one's own.
fn set_credentials(env: &mut EnvFile, config: &Config, secrets: &StackSecrets) {
    env.set("INTERNAL_API_KEY", secrets.internal_api_key.clone().unwrap_or_default());
    env.set("ADMIN_EMAIL", secrets.admin_email.clone().unwrap_or_default());
    env.set("ADMIN_PASSWORD", &secrets.admin_password);
    env.set("JWT_SECRET", config.auth.jwt_secret.expose_secret());
    env.set("CREDENTIALS_KEY", config.credentials.key.expose_secret());
    for vendor in providers::ALL {
        let Some(account) = config.providers.account(vendor.slug) else { continue };
        env.set(vendor.environment.url, plain(&account.url));
        if let Some(credential) = account.credential() {
            env.set(vendor.environment.credential, credential.expose_secret());
        }
    }
    gateways::set_credentials(env, &config.payments);
}

pub(super) fn url_of(listener: &TcpListener) -> Result<Url> {
    let address = listener.local_addr().context("a port cannot be asked for its number")?;
    Ok(Url::parse(&format!("http://{address}"))?)
}

/// Without the slash that a URL without a path ends in, so that paths can be appended.
pub(super) fn plain(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
