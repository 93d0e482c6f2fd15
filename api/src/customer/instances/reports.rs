//! What the provider tells of a customer's server: snapshots, use, the way to its screen.

use std::time::Duration;

use adapters::providers::{self, MetricsQuery, ProviderError};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{ids::InstanceId, rate_limit::Caller};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState, at_provider,
    auth::CurrentUser,
    extract::{Id, Params},
    problem::Problem,
    provider_reads::{self, Question, Told},
};

/// How long what a provider told of a server is fresh.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// An answer of the provider's with its age as a header.
type Aged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

/// Routes under `/instances/{id}` that ask the provider.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(snapshots))
        .routes(routes!(snapshot))
        .routes(routes!(metrics))
        .routes(routes!(console))
}

/// All there are.
#[derive(Debug, Serialize, ToSchema)]
struct Snapshots {
    data: Vec<Snapshot>,
    #[serde(flatten)]
    told: AsOf,
}

/// How old an answer of a provider is.
#[derive(Debug, Serialize, ToSchema)]
struct AsOf {
    /// When the provider told it.
    as_of: DateTime<Utc>,
    /// True when it is older than it should be, because the provider can't be asked at the moment.
    stale: bool,
}

/// A copy of a server's disk.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
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

/// A copy of a server's disk, and how old that news is.
#[derive(Debug, Serialize, ToSchema)]
struct SnapshotTold {
    #[serde(flatten)]
    snapshot: Snapshot,
    #[serde(flatten)]
    told: AsOf,
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
    #[serde(flatten)]
    told: AsOf,
}

/// One line of a chart.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Series {
    /// `cpu`, `memory`, `read`, `write`, `inbound`, `outbound`.
    #[schema(example = "cpu")]
    name: String,
    /// `percent`, `bytes_per_second`, `operations_per_second`, `bytes_per_day`.
    #[schema(example = "percent")]
    unit: String,
    /// Oldest first.
    points: Vec<Point>,
}

/// A value at a moment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
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

/// List the snapshots of one of my servers, oldest first. Kept for a minute, or until something was done to the server;
/// longer while its provider can't be asked (`stale`).
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
        (status = 503, description = "`provider_busy`, `provider_unavailable`, `unavailable` or `timeout`: try again \
         after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn snapshots(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<Aged<Snapshots>, Problem> {
    let told = snapshots_of(&state, &me, instance).await?;
    Ok(aged(told, |data, told| Snapshots { data, told }))
}

/// Read one snapshot of one of my servers. Kept as their list is.
#[utoipa::path(
    get, path = "/instances/{id}/snapshots/{snapshot_id}", tag = "instances", operation_id = "get_instance_snapshot",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("snapshot_id" = String, Path, description = "The snapshot, as the list names it.", example = "7555620"),
    ),
    responses(
        (status = 200, description = "The snapshot.", body = SnapshotTold),
        (status = 404, description = "`not_found`: I have no such server, or it no such snapshot.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: the server is not there yet or not any more; \
         `unsupported_action`: its provider has none; `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`provider_busy`, `provider_unavailable`, `unavailable` or `timeout`: try again \
         after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn snapshot(
    me: CurrentUser,
    State(state): State<AppState>,
    Path((instance, snapshot)): Path<(String, String)>,
) -> Result<Aged<SnapshotTold>, Problem> {
    let instance = instance.parse().map_err(|_| Problem::not_found("object"))?;
    let mut told = snapshots_of(&state, &me, InstanceId(instance)).await?;
    let place = told.value.iter().position(|one| one.id == snapshot);
    let found = told.value.swap_remove(place.ok_or_else(|| Problem::not_found("snapshot"))?);
    Ok(aged(told, |_, told| SnapshotTold { snapshot: found, told }))
}

/// A server's snapshots, as its provider told them last.
async fn snapshots_of(
    state: &AppState,
    me: &CurrentUser,
    instance: InstanceId,
) -> Result<Told<Vec<Snapshot>>, Problem> {
    let caller = Caller::Display(me.id.into());
    let at_provider::AtProvider { provider, id } =
        at_provider::reach(state, state.store.server_ref_of(me.id, instance).await?, caller)?;
    let question = Question::of_instance(provider.slug(), instance, "snapshots".to_owned(), FRESH_FOR);
    let ask = || async move {
        let found = provider.list_snapshots(&id).await?;
        Ok::<_, ProviderError>(found.into_iter().map(Snapshot::from).collect::<Vec<_>>())
    };
    provider_reads::read(&state.store, question, ask).await
}

/// See how busy one of my servers was. Kept for a minute; longer while its provider can't be asked (`stale`).
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
        (status = 503, description = "`provider_busy`, `provider_unavailable`, `unavailable` or `timeout`: try again \
         after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
#[expect(
    clippy::disallowed_methods,
    reason = "the provider's samples end at its own present, which ours stands for"
)]
async fn metrics(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    Params(MetricsParams { kind, range }): Params<MetricsParams>,
) -> Result<Aged<Metrics>, Problem> {
    let caller = Caller::Display(me.id.into());
    let at_provider::AtProvider { provider, id } =
        at_provider::reach(&state, state.store.server_ref_of(me.id, instance).await?, caller)?;
    let query = range.until(Utc::now(), kind);
    if !provider.capabilities().contains(&query.kind.capability()) {
        // Refused with the reason, without a call.
        at_provider::answer(provider.get_metrics(&id, &query)).await?;
    }
    let question = Question::of_instance(provider.slug(), instance, chart(kind, range), FRESH_FOR);
    let ask = || async move {
        let series = provider.get_metrics(&id, &query).await?;
        Ok::<_, ProviderError>(series.into_iter().map(Series::from).collect::<Vec<_>>())
    };
    let told = provider_reads::read(&state.store, question, ask).await?;
    Ok(aged(told, |data, told| Metrics { kind, range, data, told }))
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
        (status = 429, description = "`too_many_calls`: I asked the provider for more than one customer may. Or \
         `rate_limited`. Try again after `Retry-After` seconds.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "`provider_busy`, `provider_unavailable`, `unavailable` or `timeout`: try again \
         after `Retry-After` seconds.", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn console(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<([(header::HeaderName, &'static str); 1], Json<Console>), Problem> {
    let server = state.store.server_ref_of(me.id, instance).await?;
    let server = at_provider::reach(&state, server, Caller::Action(me.id.into()))?;
    let url = at_provider::answer(server.provider.console_url(&server.id)).await?;
    tracing::info!(event = "console.opened", instance_id = %instance, "a console was opened");
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(Console { url: url.expose_secret().to_owned() })))
}

fn aged<T, B>(told: Told<T>, body: impl FnOnce(T, AsOf) -> B) -> Aged<B> {
    let header = told.age_header();
    (header, Json(body(told.value, AsOf { as_of: told.as_of, stale: told.stale })))
}

/// What a chart is kept under.
fn chart(kind: MetricKind, range: MetricRange) -> String {
    let kind = match kind {
        MetricKind::Cpu => "cpu",
        MetricKind::Memory => "memory",
        MetricKind::Disk => "disk",
        MetricKind::Network => "network",
    };
    let range = match range {
        MetricRange::Hour => "1h",
        MetricRange::SixHours => "6h",
        MetricRange::Day => "24h",
        MetricRange::Week => "7d",
        MetricRange::Month => "30d",
    };
    format!("chart:{kind}:{range}")
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

impl From<providers::Series> for Series {
    fn from(series: providers::Series) -> Self {
        let points = series.points.into_iter().map(|(at, value)| Point { at, value });
        Self { name: series.name, unit: series.unit.to_owned(), points: points.collect() }
    }
}
