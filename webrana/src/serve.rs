//! `webrana serve`: the API, the internal API and their metrics.

use crate::config::Config;
use crate::tasks::Tasks;
use crate::{signals, telemetry, wiring};
use anyhow::{Context, Result, bail};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Closing what is left, such as idle database connections.
const CLOSING: Duration = Duration::from_secs(2);

/// Serves until told to stop; then says that it is not ready, lets running requests finish, and ends.
///
/// # Errors
/// When a setting is wrong, a dependency is missing at the start, or a port is taken.
pub async fn run(config: Config) -> Result<()> {
    config.validate()?;
    telemetry::start(&config, None)?;
    let stop = signals::stop_token()?;
    let stores = wiring::stores(&config, false).await?;
    stores.main.claim_installation().await?;
    let ready = Arc::new(AtomicBool::new(false));
    let state = wiring::app_state(&config, &stores, Arc::clone(&ready))?;
    signals::allow_many_files();
    let api = listen(config.api.bind, config.api.port, "the API").await?;
    let internal = listen(config.api.internal_bind, config.api.internal_port, "the internal API").await?;
    let bounds = wiring::bounds(&config);

    let mut tasks = Tasks::default();
    let token = tasks.stop_token();
    tracing::info!(event = "api.listening", address = %api.local_addr()?, "the API listens");
    tasks.spawn("open connections", wiring::end_live(state.live.clone(), token.clone()));
    tasks
        .spawn("the API", wiring::serve_http(api, api::router(state.clone()), bounds.clone(), token.clone()));
    let internal = wiring::serve_http(internal, api::internal_router(state), bounds.clone(), token.clone());
    tasks.spawn("the internal API", internal);
    if config.observability.prometheus_enabled {
        let metrics = metrics_listener(&config).await?;
        tasks.spawn("metrics", wiring::serve_metrics(metrics, axum::Router::new(), bounds, token.clone())?);
        tasks.spawn("the pools' figures", wiring::figures::show_pools(stores.named(), token));
    }
    ready.store(true, Ordering::Relaxed);

    let failure = tokio::select! {
        () = stop.cancelled() => None,
        failure = tasks.failure() => Some(failure),
    };
    tracing::info!(event = "process.stopping", "stopping");
    ready.store(false, Ordering::Relaxed);
    tokio::time::sleep(config.api.drain_delay).await;
    tasks.stop(config.api.shutdown_grace).await;
    let _ = tokio::time::timeout(CLOSING, stores.close()).await;
    failure.map_or(Ok(()), |failure| bail!("{failure}"))
}

/// The port of this process's metrics.
///
/// # Errors
/// When it is taken.
pub async fn metrics_listener(config: &Config) -> Result<TcpListener> {
    listen(config.observability.metrics_bind, config.observability.metrics_port, "metrics").await
}

async fn listen(address: IpAddr, port: u16, what: &str) -> Result<TcpListener> {
    let address = SocketAddr::new(address, port);
    TcpListener::bind(address).await.with_context(|| format!("{what} cannot listen on {address}"))
}
