//! The Midtrans simulator, asked over HTTP as a client of the vendor would, and notifying a merchant made up here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod control;
mod notifications;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, http::StatusCode, routing::post};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use simulators::{
    Handle,
    gateway::{Config, Settings},
    midtrans::DESCRIPTOR,
    server::Server,
};

const KEY: &str = "SB-Mid-server-test";

struct Sim {
    handle: Handle,
    client: Client,
}

impl Sim {
    async fn start() -> Self {
        Self::of(Config { credentials: vec![KEY.to_owned()], ..DESCRIPTOR.config() }).await
    }

    /// One that notifies `merchant`, without waiting long between tries.
    async fn notifying(merchant: &Merchant) -> Self {
        let settings = Settings {
            notification_url: Some(format!("{}/notify", merchant.server.url())),
            retry_interval_seconds: 0.001,
            ..Settings::default()
        };
        Self::of(Config { credentials: vec![KEY.to_owned()], settings, state: None }).await
    }

    async fn of(config: Config) -> Self {
        let client = Client::builder().no_proxy().build().unwrap();
        Self { handle: DESCRIPTOR.start(config).await.unwrap(), client }
    }

    async fn call(&self, method: Method, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.handle.url()));
        let response = request.basic_auth(key, Some("")).json(body).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, KEY, &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, KEY, &body).await
    }

    async fn charge(&self, order_id: &str) -> (u16, Value) {
        self.post("/v2/charge", qris(order_id)).await
    }

    async fn resource(&self, name: &str) -> u64 {
        self.get("/__sim/counters").await.1["resources"][name].as_u64().unwrap()
    }

    /// Waits until no notification waits to be sent again.
    async fn settled(&self) {
        let quiet = async { while self.resource("retries_waiting").await > 0 {} };
        tokio::time::timeout(Duration::from_secs(20), quiet).await.unwrap();
    }
}

fn qris(order_id: &str) -> Value {
    json!({
        "payment_type": "qris",
        "transaction_details": { "order_id": order_id, "gross_amount": 5539 },
        "qris": { "acquirer": "gopay" },
    })
}

fn bank_transfer(order_id: &str, bank: &str) -> Value {
    json!({
        "payment_type": "bank_transfer",
        "transaction_details": { "order_id": order_id, "gross_amount": 15_539 },
        "bank_transfer": { "bank": bank },
    })
}

fn signature(notification: &Value) -> String {
    let signed: String = ["order_id", "status_code", "gross_amount"]
        .iter()
        .map(|f| notification[*f].as_str().unwrap())
        .collect();
    format!("{:x}", Sha512::digest(signed + KEY))
}

/// Takes notifications and answers as told, 200 when told nothing.
struct Merchant {
    server: Server,
    received: Arc<Mutex<Vec<Value>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Merchant {
    async fn open() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let (inbox, script) = (Arc::clone(&received), Arc::clone(&answers));
        let notify = post(async move |Json(notification): Json<Value>| {
            inbox.lock().unwrap().push(notification);
            let status: u16 = script.lock().unwrap().pop_front().unwrap_or(200);
            StatusCode::from_u16(status).unwrap()
        });
        let server = Server::start(Router::new().route("/notify", notify)).await.unwrap();
        Self { server, received, answers }
    }

    fn will_answer(&self, status: u16, times: usize) {
        self.answers.lock().unwrap().extend(std::iter::repeat_n(status, times));
    }

    fn received(&self) -> Vec<Value> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

#[tokio::test]
async fn only_the_merchants_key_opens() {
    let sim = Sim::start().await;
    for path in ["/v2/charge", "/v2/WB-1/cancel"] {
        let (status, body) = sim.call(Method::POST, path, "another key", &qris("WB-1")).await;
        assert_eq!((status, &body["status_code"]), (401, &json!("401")), "{path}");
    }
    assert_eq!(sim.resource("transactions").await, 0);
}

#[tokio::test]
async fn a_charge_says_how_to_pay() {
    let sim = Sim::start().await;
    let (status, body) = sim.charge("WB-qris").await;
    assert_eq!((status, &body["status_code"]), (201, &json!("201")));
    assert_eq!((&body["gross_amount"], &body["currency"]), (&json!("5539.00"), &json!("IDR")));
    assert_eq!((&body["transaction_status"], &body["payment_type"]), (&json!("pending"), &json!("qris")));
    assert!(body["qr_string"].as_str().unwrap().starts_with("000201"));
    assert_eq!(body["actions"][0]["name"], "generate-qr-code");

    let (_, bri) = sim.post("/v2/charge", bank_transfer("WB-bri", "bri")).await;
    assert_eq!(bri["va_numbers"][0]["bank"], "bri");
    let (_, permata) = sim.post("/v2/charge", bank_transfer("WB-permata", "permata")).await;
    assert!(permata["permata_va_number"].is_string() && permata.get("va_numbers").is_none());
    let mut mandiri = qris("WB-mandiri");
    mandiri["payment_type"] = json!("echannel");
    mandiri["echannel"] = json!({ "bill_info1": "Payment for:", "bill_info2": "a server" });
    let (_, mandiri) = sim.post("/v2/charge", mandiri).await;
    assert!(mandiri["bill_key"].is_string() && mandiri["biller_code"].is_string());
}

#[tokio::test]
async fn an_order_id_is_charged_once() {
    let sim = Sim::start().await;
    assert_eq!(sim.charge("WB-1").await.0, 201);
    let (status, body) = sim.charge("WB-1").await;
    assert_eq!((status, &body["status_code"]), (406, &json!("406")));
    assert_eq!(sim.handle.calls("POST /v2/charge"), 2);
    assert_eq!(sim.resource("transactions").await, 1);
}

#[tokio::test]
async fn nonsense_is_refused_with_reasons() {
    let sim = Sim::start().await;
    let mut broken = qris(&"x".repeat(51));
    broken["transaction_details"]["gross_amount"] = json!(10.5);
    let (status, body) = sim.post("/v2/charge", broken).await;
    assert_eq!(status, 400);
    assert_eq!(body["validation_messages"].as_array().unwrap().len(), 2, "{body}");
    for (field, value) in
        [("payment_type", json!("barter")), ("custom_expiry", json!({ "expiry_duration": 0 }))]
    {
        let mut broken = qris("WB-1");
        broken[field] = value;
        assert_eq!(sim.post("/v2/charge", broken).await.0, 400, "{field}");
    }
    assert_eq!(sim.post("/v2/charge", bank_transfer("WB-1", "gringotts")).await.0, 400);
    assert_eq!(sim.get("/v2/WB-1/status").await.0, 404);
}

#[tokio::test]
async fn a_pending_charge_is_cancelled_once_and_the_merchant_hears_of_it() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    let (_, charged) = sim.charge("WB-1").await;
    let (status, body) = sim.post("/v2/WB-1/cancel", Value::Null).await;
    assert_eq!((status, &body["transaction_status"]), (200, &json!("cancel")));
    assert_eq!(sim.post("/v2/WB-1/expire", Value::Null).await.0, 412);
    let id = charged["transaction_id"].as_str().unwrap();
    assert_eq!(sim.get(&format!("/v2/{id}/status")).await.1["transaction_status"], "cancel");
    let delivered = async { while sim.resource("deliveries_accepted").await == 0 {} };
    tokio::time::timeout(Duration::from_secs(20), delivered).await.unwrap();
    assert_eq!(merchant.received()[0]["transaction_status"], "cancel");
}

#[tokio::test]
async fn an_unpaid_charge_expires_by_itself() {
    let sim = Sim::start().await;
    let mut short = qris("WB-1");
    short["custom_expiry"] = json!({ "expiry_duration": 1, "unit": "second" });
    sim.post("/v2/charge", short).await;
    let expired = async { while sim.get("/v2/WB-1/status").await.1["transaction_status"] != "expire" {} };
    tokio::time::timeout(Duration::from_secs(20), expired).await.unwrap();
    assert_eq!(sim.get("/v2/WB-1/status").await.1["status_code"], "407");
}

#[tokio::test]
async fn another_amount_is_what_was_paid() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    sim.post("/__sim/pay", json!({ "order_id": "WB-1", "amount": 1 })).await;
    assert_eq!(sim.get("/v2/WB-1/status").await.1["gross_amount"], "1.00");
    sim.post("/__sim/pay", json!({ "order_id": "WB-1" })).await;
    assert_eq!(sim.get("/v2/WB-1/status").await.1["gross_amount"], "5539.00");
    sim.post("/__sim/pay", json!({ "order_id": "WB-1", "payer_fee": 71 })).await;
    let status = sim.get("/v2/WB-1/status").await.1;
    let parts =
        json!({ "original_amount": "5539", "gross_amount": "5610", "customer_imposed_payment_fee": "71" });
    assert_eq!(status["gross_amount"], "5610.00");
    assert_eq!(status["metadata"]["extra_info"]["gross_amount_info"], parts);
    assert_eq!(sim.post("/__sim/pay", json!({ "order_id": "WB-1", "payer_fee": 0 })).await.0, 400);
}

#[tokio::test]
async fn money_goes_back_once_per_key_and_the_merchant_hears_of_it() {
    let merchant = Merchant::open().await;
    let sim = Sim::notifying(&merchant).await;
    sim.charge("WB-1").await;
    let refund = async |key: &str, amount: i64| {
        let body = json!({ "refund_key": key, "amount": amount, "reason": "sold out" });
        sim.post("/v2/WB-1/refund", body).await
    };
    assert_eq!(refund("r-0", 1).await.0, 412);
    sim.post("/__sim/pay", json!({ "order_id": "WB-1" })).await;
    merchant.received();
    let (status, body) = refund("r-1", 5000).await;
    assert_eq!((status, &body["transaction_status"]), (200, &json!("partial_refund")));
    assert_eq!((&body["refund_key"], &body["refund_amount"]), (&json!("r-1"), &json!("5000.00")));
    assert_eq!(refund("r-1", 5000).await.0, 406);
    assert_eq!(refund("r-2", 540).await.0, 412);
    assert_eq!(refund("r-2", 539).await.1["transaction_status"], "refund");
    let status = sim.get("/v2/WB-1/status").await.1;
    assert_eq!(
        (&status["transaction_status"], &status["refunds"][0]["refund_key"]),
        (&json!("refund"), &json!("r-1"))
    );
    let both = async { while sim.resource("deliveries_accepted").await < 3 {} };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    for told in merchant.received() {
        assert_eq!(told["signature_key"], signature(&told));
        assert_eq!(told["gross_amount"], "5539.00");
    }
    sim.post("/v2/charge", bank_transfer("WB-2", "bri")).await;
    sim.post("/__sim/pay", json!({ "order_id": "WB-2" })).await;
    assert_eq!(sim.post("/v2/WB-2/refund", json!({ "amount": 1 })).await.0, 412);
}

#[tokio::test]
async fn each_channel_takes_so_much_at_once() {
    let sim = Sim::start().await;
    let with = |mut charge: Value, amount: i64| {
        charge["transaction_details"]["gross_amount"] = json!(amount);
        charge
    };
    for (n, (charge, amount, status)) in [
        (qris("a"), 10_000_000, 201),
        (qris("b"), 10_000_001, 400),
        (bank_transfer("c", "bca"), 9_999, 400),
        (bank_transfer("d", "bca"), 50_000_001, 400),
        (bank_transfer("e", "bni"), 50_000_001, 201),
        (bank_transfer("f", "permata"), 10_000_000_000, 400),
    ]
    .into_iter()
    .enumerate()
    {
        let (answered, body) = sim.post("/v2/charge", with(charge, amount)).await;
        assert_eq!(
            (answered, body["validation_messages"].is_array()),
            (status, status == 400),
            "{n}: {body}"
        );
    }
}
