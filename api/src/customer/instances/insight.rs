//! What the provider tells of a customer's server: snapshots, use, the way to its screen.

use std::{sync::Arc, time::Duration};

use adapters::providers::{self, MetricsQuery};
use axum::{Extension, Json, extract::State, http::header};
use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::InstanceId;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState, at_provider,
    auth::Customer,
    extract::{Id, Params},
    problem::Problem,
    recent::Recent,
};

/// How long measurements are kept for the next reader.
const METRICS_KEPT: Duration = Duration::from_secs(30);

type RecentMetrics = Arc<Recent<(InstanceId, MetricKind, MetricRange), Arc<Vec<providers::Series>>>>;

/// Routes under `/instances/{id}` that ask the provider.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    let recent: RecentMetrics = Arc::new(Recent::new(METRICS_KEPT));
    OpenApiRouter::new()
        .routes(routes!(snapshots))
        .routes(routes!(metrics))
        .routes(routes!(console))
        .layer(Extension(recent))
}

/// All there are.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshots {
    data: Vec<Snapshot>,
}

/// A copy of a server's disk.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshot {
    /// To be named in a `restore`.
    #[schema(example = "7555620")]
    id: String,
    #[schema(example = "before-upgrade")]
    name: String,
    /// GiB, rounded up; 0 while it is being made.
    #[schema(example = 12)]
    size_gb: u64,
    created_at: DateTime<Utc>,
}

/// What is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MetricsParams {
    /// What to measure.
    kind: MetricKind,
    /// How far back; `1h` unless given.
    #[serde(default)]
    range: MetricRange,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MetricKind {
    Cpu,
    Memory,
    Disk,
    Network,
}

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
enum MetricRange {
    #[default]
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "6h")]
    SixHours,
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
}

/// A chart.
#[derive(Debug, Serialize, ToSchema)]
struct Metrics {
    kind: MetricKind,
    range: MetricRange,
    data: Vec<Series>,
}

/// One line of a chart.
#[derive(Debug, Serialize, ToSchema)]
struct Series {
    /// `cpu`, `memory`, `read`, `write`, `inbound`, `outbound`.
    #[schema(example = "cpu")]
    name: String,
    /// `percent`, `bytes_per_second`, `operations_per_second`, `bytes_per_day`.
    #[schema(example = "percent")]
    unit: &'static str,
    /// Oldest first.
    points: Vec<Point>,
}

/// A value at a moment.
#[derive(Debug, Serialize, ToSchema)]
struct Point {
    at: DateTime<Utc>,
    #[schema(example = 12.5)]
    value: f64,
}

/// The way to a server's screen.
#[derive(Debug, Serialize, ToSchema)]
struct Console {
    /// Whoever has it is in: don't pass it on.
    #[schema(example = "https://console.example/?token=…")]
    url: String,
}

/// List the snapshots of one of my servers, oldest first.
#[utoipa::path(
    get, path = "/instances/{id}/snapshots", tag = "instances", operation_id = "list_instance_snapshots",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "All of them.", body = Snapshots),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: the server is not there yet or not any more; \
         `unsupported_action`: its provider has none; `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`, `unavailable` or `timeout`: try again after \
         `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn snapshots(
    me: Customer,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<Json<Snapshots>, Problem> {
    let server = at_provider::find(&state, instance, Some(me.id)).await?;
    let found = at_provider::answer(server.provider.list_snapshots(&server.id)).await?;
    Ok(Json(Snapshots { data: found.into_iter().map(Snapshot::from).collect() }))
}

/// See how busy one of my servers was. Kept for half a minute.
#[utoipa::path(
    get, path = "/instances/{id}/metrics", tag = "instances", operation_id = "get_instance_metrics",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server."), MetricsParams),
    responses(
        (status = 200, description = "The chart's lines.", body = Metrics),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: the server is not there yet or not any more; \
         `unsupported_action`: its provider does not measure this; `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`, `unavailable` or `timeout`: try again after \
         `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn metrics(
    me: Customer,
    State(state): State<AppState>,
    Extension(recent): Extension<RecentMetrics>,
    Id(instance): Id<InstanceId>,
    Params(MetricsParams { kind, range }): Params<MetricsParams>,
) -> Result<Json<Metrics>, Problem> {
    let server = at_provider::find(&state, instance, Some(me.id)).await?;
    let series = recent
        .get((instance, kind, range), async {
            let query = range.until(Utc::now(), kind);
            at_provider::answer(server.provider.get_metrics(&server.id, &query)).await.map(Arc::new)
        })
        .await?;
    Ok(Json(Metrics { kind, range, data: series.iter().map(Series::from).collect() }))
}

/// Get a link to the screen of one of my servers.
#[utoipa::path(
    post, path = "/instances/{id}/console", tag = "instances", operation_id = "open_instance_console",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "The link, for me only.", body = Console),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: the server is not there yet or not any more; \
         `unsupported_action`: its provider has no console for us; `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`, `unavailable` or `timeout`: try again after \
         `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn console(
    me: Customer,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<([(header::HeaderName, &'static str); 1], Json<Console>), Problem> {
    let server = at_provider::find(&state, instance, Some(me.id)).await?;
    let url = at_provider::answer(server.provider.console_url(&server.id)).await?;
    tracing::info!(instance_id = %instance, "a console was opened");
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Console { url: url.expose_secret().to_owned() })))
}

impl MetricRange {
    fn until(self, end: DateTime<Utc>, kind: MetricKind) -> MetricsQuery {
        let length = match self {
            Self::Hour => TimeDelta::hours(1),
            Self::SixHours => TimeDelta::hours(6),
            Self::Day => TimeDelta::hours(24),
            Self::Week => TimeDelta::days(7),
            Self::Month => TimeDelta::days(30),
        };
        let kind = match kind {
            MetricKind::Cpu => providers::MetricKind::Cpu,
            MetricKind::Memory => providers::MetricKind::Memory,
            MetricKind::Disk => providers::MetricKind::Disk,
            MetricKind::Network => providers::MetricKind::Network,
        };
        MetricsQuery { kind, start: end - length, end }
    }
}

impl From<providers::Snapshot> for Snapshot {
    fn from(snapshot: providers::Snapshot) -> Self {
        let providers::Snapshot { id, name, size_gb, created_at } = snapshot;
        Self { id, name, size_gb, created_at }
    }
}

impl From<&providers::Series> for Series {
    fn from(series: &providers::Series) -> Self {
        let points = series.points.iter().map(|(at, value)| Point { at: *at, value: *value });
        Self { name: series.name.clone(), unit: series.unit, points: points.collect() }
    }
}
