//! Lists in parts.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use store::page::{Page, PageRequest};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Params, invalid_query};
use crate::problem::Problem;

const DEFAULT_LIMIT: i64 = 20;
const MAX_LIMIT: i64 = 100;

/// `limit` and `cursor` of the query string; answers 400 `invalid_query`. Turn it into what `store` takes with
/// [`Paging::request`] or `into()`.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many entries at most.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    pub limit: i64,
    /// `next_cursor` of the previous part; without it the list begins.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Uuid>,
}

impl Paging {
    /// What part of the list `store` shall return.
    #[must_use]
    pub const fn request(self) -> PageRequest {
        PageRequest { before: self.cursor, limit: self.limit }
    }
}

impl From<Paging> for PageRequest {
    fn from(paging: Paging) -> Self {
        paging.request()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(serde::Deserialize)]
        struct Raw {
            limit: Option<String>,
            cursor: Option<String>,
        }
        let Params(raw) = Params::<Raw>::from_request_parts(parts, state).await?;
        let limit = match raw.limit {
            None => DEFAULT_LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| invalid_query(&format!("limit: a whole number from 1 to {MAX_LIMIT}")))?,
        };
        let cursor = raw
            .cursor
            .map(|text| decode_cursor(&text).ok_or_else(|| invalid_query("cursor: not one that we gave out")))
            .transpose()?;
        Ok(Self { limit, cursor })
    }
}

fn decode_cursor(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// A part of a list.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct Paged<T> {
    /// The entries, newest first.
    pub data: Vec<T>,
    /// Give it as `cursor` to get the next part; null at the end.
    #[schema(example = "AZPnQ2NjcJ2yYk3qH5r0Xg")]
    pub next_cursor: Option<String>,
}

impl<T> Paged<T> {
    /// A page of `store`, each row turned into its API shape.
    pub fn new<R>(page: Page<R>, entry: impl FnMut(R) -> T) -> Self {
        Self {
            data: page.data.into_iter().map(entry).collect(),
            next_cursor: page.next.map(|id| BASE64_URL_SAFE_NO_PAD.encode(id.as_bytes())),
        }
    }

    /// The same where a row may have no API shape.
    ///
    /// # Errors
    /// That of the first row without one.
    pub fn try_new<R, E>(page: Page<R>, entry: impl FnMut(R) -> Result<T, E>) -> Result<Self, E> {
        let data = page.data.into_iter().map(entry).collect::<Result<Vec<_>, E>>()?;
        Ok(Self::new(Page { data, next: page.next }, |entry| entry))
    }
}

impl<T: serde::Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip() {
        let id = Uuid::now_v7();
        let paged = Paged::new(Page { data: vec![1], next: Some(id) }, |n| n);
        assert_eq!(decode_cursor(&paged.next_cursor.unwrap()), Some(id));
        assert_eq!(decode_cursor("AAAA"), None);
        assert_eq!(decode_cursor("no cursor"), None);
    }
}
