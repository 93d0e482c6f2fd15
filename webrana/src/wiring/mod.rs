//! From settings to parts: the one place that knows every room.

pub mod bootstrap;
pub mod gateways;
pub mod local;
mod metrics;
mod probe;

pub use self::metrics::serve as serve_metrics;

use crate::config::Config;
use adapters::providers::digitalocean::{DigitalOcean, DigitalOceanConfig};
use adapters::providers::{CloudProvider, Registry, Unpaced};
use anyhow::{Context, Result};
use api::{AppState, AuthConfig, Limits, OrderConfig, PasswordCost};
use probe::TemporalProbe;
use secrecy::ExposeSecret;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use store::Store;
use temporal::TemporalConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The database.
///
/// # Errors
/// When it is not set or does not answer.
pub async fn store(config: &Config) -> Result<Store> {
    let url = config.database.required_url()?;
    Store::connect(url.expose_secret(), config.database.max_connections)
        .await
        .context("the Postgres of DATABASE_URL does not answer")
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

/// Every provider that has credentials.
///
/// # Errors
/// When an adapter cannot be made.
pub fn providers(config: &Config) -> Result<Vec<Arc<dyn CloudProvider>>> {
    let mut providers: Vec<Arc<dyn CloudProvider>> = Vec::new();
    if let Some(token) = config.providers.digitalocean_token() {
        let digitalocean = DigitalOcean::new(DigitalOceanConfig {
            base_url: config.providers.digitalocean_url.clone(),
            token: token.clone(),
            request_timeout: config.providers.request_timeout,
            listing_lag: config.providers.digitalocean_listing_lag,
            pacer: Arc::new(Unpaced),
        });
        providers.push(Arc::new(digitalocean.context("DigitalOcean's adapter cannot be made")?));
    }
    Ok(providers)
}

/// Every provider that has credentials, by slug.
///
/// # Errors
/// When an adapter cannot be made.
pub fn registry(config: &Config) -> Result<Arc<Registry>> {
    Ok(Arc::new(Registry::new(providers(config)?)))
}

/// What the API's handlers reach. `ready` is shared with whoever drains the process.
///
/// # Errors
/// When a part cannot be made.
pub fn app_state(config: &Config, store: Store, ready: Arc<AtomicBool>) -> Result<AppState> {
    let production = config.general.is_production();
    Ok(AppState {
        store,
        auth: Arc::new(AuthConfig {
            jwt_secret: config.auth.jwt_secret.clone(),
            access_ttl: config.auth.access_ttl,
            refresh_ttl: config.auth.refresh_ttl,
            password_cost: PasswordCost::STANDARD,
        }),
        orders: Arc::new(OrderConfig {
            policy: config.orders.policy(),
            unverified_may_order: config.orders.unverified_may_order(production),
        }),
        payments: Arc::new(gateways::payments(&config.payments)?),
        limits: Arc::new(Limits {
            body_bytes: config.api.body_limit,
            request_timeout: config.api.request_timeout,
            auth_per_minute: config.auth.requests_per_minute,
            per_minute: config.api.requests_per_minute(production),
            trusted_proxies: config.api.trusted_proxies.clone(),
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

/// Serves a router until `stop`, then lets running requests finish.
///
/// # Errors
/// When the listener fails.
pub async fn serve_http(listener: TcpListener, router: axum::Router, stop: CancellationToken) -> Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await?;
    Ok(())
}
