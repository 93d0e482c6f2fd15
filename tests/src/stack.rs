//! A running system of one's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adapters::{payments::Gateways, providers::Registry};
use anyhow::{Context, Result};
use api::{AppState, AuthConfig, Limits, OrderConfig, PasswordCost, PaymentConfig};
use domain::{
    api_key::Scope,
    billing::PaymentMethod,
    failover::FailoverPolicy,
    policy::{OrderPolicy, StepPolicy},
    refund::RefundPolicy,
    role::Role,
    unpaid::UnpaidLimits,
};
use engine::TemporalConfig;
use simulators::gateway::Settings;
use sqlx::{Connection, Executor, PgConnection};
use store::{
    Store,
    api_keys::NewApiKey,
    audit::{Actor, Origin},
    credentials::CredentialsKeys,
};
use temporal::{
    dispatcher,
    roles::Roles,
    versions::{self, VersionSettings},
    worker,
};
use testkit::{RaisedAlerts, SimulatedGateway};
use tokio::{
    runtime::{Builder, Runtime},
    sync::OnceCell,
};
use tokio_util::sync::CancellationToken;
use workflows::queues::WorkflowQueue;

use crate::{
    audit::Audit,
    cloud::{Cloud, Clouds},
    messengers::{Messengers, Told},
    watched::Watched,
};

/// What root passwords are sealed under, here and in worker processes.
pub const CREDENTIALS_KEY: &str = "dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4=";
/// What access tokens are signed with, here and in API processes.
pub const JWT_SECRET: &str = "a secret of the tests, thirty-two bytes and more";
/// How long a customer waits for a gateway, here and in API processes.
pub const CHARGE_TIMEOUT: Duration = Duration::from_secs(2);

/// How a system differs from the usual one.
#[derive(Debug, Clone)]
pub struct Options {
    /// The rules orders are placed under.
    pub policy: OrderPolicy,
    /// How long the adapters believe a server may be missing from lists.
    pub listing_lag: Duration,
    /// Longest wait for a provider's answer.
    pub provider_timeout: Duration,
    /// A Postgres of the test's own, instead of the run's.
    pub database_url: Option<String>,
    /// An engine of the test's own or another way to it, instead of the run's.
    pub temporal: Option<TemporalConfig>,
    /// Whether dispatcher and workers run in this process; a chaos test runs them in one it can kill.
    pub worker_inside: bool,
    /// Whether the worker in this process also asks payment gateways.
    pub payments_inside: bool,
    /// Which version of the workflow code the worker in this process says it runs, as in production. None by default: the engine keeps
    /// versions apart by workflows of its own, one more with each queue that a worker polls, which is most of the work of a
    /// system that lives for seconds.
    pub version: Option<VersionSettings>,
    /// Whether customers are told anything by mail and by Telegram.
    pub told: Told,
    /// Where its processes log, if that is looked at.
    pub watched: Option<Watched>,
}

/// Steps that are tried again within a second, and given up after a minute.
const HASTY: StepPolicy = StepPolicy {
    heartbeat_timeout_ms: 2_000,
    retry_initial_ms: 100,
    retry_max_ms: 1_000,
    give_up_after_ms: 60_000,
};

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: OrderPolicy {
                payment_window_ms: 3_600_000,
                remind_after_ms: 3_000_000,
                steps: HASTY,
                ready_patience_ms: 600_000,
                failover: FailoverPolicy::OFF,
            },
            listing_lag: Duration::from_secs(1),
            provider_timeout: Duration::from_secs(2),
            database_url: None,
            temporal: None,
            worker_inside: true,
            payments_inside: true,
            version: None,
            told: Told::Nobody,
            watched: None,
        }
    }
}

impl Options {
    /// Workers whose versions the engine keeps apart, as in production.
    #[must_use]
    pub fn versioned() -> Self {
        let version = VersionSettings { build_id: versions::build_id(), in_place: false };
        Self { version: Some(version), ..Self::default() }
    }
}

/// A running system. It is audited when it is dropped, and everything ends; its database stays with the run's throw-away cluster.
#[derive(Debug)]
pub struct Stack {
    /// Where the API listens, such as `http://127.0.0.1:41234`.
    pub api_url: String,
    /// Where the internal API listens.
    pub internal_url: String,
    /// Its database.
    pub store: Store,
    /// URL of its database.
    pub database_url: String,
    /// The engine, with this system's own queues.
    pub temporal: TemporalConfig,
    /// The simulated providers.
    pub clouds: Clouds,
    /// The simulated gateway.
    pub gateway: SimulatedGateway,
    /// Where its messages go, if customers are told anything.
    pub messengers: Option<Messengers>,
    /// A key of the internal endpoints.
    pub api_key: String,
    /// An admin's email and password.
    pub admin: (String, String),
    /// How it was started.
    pub options: Options,
    /// What is asked of it when it ends.
    pub audit: Audit,
    stop: CancellationToken,
}

impl Drop for Stack {
    /// Audits it, unless the test failed, and ends it.
    fn drop(&mut self) {
        let wrong = self.findings();
        self.stop.cancel();
        assert_passed(&wrong);
    }
}

impl Stack {
    /// What the audit finds wrong; nothing is asked of a test that failed.
    fn findings(&self) -> Vec<String> {
        if std::thread::panicking() { Vec::new() } else { self.audit.findings(&self.database_url) }
    }
}

fn assert_passed(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "the test went through, but its system does not pass the audit:\n- {}",
        wrong.join("\n- ")
    );
}

/// Somebody uses the system that tests share. It never ends, so the last who leaves it for the moment has it audited: no test is in
/// the middle of anything then, and what the next one begins meanwhile is sound and delivered, too.
#[derive(Debug)]
pub(crate) struct Visit(&'static Stack);

static SHARED: OnceCell<Stack> = OnceCell::const_new();
static VISITS: AtomicUsize = AtomicUsize::new(0);

impl Visit {
    /// Nobody counts the visits of a system that ends with its test.
    pub(crate) fn of(stack: &Stack) -> Option<Self> {
        let shared = SHARED.get().filter(|shared| std::ptr::eq(*shared, stack))?;
        VISITS.fetch_add(1, Ordering::SeqCst);
        Some(Self(shared))
    }
}

impl Clone for Visit {
    fn clone(&self) -> Self {
        VISITS.fetch_add(1, Ordering::SeqCst);
        Self(self.0)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if VISITS.fetch_sub(1, Ordering::SeqCst) == 1 {
            assert_passed(&self.0.findings());
        }
    }
}

/// A runtime for one system alone, so that it is known whose an alert is. It lives as long as the process, as tests come and go with
/// theirs: what ends with the system winds down on it.
fn runtime_of_its_own(raised: &RaisedAlerts) -> Result<&'static Runtime> {
    let raised = raised.clone();
    let runtime =
        Builder::new_multi_thread().enable_all().on_thread_start(move || raised.gather_here()).build()?;
    Ok(Box::leak(Box::new(runtime)))
}

/// The system that tests share which need nothing special; started with the first of them. It is never dropped: it is audited
/// whenever none of them uses it.
pub async fn shared() -> &'static Stack {
    SHARED
        .get_or_init(|| async { Stack::start(Options::versioned()).await.expect("the system starts") })
        .await
}

impl Stack {
    /// Starts a system.
    ///
    /// # Errors
    /// When the run's servers are missing or anything does not come up.
    pub async fn start(options: Options) -> Result<Self> {
        let raised = RaisedAlerts::default();
        runtime_of_its_own(&raised)?.spawn(Self::begin(options, raised)).await?
    }

    async fn begin(options: Options, raised: RaisedAlerts) -> Result<Self> {
        let name = format!("t{}", uuid::Uuid::now_v7().simple());
        let database_url = create_database(&name, &options).await?;
        let keys = CredentialsKeys::parse(&CREDENTIALS_KEY.into())?;
        // As on a developer's machine: tests come in bursts.
        let bursts = UnpaidLimits { orders: 100, deposits: 100, ..UnpaidLimits::STANDARD };
        let store = connect(&database_url)
            .await?
            .with_credentials_keys(keys)
            .with_unpaid_limits(bursts)
            .with_first_boot_limits(adapters::providers::first_boot_limits());
        store.migrate().await?;
        store.seed().await?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let api_url = format!("http://{}", listener.local_addr()?);
        let internal = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let internal_url = format!("http://{}", internal.local_addr()?);
        let clouds = Clouds::start().await;
        let gateway = SimulatedGateway::with("midtrans", |config| config.settings = notified(&api_url)).await;
        let engine = options.temporal.clone().map_or_else(engine, Ok)?;
        let temporal = TemporalConfig { queue_prefix: format!("{name}-"), ..engine };
        let origin = Origin { actor: Actor::System, ip: None, request_id: None };
        let (_, api_key) = store
            .create_api_key(&NewApiKey { name: "tests", scopes: Scope::ALL, life: None }, &origin)
            .await?;
        let admin = create_admin(&store, &origin).await?;
        let messengers = match options.told {
            Told::Nobody => None,
            Told::Inside | Told::Outside => Some(Messengers::start().await),
        };
        let providers = Arc::new(registry(&clouds, &options));
        let state = app_state(&store, &gateway, Arc::clone(&providers), &options);
        let stop = CancellationToken::new();
        serve(listener, api::router(state.clone()), stop.clone());
        serve(internal, api::internal_router(state), stop.clone());
        if options.worker_inside {
            let roles = Roles::default();
            tokio::spawn(dispatcher::run(store.clone(), temporal.clone(), roles.clone(), stop.clone()));
            let settings = worker::WorkerSettings {
                temporal: temporal.clone(),
                store: store.clone(),
                configured: providers.slugs().map(str::to_owned).collect(),
                providers,
                workflows: WorkflowQueue::ALL.to_vec(),
                version: options.version.clone(),
                schedules: None,
                ledger: None,
                purge: None,
                sweep: None,
                payments: if options.payments_inside {
                    worker::PaymentWork { gateways: gateways(&gateway), checks: None }
                } else {
                    worker::PaymentWork::default()
                },
                notifications: match &messengers {
                    Some(messengers) if options.told == Told::Inside => {
                        told_here(messengers, &store, &stop).await?
                    }
                    _ => worker::NotificationWork::default(),
                },
            };
            tokio::spawn(worker::run(settings, roles, stop.clone()));
        }
        Ok(Self {
            api_url,
            internal_url,
            store,
            database_url,
            temporal,
            clouds,
            gateway,
            messengers,
            api_key,
            admin,
            audit: Audit::of(&options, raised),
            options,
            stop,
        })
    }
}

/// The run's engine.
///
/// # Errors
/// When nobody said where it is.
pub fn engine() -> Result<TemporalConfig> {
    Ok(TemporalConfig::plain(required("TEMPORAL_ADDRESS")?))
}

/// Many systems of a run share two cores and one server, which makes a database for each: a connection may take its time.
pub(crate) async fn connect(database_url: &str) -> Result<Store> {
    for _ in 0..5 {
        match Store::connect(database_url, &store::PoolSettings::default()).await {
            Err(error) if error.is_transient() => {}
            outcome => return Ok(outcome?),
        }
    }
    anyhow::bail!("the database took no connection")
}

fn required(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run the tests with `cargo verify`"))
}

async fn create_database(name: &str, options: &Options) -> Result<String> {
    let server = options.database_url.clone().map_or_else(|| required("DATABASE_URL"), Ok)?;
    let mut url: url::Url = server.parse()?;
    let mut server = PgConnection::connect(url.as_str()).await?;
    server.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
    url.set_path(name);
    Ok(url.to_string())
}

fn notified(api_url: &str) -> Settings {
    Settings {
        notification_url: Some(format!("{api_url}/api/v1/webhooks/midtrans")),
        retry_interval_seconds: 0.05,
        ..Settings::default()
    }
}

/// What the worker in this process tells people: its channels are open before the first order, and the bot is listened to.
async fn told_here(
    messengers: &Messengers,
    store: &Store,
    stop: &CancellationToken,
) -> Result<worker::NotificationWork> {
    let work = messengers.work();
    work.channels.open(store, &work.policy).await?;
    if let Some(telegram) = work.channels.telegram.clone() {
        tokio::spawn(activities::telegram_reader::run(store.clone(), telegram, stop.clone()));
    }
    Ok(work)
}

async fn create_admin(store: &Store, origin: &Origin) -> Result<(String, String)> {
    let (email, password) = ("admin@example.test".to_owned(), "a-long-enough-password".to_owned());
    let new = store::users::NewUser {
        email: email.clone(),
        full_name: "Test Admin".to_owned(),
        password_hash: api::hash_password(password.clone().into(), PasswordCost::QUICK).await?,
        role: Role::Admin,
        email_verified: true,
    };
    store.create_user(&new, origin).await?;
    Ok((email, password))
}

fn registry(clouds: &Clouds, options: &Options) -> Registry {
    let adapter = |cloud| {
        clouds.at(cloud).adapter_with(|account| {
            account.request_timeout = options.provider_timeout;
            account.listing_lag = options.listing_lag;
        })
    };
    Registry::new(Cloud::all().map(adapter).collect())
}

fn gateways(gateway: &SimulatedGateway) -> Gateways {
    let adapter = gateway.adapter_with(|account| account.timeout = Duration::from_secs(2));
    Gateways::from([(gateway.vendor.slug, adapter)])
}

fn app_state(
    store: &Store,
    gateway: &SimulatedGateway,
    providers: Arc<Registry>,
    options: &Options,
) -> AppState {
    let gateways = gateways(gateway);
    let by_method = [PaymentMethod::Qris, PaymentMethod::VirtualAccount]
        .map(|method| (method, gateway.vendor.slug))
        .into();
    let payments = PaymentConfig {
        gateways,
        by_method,
        charge_timeout: CHARGE_TIMEOUT,
        refund_policy: RefundPolicy { steps: HASTY, ..RefundPolicy::default() },
    };
    let auth = AuthConfig { password_cost: PasswordCost::QUICK, ..AuthConfig::new(JWT_SECRET.into()) };
    AppState {
        orders: Arc::new(OrderConfig { policy: options.policy, unverified_may_order: true }),
        limits: Arc::new(Limits::uncounted()),
        telegram_bot: (options.told != Told::Nobody).then(|| Messengers::bot().into()),
        ..AppState::new(store.clone(), providers, payments, auth)
    }
}

fn serve(listener: tokio::net::TcpListener, router: axum::Router, stop: CancellationToken) {
    let bounds = api::serve::Bounds { per_address: usize::MAX, ..Default::default() };
    tokio::spawn(api::serve::serve(listener, router, bounds, stop));
}
