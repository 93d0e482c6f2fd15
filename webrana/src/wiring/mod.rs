//! From settings to parts: the one place that knows every room.

pub mod bootstrap;
pub mod figures;
pub mod gateways;
mod metrics;
pub mod notifications;
mod probe;
mod stores;

pub use self::metrics::serve as serve_metrics;
pub use self::stores::{Stores, store, stores};

use crate::config::Config;
use activities::pacing::Budget;
use adapters::providers::{Account, Registry};
use anyhow::{Context, Result};
use api::serve::Bounds;
use api::{AppState, AuthConfig, Limits, Live, OrderConfig};
use domain::rate_limit::Caller;
use engine::TemporalConfig;
use probe::TemporalProbe;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use store::Store;
use temporal::queue_watch::QueueWatch;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Where Temporal is, and how it is reached.
///
/// # Errors
/// When it is not set, or the settings contradict each other.
pub fn temporal(config: &Config) -> Result<TemporalConfig> {
    config.temporal.engine()
}

/// Every provider that is switched on and has its credential. All its calls, of this process and of the others, keep
/// within the one budget of its account, whose places are leased on `leases`.
///
/// # Errors
/// When an adapter cannot be made.
pub fn registry(config: &Config, leases: &Store) -> Result<Arc<Registry>> {
    let mut registry = Registry::default();
    for (vendor, account, credential) in config.providers.usable() {
        let budget =
            Budget::new(leases.clone(), vendor.slug, vendor.rate_limits, config.provider_shares.shares());
        let account = Account {
            base_url: account.url.clone(),
            credential: credential.clone(),
            request_timeout: config.providers.request_timeout,
            listing_lag: account.listing_lag,
            pacer: budget.paced(Caller::Records),
        };
        let adapter = (vendor.connect)(account);
        registry.add(adapter.with_context(|| format!("the adapter of {} cannot be made", vendor.slug))?);
    }
    Ok(Arc::new(registry))
}

/// Slugs of the providers that are switched on and have their credential.
pub fn configured(config: &Config) -> Vec<String> {
    config.providers.usable_slugs().map(str::to_owned).collect()
}

/// What whoever dispatches looks at besides.
pub fn queue_watch(config: &Config, temporal: TemporalConfig) -> QueueWatch {
    QueueWatch { temporal, providers: configured(config), versioned: config.versions.versioning }
}

/// What the API's handlers reach. `ready` is shared with whoever drains the process.
///
/// # Errors
/// When a part cannot be made.
pub fn app_state(config: &Config, stores: &Stores, ready: Arc<AtomicBool>) -> Result<AppState> {
    let store = stores.main.clone();
    let production = config.general.is_production();
    let providers = registry(config, &stores.leases)?;
    let payments = gateways::payments(&config.payments, &store)?;
    let auth = AuthConfig {
        jwt_secret_previous: config.auth.jwt_secret_previous().cloned(),
        access_ttl: config.auth.access_ttl,
        sessions: config.auth.sessions(),
        ..AuthConfig::new(config.auth.jwt_secret.clone())
    };
    Ok(AppState {
        orders: Arc::new(OrderConfig {
            policy: config.orders.policy(),
            unverified_may_order: config.orders.unverified_may_order(production),
        }),
        seller: Arc::new(config.seller.seller()),
        reconcile: config.upkeep.reconcile(),
        limits: Arc::new(limits(config)),
        live: Live::new(store.clone(), config.websocket.settings()),
        temporal_ui_url: namespace_ui_url(config),
        telegram_bot: config.notifications.bot_name().map(Arc::from),
        previews: !production,
        ready,
        probes: Arc::new(vec![Arc::new(TemporalProbe::new(temporal(config)?))]),
        ..AppState::new(store, providers, payments, auth)
    })
}

/// What a client may ask for.
pub(crate) fn limits(config: &Config) -> Limits {
    let production = config.general.is_production();
    Limits {
        body_bytes: config.api.body_limit,
        request_timeout: config.api.request_timeout,
        body_timeout: config.connections.body_timeout,
        upload_timeout: config.connections.upload_timeout,
        hsts: production,
        auth_per_minute: config.auth.requests_per_minute,
        refresh_per_minute: config.auth.refreshes_per_minute,
        per_minute: config.api.requests_per_minute(production),
        account_per_minute: config.api.account_requests_per_minute(production),
        writes_per_minute: config.api.writes_per_minute(production),
        money_per_minute: config.api.money_per_minute(production),
        internal_per_minute: config.api.internal_requests_per_minute,
        trusted_proxies: config.api.trusted_proxies(),
    }
}

/// Our namespace in Temporal's web UI.
pub fn namespace_ui_url(config: &Config) -> Option<String> {
    let base = config.temporal.ui_url.as_deref().filter(|url| !url.is_empty())?;
    Some(format!("{}/namespaces/{}", base.trim_end_matches('/'), config.temporal.namespace()))
}

/// What one connection, and one address, may take of a port of this process.
pub fn bounds(config: &Config) -> Bounds {
    let proxies = config.api.trusted_proxies();
    let is_proxy =
        move |address: IpAddr| proxies.iter().any(|network| network.contains(&address.to_canonical()));
    config.connections.bounds(config.general.is_production(), is_proxy)
}

/// Ends the open connections at `stop`: those that were asked for as WebSockets are no requests, which [`serve_http`] waits for.
///
/// # Errors
/// Never.
pub async fn end_live(live: Live, stop: CancellationToken) -> Result<()> {
    stop.cancelled().await;
    live.stop().await;
    Ok(())
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
