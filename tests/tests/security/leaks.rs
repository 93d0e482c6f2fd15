//! After a customer did everything once, and attackers tried: what the processes logged, counted, answered with and told the engine
//! has no secret in it and nothing personal.

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use temporalio_client::WorkflowFetchHistoryOptions;
use webrana_tests::{
    api_process::ApiProcess,
    cloud,
    customer::{Customer, Expect},
    stack::{CREDENTIALS_KEY, JWT_SECRET, Options, Stack},
    wait_until::until,
    watched::Watched,
    worker_process::WorkerProcess,
};
use workflows::OrderWorkflow;

const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");
const HOST: &str = "a-very-personal-name";
const NIK: &str = "3171015708900003";
const IN_USER_DATA: &str = "a-script-of-the-customers-own";
const WRONG: &str = "what-i-type-everywhere-else";

/// Texts that must be nowhere, each with what it is.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, text: &Value) {
        let text = text.as_str().unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(text.len() > 5, "{what} is too short to be looked for: {text}");
        self.0.push((what, text.to_owned()));
    }

    fn are_not_in(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            let at = text.find(secret.as_str());
            let around = at.map(|at| text.get(at.saturating_sub(200)..at).unwrap_or_default());
            assert!(at.is_none(), "{what} is in {place}, after: {around:?}");
        }
    }
}

/// A system whose processes are watched.
async fn watched(directory: &std::path::Path) -> (Stack, PathBuf) {
    let log = directory.join("log");
    let options = Options { worker_inside: false, watched: Some(Watched::to(&log)), ..Options::default() };
    (Stack::start(options).await.expect("a system"), log)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_or_personal_is_logged_counted_or_told_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let (stack, log) = watched(directory.path()).await;
    let api = ApiProcess::start(PROGRAM, &stack, None).await;
    let worker = WorkerProcess::start(PROGRAM, &stack, None);
    let customer = Customer::register(&stack).await.at(&api.url);
    let mut secrets = Secrets::default();

    let me = customer.get("/auth/me").await.expect(200);
    secrets.keep("the email address", &me["email"]);
    secrets.keep("the name", &me["full_name"]);
    secrets.keep("the access token", &customer.session["access_token"]);
    secrets.keep("the refresh token", &customer.session["refresh_token"]);
    secrets.keep("the key of access tokens", &json!(JWT_SECRET));
    secrets.keep("the key of credentials", &json!(CREDENTIALS_KEY));
    secrets.keep("the key of programs", &json!(stack.api_key));
    secrets.keep("the administrator's password", &json!(stack.admin.1));
    for cloud in cloud::Cloud::all() {
        secrets
            .keep("a provider's credential", &json!(stack.clouds.account(cloud).credential.expose_secret()));
    }
    fill_in(&customer, &mut secrets).await;
    let order = buy(&customer, &mut secrets).await;
    let answers = attack(&customer, &order, &mut secrets).await;
    for (what, answer) in &answers {
        secrets.are_not_in(what, answer);
    }

    let client = engine::connect(&stack.temporal).await.expect("the engine");
    let instance = order["instance_id"].as_str().expect("a server");
    for workflow in
        [format!("order/{}", order["id"].as_str().expect("an id")), format!("instance/{instance}")]
    {
        let handle = client
            .get_workflow_handle::<OrderWorkflow>(workflow.clone())
            .info()
            .clone()
            .bind_untyped(client.clone());
        let history =
            handle.fetch_history(WorkflowFetchHistoryOptions::default()).to_json().await.expect("a history");
        let history: Value = serde_json::from_slice(&history).expect("JSON");
        secrets.are_not_in(&format!("the history of {workflow}"), &texts(&history).join("\n"));
    }
    for url in stack.options.watched.as_ref().expect("it is watched").metrics() {
        let metrics = reqwest::get(&url).await.expect("metrics").text().await.expect("text");
        assert!(metrics.contains("# TYPE"), "{url} has metrics: {metrics}");
        secrets.are_not_in("the metrics", &metrics);
    }
    drop((api, worker));
    let logged = std::fs::read_to_string(&log).expect("a log");
    for what in
        ["worker.running", r#"method="POST" route="/api/v1/orders""#, r#"route="/api/v1/webhooks/midtrans""#]
    {
        assert!(logged.contains(what), "it is the log of these processes, with {what}: {logged}");
    }
    secrets.are_not_in("the log", &logged);
}

/// Whatever people write about themselves.
async fn fill_in(customer: &Customer<'_>, secrets: &mut Secrets) {
    let profile = json!({
        "kind": "PERSON", "name": "Siti Nurhaliza binti Ahmad", "tax_id": NIK, "street": "Jalan Kenangan 17",
        "city": "Jakarta", "province": "DKI Jakarta", "postal_code": "12190", "invoice_email": "rahasia@example.test",
    });
    customer.put("/auth/me/billing-profile", &profile).await.expect(200);
    for field in ["name", "tax_id", "street", "invoice_email"] {
        secrets.keep("of the billing profile", &profile[field]);
    }
    let token = json!({ "name": "script", "scopes": ["read"] });
    let token = customer.post("/auth/me/api-tokens", &token).await.expect(201);
    secrets.keep("an API token", &token["token"]);
    customer.as_user(token["token"].as_str().expect("a token")).get("/orders").await.expect(200);
    let set_up = json!({ "password": "correct-horse-battery" });
    let set_up = customer.post("/auth/me/2fa/setup", &set_up).await.expect_success();
    secrets.keep("the secret of the second factor", &set_up["secret"]);
}

/// A server with a script, run and looked into.
async fn buy(customer: &Customer<'_>, secrets: &mut Secrets) -> Value {
    let mut wish = customer.good_order().await;
    wish["hostname"] = json!(HOST);
    wish["user_data"] = json!(format!("#!/bin/sh\necho {IN_USER_DATA}\n"));
    secrets.keep("the host name", &wish["hostname"]);
    secrets.keep("the customer's script", &json!(IN_USER_DATA));
    let order = customer.post("/orders", &wish).await.expect(201);
    secrets.keep("what the customer pays by", &order["payment"]["qr_string"]);
    customer.pay(&order).await;
    let order = customer.await_status(&order, "ACTIVE").await;
    let instance = order["instance_id"].as_str().expect("a server");
    let path = format!("/instances/{instance}");
    secrets.keep("the server's address", &customer.get(&path).await.expect(200)["ipv4"]);
    let credentials = customer.get(&format!("{path}/credentials")).await.expect(200);
    secrets.keep("the server's password", &credentials["password"]);
    let action = customer.act(instance, &json!({ "action": "reboot" })).await;
    let action = format!("{path}/actions/{}", action["id"].as_str().expect("an id"));
    until("the server is rebooted", || async {
        let action = customer.get(&action).await.expect(200);
        (action["status"] == "completed").then_some(())
    })
    .await;
    order
}

/// What is refused, with what was sent in it: the answers.
async fn attack(customer: &Customer<'_>, order: &Value, secrets: &mut Secrets) -> Vec<(String, String)> {
    secrets.keep("a wrong password", &json!(WRONG));
    let login = json!({ "email": customer.session["user"]["email"], "password": WRONG });
    let forged = json!({
        "order_id": order["id"], "status_code": "200", "gross_amount": "1.00", "transaction_status": "settlement",
        "signature_key": "00ff".repeat(32), "transaction_id": "t",
    });
    secrets.keep("a proof", &forged["signature_key"]);
    let mut profile = json!({ "kind": "PERSON", "name": "x", "street": "x", "city": "x", "province": "x", "postal_code": "1" });
    profile["tax_id"] = json!(NIK);
    let mut answers = Vec::new();
    for (what, call) in [
        ("a wrong password", customer.post("/auth/login", &login)),
        ("a forged notification", customer.post("/webhooks/midtrans", &forged)),
        ("a half profile", customer.put("/auth/me/billing-profile", &profile)),
        ("another's token", customer.as_user("wbp_0000000000000000").get("/orders")),
        (
            "a wrong key",
            customer
                .with_key(&format!("wbk_{}", "0".repeat(40)))
                .request(testkit::http::Method::POST, "/internal/orders/x/retry-provisioning"),
        ),
        ("a path", customer.get("/orders/%27%3B--")),
    ] {
        let answer = call.await;
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.body);
        answers.push((format!("the answer to {what}"), answer.body.to_string()));
    }
    answers
}

/// Every text in a history, payloads (base64 in its JSON) decoded.
fn texts(history: &Value) -> Vec<String> {
    match history {
        Value::String(text) => {
            let payload = BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            std::iter::once(text.clone()).chain(payload).collect()
        }
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
