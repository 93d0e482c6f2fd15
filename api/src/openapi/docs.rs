//! The document and Swagger UI over HTTP.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::Document;
use crate::{AppState, etag};

/// It changes with the program only; whoever has it is told so by its ETag.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// `<prefix>/openapi.json` and `<prefix>/docs`.
pub(crate) fn routes(prefix: &str, document: Document) -> Router<AppState> {
    let url = format!("{prefix}/openapi.json");
    // Nobody else is asked whether the document is valid.
    let config = Config::new([url.clone()]).validator_url("none");
    let file = Arc::new(File { document, plain: OnceLock::new(), gzip: OnceLock::new() });
    let answer = move |headers: HeaderMap| async move { file.answer(&headers) };
    Router::new().route(&url, get(answer)).merge(SwaggerUi::new(format!("{prefix}/docs")).config(config))
}

/// The document as it is sent, made when it is asked for first.
struct File {
    document: Document,
    plain: OnceLock<Variant>,
    gzip: OnceLock<Variant>,
}

/// One encoding of the document.
struct Variant {
    body: Bytes,
    tag: String,
}

impl Variant {
    fn new(body: Vec<u8>) -> Self {
        Self { tag: etag::of(&body), body: body.into() }
    }
}

impl File {
    fn plain(&self) -> &Variant {
        self.plain.get_or_init(|| Variant::new(serde_json::to_vec(&self.document).unwrap_or_default()))
    }

    fn gzip(&self) -> &Variant {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            // Writing to memory does not fail.
            let written = encoder.write_all(&self.plain().body).and_then(|()| encoder.finish());
            Variant::new(written.unwrap_or_default())
        })
    }

    fn answer(&self, request: &HeaderMap) -> Response {
        let compressed = takes_gzip(request);
        let variant = if compressed { self.gzip() } else { self.plain() };
        let known = etag::is_known(request, &variant.tag);
        let mut response =
            Response::new(if known { Body::empty() } else { Body::from(variant.body.clone()) });
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::try_from(&variant.tag) {
            headers.insert(header::ETAG, tag);
        }
        headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if compressed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Whether `Accept-Encoding` names gzip, and not as what is unwanted (RFC 9110 section 12.5.3).
fn takes_gzip(request: &HeaderMap) -> bool {
    let offered = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whoever_takes_it() {
        let takes = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accept.parse().unwrap());
            takes_gzip(&headers)
        };
        for accept in ["gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1"] {
            assert!(takes(accept), "{accept}");
        }
        for accept in ["", "br", "identity", "gzip;q=0", "gzip;q=0.000"] {
            assert!(!takes(accept), "{accept}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
