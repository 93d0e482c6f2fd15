//! What is sent, seen by a transport that keeps it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::{Error, NoAnswer};

/// Answers everything alike, and keeps what it was sent.
#[derive(Debug, Clone)]
struct Recorder {
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
    answer: Option<(StatusCode, &'static str)>,
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        self.sent.lock().unwrap().push(request);
        let (status, body) = self.answer.ok_or_else(|| NoAnswer::because("the line is dead"))?;
        Ok(Response::builder().status(status).body(body.into()).unwrap())
    }
}

impl Recorder {
    fn answering(status: u16, body: &'static str) -> Self {
        let answer = Some((StatusCode::from_u16(status).unwrap(), body));
        Self { sent: Arc::default(), answer }
    }

    fn client(&self) -> Client {
        Client::new(self.clone(), "http://api.test/api/v1/")
    }

    fn headers(&self) -> Vec<HeaderMap> {
        self.sent.lock().unwrap().iter().map(|request| request.headers().clone()).collect()
    }
}

#[tokio::test]
async fn a_post_has_a_key_of_its_own_and_keeps_it_when_it_is_sent_again() {
    let recorder = Recorder::answering(201, "{}");
    let client = recorder.client();
    let call = client.post("/orders", &json!({ "hostname": "web-1" }));
    call.send().await.unwrap();
    call.send().await.unwrap();
    client.post("/orders", &json!({})).await.unwrap();
    client.post("/orders", &json!({})).key("mine").await.unwrap();
    client.request(Method::POST, "/orders").await.unwrap();

    let keys: Vec<_> =
        recorder.headers().iter().map(|headers| headers.get("idempotency-key").cloned()).collect();
    assert!(keys[0].is_some());
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
    assert_eq!(keys[3].as_ref().unwrap(), "mine");
    assert_eq!(keys[4], None);
    let sent = recorder.sent.lock().unwrap();
    assert_eq!(sent[0].uri(), "http://api.test/api/v1/orders");
    assert_eq!(sent[0].headers()["content-type"], "application/json");
    assert_eq!(sent[0].body(), sent[1].body());
    assert_eq!(&sent[0].body()[..], br#"{"hostname":"web-1"}"#);
}

#[tokio::test]
async fn a_client_says_who_calls_and_in_which_language() {
    let recorder = Recorder::answering(200, "null");
    let client = recorder.client().reading(Some("id"));
    client.as_user("a-token").get("/orders").await.unwrap();
    client.with_key("a-key").delete("/things/1").await.unwrap();
    client.as_user("a-token").as_nobody().reading(None).put("/things/1", &1).await.unwrap();

    let headers = recorder.headers();
    assert_eq!(headers[0]["authorization"], "Bearer a-token");
    assert_eq!(headers[0]["accept-language"], "id");
    assert_eq!(headers[1]["x-api-key"], "a-key");
    assert!(!headers[1].contains_key("authorization"));
    for absent in ["authorization", "x-api-key", "accept-language", "idempotency-key"] {
        assert!(!headers[2].contains_key(absent), "{absent}");
    }
    assert!(!format!("{:?}", client.as_user("a-token")).contains("a-token"));
}

#[tokio::test]
async fn a_refusal_is_an_error_with_the_apis_own_words() {
    let problem = r#"{"code":"no_such_plan","detail":"there is no such plan"}"#;
    let client = Recorder::answering(404, problem).client();
    let error = client.get("/plans/1?secret=2").fetch::<Value>().await.unwrap_err();
    assert_eq!(error.to_string(), format!("GET /api/v1/plans/1 was answered with 404 Not Found: {problem}"));
    let answer = client.get("/plans/1").await.unwrap();
    assert_eq!((answer.code(), answer.status.as_u16()), ("no_such_plan", 404));
    assert!(answer.clone().ensure(404).is_ok());
    assert!(matches!(answer.clone().ensure(200), Err(Error::Refused { .. })));
    assert!(matches!(answer.json::<Value>(), Err(Error::Refused { .. })));
}

#[tokio::test]
async fn what_is_not_as_expected_is_told_and_nothing_panics() {
    let client = Recorder::answering(200, r#"{"id":"seven"}"#).client();
    #[derive(serde::Deserialize, Debug)]
    #[expect(dead_code, reason = "it is never read")]
    struct Numbered {
        id: u32,
    }
    let error = client.get("/things/7").fetch::<Numbered>().await.unwrap_err();
    assert!(matches!(&error, Error::Undocumented { words, .. } if words.contains("seven")), "{error}");
    let error = client.get("/things/7").await.unwrap().json::<Numbered>().unwrap_err();
    assert!(matches!(error, Error::Undocumented { .. }));
    let error = client.get("/a path").await.unwrap_err();
    assert!(matches!(error, Error::Flaw(_)), "{error}");
    let error = client.get("/things").header("x-broken", "two\nlines").send().await.unwrap_err();
    assert!(matches!(error, Error::Flaw(_)), "{error}");

    let dead = Recorder { sent: Arc::default(), answer: None }.client();
    let error = dead.get("/things").await.unwrap_err();
    assert_eq!(error.to_string(), "GET /api/v1/things: no answer");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the line is dead");
}

#[tokio::test]
async fn bodies_that_are_no_json_are_sent_as_they_are() {
    let recorder = Recorder::answering(204, "");
    let call = recorder.client().request(Method::POST, "/files?name=secret").body("text/csv", "a,b");
    assert_eq!(format!("{call:?}"), "Call(POST /api/v1/files)");
    let reply = call.send().await.unwrap().success().unwrap();
    assert!(reply.bytes.is_empty());
    let sent = recorder.sent.lock().unwrap();
    assert_eq!(
        (&sent[0].body()[..], &sent[0].headers()["content-type"]),
        (&b"a,b"[..], &"text/csv".parse().unwrap())
    );
}
