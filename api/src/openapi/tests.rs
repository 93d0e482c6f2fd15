//! What the document says of errors is what they can be.

use axum::http::StatusCode;
use serde_json::Value;

use super::{document, internal_document};
use crate::problem::Code;

/// What stands in backquotes beside codes: fields of bodies.
const FIELDS: [&str; 7] =
    ["credit_closed", "detail", "errors", "order_id", "payment_id", "payment_ids", "reference_id"];

/// Each documented error: where, its status, and what its description has in backquotes.
fn documented() -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for document in [document(), internal_document()] {
        let document = serde_json::to_value(document).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(responses) = operation["responses"].as_object() else { continue };
                for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                    let described = response.get("description").and_then(Value::as_str).unwrap_or_default();
                    let quoted = described.split('`').skip(1).step_by(2).map(str::to_owned).collect();
                    found.push((format!("{method} {path}"), status.clone(), quoted));
                }
            }
        }
    }
    found
}

#[test]
fn documented_codes_are_codes_of_that_status() {
    let is_word =
        |text: &&String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let mut seen = 0;
    for (place, status, quoted) in documented() {
        for word in quoted.iter().filter(is_word).filter(|word| !FIELDS.contains(&word.as_str())) {
            let code = Code::ALL.iter().find(|code| code.word() == word.as_str());
            let of = code.map(|code| code.status());
            assert_eq!(of, status.parse::<StatusCode>().ok(), "{place}: {status} `{word}`");
            seen += 1;
        }
    }
    assert!(seen > 1_000, "{seen} codes are documented");
}
