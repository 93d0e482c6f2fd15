//! The document says of every operation and every type what there is to say, by rule.

use std::collections::BTreeSet;

use api::problem::Code;
use reqwest::StatusCode;
use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Both documents.
fn documents() -> [Value; 2] {
    [api::document(), api::internal_document()].map(|document| serde_json::to_value(document).unwrap())
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

fn schemas(document: &mut Value) -> &mut Map<String, Value> {
    document["components"]["schemas"].as_object_mut().unwrap()
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_nullable(schema: &Value) -> bool {
    types(schema).contains(&"null")
        || schema["oneOf"].as_array().is_some_and(|all| all.iter().any(is_nullable))
}

fn is_bound(schema: &Value) -> bool {
    ["maxLength", "enum", "format", "pattern", "const"].iter().any(|rule| schema.get(rule).is_some())
}

/// Visits a schema and all that is written inside of it.
fn within(schema: &mut Value, visit: &mut impl FnMut(&mut Value)) {
    visit(schema);
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key).filter(|inner| inner.is_object()) {
            within(inner, visit);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for inner in schema.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            within(inner, visit);
        }
    }
    for inner in
        schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
    {
        within(inner, visit);
    }
}

/// Which way a body goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// The types that bodies going this way consist of.
fn components_of(document: &Value, way: Way) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in METHODS.iter().filter_map(|method| item.get(*method)) {
            match way {
                Way::In => collect(document, &operation["requestBody"], &mut found),
                Way::Out => collect(document, &operation["responses"], &mut found),
            }
        }
    }
    found
}

fn collect(document: &Value, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(target) = value["$ref"].as_str() {
                let is_new = match target.strip_prefix("#/components/schemas/") {
                    Some(name) => found.insert(name.to_owned()),
                    None => true,
                };
                if is_new {
                    collect(document, resolved(document, value), found);
                }
            }
            fields.values().for_each(|field| collect(document, field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(document, item, found)),
        _ => {}
    }
}

#[test]
fn an_operation_says_every_status_that_it_can_give() {
    each(|document, method, path, operation| {
        let name = format!("{method} {path}");
        let says = |code: Code| {
            let response = &operation["responses"][code.status().as_str()];
            let description = resolved(document, response)["description"].as_str().unwrap_or_default();
            description.contains(&format!("`{code}`"))
        };
        let has_body = operation.get("requestBody").is_some();
        let is_webhook = path.starts_with("/api/v1/webhooks/");
        let is_api = path.starts_with("/api/v1/") || path.starts_with("/internal/");
        assert!(operation["responses"].get("431").is_some(), "{name}: 431");
        for code in [Code::MethodNotAllowed, Code::Internal] {
            assert!(says(code), "{name}: {code}");
        }
        for code in [Code::Unavailable, Code::Timeout] {
            assert_eq!(says(code), is_api, "{name}: {code}");
        }
        assert_eq!(says(Code::RateLimited), path != "/livez" && !is_webhook, "{name}: it is limited");
        for code in [Code::RequestTimeout, Code::BodyTooLarge, Code::BodyUnreadable] {
            assert_eq!(says(code), has_body, "{name}: {code}");
        }
        let is_read = has_body && !is_webhook;
        assert_eq!(says(Code::UnsupportedMediaType), is_read, "{name}: what is no JSON");
        let wants_login = operation["security"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one.get("bearer").is_some()));
        assert_eq!(says(Code::TokenExpired), wants_login, "{name}: a login");
        let changes = ["put", "patch"].contains(&method) && path != "/api/v1/auth/me/password";
        assert_eq!(says(Code::PreconditionFailed), changes, "{name}: `If-Match`");
        for status in operation["responses"].as_object().unwrap().keys() {
            assert!(status.parse::<StatusCode>().is_ok(), "{name}: {status}");
        }
    });
}

#[test]
fn every_header_of_an_answer_is_described() {
    each(|document, method, path, operation| {
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses.iter().filter(|(status, _)| *status != "431") {
            let name = format!("{method} {path} {status}");
            let headers =
                resolved(document, response)["headers"].as_object().unwrap_or_else(|| panic!("{name}"));
            assert!(headers.contains_key("X-Request-Id"), "{name}");
            for (header, described) in headers {
                let described = resolved(document, described);
                assert!(
                    described["description"].is_string() && described["schema"].is_object(),
                    "{name}: {header}"
                );
            }
            let wants = |header: &str, here: bool| {
                assert!(headers.contains_key(header) || !here, "{name}: {header}");
            };
            wants("Retry-After", ["429", "503"].contains(&status.as_str()));
            wants("WWW-Authenticate", status == "401");
            wants("Allow", status == "405");
            wants("ETag", status == "304");
        }
    });
}

#[test]
fn what_repeats_by_a_key_says_so() {
    each(|document, method, path, operation| {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        if !parameters.iter().any(|one| one["name"] == "Idempotency-Key") {
            return;
        }
        for (status, response) in operation["responses"].as_object().unwrap() {
            let told = resolved(document, response)["headers"].get("Idempotency-Replayed").is_some();
            assert_eq!(told, status.starts_with('2'), "{method} {path} {status}");
        }
    });
}

/// Only what is read with a version can be changed by it.
#[test]
fn what_is_changed_by_its_version_can_be_read_with_it() {
    let document = &documents()[0];
    let paths = document["paths"].as_object().unwrap();
    let has_tag = |path: &str| {
        let response = &paths.get(path).map_or(&Value::Null, |item| &item["get"]["responses"]["200"]);
        resolved(document, response)["headers"].get("ETag").is_some()
    };
    for (path, item) in paths {
        let conditional = ["put", "patch"].iter().any(|method| {
            let parameters = item[*method]["parameters"].as_array().cloned().unwrap_or_default();
            parameters.iter().any(|one| one["name"] == "If-Match")
        });
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        assert!(!conditional || has_tag(path) || has_tag(parent), "{path}: where is its version read?");
    }
}

#[test]
fn every_body_has_an_example() {
    each(|document, method, path, operation| {
        let asked = operation["requestBody"]["content"].as_object().into_iter().flatten();
        let responses = operation["responses"].as_object().unwrap().values();
        let told = responses.filter_map(|one| resolved(document, one)["content"].as_object()).flatten();
        for (kind, body) in asked.chain(told) {
            let is_file = ["text", "application/json", "application/problem+json", "multipart/form-data"]
                .iter()
                .all(|known| !kind.starts_with(known));
            assert!(is_file || !body["example"].is_null(), "{method} {path}: {kind}");
            assert!(
                !body["example"].to_string().contains("\":\"text\""),
                "{method} {path}: {}",
                body["example"]
            );
        }
    });
}

/// The wire of gateways is not ours to bound.
const OF_GATEWAYS: [&str; 3] = ["MidtransNotification", "MidtransAmounts", "Xendit"];

#[test]
fn texts_and_lists_that_are_sent_have_bounds() {
    for mut document in documents() {
        let received = components_of(&document, Way::In);
        let mut seen = 0;
        for (name, schema) in schemas(&mut document) {
            if !received.contains(name) || OF_GATEWAYS.iter().any(|theirs| name.starts_with(theirs)) {
                continue;
            }
            within(schema, &mut |part: &mut Value| {
                let of = types(part);
                assert!(!of.contains(&"string") || is_bound(part), "{name}: {part}");
                assert!(!of.contains(&"array") || part.get("maxItems").is_some(), "{name}: {part}");
                seen += 1;
            });
        }
        assert!(seen > 5, "{seen}");
    }
    each(|_, method, path, operation| {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let schema = &parameter["schema"];
            assert!(!types(schema).contains(&"string") || is_bound(schema), "{method} {path}: {parameter}");
            assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
        }
    });
}

/// Left out is one thing and `null` another.
#[test]
fn a_field_of_an_answer_is_always_there_or_never_null() {
    for mut document in documents() {
        let (sent, received) = (components_of(&document, Way::Out), components_of(&document, Way::In));
        for (name, schema) in schemas(&mut document) {
            if !sent.contains(name) || received.contains(name) {
                continue;
            }
            within(schema, &mut |part: &mut Value| {
                let required: Vec<&str> =
                    part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                for (field, described) in part["properties"].as_object().into_iter().flatten() {
                    let always = required.contains(&field.as_str());
                    assert!(always || !is_nullable(described), "{name}.{field}");
                }
            });
        }
    }
}

/// What the first word of an operation's name may be, after `admin_` and `internal_`.
#[rustfmt::skip]
const VERBS: &[&str] = &[
    "accept", "add", "adjust", "approve", "attach", "book", "cancel", "change", "check", "confirm", "count", "create", "delete",
    "disable", "dismiss", "draft", "end", "export", "get", "hold", "impersonate", "issue", "list", "listen", "login", "logout", "make", "open", "pause", "pay",
    "place", "provision", "quote", "read", "receive", "refresh", "refund", "register", "reject", "release", "remove", "renew", "replace",
    "replay", "request", "requeue", "resend", "reset", "resize", "resume", "retry", "revoke", "search", "set", "show", "skip",
    "stop", "suspend", "sync", "unlock", "unsubscribe", "unsuspend", "update", "upload", "verify", "void", "waive", "wake", "ask",
    "find",
];

#[test]
fn operations_are_called_by_what_they_do() {
    each(|_, method, path, operation| {
        let id = operation["operationId"].as_str().unwrap();
        let plain = id.strip_prefix("admin_").or_else(|| id.strip_prefix("internal_")).unwrap_or(id);
        let (verb, noun) = plain.split_once('_').unwrap_or((plain, ""));
        assert!(VERBS.contains(&verb) && !noun.is_empty(), "{method} {path}: {id}");
        let reads =
            ["check", "count", "export", "get", "list", "listen", "search", "show", "find"].contains(&verb);
        assert!(reads || method != "get", "{method} {path}: {id}");
    });
}

#[test]
fn types_are_called_by_what_they_are() {
    for document in documents() {
        let sent = components_of(&document, Way::Out);
        let names: BTreeSet<&String> =
            document["components"]["schemas"].as_object().unwrap().keys().collect();
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
            assert!(name.as_bytes()[0].is_ascii_uppercase() && !name.ends_with("Body"), "{name}");
            assert!(!sent.contains(name) || !name.ends_with("Request"), "{name} is an answer's");
        }
    }
}

#[test]
fn an_actions_parameters_are_in_its_schema() {
    let document = &documents()[0];
    let request = &document["components"]["schemas"]["ActionRequest"];
    let mapping: &Map<String, Value> = request["discriminator"]["mapping"].as_object().unwrap();
    let customers = domain::instance::ActionKind::ALL.iter().filter(|kind| kind.is_for_customers());
    let words: BTreeSet<&str> = customers.map(|kind| kind.as_str()).collect();
    assert_eq!(mapping.keys().map(String::as_str).collect::<BTreeSet<_>>(), words);
    for alternative in request["oneOf"].as_array().unwrap() {
        let schema = resolved(document, alternative);
        assert_eq!(schema["additionalProperties"], false);
    }
}
