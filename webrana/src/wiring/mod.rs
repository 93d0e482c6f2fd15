//! From settings to parts: the one place that knows every room.

pub mod bootstrap;
pub mod gateways;
pub mod local;
mod metrics;
mod probe;

pub use self::metrics::serve as serve_metrics;

use crate::config::Config;
use crate::config::providers::Account;
use activities::pacing::Budget;
use adapters::providers::digitalocean::{self, DigitalOcean, DigitalOceanConfig};
use adapters::providers::linode::{self, Linode, LinodeConfig};
use adapters::providers::vultr::{self, Vultr, VultrConfig};
use adapters::providers::{CloudProvider, Pacer, Registry, Unpaced};
use anyhow::{Context, Result};
use api::serve::Bounds;
use api::{AppState, AuthConfig, Limits, OrderConfig, PasswordCost};
use domain::rate_limit::Priority;
use probe::TemporalProbe;
use secrecy::{ExposeSecret, SecretString};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use store::Store;
use temporal::TemporalConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The database, with the keys of what is kept sealed in it.
///
/// # Errors
/// When it is not set or does not answer.
pub async fn store(config: &Config) -> Result<Store> {
    let url = config.database.required_url()?;
    let keys = config.credentials.keys().context("CREDENTIALS_KEY")?;
    let store = Store::connect(url.expose_secret(), &config.database.pool())
        .await
        .context("the Postgres of DATABASE_URL does not answer")?;
    Ok(store
        .with_credentials_keys(keys)
        .with_payment_limits(config.payments.limits())
        .with_unpaid_limits(config.unpaid.limits(config.general.is_production())))
}

/// Where Temporal is.
///
/// # Errors
/// When it is not set.
pub fn temporal(config: &Config) -> Result<TemporalConfig> {
    Ok(TemporalConfig {
        address: config.temporal.required_address()?.to_owned(),
        namespace: config.temporal.namespace.clone(),
        queue_prefix: config.temporal.queue_prefix.clone(),
    })
}

/// Every provider that is switched on and has its credential. All its calls, of this process and of the others, keep
/// within the one budget of its account.
///
/// # Errors
/// When an adapter cannot be made.
pub fn registry(config: &Config, store: &Store) -> Result<Arc<Registry>> {
    let mut registry = Registry::default();
    for (slug, account, credential) in config.providers.usable() {
        let adapter = |pacer: Arc<dyn Pacer>| {
            adapter(slug, account, credential, config.providers.request_timeout, pacer)
                .with_context(|| format!("the adapter of {slug} cannot be made"))
        };
        let budget = Budget::new(store.clone(), slug, adapter(Arc::new(Unpaced))?.rate_limits());
        let paced = |priority| adapter(Arc::new(budget.pacer(priority)));
        registry.add(paced(Priority::Orders)?, paced(Priority::Customers)?);
    }
    Ok(Arc::new(registry))
}

/// Slugs of the providers that are switched on and have their credential.
pub fn set_up(config: &Config) -> Vec<String> {
    config.providers.usable().map(|(slug, ..)| slug.to_owned()).collect()
}

/// The adapter of one account.
fn adapter(
    slug: &str,
    account: &Account,
    credential: &SecretString,
    request_timeout: Duration,
    pacer: Arc<dyn Pacer>,
) -> Result<Arc<dyn CloudProvider>> {
    let (base_url, listing_lag) = (account.url.clone(), account.listing_lag);
    Ok(match slug {
        digitalocean::SLUG => Arc::new(DigitalOcean::new(DigitalOceanConfig {
            base_url,
            token: credential.clone(),
            request_timeout,
            listing_lag,
            pacer,
        })?),
        vultr::SLUG => Arc::new(Vultr::new(VultrConfig {
            base_url,
            api_key: credential.clone(),
            request_timeout,
            listing_lag,
            pacer,
        })?),
        linode::SLUG => Arc::new(Linode::new(LinodeConfig {
            base_url,
            token: credential.clone(),
            request_timeout,
            listing_lag,
            pacer,
        })?),
        unknown => anyhow::bail!("there is no adapter for {unknown}"),
    })
}

/// What the API's handlers reach. `ready` is shared with whoever drains the process.
///
/// # Errors
/// When a part cannot be made.
pub fn app_state(config: &Config, store: Store, ready: Arc<AtomicBool>) -> Result<AppState> {
    let production = config.general.is_production();
    let providers = registry(config, &store)?;
    let payments = gateways::payments(&config.payments, &store)?;
    Ok(AppState {
        store,
        auth: Arc::new(AuthConfig {
            jwt_secret: config.auth.jwt_secret.clone(),
            jwt_secret_previous: config.auth.jwt_secret_previous().cloned(),
            access_ttl: config.auth.access_ttl,
            sessions: config.auth.sessions(),
            password_cost: PasswordCost::STANDARD,
        }),
        orders: Arc::new(OrderConfig {
            policy: config.orders.policy(),
            unverified_may_order: config.orders.unverified_may_order(production),
        }),
        seller: Arc::new(config.seller.seller()),
        payments: Arc::new(payments),
        providers,
        reconcile: config.upkeep.reconcile(),
        limits: Arc::new(Limits {
            body_bytes: config.api.body_limit,
            request_timeout: config.api.request_timeout,
            body_timeout: config.connections.body_timeout,
            upload_timeout: config.connections.upload_timeout,
            hsts: production,
            auth_per_minute: config.auth.requests_per_minute,
            refresh_per_minute: config.auth.refreshes_per_minute,
            per_minute: config.api.requests_per_minute(production),
            internal_per_minute: config.api.internal_requests_per_minute,
            trusted_proxies: config.api.trusted_proxies(),
        }),
        temporal_ui_url: namespace_ui_url(config),
        ready,
        probes: Arc::new(vec![Arc::new(TemporalProbe::new(temporal(config)?))]),
    })
}

/// Our namespace in Temporal's web UI.
pub fn namespace_ui_url(config: &Config) -> Option<String> {
    let base = config.temporal.ui_url.as_deref().filter(|url| !url.is_empty())?;
    Some(format!("{}/namespaces/{}", base.trim_end_matches('/'), config.temporal.namespace))
}

/// What one connection, and one address, may take of a port of this process.
pub fn bounds(config: &Config) -> Bounds {
    let proxies = config.api.trusted_proxies();
    let is_proxy =
        move |address: IpAddr| proxies.iter().any(|network| network.contains(&address.to_canonical()));
    config.connections.bounds(config.general.is_production(), is_proxy)
}

/// Serves a router until `stop`, then lets running requests finish.
///
/// # Errors
/// Never: what goes wrong on a connection is that connection's end.
pub async fn serve_http(
    listener: TcpListener,
    router: axum::Router,
    bounds: Bounds,
    stop: CancellationToken,
) -> Result<()> {
    api::serve::serve(listener, router, bounds, stop).await;
    Ok(())
}
