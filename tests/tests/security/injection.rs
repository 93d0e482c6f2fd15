//! Hostile texts wherever a text is taken: none of them does anything, and what is kept of them comes back as it was written.

use serde_json::Value;
use webrana_tests::{
    customer::{Answer, Customer},
    stack::{Options, Stack},
};

use crate::document::{Document, Operation};

/// In each hostile text, so that it is found again.
const MARK: &str = "zq9";

/// SQL, markup, templates, paths, log lines, formats of other programs.
const HOSTILE: [&str; 10] = [
    "zq9'; DROP TABLE users; --",
    "zq9' OR '1'='1",
    "zq9\" UNION SELECT password_hash FROM users --",
    "zq9<script>alert(1)</script>",
    "zq9\"><img src=x onerror=alert(1)>",
    "zq9{{ 7 * 7 }}${7*7}{% for x in y %}",
    "../../../../etc/passwd%00zq9",
    "zq9=cmd|' /C calc'!A0",
    "zq9\r\nX-Injected: 1\r\n\r\n{\"level\":\"ERROR\"}",
    "zq9\u{0}\u{202e}\u{feff}",
];

/// What would end the attacker's own session, or the system's work for everybody: by design, for who may.
const LEFT_OUT: [&str; 4] = ["/auth/logout", "/auth/logout-all", "/admin/life/", "/webhooks/"];

fn is_left_out(operation: &Operation) -> bool {
    LEFT_OUT
        .iter()
        .any(|path| operation.path == *path || (path.ends_with('/') && operation.path.starts_with(path)))
}

/// An answer to something hostile is an answer, and says nothing of how it came about.
fn is_inert(what: &str, hostile: &str, answer: &Answer) {
    let (status, body) = (answer.status.as_u16(), answer.body.to_string());
    assert!(status < 500 || status == 503, "{what}: {status} {body}");
    let header =
        |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = header("content-type");
    assert!(
        body == "null"
            || kind.starts_with("application/json")
            || kind.starts_with("application/problem+json"),
        "{what}: {kind}"
    );
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}: {status} {body} {:?}", answer.headers);
    assert!(answer.headers.get("x-injected").is_none(), "{what}");
    for word in ["sqlx", "syntax error", "panicked", "SELECT ", "INSERT "] {
        assert!(hostile.contains(word) || !body.contains(word), "{what} tells {word:?}: {body}");
    }
    for text in texts(&answer.body) {
        // A template that had been rendered would have reckoned.
        assert!(!text.contains("zq949"), "{what}: {text}");
        if status < 300 && text.contains(MARK) {
            assert!(text.contains(hostile.trim()), "{what} changed the text: {text:?}");
        }
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Nobody's.
fn unknown(_: &str) -> String {
    "0193e7d0-4362-7709-b262-4de1f9ad2f5e".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_texts_do_nothing_in_any_field_of_any_operation() {
    let stack = Stack::start(Options::default()).await.expect("a system");
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let document = Document::of(&customer).await;
    let mut sent = 0;
    for operation in document.operations().iter().filter(|operation| !is_left_out(operation)) {
        let who = if operation.path.starts_with("/admin/") { &admin } else { &customer };
        let path = operation.filled(unknown);
        for field in &operation.texts {
            for hostile in HOSTILE {
                let mut body = operation.body.clone().unwrap_or_default();
                let Some(text) = body.pointer_mut(field) else { continue };
                *text = hostile.into();
                let request = who.request(operation.method.clone(), &path).json(&body);
                let key = uuid::Uuid::now_v7().to_string();
                let answer = request.key(&key).await;
                is_inert(&format!("{operation} with {hostile:?} in {field}"), hostile, &answer);
                sent += 1;
            }
        }
        for word in &operation.words {
            for hostile in HOSTILE {
                let query =
                    url::form_urlencoded::Serializer::new(String::new()).append_pair(word, hostile).finish();
                let answer = who.request(operation.method.clone(), &format!("{path}?{query}")).await;
                is_inert(&format!("{operation} with {hostile:?} as {word}"), hostile, &answer);
                sent += 1;
            }
        }
        if operation.path.contains('{') {
            for hostile in HOSTILE {
                let segment = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
                let path = operation.filled(|_| segment.replace('+', "%20"));
                let request = who.request(operation.method.clone(), &path);
                let answer = match &operation.body {
                    Some(body) => request.json(body).key("path").await,
                    None => request.await,
                };
                is_inert(&format!("{operation} at {hostile:?}"), hostile, &answer);
                assert!(answer.status.is_client_error(), "{operation} at {hostile:?}: {}", answer.status);
                sent += 1;
            }
        }
    }
    assert!(sent > 2_000, "{sent} requests");
    // Whoever was there is there, and gets in.
    let again = customer.get("/auth/me").await;
    assert_eq!(again.status, 200, "{}", again.body);
    // Pauses, news and the like that were asked for are the administrator's own wish.
    stack.audit.leave_undelivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_texts_too() {
    let stack = Stack::start(Options::default()).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let order = customer.good_order().await;
    for hostile in HOSTILE.iter().filter(|text| text.bytes().all(|byte| (32..127).contains(&byte))) {
        for name in ["x-request-id", "accept-language", "user-agent", "x-forwarded-for", "if-none-match"] {
            let answer = customer.get("/orders").header(name, hostile).await;
            is_inert(&format!("{name}: {hostile}"), hostile, &answer);
            assert_eq!(answer.status, 200, "{name}: {hostile} {}", answer.body);
        }
        let answer = customer.post("/orders", &order).key(hostile).await;
        is_inert(&format!("the key {hostile}"), hostile, &answer);
    }
}
