//! The query string.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::problem::{Code, FieldError, Problem};

/// The query string; answers 400 `invalid_query`. Parameters that `T` does not know are ignored, so that it can stand
/// next to [`Paging`].
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                Err(invalid_query(text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text)))
            }
        }
    }
}

pub(crate) fn invalid_query(detail: &str) -> Problem {
    let mut problem = Problem::new(Code::InvalidQuery, detail);
    if let Some((field, message)) = detail.split_once(": ") {
        problem.errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    }
    problem
}
