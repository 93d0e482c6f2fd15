//! The catalog, quotes, placing, reading and calling off orders, over HTTP.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod catalog;
mod placing;
mod reading;
mod refusals;
mod relocation;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use api::{AppState, PaymentConfig};
use axum::{body::Body, http::Request};
use domain::{billing::PaymentMethod, ids::UserId, role::Role};
use serde_json::{Value, json};
use simulators::Handle;
use sqlx::PgPool;
use support::{Answer, App, As};
use testkit::SimulatedGateway;
use uuid::Uuid;

/// A seeded shop with one customer.
struct Shop {
    pool: PgPool,
    app: App,
    customer: UserId,
    token: String,
}

impl Shop {
    /// A shop whose only way to pay is by bank transfer.
    async fn open(pool: PgPool) -> Self {
        let state = support::state(&pool);
        Self::with(pool, state).await
    }

    /// A shop with a gateway that answers within `charge_timeout` or not at all.
    async fn with_gateway(pool: PgPool, charge_timeout: Duration) -> (Self, Handle) {
        let simulated = SimulatedGateway::start("midtrans").await;
        let gateway = simulated.adapter_with(|account| account.timeout = Duration::from_secs(10));
        let payments = PaymentConfig {
            by_method: BTreeMap::from([
                (PaymentMethod::Qris, gateway.slug()),
                (PaymentMethod::VirtualAccount, gateway.slug()),
            ]),
            gateways: BTreeMap::from([(gateway.slug(), gateway)]),
            charge_timeout,
            refund_policy: Default::default(),
        };
        let state = AppState { payments: Arc::new(payments), ..support::state(&pool) };
        (Self::with(pool, state).await, simulated.simulator)
    }

    async fn with(pool: PgPool, state: AppState) -> Self {
        let app = App::new(state);
        app.store.seed().await.unwrap();
        let (customer, token) = app.user(Role::Customer).await;
        Self { pool, app, customer, token }
    }

    fn me(&self) -> As<'_> {
        As::Token(&self.token)
    }

    /// The body of an order of the smallest plan.
    async fn basket(&self) -> Value {
        json!({
            "plan_id": self.plan("do-basic-1gb").await, "region": "sgp1", "image": "ubuntu-24-04",
            "hostname": "web-1.example.com", "term_months": 1, "payment_method": "MANUAL_TRANSFER",
        })
    }

    /// The same with some fields changed; a null removes one.
    async fn basket_with(&self, changes: Value) -> Value {
        let mut body = self.basket().await;
        for (field, value) in changes.as_object().unwrap() {
            if value.is_null() {
                body.as_object_mut().unwrap().remove(field);
            } else {
                body[field] = value.clone();
            }
        }
        body
    }

    async fn place(&self, body: &Value, key: &str) -> Answer {
        place(&self.app, &self.token, body.to_string(), Some(key)).await
    }

    async fn plan(&self, slug: &str) -> Uuid {
        sqlx::query_scalar("SELECT id FROM plans WHERE slug = $1")
            .bind(slug)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

/// Posts an order with the body as it is.
async fn place(app: &App, token: &str, body: String, key: Option<&str>) -> Answer {
    let mut request = Request::post("/api/v1/orders")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    app.send(request.body(Body::from(body)).unwrap()).await
}

/// Makes the gateway's next charges fail in some way.
async fn fault(simulator: &Handle, fault: Value) {
    let url = format!("{}/__sim/faults", simulator.url());
    let answer = reqwest::Client::new().post(url).json(&fault).send().await.unwrap();
    assert_eq!(answer.status(), 201);
}
