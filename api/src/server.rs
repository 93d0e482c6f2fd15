//! The routers: every route, and the layers around it.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, Method, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};

use crate::{
    AppState,
    headers::{protect, tell_replays},
    in_time::in_time,
    known_query::{Queries, refuse_unknown},
    observe::observe,
    openapi::{self, docs},
    problem::{Code, Problem},
    rate_limit::{RateLimits, limit},
    routes,
};

/// Everything on the public port: `/api/v1`, its documentation, and the health endpoints. Serve it with
/// [`crate::serve`], so that clients' addresses are known.
pub fn router(state: AppState) -> Router {
    let (routes, document) = openapi::described_routes().split_for_parts();
    let document = openapi::finish(document);
    let routes = routes.route_layer(from_fn_with_state(Queries::of(&document), refuse_unknown));
    let routes = if state.previews { routes.merge(routes::for_writers()) } else { routes };
    wrap(routes.merge(docs::routes("/api", document)), RateLimits::new(&state), state)
}

/// Everything on the internal port: the provider API under `/internal`, its documentation, and the health endpoints.
/// Serve it like [`router`].
pub fn internal_router(state: AppState) -> Router {
    let (routes, document) = openapi::described_internal_routes().split_for_parts();
    let document = openapi::finish(document);
    let routes = routes.route_layer(from_fn_with_state(Queries::of(&document), refuse_unknown));
    let routes = routes.merge(docs::routes("/internal", document));
    wrap(routes, RateLimits::of_the_internal_port(&state), state)
}

/// The layers that every answer passes, the outermost last.
fn wrap(routes: Router<AppState>, rate_limits: RateLimits, state: AppState) -> Router {
    routes
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(rate_limits, limit))
        .layer(from_fn(tell_replays))
        .layer(DefaultBodyLimit::max(state.limits.body_bytes))
        .layer(from_fn_with_state(state.clone(), in_time))
        .layer(cors())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), observe))
        // Outermost: what the layers refuse by themselves is an answer, too.
        .layer(from_fn_with_state(state.clone(), protect))
        .with_state(state)
}

async fn no_such_route() -> Problem {
    Problem::new(Code::RouteNotFound, "there is nothing at this address; see /api/docs")
}

async fn no_such_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "this address does not take this method; the Allow header lists those it takes",
    )
}

/// Any site may call: nothing here depends on cookies but to renew and to end a browser's session, which want a header that is not
/// among these. So a foreign page has no more rights than its user gives it.
fn cors() -> CorsLayer {
    let ours = |name| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(tower_http::cors::Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            ours("idempotency-key"),
            ours("x-request-id"),
        ])
        .expose_headers([
            header::CONTENT_DISPOSITION,
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            header::WWW_AUTHENTICATE,
            ours("idempotency-replayed"),
            ours("ratelimit-limit"),
            ours("ratelimit-remaining"),
            ours("ratelimit-reset"),
            ours("x-request-id"),
        ])
        .max_age(std::time::Duration::from_secs(3600))
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Problem::failed(&format!("panic: {message}")).into_response()
}
