//! The database, with connections of its own for each kind of work: what waits for one kind is never waited for by another.

use crate::config::Config;
use adapters::providers;
use anyhow::{Context, Result, bail};
use secrecy::ExposeSecret;
use store::Store;

/// Places in the lines to providers are leased on these: each is a statement, and every call to a provider waits for one.
const LEASES: u32 = 2;
/// The dispatcher claims, marks and postpones messages on these, and listens on one more.
const DISPATCHER: u32 = 4;
const LISTENER: u32 = 1;
/// An API listens on one for what its open connections are told.
const LIVE: u32 = 1;

/// The database, once for each kind of work.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Requests, and steps of workflows.
    pub main: Store,
    /// Leases of places in the lines to providers.
    pub leases: Store,
    /// The dispatcher's, where this process has one.
    pub dispatcher: Option<Store>,
}

impl Stores {
    /// All pools with their names, for metrics.
    pub fn named(&self) -> Vec<(&'static str, Store)> {
        let dispatcher = self.dispatcher.iter().map(|store| ("dispatcher", store.clone()));
        [("main", self.main.clone()), ("leases", self.leases.clone())].into_iter().chain(dispatcher).collect()
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        for (_, store) in self.named() {
            store.close().await;
        }
    }
}

/// The database for a process with or without a dispatcher.
///
/// # Errors
/// When it is not set, does not answer, has not so many connections, or a pooler's sessions are not bounded.
pub async fn stores(config: &Config, dispatches: bool) -> Result<Stores> {
    let main = store(config).await?;
    let wanted =
        config.database.max_connections + LEASES + LIVE + if dispatches { DISPATCHER + LISTENER } else { 0 };
    check_room(config, &main, wanted).await?;
    let leases = with_connections(config, LEASES).await?;
    let dispatcher = if dispatches { Some(with_connections(config, DISPATCHER).await?) } else { None };
    Ok(Stores { main, leases, dispatcher })
}

/// The database for a command that is over soon.
///
/// # Errors
/// When it is not set, does not answer, or a pooler's sessions are not bounded.
pub async fn store(config: &Config) -> Result<Store> {
    let store = with_connections(config, config.database.max_connections).await?;
    let settings = config.database.pool(config.database.max_connections);
    if settings.pooled {
        let problems =
            store.session_problems(&settings).await.context("asking for the sessions' settings")?;
        if !problems.is_empty() {
            bail!(
                "sessions behind the pooler of DATABASE_URL are not bounded as they have to be; give the role their \
                 settings: {}",
                problems.join("; ")
            );
        }
    }
    Ok(store)
}

async fn with_connections(config: &Config, connections: u32) -> Result<Store> {
    let url = config.database.required_url()?;
    let keys = config.credentials.keys().context("CREDENTIALS_KEY")?;
    let installation = config.general.installation().context("INSTALLATION_ID")?;
    let mut store = Store::connect(url.expose_secret(), &config.database.pool(connections))
        .await
        .context("the Postgres of DATABASE_URL does not answer")?;
    if let Some(direct) = config.database.direct_url() {
        store = store.with_direct_url(direct.expose_secret()).context("DATABASE_DIRECT_URL")?;
    }
    Ok(store
        .with_installation(installation)
        .with_credentials_keys(keys)
        .with_payment_limits(config.payments.limits())
        .with_unpaid_limits(config.unpaid.limits(config.general.is_production()))
        .with_first_boot_limits(providers::first_boot_limits())
        .with_actions_per_hour(config.provider_shares.actions_per_hour))
}

/// A process that can't have its connections fails under load instead of at its start. Behind a pooler they are the pooler's
/// to have.
async fn check_room(config: &Config, store: &Store, wanted: u32) -> Result<()> {
    if config.database.direct_url().is_some() {
        return Ok(());
    }
    let most = store.most_connections().await.context("asking for the server's max_connections")?;
    if wanted > most {
        bail!(
            "this process opens up to {wanted} connections ({} of DATABASE_MAX_CONNECTIONS, the rest for leases, what open \
             connections are told, and the dispatcher), and the server has {most}: lower DATABASE_MAX_CONNECTIONS, or raise max_connections there",
            config.database.max_connections
        );
    }
    tracing::info!(
        event = "database.connections",
        wanted,
        most,
        "connections to the database: this process's most, and the server's"
    );
    Ok(())
}
