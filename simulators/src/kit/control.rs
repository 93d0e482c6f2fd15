//! The control API every simulator has under `/__sim`, and the gate every vendor call passes: counted, admitted
//! (credentials, rate limits), made to fail if a fault is waiting, answered.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::{Bytes, HttpBody},
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Service,
    fault::{Fault, FaultKind, Faults},
    server::Connection,
};

/// What a simulator brings to the shared control API and gate. [`service`] makes a service of it.
pub trait Simulated: Send + Sync + 'static {
    /// The vendor's name, for the help text.
    fn name(&self) -> &'static str;

    /// The shared state of the control API: one field of the simulator.
    fn control(&self) -> &Arc<Control>;

    /// The kinds of faults that mean something here.
    fn fault_kinds(&self) -> &'static [FaultKind];

    /// Examples for the help text of what only this simulator has, one `curl` a line.
    fn examples(&self) -> &'static str;

    /// The settings as they are.
    fn settings(&self) -> Value;

    /// Changes the settings that `change` names.
    ///
    /// # Errors
    /// What is wrong with `change`, in a sentence; nothing has changed then. [`parse`] refuses unknown fields.
    fn configure(&self, change: &[u8]) -> Result<(), String>;

    /// How many things of each kind there are, such as `droplets`.
    fn resources(&self) -> BTreeMap<&'static str, usize>;

    /// Back to how it started: settings as at the start, no resources, full rate limits.
    fn reset(&self);

    /// Looks at a vendor call before anything is done: credentials, rate limits.
    fn admit(&self, request: &Parts) -> Admission;

    /// The vendor's usual answer for a bare status: used for unknown paths and for `status` faults without a body.
    fn error(&self, status: StatusCode) -> Response;

    /// Further routes under `/__sim`, such as `/__sim/servers`, with their whole paths.
    fn control_routes(self: Arc<Self>) -> Router {
        Router::new()
    }
}

/// What [`Simulated::admit`] decided.
#[derive(Debug, Default)]
pub struct Admission {
    /// Headers that go onto the answer, whatever it is.
    pub headers: HeaderMap,
    /// The answer, if the call goes no further. One with status 429 counts as rate limited.
    pub refusal: Option<Response>,
}

/// Counters and waiting faults of one simulator.
#[derive(Debug, Default)]
pub struct Control(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: BTreeMap<String, u64>,
    rate_limited: u64,
    faults: Vec<Fault>,
}

impl Control {
    /// How often a route such as `POST /v2/droplets` was called, refused calls included.
    #[must_use]
    pub fn calls(&self, route: &str) -> u64 {
        self.inner().calls.get(route).copied().unwrap_or_default()
    }

    /// How often all routes were called together.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        self.inner().calls.values().sum()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole HTTP service of a simulator: the vendor's `routes` behind the gate, and the control API.
pub fn service<S: Simulated>(
    simulator: Arc<S>,
    routes: Vec<(&'static str, MethodRouter<Arc<S>>)>,
) -> Service {
    let control = Arc::clone(simulator.control());
    let paths: Arc<[&'static str]> = routes.iter().map(|(path, _)| *path).collect();
    let vendor =
        routes.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    let vendor = vendor
        .route_layer(middleware::from_fn_with_state(Arc::clone(&simulator), gate::<S>))
        .with_state(Arc::clone(&simulator));

    let panel = Router::new()
        .route("/__sim", get(help::<S>))
        .route("/__sim/config", get(settings::<S>).post(configure::<S>))
        .route("/__sim/faults", get(faults::<S>).post(add_fault::<S>).delete(clear_faults::<S>))
        .route("/__sim/counters", get(counters::<S>))
        .route("/__sim/reset", post(reset::<S>))
        .with_state(Panel { simulator: Arc::clone(&simulator), paths })
        .merge(Arc::clone(&simulator).control_routes())
        .route_layer(middleware::from_fn(from_here_only));

    let unknown = Arc::clone(&simulator);
    let router = vendor
        .merge(panel)
        .method_not_allowed_fallback(async move || simulator.error(StatusCode::METHOD_NOT_ALLOWED))
        .fallback(async move || unknown.error(StatusCode::NOT_FOUND));
    Service { router, control }
}

/// Every vendor call's way: counted, admitted, made to fail if so ordered, carried out.
async fn gate<S: Simulated>(
    State(simulator): State<Arc<S>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    pattern: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let (method, pattern) = (parts.method.as_str(), pattern.as_str());
    *simulator.control().inner().calls.entry(format!("{method} {pattern}")).or_default() += 1;

    let admission = simulator.admit(&parts);
    let mut response = match admission.refusal {
        Some(refusal) => {
            if refusal.status() == StatusCode::TOO_MANY_REQUESTS {
                simulator.control().inner().rate_limited += 1;
            }
            refusal
        }
        None => {
            let path = parts.uri.path();
            let faults = Faults::take(&mut simulator.control().inner().faults, method, pattern, path);
            parts.extensions.insert(faults.clone());
            let carry_out = next.run(Request::from_parts(parts, body));
            under_faults(&*simulator, &connection, &faults, carry_out).await
        }
    };
    response.headers_mut().extend(admission.headers);
    response
}

async fn under_faults<S: Simulated>(
    simulator: &S,
    connection: &Connection,
    faults: &Faults,
    carry_out: impl Future<Output = Response>,
) -> Response {
    let response = match faults.get(FaultKind::Status) {
        Some(fault) => refusal(simulator, fault),
        None => carry_out.await,
    };
    if let Some(delay) = faults.get(FaultKind::Delay) {
        tokio::time::sleep(delay.duration()).await;
    }
    if faults.has(FaultKind::DropAfterCreate) {
        connection.hang_up();
    }
    response
}

fn refusal<S: Simulated>(simulator: &S, fault: &Fault) -> Response {
    let status =
        fault.status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &fault.body {
        Some(Value::String(text)) => (status, text.clone()).into_response(),
        Some(body) => (status, Json(body.clone())).into_response(),
        None => simulator.error(status),
    };
    if let Some(seconds) = fault.seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.ceil() as i64));
    }
    response
}

/// Whoever calls is on this machine and means it: a page that somebody here happens to look at can send requests to
/// loopback too, under a name of its own (DNS rebinding), or as a form.
pub(crate) async fn from_here_only(
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    if !connection.peer.ip().to_canonical().is_loopback() {
        return refused(StatusCode::FORBIDDEN, "the control API answers on loopback only");
    }
    let headers = request.headers();
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if !text(header::HOST).is_some_and(is_this_machine) {
        return refused(StatusCode::FORBIDDEN, "call the control API as 127.0.0.1, [::1] or localhost");
    }
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if !origin.is_none_or(is_this_machine) {
        return refused(StatusCode::FORBIDDEN, "the control API takes nothing from other sites");
    }
    let json = text(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    });
    if !json && !request.body().is_end_stream() {
        return refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body with Content-Type: application/json",
        );
    }
    next.run(request).await
}

/// Whether a host, with or without a port, is a name of loopback.
fn is_this_machine(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    bare.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

struct Panel<S> {
    simulator: Arc<S>,
    paths: Arc<[&'static str]>,
}

impl<S> Clone for Panel<S> {
    fn clone(&self) -> Self {
        Self { simulator: Arc::clone(&self.simulator), paths: Arc::clone(&self.paths) }
    }
}

/// A refused control call.
#[derive(Debug)]
pub struct BadRequest(pub String);

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

/// Reads a control call's JSON body.
///
/// # Errors
/// What is wrong with it, in a sentence, such as ``unknown field `foo`, expected …``.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

async fn help<S: Simulated>(State(panel): State<Panel<S>>, request: Request) -> String {
    let host = request.headers().get("host").and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1");
    let first = panel.paths[0];
    let kinds = json!(panel.simulator.fault_kinds());
    format!(
        "{name} simulator. Its control API, with an example of each call:\n\n\
         # The settings; POST changes those it names\n\
         curl {host}/__sim/config\n\
         curl {host}/__sim/config --json '{settings}'\n\n\
         # Make the next calls of a route fail: kind is one of {kinds}\n\
         curl {host}/__sim/faults --json '{{\"route\":\"POST {first}\",\"kind\":\"status\",\"status\":503,\"times\":2}}'\n\
         curl {host}/__sim/faults --json '{{\"route\":\"POST {first}\",\"kind\":\"delay\",\"seconds\":1.5}}'\n\
         curl {host}/__sim/faults\n\
         curl -X DELETE {host}/__sim/faults\n\n\
         # How often each route was called, how many calls were rate limited, what there is\n\
         curl {host}/__sim/counters\n\n\
         # Back to how it started\n\
         curl -X POST {host}/__sim/reset\n\n\
         {examples}\n\n\
         Routes: {routes}\n",
        name = panel.simulator.name(),
        settings = panel.simulator.settings(),
        examples = panel.simulator.examples().replace("{host}", host),
        routes = panel.paths.join(", "),
    )
}

async fn settings<S: Simulated>(State(panel): State<Panel<S>>) -> Json<Value> {
    Json(panel.simulator.settings())
}

async fn configure<S: Simulated>(
    State(panel): State<Panel<S>>,
    body: Bytes,
) -> Result<Json<Value>, BadRequest> {
    panel.simulator.configure(&body).map_err(BadRequest)?;
    Ok(Json(panel.simulator.settings()))
}

async fn faults<S: Simulated>(State(panel): State<Panel<S>>) -> Json<Value> {
    Json(json!({ "faults": panel.simulator.control().inner().faults }))
}

async fn add_fault<S: Simulated>(
    State(panel): State<Panel<S>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Fault>), BadRequest> {
    let fault: Fault = parse(&body).map_err(BadRequest)?;
    fault.check(&panel.paths, panel.simulator.fault_kinds()).map_err(BadRequest)?;
    panel.simulator.control().inner().faults.push(fault.clone());
    Ok((StatusCode::CREATED, Json(fault)))
}

async fn clear_faults<S: Simulated>(State(panel): State<Panel<S>>) -> StatusCode {
    panel.simulator.control().inner().faults.clear();
    StatusCode::NO_CONTENT
}

async fn counters<S: Simulated>(State(panel): State<Panel<S>>) -> Json<Value> {
    let resources = panel.simulator.resources();
    let inner = panel.simulator.control().inner();
    Json(json!({ "calls": inner.calls, "rate_limited": inner.rate_limited, "resources": resources }))
}

async fn reset<S: Simulated>(State(panel): State<Panel<S>>) -> StatusCode {
    panel.simulator.reset();
    *panel.simulator.control().inner() = Inner::default();
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for host in ["127.0.0.1", "127.0.0.1:4010", "localhost:4010", "LOCALHOST", "[::1]:4010", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example:4010",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[::2]",
            "null",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
