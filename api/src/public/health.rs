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
use domain::{
    circuit::{CircuitScope, CircuitState},
    outbox::MessageClass,
};
use futures::future::join_all;
use store::{
    outbox::ClassBacklog,
    pauses::{EVERYWHERE, Pause},
    provider_budgets::Circuit,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    problem::{Code, Problem},
};

/// The longest a dependency may take to answer; `/health` as a whole stays under 100 ms.
const PATIENCE: Duration = Duration::from_millis(80);

/// Messages to Temporal that wait for longer show that they don't get through.
const OUTBOX_PATIENCE: Duration = Duration::from_secs(120);

/// The services of the original design that are modules of this program and live as long as its database does.
const SERVICES: [&str; 6] = ["auth", "billing", "catalog", "instance", "notification", "order"];

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
    /// `open` after calls of a kind that orders need failed in a row, or the cloud turned our account away: none of them are
    /// made for a while. `half_open`: one tries whether it is back.
    pub circuit: CircuitState,
    /// Since when, once it was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Why it is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "lists: 5 calls in a row failed")]
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
    /// What is not provisioned for now, since staff paused it: slugs of providers, or `all`.
    #[schema(example = json!(["digitalocean"]))]
    pub paused: Vec<String>,
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
/// Asks every dependency for at most 80 ms; what has not answered by then degrades it. 503 when the program can't serve
/// customers; a missing Temporal only degrades it, since orders are accepted without it, and so do messages to Temporal that
/// failed for good, a cloud that calls fail to and a payment gateway that does not accept our credentials.
#[utoipa::path(get, path = "/health", tag = "health", operation_id = "get_health", responses(
    (status = 200, description = "Customers are served", body = Health),
    (status = 503, description = "Customers can't be served", body = Health),
))]
async fn health(State(state): State<AppState>) -> Response {
    let (known, others) = tokio::join!(
        told_by_database(&state),
        join_all(state.probes.iter().map(|probe| async move { (probe.name(), ask(probe.check()).await) })),
    );
    let Known { database, outbox, providers, gateways, paused } = known;
    let works = database.status == Condition::Up;
    // What could not be asked in time is not known to work.
    let all_known = outbox.is_some() && providers.is_some() && gateways.is_some() && paused.is_some();
    let (providers, gateways) = (providers.unwrap_or_default(), gateways.unwrap_or_default());
    let paused = paused.unwrap_or_default();
    let mut dependencies: BTreeMap<_, _> = others.into_iter().collect();
    dependencies.extend(outbox.map(|outbox| ("outbox", outbox)));
    let all_work = all_known
        && dependencies.values().all(|d| d.status == Condition::Up)
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
    let body = Health { status, version, dependencies, providers, gateways, paused, services };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// What the database says, asked one after the other, so that who watches takes one connection, and no more of them just
/// when they are scarce. One that does not answer is not asked again.
async fn told_by_database(state: &AppState) -> Known {
    let database = ask(async { state.store.ping().await.map_err(|_| "no answer".to_owned()) }).await;
    if database.status != Condition::Up {
        return Known { database, outbox: None, providers: None, gateways: None, paused: None };
    }
    let outbox = outbox(state).await;
    let providers = providers(state).await;
    let gateways = gateways(state).await;
    Known { database, outbox, providers, gateways, paused: paused(state).await }
}

/// See [`told_by_database`]; `None`: it did not answer in time.
struct Known {
    database: Dependency,
    outbox: Option<Dependency>,
    providers: Option<BTreeMap<String, ProviderHealth>>,
    gateways: Option<BTreeMap<&'static str, GatewayHealth>>,
    paused: Option<Vec<String>>,
}

/// Whose provisioning staff paused.
async fn paused(state: &AppState) -> Option<Vec<String>> {
    let pauses = tokio::time::timeout(PATIENCE, state.store.pauses()).await.ok()?.ok()?;
    let scope = |pause: Pause| if pause.scope == EVERYWHERE { "all".to_owned() } else { pause.scope };
    Some(pauses.into_iter().map(scope).collect())
}

/// Whether what happens here reaches the workflows; none when the database does not answer in time.
async fn outbox(state: &AppState) -> Option<Dependency> {
    let started = Instant::now();
    let classes = tokio::time::timeout(PATIENCE, state.store.outbox_by_class()).await.ok()?.ok()?;
    let latency_ms = Some(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    let error = trouble_of(&classes);
    let status = if error.is_none() { Condition::Up } else { Condition::Degraded };
    Some(Dependency { status, latency_ms, error })
}

fn trouble_of(classes: &[ClassBacklog]) -> Option<String> {
    let dead: i64 = classes.iter().map(|of| of.backlog.dead).sum();
    if dead > 0 {
        return Some(format!("{dead} messages to Temporal failed for good"));
    }
    // What nobody paid for can wait.
    let hurried = classes.iter().filter(|of| of.class != MessageClass::Unpaid);
    let oldest = hurried.map(|of| of.backlog.oldest_seconds).fold(0.0, f64::max);
    (oldest > OUTBOX_PATIENCE.as_secs_f64())
        .then(|| format!("messages to Temporal wait, the oldest for {oldest:.0} s"))
}

/// The circuits of the providers that are set up here.
async fn providers(state: &AppState) -> Option<BTreeMap<String, ProviderHealth>> {
    let circuits = tokio::time::timeout(PATIENCE, state.store.circuits()).await.ok()?.ok()?;
    let health = |slug: &'static str| {
        let known = circuits
            .iter()
            .filter(|circuit| circuit.provider == slug && circuit.scope.is_essential())
            .max_by_key(|circuit| (circuit.state, circuit.scope == CircuitScope::Account));
        let circuit = known.map_or(CircuitState::Closed, |known| known.state);
        let shut = known.filter(|known| known.state != CircuitState::Closed);
        ProviderHealth { circuit, since: known.map(|known| known.since), reason: shut.map(why_shut) }
    };
    Some(state.providers.slugs().map(|slug| (slug.to_owned(), health(slug))).collect())
}

/// Why a circuit is not closed. The vendor's own words are for staff: they tell how we are set up.
fn why_shut(circuit: &Circuit) -> String {
    if circuit.refused {
        return format!("{}: it turns our account away", circuit.scope);
    }
    format!("{}: {} calls in a row failed", circuit.scope, circuit.failures)
}

/// The gateways that are set up here, and whether they accept our credentials.
async fn gateways(state: &AppState) -> Option<BTreeMap<&'static str, GatewayHealth>> {
    let refusing = tokio::time::timeout(PATIENCE, state.store.refusing_gateways()).await.ok()?.ok()?;
    let health = |slug: &'static str| match refusing.iter().find(|known| known.gateway == slug) {
        Some(known) => GatewayHealth {
            status: Condition::Down,
            since: Some(known.since),
            reason: Some("it does not accept our credentials"),
        },
        None => GatewayHealth { status: Condition::Up, since: None, reason: None },
    };
    Some(state.payments.gateways.keys().map(|slug| (*slug, health(slug))).collect())
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
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "get_liveness", responses(
    (status = 200, description = "It is", body = Alive),
))]
async fn livez() -> Json<Alive> {
    Json(Alive { status: Condition::Up })
}

/// Should it get traffic?
///
/// No while it starts or drains, and while the database is away.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "get_readiness", responses(
    (status = 200, description = "It should", body = Alive),
    (status = 503, description = "`not_ready`: it should not", body = Problem, content_type = "application/problem+json"),
))]
async fn readyz(State(state): State<AppState>) -> Result<Json<Alive>, Problem> {
    let not_ready = |why| Problem::new(Code::NotReady, why).retry_after(1);
    if !state.ready.load(Ordering::Relaxed) {
        return Err(not_ready("the process is starting or draining"));
    }
    match tokio::time::timeout(PATIENCE, state.store.ping()).await {
        Ok(Ok(())) => Ok(Json(Alive { status: Condition::Up })),
        _ => Err(not_ready("the database does not answer")),
    }
}
