//! Metrics on a port of their own.

use anyhow::{Context, Result};
use api::serve::Bounds;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// From a second to a quarter of a day: what an order may take.
const ORDER_SECONDS: [f64; 14] =
    [1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0];
/// From a millisecond to a provider's patience.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// How often old samples are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves `/metrics`, and the same at `/`, and further pages until `stop`. Whatever is counted from now on is shown.
///
/// # Errors
/// When metrics cannot be recorded.
pub fn serve(
    listener: TcpListener,
    further: axum::Router,
    bounds: Bounds,
    stop: CancellationToken,
) -> Result<impl Future<Output = Result<()>>> {
    // At once: a metric that is registered before its recorder is never seen.
    let handle = recorder()?;
    let folding = handle.clone();
    let upkeep = async move {
        let mut interval = tokio::time::interval(UPKEEP);
        loop {
            interval.tick().await;
            folding.run_upkeep();
        }
    };
    let content_type = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
    let page = axum::routing::get(async move || (content_type, handle.render()));
    let pages = axum::Router::new().route("/", page.clone()).route("/metrics", page).merge(further);
    Ok(async move {
        let serving = super::serve_http(listener, pages, bounds, stop);
        tokio::select! {
            outcome = serving => outcome,
            () = upkeep => Ok(()),
        }
    })
}

/// The process's recorder: there can be only one.
fn recorder() -> Result<PrometheusHandle> {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("order_paid_to_active_seconds".to_owned()), &ORDER_SECONDS)?;
    let handle = builder.install_recorder().context("metrics cannot be recorded")?;
    Ok(RECORDER.get_or_init(|| handle).clone())
}
