//! Extractors that answer with a [`Problem`] when a request can't be read: [`Body`], [`Params`], [`Id`], [`Paging`],
//! [`IdempotencyKey`]; and [`Moment`], the type of times in them.

use axum::{
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequest, OptionalFromRequestParts, Path, Query, Request,
        rejection::BytesRejection,
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use store::page::{Page, PageRequest};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::problem::{FieldError, Problem};
use strict::Strict;

mod moment;
mod strict;

pub use moment::Moment;

/// A JSON body that parsed and passed its `garde` rules. A type without rules derives
/// `garde::Validate` with `#[garde(allow_unvalidated)]`. `Option<Body<T>>` allows an empty body.
///
/// Answers 400 `malformed_json`, 413 `body_too_large`, 415 `unsupported_media_type`, 422 `invalid_body` (a field
/// that is unknown, missing or of another type) and 422 `validation_failed`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S, T> FromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned + garde::Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        parse_body(&read_body(request, state).await?).map(Self)
    }
}

impl<S, T> OptionalFromRequest<S> for Body<T>
where
    S: Send + Sync,
    T: DeserializeOwned + garde::Validate<Context = ()>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        let declared = require_json(request.headers());
        let bytes = read_body(request, state).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        declared?;
        parse_body(&bytes).map(|body| Some(Self(body)))
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    match media_type.as_deref() {
        Some("application/json") => Ok(()),
        Some(other) if other.starts_with("application/") && other.ends_with("+json") => Ok(()),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send the body as JSON with Content-Type: application/json",
        )),
    }
}

async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<axum::body::Bytes, Problem> {
    axum::body::Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than we accept")
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", "the body could not be read to its end")
        }
    })
}

/// Parses and validates a JSON document that is held in memory.
fn parse_body<T: DeserializeOwned + garde::Validate<Context = ()>>(bytes: &[u8]) -> Result<T, Problem> {
    refuse_nul(bytes)?;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value: T =
        serde_path_to_error::deserialize(Strict(&mut deserializer)).map_err(|e| json_problem(&e))?;
    deserializer.end().map_err(|e| malformed(&e))?;
    value.validate().map_err(|report| validation_problem(&report))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not valid JSON: {error}"))
}

fn json_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if inner.classify() != serde_json::error::Category::Data {
        return malformed(inner);
    }
    let text = inner.to_string();
    // serde's text ends with a position that says little next to the field's name.
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    Problem::field("invalid_body", &field_path(error, message), message)
}

/// The path of the field at fault. For a missing field serde knows only the enclosing object's path.
fn field_path(error: &serde_path_to_error::Error<serde_json::Error>, message: &str) -> String {
    let path = match error.path().to_string() {
        root if root == "." => String::new(),
        path => path,
    };
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(name) if path.is_empty() => name.to_owned(),
        Some(name) => format!("{path}.{name}"),
        None => path,
    }
}

/// Refuses strings with U+0000, which Postgres can't store. In JSON it can only be written as an escape.
fn refuse_nul(bytes: &[u8]) -> Result<(), Problem> {
    fn find(value: &serde_json::Value, path: &str) -> Option<String> {
        match value {
            serde_json::Value::String(text) => text.contains('\0').then(|| path.to_owned()),
            serde_json::Value::Array(items) => {
                items.iter().enumerate().find_map(|(index, item)| find(item, &format!("{path}[{index}]")))
            }
            serde_json::Value::Object(fields) => fields.iter().find_map(|(name, field)| {
                find(field, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") })
            }),
            _ => None,
        }
    }
    if !bytes.windows(6).any(|window| window == br"\u0000") {
        return Ok(());
    }
    match serde_json::from_slice(bytes).ok().and_then(|value| find(&value, "")) {
        Some(field) => {
            Err(Problem::field("invalid_body", &field, "text must not contain the character U+0000"))
        }
        None => Ok(()),
    }
}

fn validation_problem(report: &garde::Report) -> Problem {
    let errors: Vec<FieldError> = report
        .iter()
        .map(|(path, error)| FieldError { field: path.to_string(), message: error.message().to_owned() })
        .collect();
    let detail = match errors.as_slice() {
        [only] => format!("{}: {}", only.field, only.message),
        several => format!("{} fields are not acceptable", several.len()),
    };
    let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail);
    problem.errors = errors;
    problem
}

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
    let mut problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail);
    if let Some((field, message)) = detail.split_once(": ") {
        problem.errors.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    }
    problem
}

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

/// The required header `Idempotency-Key`: 1 to 255 visible ASCII characters. Answers 400
/// `idempotency_key_required` or `idempotency_key_invalid`. `Option<IdempotencyKey>` allows it to be absent.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_required",
                "send an Idempotency-Key header: a value of your own, new for each new request, the same for a retry",
            ));
        };
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self(key.to_owned()))
            }
            _ => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_invalid",
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

    #[derive(Debug, serde::Deserialize, garde::Validate)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[garde(length(chars, min = 2))]
        name: String,
        #[garde(skip)]
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u32,
    }

    fn refusal(body: &str) -> (u16, String, Vec<String>) {
        let problem = parse_body::<Sample>(body.as_bytes()).unwrap_err();
        let fields = problem.errors.iter().map(|e| e.field.clone()).collect();
        (problem.status, problem.code.clone(), fields)
    }

    #[test]
    fn malformed_json_is_a_400() {
        for body in ["", "{", "{\"name\":\"ab\"} x", "nope"] {
            assert_eq!(refusal(body), (400, "malformed_json".into(), vec![]), "{body}");
        }
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let at = |body| refusal(body).2;
        assert_eq!(at(r#"{"name":"ab","evil":1}"#), ["evil"]);
        assert_eq!(at(r#"{"name":7}"#), ["name"]);
        assert_eq!(at("{}"), ["name"]);
        assert_eq!(at(r#"{"name":"ab","inner":{"count":"x"}}"#), ["inner.count"]);
        assert_eq!(at(r#"{"name":"ab","inner":{}}"#), ["inner.count"]);
        assert_eq!(at(r#"{"name":"ab","inner":{"count":1,"more":2}}"#), ["inner.more"]);
        assert_eq!(refusal("{}").1, "invalid_body");
        let good: Sample = parse_body(br#"{"name":"ab","inner":{"count":1}}"#).unwrap();
        assert_eq!(good.inner.unwrap().count, 1);
    }

    #[test]
    fn rules_are_checked_after_the_shape() {
        assert_eq!(refusal(r#"{"name":"a"}"#), (422, "validation_failed".into(), vec!["name".into()]));
    }

    #[test]
    fn text_that_postgres_cannot_store_is_refused() {
        assert_eq!(refusal(r#"{"name":"a\u0000b"}"#), (422, "invalid_body".into(), vec!["name".into()]));
        assert_eq!(parse_body::<Sample>(br#"{"name":"a\\u0000b"}"#).unwrap().name, r"a\u0000b");
    }

    #[test]
    fn a_cursor_survives_the_round_trip() {
        let id = Uuid::now_v7();
        let paged = Paged::new(Page { data: vec![1], next: Some(id) }, |n| n);
        assert_eq!(decode_cursor(&paged.next_cursor.unwrap()), Some(id));
        assert_eq!(decode_cursor("AAAA"), None);
        assert_eq!(decode_cursor("no cursor"), None);
    }
}
