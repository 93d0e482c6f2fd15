//! Paying over HTTP: an API on a real port, the Midtrans simulator that notifies it, and a customer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

#[path = "../support/mod.rs"]
mod support;

mod archive;
mod attempts;
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

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use adapters::payments::PaymentGateway;
use api::{AppState, PaymentConfig};
use axum::{body::Body, http::Request};
use domain::{billing::PaymentMethod, role::Role};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use simulators::Handle;
use sqlx::PgPool;
use support::{Answer, App, As};
use testkit::SimulatedGateway;
use tokio::net::TcpListener;

const KEY: &str = "SB-Mid-server-api";
const TOKEN: &str = "xendits-callback-token";

/// Long enough for any charge that is answered at all.
const PATIENT: Duration = Duration::from_secs(10);

/// A seeded shop with two gateways and one customer.
struct Shop {
    pool: PgPool,
    app: App,
    token: String,
    simulator: Handle,
    xendit: Handle,
    http: reqwest::Client,
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
        let simulator =
            SimulatedGateway::with("midtrans", |config| config.credentials = vec![KEY.to_owned()]);
        let xendit = SimulatedGateway::with("xendit", |config| {
            config.credentials = vec![KEY.to_owned(), TOKEN.to_owned()];
        });
        let both = [simulator.await, xendit.await];
        let payments = PaymentConfig {
            gateways: gateways(&both),
            by_method: BTreeMap::from(
                [PaymentMethod::Qris, PaymentMethod::VirtualAccount].map(|method| (method, gateway)),
            ),
            charge_timeout,
            refund_policy: Default::default(),
        };
        let state = AppState { payments: Arc::new(payments), ..support::state(&pool) };
        let api = serve(state.clone()).await;
        let app = App::new(state);
        app.store.seed().await.unwrap();
        let (_, token) = app.user(Role::Customer).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let [simulator, xendit] = both.map(|gateway| gateway.simulator);
        let shop = Self { pool, app, token, simulator, xendit, http };
        for (simulator, slug) in [(shop.simulator.url(), "midtrans"), (shop.xendit.url(), "xendit")] {
            let url = format!("http://{api}/api/v1/webhooks/{slug}");
            // No second try comes while a test looks at what the first one did.
            let settings = json!({ "notification_url": url, "retry_interval_seconds": 3600 });
            shop.control_at(&simulator, "config", &settings).await;
        }
        shop
    }

    fn me(&self) -> As<'_> {
        As::Token(&self.token)
    }

    /// Calls the control API of Midtrans' simulator.
    async fn control(&self, call: &str, body: &Value) -> Value {
        self.control_at(&self.simulator.url(), call, body).await
    }

    async fn control_at(&self, simulator: &str, call: &str, body: &Value) -> Value {
        let url = format!("{simulator}/__sim/{call}");
        let answer = self.http.post(url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{call}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Pays as told and answers with the status of each notification's first delivery.
    async fn pay(&self, pay: &Value) -> Vec<u64> {
        self.pay_at(&self.simulator.url(), pay).await
    }

    async fn pay_at(&self, simulator: &str, pay: &Value) -> Vec<u64> {
        let answer = self.control_at(simulator, "pay", pay).await;
        answer["deliveries"].as_array().unwrap().iter().map(|d| d["status"].as_u64().unwrap()).collect()
    }

    /// Places an order to be paid by QRIS and answers with it.
    async fn order(&self) -> Value {
        self.order_again("order", "web-1").await
    }

    /// Places an order under an idempotency key, for a server of that name.
    async fn order_again(&self, key: &str, hostname: &str) -> Value {
        let plan: uuid::Uuid = sqlx::query_scalar("SELECT id FROM plans WHERE slug = 'do-basic-1gb'")
            .fetch_one(&self.pool)
            .await
            .unwrap();
        let body = json!({
            "plan_id": plan, "region": "sgp1", "image": "ubuntu-24-04", "hostname": format!("{hostname}.example.com"),
            "term_months": 1, "payment_method": "QRIS",
        });
        let placed = self.post_with_key("/orders", key, &body).await;
        assert_eq!(placed.status, 201, "{:?}", placed.body);
        placed.body
    }

    /// Posts as the customer with an idempotency key.
    async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = Request::post(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()));
        self.app.send(request.unwrap()).await
    }

    /// Begins another attempt to pay `order`.
    async fn pay_again(&self, order: &Value, key: &str, body: &Value) -> Answer {
        self.post_with_key(&format!("/orders/{}/pay", text(order, "id")), key, body).await
    }

    /// Posts a notification as it is.
    async fn notify(&self, body: impl Into<Body>) -> Answer {
        let request = Request::post("/api/v1/webhooks/midtrans").header("content-type", "application/json");
        self.app.send(request.body(body.into()).unwrap()).await
    }

    /// The order as its customer reads it.
    async fn read(&self, order: &Value) -> Value {
        self.app.get(&format!("/orders/{}", text(order, "id")), self.me()).await.body
    }

    async fn payment_status(&self, payment: &Value) -> String {
        let answer = self.app.get(&format!("/payments/{}", text(payment, "id")), self.me()).await;
        text(&answer.body, "status").to_owned()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

fn gateways(both: &[SimulatedGateway]) -> BTreeMap<&'static str, Arc<dyn PaymentGateway>> {
    let patient = |gateway: &SimulatedGateway| {
        gateway.adapter_with(|account| account.timeout = Duration::from_secs(10))
    };
    both.iter().map(|gateway| (gateway.vendor.slug, patient(gateway))).collect()
}

/// Serves the API on a free port, for as long as the test's runtime lives.
async fn serve(state: AppState) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(api::serve::serve(listener, api::router(state), Default::default(), Default::default()));
    address
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
