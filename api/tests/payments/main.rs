//! Paying over HTTP: an API on a real port, the gateways' simulators that notify it, and a customer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod archive;
mod attempts;
mod billing_profile;
mod disputes;
mod documents;
mod forgery;
mod invoices;
mod limits;
mod payer_fee;
mod promos;
mod proofs;
mod refunds;
mod unpaid;
mod wallet;
mod webhook;
mod xendit_webhook;

use std::{ops::Deref, time::Duration};

use domain::role::Role;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use sqlx::PgPool;
use testkit::{
    SimulatedGateway,
    http::{Answer, Expect, Method, Request, TestApi, User},
};

const KEY: &str = "SB-Mid-server-api";
const TOKEN: &str = "xendits-callback-token";

/// Long enough for any charge that is answered at all.
const PATIENT: Duration = Duration::from_secs(10);

/// A seeded shop with two gateways and one customer.
struct Shop {
    api: TestApi,
    me: User,
}

impl Deref for Shop {
    type Target = TestApi;

    fn deref(&self) -> &TestApi {
        &self.api
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        Self::with_patience(pool, PATIENT).await
    }

    /// A shop that waits so long for its gateway.
    async fn with_patience(pool: PgPool, charge_timeout: Duration) -> Self {
        Self::through(pool, "midtrans", charge_timeout).await
    }

    /// A shop that charges through the given gateway.
    async fn through(pool: PgPool, gateway: &'static str, charge_timeout: Duration) -> Self {
        let known = |slug, secrets: &[&str]| {
            let credentials = secrets.iter().map(|&secret| secret.to_owned()).collect();
            SimulatedGateway::with(slug, |config| config.credentials = credentials)
        };
        let setup = TestApi::setup(pool)
            .gateway(known("midtrans", &[KEY]).await)
            .gateway(known("xendit", &[KEY, TOKEN]).await)
            .charging_through(gateway)
            .charge_timeout(charge_timeout);
        let api = setup.open().await;
        let me = api.user(Role::Customer).await;
        Self { api, me }
    }

    /// Calls the control API of Midtrans' simulator.
    async fn control(&self, call: &str, body: &Value) -> Value {
        self.control_at("midtrans", call, body).await
    }

    async fn control_at(&self, gateway: &str, call: &str, body: &Value) -> Value {
        self.gateway(gateway).control().post(&format!("/{call}"), body).await.expect_success()
    }

    /// How often a route of a gateway was called.
    fn calls(&self, gateway: &str, route: &str) -> u64 {
        self.gateway(gateway).simulator.calls(route)
    }

    /// How often Midtrans was asked to charge.
    fn charges(&self) -> u64 {
        self.calls("midtrans", "POST /v2/charge")
    }

    /// Pays as told and answers with the status of each notification's first delivery.
    async fn pay(&self, pay: &Value) -> Vec<u64> {
        self.pay_at("midtrans", pay).await
    }

    async fn pay_at(&self, gateway: &str, pay: &Value) -> Vec<u64> {
        let answer = self.control_at(gateway, "pay", pay).await;
        answer["deliveries"].as_array().unwrap().iter().map(|d| d["status"].as_u64().unwrap()).collect()
    }

    /// Places an order to be paid by QRIS and answers with it.
    async fn order(&self) -> Value {
        self.order_again("order", "web-1").await
    }

    /// Places an order under an idempotency key, for a server of that name.
    async fn order_again(&self, key: &str, hostname: &str) -> Value {
        let body = json!({
            "plan_id": self.plan("do-basic-1gb").await, "region": "sgp1", "image": "ubuntu-24-04",
            "hostname": format!("{hostname}.example.com"), "term_months": 1, "payment_method": "QRIS",
        });
        self.me.post("/orders", &body).key(key).await.expect(201)
    }

    /// Begins another attempt to pay `order`.
    async fn pay_again(&self, order: &Value, key: &str, body: &Value) -> Answer {
        self.me.post(&format!("/orders/{}/pay", text(order, "id")), body).key(key).await
    }

    /// Posts a notification as it is.
    async fn notify(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.webhook("midtrans").body("application/json", body).await
    }

    /// A notification, to be completed.
    fn webhook(&self, gateway: &str) -> Request {
        self.nobody().request(Method::POST, &format!("/webhooks/{gateway}"))
    }

    /// The order as its customer reads it.
    async fn read(&self, order: &Value) -> Value {
        self.me.get(&format!("/orders/{}", text(order, "id"))).await.body
    }

    async fn payment_status(&self, payment: &Value) -> String {
        let answer = self.me.get(&format!("/payments/{}", text(payment, "id"))).await;
        text(&answer.body, "status").to_owned()
    }
}

/// A signed notification of money for an order id.
fn signed(gateway_order_id: &str, gross_amount: &str) -> Value {
    let signature = Sha512::digest(format!("{gateway_order_id}200{gross_amount}{KEY}"));
    json!({
        "order_id": gateway_order_id,
        "status_code": "200",
        "gross_amount": gross_amount,
        "transaction_id": "513f1f01-c9da-474c-9fc9-d5c64364b709",
        "transaction_status": "settlement",
        "fraud_status": "accept",
        "currency": "IDR",
        "signature_key": format!("{signature:x}"),
    })
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {body}"))
}
