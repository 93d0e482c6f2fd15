//! The header that makes a repeated request the same one.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};

use crate::problem::{Code, Problem};

/// The required header `Idempotency-Key`: 1 to 255 visible ASCII characters. Answers 400
/// `idempotency_key_required` or `idempotency_key_invalid`. `Option<IdempotencyKey>` allows it to be absent.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Err(Problem::new(
                Code::IdempotencyKeyRequired,
                "send an Idempotency-Key header: a value of your own, new for each new request, the same for a retry",
            ));
        };
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self(key.to_owned()))
            }
            _ => Err(Problem::new(
                Code::IdempotencyKeyInvalid,
                "an Idempotency-Key has 1 to 255 visible ASCII characters",
            )),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key("idempotency-key") {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}
