//! Everything SQL, one module per aggregate. What a public method changes, it changes in one transaction that leaves the
//! database consistent: business rows, timeline, notifications, audit and outbox together. Those that work through many
//! rows (sweeps, purges, the books) take one for each part, and say so. Rules are `domain`'s; nothing here
//! calls a provider, a gateway or Temporal, and no other crate knows a table's name.
//!
//! Helpers that take `&mut PgConnection` are parts of a larger transaction and private to the crate. Modules stand on floors
//! (`docs/ARCHITECTURE.md`): each uses what is below it only. The order in which everybody locks is in `locks`.

use std::sync::Arc;

use domain::{
    Rupiah,
    installation::Installation,
    payment_limits::{AmountLimits, OutsideLimits, PaymentLimits, Way},
    unpaid::UnpaidLimits,
    user_data::FirstBootLimits,
};
use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};

pub mod admin;
pub mod api_keys;
pub mod api_tokens;
pub mod audit;
mod awaited_money;
pub mod billing_profiles;
pub mod cancellations;
pub mod catalog;
pub mod catalog_sync;
pub mod crash_point;
pub mod credentials;
mod database_server;
pub mod deadline;
pub mod deliveries;
pub mod disputes;
pub mod documents;
mod elapsed;
mod error;
mod events;
pub mod expiry;
pub mod figures;
pub mod final_snapshots;
pub mod gateways;
pub mod idempotency;
mod installation;
pub mod instance_actions;
pub mod instances;
pub mod invoices;
pub mod ledger;
pub mod life;
pub mod live;
mod locks;
pub mod mailed_links;
pub mod money_act;
pub mod notifications;
mod numbers;
pub mod opaque_token;
pub mod orders;
pub mod outbox;
mod own_actions;
pub mod page;
pub mod pauses;
pub mod payments;
pub mod payouts;
pub mod placements;
mod pool;
pub mod promos;
pub mod provider_budgets;
pub mod provider_reads;
pub mod provisioning;
mod purge;
pub mod queue_health;
pub mod reconciliation;
pub mod refunds;
mod refused_steps;
mod registration;
pub mod renewals;
pub mod request_budgets;
pub mod resizes;
pub mod second_factor;
pub mod seed;
mod server_resizes;
mod server_terms;
pub mod sessions;
pub mod ssh_keys;
pub mod sweep;
mod tax;
pub mod telegram;
mod term;
pub mod throttles;
pub mod time_limit;
pub mod timeline;
mod transition;
mod unpaid;
pub mod users;
pub mod versions;
pub mod wallet;
pub mod webhooks;

pub use elapsed::Elapsed;
pub use error::{Object, StoreError};
pub use pool::PoolSettings;

/// Puts an `async fn`'s future on the heap. Every public one has it: what is behind a pointer is compiled here, once; a bare
/// future is compiled anew in each crate and each test that awaits it, with all of the SQL inside (ADR 51).
pub(crate) use async_recursion::async_recursion as boxed;

use pool::Pool;

/// Exports of one process at a time: each keeps a connection, and Postgres from tidying up.
const EXPORTS_AT_ONCE: usize = 2;

/// Longest wait of a migration for a lock, be it on a table or for another process that migrates.
const MIGRATION_LOCK: std::time::Duration = std::time::Duration::from_secs(30);

/// The database, as the rest of the program sees it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// The server itself, where a pooler may be in between.
    direct: Option<Arc<PgConnectOptions>>,
    credentials_keys: Option<Arc<credentials::CredentialsKeys>>,
    payment_limits: Option<Arc<PaymentLimits>>,
    unpaid_limits: UnpaidLimits,
    first_boot_limits: Arc<FirstBootLimits>,
    installation: Arc<Installation>,
    actions_per_hour: u32,
    /// Places of those who take everything of a kind out.
    exports: Arc<tokio::sync::Semaphore>,
}

/// The result of everything here.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl Store {
    /// Connects to `url`, within the bounds of `settings`.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the URL is malformed or no connection comes about in time.
    #[boxed]
    pub async fn connect(url: &str, settings: &PoolSettings) -> Result<Self> {
        Self::connect_with(url.parse()?, settings).await
    }

    /// The same with an address that was read before.
    ///
    /// # Errors
    /// [`StoreError::Db`] when no connection comes about in time.
    #[boxed]
    pub async fn connect_with(options: PgConnectOptions, settings: &PoolSettings) -> Result<Self> {
        let options = options.application_name("webrana");
        let pool = Pool::connect(options.clone(), settings).await?;
        Ok(Self { direct: Some(Arc::new(options)), ..Self::of(pool) })
    }

    /// The same with the address of the server itself, for what a pooler in between can't do: to listen, and to migrate.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the URL is malformed.
    pub fn with_direct_url(mut self, url: &str) -> Result<Self> {
        self.direct = Some(Arc::new(url.parse::<PgConnectOptions>()?.application_name("webrana")));
        Ok(self)
    }

    /// Wraps a pool that exists already (a test's, for example), with whatever bounds its connections have,
    /// and the standard bounds on what is unpaid.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::of(Pool::new(pool))
    }

    fn of(pool: Pool) -> Self {
        Self {
            pool,
            direct: None,
            credentials_keys: None,
            payment_limits: None,
            unpaid_limits: UnpaidLimits::STANDARD,
            first_boot_limits: Arc::default(),
            installation: Arc::default(),
            actions_per_hour: instance_actions::ACTIONS_PER_HOUR,
            exports: Arc::new(tokio::sync::Semaphore::new(EXPORTS_AT_ONCE)),
        }
    }

    /// The same with the keys of root passwords. Without them no server can be made that has a password, and none
    /// shown.
    #[must_use]
    pub fn with_credentials_keys(mut self, keys: credentials::CredentialsKeys) -> Self {
        self.credentials_keys = Some(Arc::new(keys));
        self
    }

    /// The same with what bounds payments through gateways: no attempt outside of it is written. Without, nothing does.
    #[must_use]
    pub fn with_payment_limits(mut self, limits: PaymentLimits) -> Self {
        self.payment_limits = Some(Arc::new(limits));
        self
    }

    /// The same for an installation; without, it is [`Installation::default`].
    #[must_use]
    pub fn with_installation(mut self, installation: Installation) -> Self {
        self.installation = Arc::new(installation);
        self
    }

    /// The installation it works for.
    #[must_use]
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Whether so much can be paid so, through a gateway or without one.
    ///
    /// # Errors
    /// [`OutsideLimits`] when it can't.
    pub fn check_payment_limits(
        &self,
        gateway: Option<&str>,
        way: Way,
        amount: Rupiah,
    ) -> Result<(), OutsideLimits> {
        self.payment_limits(gateway, way).check(way, amount)
    }

    /// What bounds a way to pay, through a gateway or without one.
    #[must_use]
    pub fn payment_limits(&self, gateway: Option<&str>, way: Way) -> AmountLimits {
        self.payment_limits.as_ref().map_or(AmountLimits::NONE, |limits| limits.of(gateway, way))
    }

    /// Brings the schema up to date. Safe to call by several processes at once.
    ///
    /// # Errors
    /// [`StoreError::Migrate`] when a migration fails or one that has run was changed.
    #[boxed]
    pub async fn migrate(&self) -> Result<()> {
        let mut connection = match &self.direct {
            Some(server) => PgConnection::connect_with(server).await?,
            None => self.pool.connections().acquire().await?.detach(),
        };
        // A change of the schema takes the time it takes. But whoever waits for a lock on a table makes everybody behind
        // it wait too, so that has an end.
        sqlx::query(
            "SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', $1, false)",
        )
        .bind(format!("{}ms", MIGRATION_LOCK.as_millis()))
        .execute(&mut connection)
        .await?;
        // Not `run`, whose future can't be sent to other threads with a connection that is lent.
        sqlx::migrate!("../migrations").run_direct(None, &mut connection, false).await?;
        Ok(connection.close().await?)
    }

    /// One round trip, for health checks.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Closes every connection, waiting for those in use.
    #[boxed]
    pub async fn close(&self) {
        self.pool.connections().close().await;
    }
}

/// A new id of the wanted type: UUIDv7, so later ids sort later.
fn new_id<T: From<uuid::Uuid>>() -> T {
    T::from(uuid::Uuid::now_v7())
}
