//! What the document says of errors is what they can be.

use axum::http::StatusCode;
use serde_json::Value;

use super::{document, internal_document, walk::METHODS};
use crate::problem::Code;

/// What stands in backquotes beside codes: fields of bodies.
const FIELDS: [&str; 7] =
    ["credit_closed", "detail", "errors", "order_id", "payment_id", "payment_ids", "reference_id"];

/// Both documents.
fn documents() -> [Value; 2] {
    [document(), internal_document()].map(|document| serde_json::to_value(document).unwrap())
}

/// What a reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Each operation: its document, method, path and description.
fn each(mut ask: impl FnMut(&Value, &str, &str, &Value)) {
    for document in documents() {
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
                ask(&document, method, path, &item[*method]);
            }
        }
    }
}

/// Each documented error: where, its status, and what its description has in backquotes.
fn documented() -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    each(|document, method, path, operation| {
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let described = resolved(document, response)["description"].as_str().unwrap_or_default();
            let quoted = described.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            found.push((format!("{method} {path}"), status.clone(), quoted));
        }
    });
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
