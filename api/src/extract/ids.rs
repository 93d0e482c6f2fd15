//! Ids in the path.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use uuid::Uuid;

use crate::problem::Problem;

/// The id in the path. Something that is no id names nothing, so it answers 404.
#[derive(Debug, Clone, Copy)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: From<Uuid>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = <Path<String> as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found("object"))?;
        Uuid::parse_str(&text).map(|id| Self(T::from(id))).map_err(|_| Problem::not_found("object"))
    }
}

/// The two ids in the path, the outer thing's first. Something that is no id names nothing, so it answers 404.
#[derive(Debug, Clone, Copy)]
pub struct Ids<A, B>(pub A, pub B);

impl<S: Send + Sync, A: From<Uuid>, B: From<Uuid>> FromRequestParts<S> for Ids<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((outer, inner)) =
            <Path<(String, String)> as FromRequestParts<S>>::from_request_parts(parts, state)
                .await
                .map_err(|_| Problem::not_found("object"))?;
        match (Uuid::parse_str(&outer), Uuid::parse_str(&inner)) {
            (Ok(outer), Ok(inner)) => Ok(Self(A::from(outer), B::from(inner))),
            _ => Err(Problem::not_found("object")),
        }
    }
}
