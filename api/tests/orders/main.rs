//! The catalog, quotes, placing, reading and calling off orders, over HTTP.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod access;
mod catalog;
mod placing;
mod reading;
mod refusals;
mod relocation;

use std::{ops::Deref, time::Duration};

use domain::{ids::OrderId, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    SimulatedGateway,
    http::{Answer, Expect, Setup, TestApi, User},
};

/// A seeded shop with one customer.
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
    /// A shop whose only way to pay is by bank transfer.
    async fn open(pool: PgPool) -> Self {
        Self::set_up(TestApi::setup(pool)).await
    }

    /// A shop with a gateway that answers within `charge_timeout` or not at all.
    async fn with_gateway(pool: PgPool, charge_timeout: Duration) -> Self {
        let gateway = SimulatedGateway::start("midtrans").await;
        Self::set_up(TestApi::setup(pool).gateway(gateway).charge_timeout(charge_timeout)).await
    }

    async fn set_up(setup: Setup) -> Self {
        let api = setup.open().await;
        let me = api.user(Role::Customer).await;
        Self { api, me }
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
        self.me.post("/orders", body).key(key).await
    }

    /// What is placed is paid: the transfer arrives.
    async fn pay_for(&self, order: &Value) -> OrderId {
        let order: OrderId = order.as_str().unwrap().parse().unwrap();
        self.pay(self.ordered(order).await.payment.id).await;
        order
    }

    /// Makes the gateway's next charges fail in some way.
    async fn fault(&self, fault: Value) {
        self.gateway("midtrans").control().post("/faults", &fault).await.expect(201);
    }

    /// How often the gateway was asked to charge.
    fn charges(&self) -> u64 {
        self.gateway("midtrans").simulator.calls("POST /v2/charge")
    }
}
