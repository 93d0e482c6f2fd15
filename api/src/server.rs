//! The routers: every route, and the layers around it.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer, set_header::SetResponseHeaderLayer};
use utoipa_swagger_ui::SwaggerUi;

use crate::{AppState, observe::observe, openapi, problem::Problem, rate_limit::RateLimits};

/// Everything on the public port: `/api/v1`, its documentation, and the health endpoints. Serve it with
/// `into_make_service_with_connect_info::<SocketAddr>()`, so that clients' addresses are known.
pub fn router(state: AppState) -> Router {
    let (routes, document) = openapi::described_routes().split_for_parts();
    let rate_limits = RateLimits::new(&state.limits);
    let routes = routes
        .merge(SwaggerUi::new("/api/docs").url("/api/openapi.json", openapi::finish(document)))
        .layer(from_fn_with_state(rate_limits, crate::rate_limit::limit));
    wrap(routes, state)
}

/// Everything on the internal port: the provider API under `/internal`, its documentation, and the health endpoints.
/// Serve it like [`router`].
pub fn internal_router(state: AppState) -> Router {
    let (routes, document) = openapi::described_internal_routes().split_for_parts();
    let docs = SwaggerUi::new("/internal/docs").url("/internal/openapi.json", openapi::finish(document));
    wrap(routes.merge(docs), state)
}

/// The layers that every answer passes, the outermost last.
fn wrap(routes: Router<AppState>, state: AppState) -> Router {
    routes
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(state.limits.body_bytes))
        .layer(from_fn_with_state(state.clone(), in_time))
        .layer(cors())
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), observe))
        .with_state(state)
}

async fn no_such_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "route_not_found", "there is nothing at this address; see /api/docs")
}

async fn no_such_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address does not take this method; the Allow header lists those it takes",
    )
}

/// Gives up on a request that takes too long. Its transaction is rolled back.
async fn in_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(state.limits.request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "this took too long; please try again")
                .retry_after(1)
                .into_response()
        }
    }
}

/// Any site may call: nothing here depends on cookies, so a foreign page has no more rights than its user gives it.
fn cors() -> CorsLayer {
    let ours = |name| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(tower_http::cors::Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
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
    Problem::internal(&format!("panic: {message}")).into_response()
}
