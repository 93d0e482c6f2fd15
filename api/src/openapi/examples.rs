//! A whole example of each body, put together from the examples of its fields.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    statuses,
    walk::{Way, operations, referred, types},
};

const ID: &str = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";
const MOMENT: &str = "2026-11-30T08:00:00Z";

/// Texts by the names of their fields, where the field has no example of its own.
#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = &[
    ("added", "do-basic-8gb"),
    ("error", "the provider did not answer in time"),
    ("error_message", "the provider did not answer in time"),
    ("gateway_order_id", "WB-0193E7D043627709"),
    ("gateway_refund_id", "rf-4f7c2f"),
    ("gateway_transaction_id", "b3b6b1f6-2c5b-4d24-9a55-6a6d2f0b2d3c"),
    ("hostname", "web-1"),
    ("image", "ubuntu-24-04"),
    ("instance", ID),
    ("last_error", "the gateway did not answer in time"),
    ("message", "The server is ready."),
    ("name", "web-1"),
    ("note", "Agreed by phone"),
    ("provider_instance_id", "3164494"),
    ("provider_request_id", "req-5d41402a"),
    ("public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8o2l1x3nq0c9k5m7v4b6t1y2u3i4o5p6a7s8d9f0g1 siti@laptop"),
    ("reason", "The region is sold out at the provider"),
    ("region", "sgp1"),
    ("release_reason", "Looked at; it may go"),
    ("removed", "do-basic-2gb"),
    ("request_id", ID),
    ("signature_key", "9d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f2"),
    ("unavailable_reason", "the provider does not list it any more"),
    ("waived_reason", "Its owner does not want it"),
    ("why", "more than usual within an hour"),
];

/// Adds them to all bodies that have none.
pub(super) fn apply(document: &mut Value) {
    let known = document.clone();
    operations(document, |_, _, operation| {
        if let Some(content) = operation.get_mut("requestBody").and_then(|body| body.get_mut("content")) {
            for (kind, body) in content.as_object_mut().into_iter().flatten() {
                exemplify(&known, kind, body, Way::In);
            }
        }
        let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
        for (status, response) in responses.into_iter().flatten() {
            let codes = statuses::named(response["description"].as_str().unwrap_or_default(), status);
            let content = response.get_mut("content").and_then(Value::as_object_mut);
            for (kind, body) in content.into_iter().flatten() {
                match kind.as_str() {
                    "application/problem+json" => body["example"] = problem(status, codes.first()),
                    _ => exemplify(&known, kind, body, Way::Out),
                }
            }
        }
    });
}

fn exemplify(document: &Value, kind: &str, body: &mut Value, way: Way) {
    if body.get("example").is_some() || body.get("examples").is_some() {
        return;
    }
    let example = match kind {
        "application/json" | "multipart/form-data" => Maker { document, way }.make("", &body["schema"], 0),
        "text/csv" => json!(
            "id,status,created_at\r\n0193e7d0-4362-7709-b262-4de1f9ad2f5e,PAID,2026-11-30T08:00:00Z\r\n"
        ),
        "text/html" => json!("<!doctype html><html lang=\"id\"><title>INV/2026/000123</title></html>"),
        // Bytes of a file.
        _ => return,
    };
    body["example"] = example;
}

fn problem(status: &str, code: Option<&crate::problem::Code>) -> Value {
    let reason = status.parse::<StatusCode>().ok().and_then(|status| status.canonical_reason());
    let (word, meaning) = code.map_or(("", ""), |code| (code.word(), code.meaning()));
    json!({
        "type": format!("https://webrana.id/problems/{word}"),
        "title": reason.unwrap_or_default(),
        "status": status.parse::<u16>().unwrap_or_default(),
        "detail": meaning,
        "instance": ID,
        "code": word,
    })
}

struct Maker<'a> {
    document: &'a Value,
    way: Way,
}

impl Maker<'_> {
    /// A value of `schema`, which is that of the field `name`.
    fn make(&self, name: &str, schema: &Value, depth: usize) -> Value {
        if let Some(example) = schema.get("example") {
            return example.clone();
        }
        if depth > 12 {
            return Value::Null;
        }
        if let Some(component) = referred(schema) {
            return self.make(name, &self.document["components"]["schemas"][component], depth + 1);
        }
        if let Some(first) = schema["enum"].as_array().and_then(|words| words.first()) {
            return first.clone();
        }
        for key in ["oneOf", "anyOf"] {
            let mut alternatives = schema[key].as_array().into_iter().flatten();
            if let Some(first) = alternatives.find(|one| one["type"] != "null") {
                return self.make(name, first, depth + 1);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().map(|part| self.make(name, part, depth + 1));
            let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
            return Value::Object(fields.collect());
        }
        self.of_type(name, schema, depth)
    }

    fn of_type(&self, name: &str, schema: &Value, depth: usize) -> Value {
        match types(schema).into_iter().find(|one| *one != "null") {
            Some("object") => Value::Object(self.object(schema, depth)),
            Some("array") => json!([self.make(name, &schema["items"], depth + 1)]),
            Some("string") => json!(text(name, schema)),
            Some("integer") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
            Some("number") => json!(1.5),
            Some("boolean") => json!(true),
            _ => Value::Null,
        }
    }

    /// All that an answer has; of what is sent, what must be there and what has an example.
    fn object(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        let required =
            |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let properties = schema["properties"].as_object().into_iter().flatten();
        let mut fields: Map<String, Value> = properties
            .filter(|(name, field)| self.way == Way::Out || required(name) || field.get("example").is_some())
            .map(|(name, field)| (name.clone(), self.make(name, field, depth + 1)))
            .collect();
        if let Some(entries) = schema.get("additionalProperties").filter(|entries| entries.is_object()) {
            fields.insert("digitalocean".to_owned(), self.make("", entries, depth + 1));
        }
        fields
    }
}

fn text(name: &str, schema: &Value) -> &'static str {
    match schema["format"].as_str() {
        Some("uuid") => return ID,
        Some("date-time") => return MOMENT,
        Some("date") => return "2026-11-30",
        Some("binary") => return "(the file's bytes)",
        _ => {}
    }
    TEXTS.iter().find(|(of, _)| *of == name).map_or("text", |(_, text)| text)
}
