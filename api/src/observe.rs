//! The outermost layer: gives each request its id and [`Client`], and writes one log line and one metric about it.
//! Neither has the query string, headers or body: they may carry personal data and secrets.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header::HeaderName},
    middleware::Next,
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use tracing::Instrument;

use crate::{
    AppState,
    client::Client,
    extract::invalid_query,
    problem::{Code, Problem},
    request_id,
};

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The layer's function.
pub(crate) async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let client = Client::of(&request, &state.limits.trusted_proxies);
    let id = client.request_id.clone();
    let theirs = client.client_request_id.clone();
    request.extensions_mut().insert(client);
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request_id = %id, client_request_id = theirs, method, route);

    let started = Instant::now();
    let answer = async {
        let mut response = match unreadable(request.uri()) {
            Some(problem) => problem.into_response(),
            None => next.run(request).await,
        };
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID_HEADER, value);
        }
        record(method, route, response.status(), started.elapsed());
        response
    };
    request_id::with(id.clone(), answer.instrument(span)).await
}

/// What is wrong with an address: its escapes must be of UTF-8 text, without U+0000, which Postgres can't take.
fn unreadable(uri: &Uri) -> Option<Problem> {
    let is_text = |part: &str| percent_decode_str(part).decode_utf8().is_ok_and(|text| !text.contains('\0'));
    let detail = "its percent escapes must be UTF-8 text without the character U+0000";
    if !is_text(uri.path()) {
        return Some(Problem::new(Code::InvalidPath, detail));
    }
    uri.query().filter(|query| !is_text(query)).map(|_| invalid_query(detail))
}

/// The method, if it is one we serve: clients may invent others, and labels must stay bounded.
const fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

fn record(method: &'static str, route: String, status: StatusCode, latency: std::time::Duration) {
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(event = "http.answered", status = status.as_u16(), latency_ms, "answered");
    } else {
        tracing::info!(event = "http.answered", status = status.as_u16(), latency_ms, "answered");
    }
    metrics::histogram!(
        "http_request_duration_seconds",
        "method" => method,
        "route" => route,
        "status" => status.as_u16().to_string(),
    )
    .record(latency.as_secs_f64());
}
