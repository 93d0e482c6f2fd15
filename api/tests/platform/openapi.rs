//! The API describes itself completely.

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::Expect;

use crate::calls::open;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                all.push((format!("{method} {path}"), operation));
            }
        }
    }
    all
}

/// Whoever changes the API sees it in the diff; clients are generated from this file.
#[test]
fn the_committed_document_is_the_apis() {
    let document = api::document().to_pretty_json().unwrap();
    let committed = include_str!("../../openapi.json");
    let differs = document.lines().zip(committed.lines()).position(|(ours, theirs)| ours != theirs);
    assert!(
        differs.is_none() && document.lines().count() == committed.lines().count(),
        "api/openapi.json is another one from line {:?} on; write it anew: cargo run -- openapi > api/openapi.json",
        differs.map(|line| line + 1)
    );
}

/// Staff's lists that are given whole, or have an order of their own.
const WHOLE: [&str; 13] = [
    "/api/v1/admin/images",
    "/api/v1/admin/instances/{id}/holds",
    "/api/v1/admin/life/pauses",
    "/api/v1/admin/life/rules",
    "/api/v1/admin/orders/{id}/timeline",
    "/api/v1/admin/pauses",
    "/api/v1/admin/payments/{id}/proofs",
    "/api/v1/admin/providers",
    "/api/v1/admin/regions",
    "/api/v1/admin/search",
    "/api/v1/admin/terms",
    // Findings, in the order in which they were found.
    "/api/v1/admin/reconciliations/{id}",
    // What the books come to, account by account.
    "/api/v1/admin/ledger/trial-balance",
];

/// Whether an answer has a list of things in it, as the whole of it.
fn is_list(document: &Value, operation: &Value) -> bool {
    let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
    let Some(name) = schema.as_str().and_then(|path| path.rsplit('/').next()) else { return false };
    let text = document["components"]["schemas"][name].to_string();
    name.ends_with("Page") || text.contains(r#""data":{"type":"array""#) || text.contains(r#""next_cursor""#)
}

#[test]
fn lists_of_staff_come_in_parts_and_are_sorted() {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut seen = 0;
    for (operation, described) in operations(&document) {
        let Some(path) = operation.strip_prefix("get ").filter(|path| path.starts_with("/api/v1/admin/"))
        else {
            continue;
        };
        let names: Vec<&str> = described["parameters"]
            .as_array()
            .map(|all| all.iter().map(|one| one["name"].as_str().unwrap()).collect())
            .unwrap_or_default();
        if WHOLE.contains(&path) {
            assert!(!names.contains(&"sort"), "{path} is sorted and listed as if it were not");
            continue;
        }
        let comes_in_parts = ["limit", "cursor"].iter().all(|name| names.contains(name));
        assert_eq!(is_list(&document, described), comes_in_parts, "{path}: {names:?}");
        assert_eq!(names.contains(&"sort"), comes_in_parts, "{path}: {names:?}");
        if !comes_in_parts {
            continue;
        }
        let sort =
            described["parameters"].as_array().unwrap().iter().find(|one| one["name"] == "sort").unwrap();
        let words: Vec<&str> =
            sort["schema"]["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        for word in &words {
            let other = word.strip_prefix('-').map_or_else(|| format!("-{word}"), str::to_owned);
            assert!(words.contains(&other.as_str()), "{path}: {word} and not {other}");
        }
        assert!(words[0].starts_with('-'), "{path}: the newest come first where nothing is said");
        seen += 1;
    }
    assert!(seen >= 20, "{seen} lists");
}

/// Clients name their functions by them.
#[test]
fn operations_have_names_of_their_own() {
    let document = serde_json::to_value(api::document()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for (operation, described) in operations(&document) {
        let name = described["operationId"].as_str().unwrap_or_else(|| panic!("{operation} has no name"));
        assert!(name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_'), "{operation}: {name}");
        assert_eq!(name.starts_with("admin_"), operation.contains(" /api/v1/admin/"), "{operation}: {name}");
        assert!(names.insert(name.to_owned()), "{operation}: {name} is taken");
    }
}

#[test]
fn every_operation_is_described_with_its_errors() {
    let document = serde_json::to_value(api::document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = operations(&document);
    assert!(operations.len() > 10);
    for (name, operation) in operations {
        for text in ["summary", "description"] {
            assert!(operation[text].as_str().is_some_and(|t| !t.is_empty()), "{name} has no {text}");
        }
        let tags = operation["tags"].as_array().unwrap();
        let known = document["tags"].as_array().unwrap();
        assert!(
            tags.iter().all(|tag| known.iter().any(|k| k["name"] == *tag)),
            "{name} has unknown tags {tags:?}"
        );
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{name} never succeeds");
        for (status, response) in responses {
            let response = match response["$ref"].as_str() {
                Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
                None => response,
            };
            assert!(response["description"].as_str().is_some_and(|t| !t.is_empty()), "{name} {status}");
            let is_problem = response["content"]["application/problem+json"]["schema"]["$ref"]
                == "#/components/schemas/Problem";
            let failed = status.starts_with(['4', '5']);
            let is_bare = status == "431" || name.ends_with("/health");
            assert!(is_problem || !failed || is_bare, "{name} {status} is no problem");
        }
        if name.contains("/api/v1/") {
            assert!(responses.contains_key("503"), "{name} says nothing of failure");
        }
        for requirement in operation["security"].as_array().into_iter().flatten() {
            let scheme = requirement.as_object().unwrap().keys().next().unwrap();
            assert!(document["components"]["securitySchemes"].get(scheme).is_some(), "{name}: {scheme}");
            assert!(responses.contains_key("401"), "{name} admits anybody");
        }
    }
}

#[test]
fn closed_sets_are_described_by_their_words() {
    let document = serde_json::to_value(api::document()).unwrap();
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    assert_eq!(words("InvoiceStatus"), json!(["DRAFT", "OPEN", "PAID", "VOID", "REFUNDED"]));
    assert_eq!(words("Language"), json!(["id", "en"]));
    assert_eq!(words("ProofKind"), json!(["image/png", "image/jpeg", "image/webp", "application/pdf"]));
}

#[test]
fn files_are_described_as_bytes() {
    let document = serde_json::to_value(api::document()).unwrap();
    let file = &document["paths"]["/api/v1/invoices/{id}/pdf"]["get"]["responses"]["200"]["content"];
    let schema = &file["application/pdf"]["schema"]["$ref"];
    let described = document.pointer(schema.as_str().unwrap().trim_start_matches('#')).unwrap();
    assert_eq!((&described["type"], &described["format"]), (&json!("string"), &json!("binary")));
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(target)) = fields.get("$ref") {
                    found.push(target);
                }
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(api::document()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for target in found {
        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_document_and_its_reader_are_served(pool: PgPool) {
    let app = open(pool).await;
    let served = app.root().get("/api/openapi.json").await;
    assert_eq!(served.status.as_u16(), 200);
    assert_eq!(served.body, serde_json::to_value(api::document()).unwrap());
    let page = app.root().get("/api/docs/").reply().await;
    assert_eq!(page.status, 200);
    assert!(std::str::from_utf8(&page.bytes).unwrap().contains("swagger"));
    assert_eq!(app.root().get("/api/docs").await.header("location"), Some("/api/docs/"));
}
