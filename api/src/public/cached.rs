//! Public reads that browsers and proxies may keep: a strong ETag over the body, and 304 for those who have it.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{etag, problem::Problem};

/// Fresh for a minute, usable for five more while a new copy is fetched.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=60, stale-while-revalidate=300");

/// `body` as JSON with its ETag, or 304 without a body when the client names that ETag in `If-None-Match`.
pub(super) fn cached(request: &HeaderMap, body: &impl serde::Serialize) -> Result<Response, Problem> {
    let json = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    let tag = etag::of(&json);
    let known = etag::is_known(request, &tag);
    let tag = HeaderValue::try_from(tag).map_err(|error| Problem::internal(&error))?;

    let mut response = Response::new(if known { Body::empty() } else { Body::from(json) });
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, CACHE_CONTROL);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(if_none_match: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        if let Some(value) = if_none_match {
            headers.insert(header::IF_NONE_MATCH, value.parse().unwrap());
        }
        cached(&headers, &serde_json::json!({"a": 1})).unwrap()
    }

    #[test]
    fn only_who_has_it_gets_304() {
        let first = ask(None);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = ask(Some(&known));
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()[header::ETAG], tag.as_str());
        }
        assert_eq!(ask(Some("\"other\"")).status(), StatusCode::OK);
    }
}
