//! What every answer says to browsers and caches, unless its handler says more: nothing is kept, framed, guessed at or
//! told to others. A new endpoint need not think of it.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::AppState;

/// For whatever is no page: nothing may be loaded or run.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
/// For Swagger UI, which loads its own files and sets styles, and calls the API.
const DOCS: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);
/// The files of Swagger UI change with the program only.
const DOCS_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=3600");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A year. Sent in production only, where TLS is in front: browsers remember it for the host, whatever its port.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The layer's function.
pub(crate) async fn protect(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_docs = is_docs(request.uri().path());
    let mut response = next.run(request).await;
    let is_page = is_docs && !response.status().is_client_error() && !response.status().is_server_error();
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(if is_page { DOCS } else { NOTHING });
    headers.entry(header::CACHE_CONTROL).or_insert(if is_page { DOCS_CACHE } else { NO_STORE });
    if state.limits.hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The layer's function. An answer that an `Idempotency-Key` repeats says so.
pub(crate) async fn tell_replays(request: Request, next: Next) -> Response {
    let (mut response, is_replay) = store::idempotency::watch(next.run(request)).await;
    if is_replay && response.status().is_success() {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn is_docs(path: &str) -> bool {
    ["/api/docs", "/internal/docs"]
        .iter()
        .any(|docs| path.strip_prefix(docs).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_docs_are_the_docs() {
        for path in ["/api/docs", "/api/docs/", "/internal/docs/swagger-ui.css"] {
            assert!(is_docs(path), "{path}");
        }
        for path in ["/api/docsx", "/api/v1/api/docs", "/api/openapi.json"] {
            assert!(!is_docs(path), "{path}");
        }
    }
}
