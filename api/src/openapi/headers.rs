//! The headers of answers, each described once and named wherever it comes.

use serde_json::{Map, Value, json};

use super::walk::{operations, reference};

/// Readings that say of which version the thing is (`Versioned`).
const VERSIONED: [&str; 15] = [
    "admin_get_image",
    "admin_get_invoice",
    "admin_get_life_pause",
    "admin_get_pause",
    "admin_get_plan",
    "admin_get_promo",
    "admin_get_provider",
    "admin_get_region",
    "admin_get_term",
    "admin_get_user",
    "get_instance",
    "get_me",
    "get_notification_preferences",
    "set_instance_auto_renew",
    "set_instance_tags",
];

/// What is kept from a provider, with its age.
const AGED: [&str; 3] = ["get_instance_metrics", "get_instance_snapshot", "list_instance_snapshots"];

fn components() -> Value {
    json!({
        "Age": { "description": "Seconds since the provider told it.", "schema": { "type": "integer", "minimum": 0 } },
        "Allow": { "description": "The methods that the address takes.", "schema": { "type": "string" } },
        "ETag": {
            "description": "The version of what is shown, for `If-Match` of a change or `If-None-Match` of a reading.",
            "schema": { "type": "string", "pattern": "^\"[^\"]+\"$" },
        },
        "IdempotencyReplayed": {
            "description": "`true` when an earlier request with the same `Idempotency-Key` made it; else it is not there.",
            "schema": { "type": "string", "enum": ["true"] },
        },
        "Location": { "description": "Where to read it again.", "schema": { "type": "string", "format": "uri-reference" } },
        "RateLimitLimit": {
            "description": "So many requests may come at once, and within a minute.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "RateLimitRemaining": { "description": "So many may still come.", "schema": { "type": "integer", "minimum": 0 } },
        "RateLimitReset": {
            "description": "Seconds until as many as ever may come.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "RequestId": {
            "description": "The request's id, to quote to support.",
            "schema": { "type": "string", "maxLength": 200 },
        },
        "RetryAfter": {
            "description": "Seconds after which the same request may succeed.",
            "schema": { "type": "integer", "minimum": 1 },
        },
        "WWWAuthenticate": { "description": "How to show who asks.", "schema": { "type": "string" } },
    })
}

/// Adds them to every answer that has them.
pub(super) fn apply(document: &mut Value) {
    document["components"]["headers"] = components();
    operations(document, |_, path, operation| {
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let takes_key = operation
            .get("parameters")
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key"));
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            let Some(response) = response.as_object_mut() else { continue };
            let mut names = of_every_answer(path, status);
            let succeeds = status.starts_with('2');
            if succeeds && takes_key {
                names.push(("Idempotency-Replayed", "IdempotencyReplayed"));
            }
            if status == "200" && VERSIONED.contains(&id.as_str()) {
                names.push(("ETag", "ETag"));
            }
            if succeeds && AGED.contains(&id.as_str()) {
                names.push(("Age", "Age"));
            }
            describe(response, &names);
        }
    });
}

fn of_every_answer(path: &str, status: &str) -> Vec<(&'static str, &'static str)> {
    // It is refused before anybody looks at it.
    if status == "431" {
        return Vec::new();
    }
    let mut names = vec![("X-Request-Id", "RequestId")];
    let is_webhook = path.contains("/webhooks/") && !path.contains("/admin/");
    if path != "/livez" && !is_webhook && status != "405" {
        names.extend([
            ("RateLimit-Limit", "RateLimitLimit"),
            ("RateLimit-Remaining", "RateLimitRemaining"),
            ("RateLimit-Reset", "RateLimitReset"),
        ]);
    }
    match status {
        "304" => names.push(("ETag", "ETag")),
        "401" => names.push(("WWW-Authenticate", "WWWAuthenticate")),
        "405" => names.push(("Allow", "Allow")),
        "429" | "503" => names.push(("Retry-After", "RetryAfter")),
        _ => {}
    }
    names
}

/// What a handler says of a header that is known here is said here.
fn describe(response: &mut Map<String, Value>, names: &[(&str, &str)]) {
    let known = [("ETag", "ETag"), ("Location", "Location"), ("Retry-After", "RetryAfter"), ("Age", "Age")];
    let headers = response.entry("headers").or_insert_with(|| json!({}));
    let Some(headers) = headers.as_object_mut() else { return };
    let said: Vec<_> = known.iter().filter(|(name, _)| headers.contains_key(*name)).collect();
    for (name, component) in said.into_iter().chain(names) {
        headers.insert((*name).to_owned(), reference("headers", component));
    }
}
