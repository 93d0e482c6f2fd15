//! JSON bodies.

use axum::{
    extract::{FromRequest, OptionalFromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::de::DeserializeOwned;

use super::strict::Strict;
use crate::problem::{Code, FieldError, Problem};

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
            Code::UnsupportedMediaType,
            "send the body as JSON with Content-Type: application/json",
        )),
    }
}

async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<axum::body::Bytes, Problem> {
    axum::body::Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Code::BodyTooLarge, "the body is larger than we accept")
        } else {
            Problem::new(Code::BodyUnreadable, "the body could not be read to its end")
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
    Problem::new(Code::MalformedJson, format!("the body is not valid JSON: {error}"))
}

fn json_problem(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let inner = error.inner();
    if inner.classify() != serde_json::error::Category::Data {
        return malformed(inner);
    }
    let text = inner.to_string();
    // serde's text ends with a position that says little next to the field's name.
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    Problem::field(Code::InvalidBody, &field_path(error, message), message)
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
            Err(Problem::field(Code::InvalidBody, &field, "text must not contain the character U+0000"))
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
    let mut problem = Problem::new(Code::ValidationFailed, detail);
    problem.errors = errors;
    problem
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
        (problem.status, problem.code.to_string(), fields)
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
}
