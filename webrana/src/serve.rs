//! `webrana serve`: the API, the internal API and their metrics.

use crate::config::Config;
use crate::tasks::Tasks;
use crate::{signals, telemetry, wiring};
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
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
    let store = wiring::store(&config).await?;
    let ready = Arc::new(AtomicBool::new(false));
    let state = wiring::app_state(&config, store.clone(), Arc::clone(&ready))?;
    let api = listen(&config, config.api.port, "the API").await?;
    let internal = listen(&config, config.api.internal_port, "the internal API").await?;

    let mut tasks = Tasks::default();
    let token = tasks.stop_token();
    tracing::info!(address = %api.local_addr()?, "the API listens");
    tasks.spawn("the API", wiring::serve_http(api, api::router(state.clone()), token.clone()));
    tasks.spawn("the internal API", wiring::serve_http(internal, api::internal_router(state), token.clone()));
    if config.observability.prometheus_enabled {
        let metrics = listen(&config, config.observability.metrics_port, "metrics").await?;
        tasks.spawn("metrics", wiring::serve_metrics(metrics, token));
    }
    ready.store(true, Ordering::Relaxed);

    let failure = tokio::select! {
        () = stop.cancelled() => None,
        failure = tasks.failure() => Some(failure),
    };
    tracing::info!("stopping");
    ready.store(false, Ordering::Relaxed);
    tokio::time::sleep(config.api.drain_delay).await;
    tasks.stop(config.api.shutdown_grace).await;
    let _ = tokio::time::timeout(CLOSING, store.close()).await;
    failure.map_or(Ok(()), |failure| bail!("{failure}"))
}

/// A port of this process.
///
/// # Errors
/// When it is taken.
pub async fn listen(config: &Config, port: u16, what: &str) -> Result<TcpListener> {
    let address = SocketAddr::new(config.api.bind, port);
    TcpListener::bind(address).await.with_context(|| format!("{what} cannot listen on {address}"))
}
