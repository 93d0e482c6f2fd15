//! The header by which a change is of what its sender has seen, and the answers that say what that is.

use std::convert::Infallible;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use store::versions::IfMatch;

/// The header `If-Match`, which need not be there: `*`, or ETags that were given out. What is none of ours matches nothing, so
/// that nothing is changed by mistake.
#[derive(Debug, Clone, Default)]
pub struct Seen(pub IfMatch);

impl<S: Send + Sync> FromRequestParts<S> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(read(&parts.headers)))
    }
}

fn read(headers: &HeaderMap) -> IfMatch {
    if !headers.contains_key(header::IF_MATCH) {
        return IfMatch::Anyhow;
    }
    let values = headers.get_all(header::IF_MATCH).iter().filter_map(|value| value.to_str().ok());
    let tags: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    if tags == ["*"] {
        return IfMatch::Exists;
    }
    // Compared strongly (RFC 9110 section 8.8.3.2): a weak tag says nothing of what exactly was seen.
    let inner = |tag: &str| Some(tag.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    IfMatch::OneOf(tags.into_iter().filter_map(inner).collect())
}

/// An answer with the version of what it shows as its ETag, to be given as `If-Match` with a change.
#[derive(Debug)]
pub struct Versioned<T> {
    /// The version, asked for before what is shown was read.
    pub version: String,
    /// What is shown.
    pub body: T,
}

impl<T: serde::Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.version)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> IfMatch {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, value.parse().unwrap());
        }
        read(&headers)
    }

    #[test]
    fn a_condition_is_any_of_the_tags_it_names() {
        let one_of = |tags: &[&str]| IfMatch::OneOf(tags.iter().map(|&tag| tag.to_owned()).collect());
        assert_eq!(of(&[]), IfMatch::Anyhow);
        assert_eq!(of(&["*"]), IfMatch::Exists);
        assert_eq!(of(&["\"a\""]), one_of(&["a"]));
        assert_eq!(of(&["\"a\", \"b\"", "\"c\""]), one_of(&["a", "b", "c"]));
    }

    #[test]
    fn what_is_no_strong_tag_matches_nothing() {
        for value in ["", "a", "W/\"a\"", "\"", "*, *"] {
            assert_eq!(of(&[value]), IfMatch::OneOf(Vec::new()), "{value}");
        }
    }
}
