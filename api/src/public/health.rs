//! Is the process alive, ready, and are its dependencies there?

use std::{
    collections::BTreeMap,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use domain::circuit::CircuitState;
use futures::future::{BoxFuture, join_all};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{AppState, problem::Problem};

/// The longest a dependency may take to answer; `/health` as a whole stays under 100 ms.
const PATIENCE: Duration = Duration::from_millis(80);

/// The services of the original design that are modules of this program and live as long as its database does.
const SERVICES: [&str; 6] = ["auth", "billing", "catalog", "instance", "notification", "order"];

/// A dependency that can be asked whether it is there.
pub trait Probe: Send + Sync {
    /// What it is called in the answer of `/health`.
    fn name(&self) -> &'static str;
    /// Asks it. The error names the reason in a few words, without addresses or credentials: the answer is public.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It answers.
    Up,
    /// It works, but something it needs does not.
    Degraded,
    /// It does not answer, or says that it is ill.
    Down,
    /// This installation does not use it.
    NotConfigured,
}

/// One dependency.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct Dependency {
    /// How it is.
    pub status: Condition,
    /// How long it took to answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub latency_ms: Option<u64>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether calls are made to a cloud.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct ProviderHealth {
    /// `open` after calls failed in a row: none are made for a while. `half_open`: one tries whether it is back.
    pub circuit: CircuitState,
    /// Since when, once it was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Why it is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5 calls in a row failed")]
    pub reason: Option<String>,
}

/// Whether a payment gateway takes our calls.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct GatewayHealth {
    /// `down`: it does not accept our credentials, so nobody can pay through it.
    pub status: Condition,
    /// Since when it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "it does not accept our credentials")]
    pub reason: Option<&'static str>,
}

/// The answer of `/health`.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct Health {
    /// All together: `degraded` still serves customers, `down` does not.
    pub status: Condition,
    /// Version of the program.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// What the program needs, by name.
    pub dependencies: BTreeMap<&'static str, Dependency>,
    /// The clouds that servers are bought from, by slug; none when the database does not answer in time.
    pub providers: BTreeMap<String, ProviderHealth>,
    /// The gateways that money comes through, by slug; none when the database does not answer in time. What any process was
    /// told last counts for all.
    pub gateways: BTreeMap<&'static str, GatewayHealth>,
    /// The program's own parts, by name.
    pub services: BTreeMap<&'static str, Condition>,
}

/// The answer of `/livez` and `/readyz`.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct Alive {
    /// Always `up`.
    pub status: Condition,
}

/// `/health`, `/livez`, `/readyz`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(livez)).routes(routes!(readyz))
}

/// Health of the program and what it needs
///
/// Asks every dependency at once, each for at most 80 ms. 503 when the program can't serve customers; a missing
/// Temporal only degrades it, since orders are accepted without it, and so do a cloud that calls fail to and a payment
/// gateway that does not accept our credentials.
#[utoipa::path(get, path = "/health", tag = "health", responses(
    (status = 200, description = "Customers are served", body = Health),
    (status = 503, description = "Customers can't be served", body = Health),
))]
async fn health(State(state): State<AppState>) -> Response {
    let (database, others, providers, gateways) = tokio::join!(
        ask(async { state.store.ping().await.map_err(|_| "no answer".to_owned()) }),
        join_all(state.probes.iter().map(|probe| async move { (probe.name(), ask(probe.check()).await) })),
        providers(&state),
        gateways(&state),
    );
    let works = database.status == Condition::Up;
    let mut dependencies: BTreeMap<_, _> = others.into_iter().collect();
    let all_work = dependencies.values().all(|d| d.status == Condition::Up)
        && providers.values().all(|provider| provider.circuit == CircuitState::Closed)
        && gateways.values().all(|gateway| gateway.status == Condition::Up);
    dependencies.insert("database", database);
    dependencies
        .insert("redis", Dependency { status: Condition::NotConfigured, latency_ms: None, error: None });

    let (code, status) = match (works, all_work) {
        (true, true) => (StatusCode::OK, Condition::Up),
        (true, false) => (StatusCode::OK, Condition::Degraded),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, Condition::Down),
    };
    let part = if works { Condition::Up } else { Condition::Down };
    let services = SERVICES.into_iter().map(|name| (name, part)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let body = Health { status, version, dependencies, providers, gateways, services };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The circuits of the providers that are set up here.
async fn providers(state: &AppState) -> BTreeMap<String, ProviderHealth> {
    let Ok(Ok(circuits)) = tokio::time::timeout(PATIENCE, state.store.circuits()).await else {
        return BTreeMap::new();
    };
    let health = |slug: &'static str| {
        let known = circuits.iter().find(|circuit| circuit.provider == slug);
        let circuit = known.map_or(CircuitState::Closed, |known| known.state);
        let reason = known.filter(|known| known.state != CircuitState::Closed);
        ProviderHealth {
            circuit,
            since: known.map(|known| known.since),
            reason: reason.map(|known| format!("{} calls in a row failed", known.failures)),
        }
    };
    state.providers.slugs().map(|slug| (slug.to_owned(), health(slug))).collect()
}

/// The gateways that are set up here, and whether they accept our credentials.
async fn gateways(state: &AppState) -> BTreeMap<&'static str, GatewayHealth> {
    let Ok(Ok(refusing)) = tokio::time::timeout(PATIENCE, state.store.refusing_gateways()).await else {
        return BTreeMap::new();
    };
    let health = |slug: &'static str| match refusing.iter().find(|known| known.gateway == slug) {
        Some(known) => GatewayHealth {
            status: Condition::Down,
            since: Some(known.since),
            reason: Some("it does not accept our credentials"),
        },
        None => GatewayHealth { status: Condition::Up, since: None, reason: None },
    };
    state.payments.gateways.keys().map(|slug| (*slug, health(slug))).collect()
}

async fn ask(check: impl Future<Output = Result<(), String>>) -> Dependency {
    let started = Instant::now();
    let answer =
        tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
    Dependency {
        status: if answer.is_ok() { Condition::Up } else { Condition::Down },
        latency_ms: Some(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)),
        error: answer.err(),
    }
}

/// Is the process alive?
///
/// Asks nobody else: a process that can't answer this should be restarted.
#[utoipa::path(get, path = "/livez", tag = "health", responses(
    (status = 200, description = "It is", body = Alive),
))]
async fn livez() -> Json<Alive> {
    Json(Alive { status: Condition::Up })
}

/// Should it get traffic?
///
/// No while it starts or drains, and while the database is away.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "It should", body = Alive),
    (status = 503, description = "`not_ready`: it should not", body = Problem, content_type = "application/problem+json"),
))]
async fn readyz(State(state): State<AppState>) -> Result<Json<Alive>, Problem> {
    let not_ready = |why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", why).retry_after(1);
    if !state.ready.load(Ordering::Relaxed) {
        return Err(not_ready("the process is starting or draining"));
    }
    match tokio::time::timeout(PATIENCE, state.store.ping()).await {
        Ok(Ok(())) => Ok(Json(Alive { status: Condition::Up })),
        _ => Err(not_ready("the database does not answer")),
    }
}
