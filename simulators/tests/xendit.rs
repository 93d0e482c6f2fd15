//! The Xendit simulator, asked over HTTP as a client of the vendor would, and notifying a merchant made up here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]
#![expect(clippy::disallowed_methods, reason = "the vendor simulated here lives by this machine's clock")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use simulators::{
    Handle,
    gateway::{Config, Settings},
    server::Server,
    xendit::DESCRIPTOR,
};

const KEY: &str = "xnd_development_test";
const TOKEN: &str = "callback-token-of-the-test";

struct Sim {
    handle: Handle,
    client: Client,
}

impl Sim {
    async fn start() -> Self {
        Self::of(config()).await
    }

    /// One that notifies `merchant`, without waiting long between tries.
    async fn notifying(merchant: &Merchant) -> Self {
        let settings = Settings {
            notification_url: Some(format!("{}/notify", merchant.server.url())),
            retry_interval_seconds: 0.001,
            ..Settings::default()
        };
        Self::of(Config { settings, ..config() }).await
    }

    async fn of(config: Config) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self { handle: DESCRIPTOR.start(config).await.unwrap(), client }
    }

    async fn call(&self, method: Method, path: &str, version: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.handle.url()));
        let request = request.basic_auth(KEY, Some("")).header("api-version", version);
        let response = request.json(body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, "2024-11-11", &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, "2024-11-11", &body).await
    }

    /// Asks for money by QRIS and answers with the vendor's id.
    async fn ask(&self, reference: &str) -> String {
        let (status, body) = self.post("/v3/payment_requests", asked(reference, "QRIS")).await;
        assert_eq!(status, 201, "{body}");
        body["payment_request_id"].as_str().unwrap().to_owned()
    }

    async fn pay(&self, extra: Value) -> Value {
        let mut body = json!({ "reference_id": "WB-1" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let (status, answer) = self.post("/__sim/pay", body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn resource(&self, name: &str) -> u64 {
        self.get("/__sim/counters").await.1["resources"][name].as_u64().unwrap()
    }

    /// Waits until that many of a resource are there.
    async fn reaches(&self, name: &str, count: u64) {
        let there = async { while self.resource(name).await != count {} };
        tokio::time::timeout(Duration::from_secs(20), there).await.unwrap();
    }
}

fn config() -> Config {
    Config { credentials: vec![KEY.to_owned(), TOKEN.to_owned()], ..DESCRIPTOR.config() }
}

fn asked(reference: &str, channel: &str) -> Value {
    json!({
        "reference_id": reference, "type": "PAY", "country": "ID", "currency": "IDR", "request_amount": 5539,
        "channel_code": channel, "channel_properties": { "display_name": "WeBrana Cloud" },
    })
}

/// Takes webhooks and answers as told, 200 when told nothing.
struct Merchant {
    server: Server,
    received: Arc<Mutex<Vec<(String, Value)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Merchant {
    async fn open() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (inbox, script) = (Arc::clone(&received), Arc::clone(&answers));
        let notify = post(async move |headers: HeaderMap, Json(body): Json<Value>| {
            let token = headers.get("x-callback-token").and_then(|h| h.to_str().ok()).unwrap_or_default();
            inbox.lock().unwrap().push((token.to_owned(), body));
            let status: u16 = script.lock().unwrap().pop_front().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        });
        let server = Server::start(Router::new().route("/notify", notify)).await.unwrap();
        Self { server, received, answers }
    }

    fn received(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

#[tokio::test]
async fn only_the_merchants_key_and_the_right_version_open() {
    let sim = Sim::start().await;
    let url = format!("{}/v3/payment_requests", sim.handle.url());
    let stranger = sim.client.post(&url).basic_auth("another", Some("")).header("api-version", "2024-11-11");
    let answer = stranger.json(&asked("WB-1", "QRIS")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["error_code"], "INVALID_API_KEY");
    let (status, body) =
        sim.call(Method::POST, "/v3/payment_requests", "2020-01-01", &asked("WB-1", "QRIS")).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("API_VALIDATION_ERROR")));
    assert_eq!(sim.resource("payment_requests").await, 0);
}

#[tokio::test]
async fn a_payment_request_says_how_to_pay() {
    let sim = Sim::start().await;
    let (status, body) = sim.post("/v3/payment_requests", asked("WB-1", "QRIS")).await;
    assert_eq!((status, &body["status"]), (201, &json!("REQUIRES_ACTION")));
    let action = &body["actions"][0];
    assert_eq!(
        (&action["type"], &action["descriptor"]),
        (&json!("PRESENT_TO_CUSTOMER"), &json!("QR_STRING"))
    );
    assert!(action["value"].as_str().unwrap().starts_with("000201"));
    let id = body["payment_request_id"].as_str().unwrap();
    assert_eq!((id.len(), id.starts_with("pr-")), (39, true));
    assert_eq!(sim.get(&format!("/v3/payment_requests/{id}")).await.1, body);
    let listed = sim.get("/v3/payment_requests?reference_id=WB-1").await.1;
    assert_eq!(listed["data"], json!([body]));
    assert_eq!(sim.get("/v3/payment_requests?reference_id=WB-2").await.1["data"], json!([]));

    let (_, va) = sim.post("/v3/payment_requests", asked("WB-2", "BRI_VIRTUAL_ACCOUNT")).await;
    assert_eq!(va["actions"][0]["descriptor"], "VIRTUAL_ACCOUNT_NUMBER");
    assert_eq!(va["actions"][0]["value"], va["channel_properties"]["virtual_account_number"]);
}

#[tokio::test]
async fn a_reference_is_asked_for_once_and_nonsense_never() {
    let sim = Sim::start().await;
    sim.ask("WB-1").await;
    let (status, body) = sim.post("/v3/payment_requests", asked("WB-1", "QRIS")).await;
    assert_eq!((status, &body["error_code"]), (409, &json!("DUPLICATE_ERROR")));
    for (field, value) in [
        ("type", json!("SAVE")),
        ("currency", json!("USD")),
        ("request_amount", json!(10.5)),
        ("request_amount", json!(0)),
        ("channel_code", json!("GRINGOTTS_VIRTUAL_ACCOUNT")),
        ("channel_properties", json!({ "expires_at": "2099-01-01T00:00:00Z" })),
    ] {
        let mut broken = asked("WB-2", "QRIS");
        broken[field] = value;
        assert_eq!(sim.post("/v3/payment_requests", broken).await.0, 400, "{field}");
    }
    let mut past = asked("WB-2", "BCA_VIRTUAL_ACCOUNT");
    past["channel_properties"]["expires_at"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(sim.post("/v3/payment_requests", past).await.0, 400);
    let mut nameless = asked("WB-2", "BCA_VIRTUAL_ACCOUNT");
    nameless["channel_properties"] = json!({});
    assert_eq!(sim.post("/v3/payment_requests", nameless).await.0, 400);
    assert_eq!(sim.get("/v3/payment_requests/pr-1").await.0, 404);
    assert_eq!(sim.get("/v3/payments/py-1").await.0, 404);
    assert_eq!(sim.resource("payment_requests").await, 1);
}

#[tokio::test]
async fn paying_sends_a_webhook_with_the_token() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    let id = sim.ask("WB-1").await;
    let answer = sim.pay(json!({})).await;
    assert_eq!(answer["deliveries"], json!([{ "status": 200, "attempt": 1 }]));
    let told = merchant.received();
    let (token, body) = &told[0];
    assert_eq!((token.as_str(), &body["event"]), (TOKEN, &json!("payment.capture")));
    let data = &body["data"];
    assert_eq!(
        (&data["status"], &data["reference_id"], &data["payment_request_id"]),
        (&json!("SUCCEEDED"), &json!("WB-1"), &json!(id))
    );
    let request = sim.get(&format!("/v3/payment_requests/{id}")).await.1;
    assert_eq!(
        (&request["status"], &request["latest_payment_id"]),
        (&json!("SUCCEEDED"), &data["payment_id"])
    );
    let payment = format!("/v3/payments/{}", data["payment_id"].as_str().unwrap());
    assert_eq!(sim.get(&payment).await.1["captures"][0]["capture_amount"], 5539);
}

#[tokio::test]
async fn other_outcomes_tell_but_do_not_take_money_back() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    let id = sim.ask("WB-1").await;
    for outcome in ["pending", "expire", "settlement", "deny", "cancel"] {
        sim.pay(json!({ "outcome": outcome })).await;
    }
    let told: Vec<Value> = merchant.received().into_iter().map(|(_, body)| body["event"].clone()).collect();
    let events = [
        "payment.authorization",
        "payment_request.expiry",
        "payment.capture",
        "payment.failure",
        "payment.failure",
    ];
    assert_eq!(told, events);
    assert_eq!(sim.get(&format!("/v3/payment_requests/{id}")).await.1["status"], "SUCCEEDED");
}

#[tokio::test]
async fn copies_other_amounts_and_tampering() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    let id = sim.ask("WB-1").await;
    assert_eq!(sim.pay(json!({ "duplicates": 50 })).await["deliveries"].as_array().unwrap().len(), 50);
    assert_eq!(merchant.received().len(), 50);

    sim.pay(json!({ "amount": 1 })).await;
    assert_eq!(merchant.received()[0].1["data"]["request_amount"], 1);
    let payment_id = sim.get(&format!("/v3/payment_requests/{id}")).await.1["latest_payment_id"].clone();
    let payment = format!("/v3/payments/{}", payment_id.as_str().unwrap());
    assert_eq!(sim.get(&payment).await.1["captures"][0]["capture_amount"], 1);

    sim.pay(json!({ "tamper": "amount" })).await;
    let (token, body) = merchant.received().remove(0);
    assert_eq!((token.as_str(), &body["data"]["request_amount"]), (TOKEN, &json!(5540)));
    assert_eq!(sim.get(&payment).await.1["captures"][0]["capture_amount"], 5539);
    for tamper in [json!("token"), json!("signature"), json!(true)] {
        sim.pay(json!({ "tamper": tamper })).await;
        assert_ne!(merchant.received()[0].0, TOKEN, "{tamper}");
    }
}

#[tokio::test]
async fn a_webhook_can_be_overtaken() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.ask("WB-1").await;
    let held = sim.pay(json!({ "outcome": "pending", "reorder": true })).await;
    assert_eq!(held["deliveries"], json!([]));
    assert!(merchant.received().is_empty());
    sim.pay(json!({})).await;
    let told: Vec<Value> = merchant.received().into_iter().map(|(_, body)| body["event"].clone()).collect();
    assert_eq!(told, ["payment.capture", "payment.authorization"]);
}

#[tokio::test]
async fn a_refused_webhook_is_sent_six_times_again() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.ask("WB-1").await;
    for (status, refusals, tries) in [(503, 9, 7), (401, 9, 7), (500, 2, 3)] {
        merchant.answers.lock().unwrap().extend(std::iter::repeat_n(status, refusals));
        sim.pay(json!({})).await;
        sim.reaches("retries_waiting", 0).await;
        merchant.answers.lock().unwrap().clear();
        assert_eq!(merchant.received().len(), tries, "{status}");
    }
}

#[tokio::test]
async fn an_open_payment_request_is_cancelled_once_and_expires_by_itself() {
    let sim = Sim::start().await;
    let id = sim.ask("WB-1").await;
    let cancel = format!("/v3/payment_requests/{id}/cancel");
    let (status, body) = sim.post(&cancel, Value::Null).await;
    assert_eq!((status, &body["status"]), (200, &json!("CANCELED")));
    let (status, body) = sim.post(&cancel, Value::Null).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("INACTIVE_PAYMENT_REQUEST")));

    let mut short = asked("WB-2", "BNI_VIRTUAL_ACCOUNT");
    let soon = chrono::Utc::now() + chrono::Duration::milliseconds(300);
    short["channel_properties"]["expires_at"] = json!(soon.to_rfc3339());
    let (_, body) = sim.post("/v3/payment_requests", short).await;
    let path = format!("/v3/payment_requests/{}", body["payment_request_id"].as_str().unwrap());
    let expired = async { while sim.get(&path).await.1["status"] != "EXPIRED" {} };
    tokio::time::timeout(Duration::from_secs(20), expired).await.unwrap();
}

#[tokio::test]
async fn the_test_modes_simulate_pays_too() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    let id = sim.ask("WB-1").await;
    let (status, _) =
        sim.post(&format!("/v3/payment_requests/{id}/simulate"), json!({ "amount": 5539 })).await;
    assert_eq!(status, 200);
    sim.reaches("deliveries_accepted", 1).await;
    assert_eq!(merchant.received()[0].1["event"], "payment.capture");
}

#[tokio::test]
async fn money_goes_back_once_per_key_and_the_merchant_hears_of_it() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    let id = sim.ask("WB-1").await;
    let refund = |key: &str, amount: i64| {
        json!({
            "payment_request_id": id, "reference_id": key, "currency": "IDR", "amount": amount,
            "reason": "REQUESTED_BY_CUSTOMER",
        })
    };
    let code = async |body: Value| sim.post("/refunds", body).await.1["error_code"].clone();
    assert_eq!(code(refund("r-0", 1)).await, "INELIGIBLE_TRANSACTION");
    sim.pay(json!({})).await;
    merchant.received();
    let (status, first) = sim.post("/refunds", refund("r-1", 5000)).await;
    assert_eq!((status, &first["status"]), (200, &json!("PENDING")));
    sim.reaches("deliveries_accepted", 2).await;
    assert_eq!(merchant.received()[0].1["event"], "refund.succeeded");
    assert_eq!(sim.post("/refunds", refund("r-1", 5000)).await.1["id"], first["id"]);
    assert_eq!(code(refund("r-1", 1)).await, "DUPLICATE_ERROR");
    assert_eq!(code(refund("r-2", 540)).await, "MAXIMUM_REFUND_AMOUNT_REACHED");
    let read = sim.get(&format!("/refunds/{}", first["id"].as_str().unwrap())).await.1;
    assert_eq!((&read["status"], &read["amount"]), (&json!("SUCCEEDED"), &json!(5000)));
    assert_eq!(sim.resource("refunds").await, 1);
}

#[tokio::test]
async fn payment_requests_survive_a_restart_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let state = Some(folder.path().join("xendit.jsonl"));
    let config = Config { state, ..config() };
    let sim = Sim::of(config.clone()).await;
    let id = sim.ask("WB-1").await;
    sim.handle.stop().await.unwrap();

    let sim = Sim::of(config).await;
    let path = format!("/v3/payment_requests/{id}");
    assert_eq!(sim.get(&path).await.1["reference_id"], "WB-1");
    sim.post("/__sim/reset", Value::Null).await;
    assert_eq!(sim.get(&path).await.0, 404);
}

#[tokio::test]
async fn each_channel_takes_so_much_at_once_and_a_code_takes_no_end() {
    let sim = Sim::start().await;
    for (channel, amount, status) in [
        ("QRIS", 10_000_000, 201),
        ("QRIS", 10_000_001, 400),
        ("BCA_VIRTUAL_ACCOUNT", 9_999, 400),
        ("BCA_VIRTUAL_ACCOUNT", 50_000_001, 400),
        ("BNI_VIRTUAL_ACCOUNT", 50_000_001, 201),
    ] {
        let mut body = asked(&format!("WB-{channel}-{amount}"), channel);
        body["request_amount"] = json!(amount);
        let (answered, body) = sim.post("/v3/payment_requests", body).await;
        assert_eq!(answered, status, "{channel} {amount}: {body}");
        assert!(status == 201 || body["error_code"] == "INVALID_VALUE_ERROR", "{body}");
    }
    let mut ends = asked("WB-1", "QRIS");
    ends["channel_properties"] = json!({ "expires_at": "2099-01-01T00:00:00Z" });
    let (status, body) = sim.post("/v3/payment_requests", ends).await;
    assert_eq!((status, &body["errors"][0]), (400, &json!("expires_at is not supported by channel 'QRIS'")));
}
