//! Every status that an operation can give, by rule: what the layers and extractors around a handler refuse follows from what
//! it takes. What the handler itself refuses is written beside it.

use axum::http::{Method, StatusCode};
use domain::api_token::TokenScope;
use serde_json::{Map, Value, json};

use super::walk::operations;
use crate::{
    auth::{Access, access},
    problem::Code,
};

/// Has no representation that could be seen before it is replaced.
const WITHOUT_VERSION: [&str; 1] = ["/api/v1/auth/me/password"];

/// Adds them.
pub(super) fn apply(document: &mut Value) {
    operations(document, |method, path, operation| {
        take_conditions(method, path, operation);
        for code in codes(method, path, operation) {
            add(operation, code);
        }
        let too_large =
            json!({ "description": "The request's head is larger than we read. There is no body." });
        responses(operation).entry("431").or_insert(too_large);
    });
}

/// A change may be of what was seen: the header is read by whatever replaces or changes a thing.
fn take_conditions(method: &str, path: &str, operation: &mut Map<String, Value>) {
    if !is_conditional(method, path) {
        return;
    }
    let parameter = json!({
        "name": "If-Match",
        "in": "header",
        "description": "The `ETag` that reading it gave: changed only if it is still of that version. Left out: whatever it is.",
        "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 1000 },
        "example": "\"5d41402abc4b2a76b9719d911017c592\"",
    });
    if let Some(all) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
        all.push(parameter);
    }
}

fn is_conditional(method: &str, path: &str) -> bool {
    ["put", "patch"].contains(&method) && !WITHOUT_VERSION.contains(&path)
}

fn codes(method: &str, path: &str, operation: &Map<String, Value>) -> Vec<Code> {
    let mut codes = vec![Code::MethodNotAllowed, Code::Internal];
    let is_webhook = path.contains("/webhooks/") && !path.contains("/admin/");
    if path.starts_with("/api/v1") || path.starts_with("/internal") {
        codes.extend([Code::Unavailable, Code::Timeout]);
    }
    if path != "/livez" && !is_webhook {
        codes.push(Code::RateLimited);
    }
    if path.contains('{') {
        codes.extend([Code::InvalidPath, Code::NotFound]);
    }
    if is_conditional(method, path) {
        codes.push(Code::PreconditionFailed);
    }
    if parameters(operation).any(|one| one["in"] == "query") {
        codes.push(Code::InvalidQuery);
    }
    codes.extend(of_the_body(is_webhook, operation));
    codes.extend(of_the_key(operation));
    codes.extend(of_who_asks(method, path, operation));
    codes
}

fn parameters(operation: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    operation.get("parameters").and_then(Value::as_array).into_iter().flatten()
}

fn of_the_body(is_webhook: bool, operation: &Map<String, Value>) -> Vec<Code> {
    let Some(content) = operation.get("requestBody").map(|body| &body["content"]) else { return Vec::new() };
    let mut codes = vec![Code::BodyUnreadable, Code::RequestTimeout, Code::BodyTooLarge];
    if is_webhook {
        return codes;
    }
    codes.push(Code::UnsupportedMediaType);
    match content.get("application/json") {
        Some(_) => codes.extend([Code::MalformedJson, Code::InvalidBody, Code::ValidationFailed]),
        None => codes.push(Code::MalformedMultipart),
    }
    codes
}

fn of_the_key(operation: &Map<String, Value>) -> Vec<Code> {
    let Some(key) = parameters(operation).find(|one| one["name"] == "Idempotency-Key") else {
        return Vec::new();
    };
    let mut codes = vec![Code::IdempotencyKeyInvalid, Code::IdempotencyKeyReused];
    if key["required"] == true {
        codes.push(Code::IdempotencyKeyRequired);
    }
    codes
}

fn of_who_asks(method: &str, path: &str, operation: &Map<String, Value>) -> Vec<Code> {
    let requires = |scheme: &str| {
        let all = operation.get("security").and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|one| one.get(scheme).is_some()))
    };
    if requires("api_key") {
        return vec![Code::ApiKeyMissing, Code::ApiKeyInvalid, Code::ScopeMissing];
    }
    if !requires("bearer") {
        return Vec::new();
    }
    let mut codes = vec![
        Code::TokenMissing,
        Code::TokenExpired,
        Code::TokenInvalid,
        Code::SessionRevoked,
        Code::SessionEnded,
        Code::AccountSuspended,
    ];
    codes.push(match scope(method, path) {
        Some(_) => Code::ScopeMissing,
        None => Code::Forbidden,
    });
    codes
}

/// The scope with which an operation takes personal API tokens.
fn scope(method: &str, path: &str) -> Option<TokenScope> {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).ok()?;
    match access(&method, path)? {
        Access::Own { token, .. } => token,
        _ => None,
    }
}

fn responses(operation: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let all = operation.entry("responses").or_insert_with(|| json!({}));
    if !all.is_object() {
        *all = json!({});
    }
    match all {
        Value::Object(all) => all,
        // It was made one just now.
        _ => unreachable!("responses are an object"),
    }
}

/// Says that an operation can answer with `code`, unless it says so already.
fn add(operation: &mut Map<String, Value>, code: Code) {
    let status = code.status().as_str().to_owned();
    let word = format!("`{code}`");
    let response = responses(operation).entry(status).or_insert_with(|| problem(String::new()));
    // What is no problem (the health report) says what it is by itself.
    if response.pointer("/content/application~1problem+json").is_none() {
        return;
    }
    let said = response["description"].as_str().unwrap_or_default();
    if said.contains(&word) {
        return;
    }
    let separator = if said.is_empty() { "" } else { " " };
    let meaning = format!("{said}{separator}{word}: {}", lower(code.meaning()));
    response["description"] = json!(meaning);
}

/// A sentence as it goes on after a colon.
fn lower(sentence: &str) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// An answer that is a problem.
pub(super) fn problem(description: String) -> Value {
    json!({
        "description": description,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// The codes of `status` that a description names, in their order.
pub(super) fn named(description: &str, status: &str) -> Vec<Code> {
    let status: Option<StatusCode> = status.parse().ok();
    let words = description.split('`').skip(1).step_by(2);
    words
        .filter_map(|word| Code::ALL.iter().copied().find(|code| code.word() == word))
        .filter(|code| Some(code.status()) == status)
        .collect()
}
