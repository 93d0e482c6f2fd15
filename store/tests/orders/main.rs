//! Placing, cancelling and reading orders, and the catalog they are placed from, on a real Postgres: each test has
//! a database of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod cancelling;
mod catalog;
mod guards;
mod outbox;
mod placing;
mod reading;
mod staff;
mod stuck;
mod sweep;

use std::ops::Deref;

use domain::{billing::PaymentMethod, ids::UserId, unpaid::UnpaidLimits};
use sqlx::PgPool;
use store::{
    idempotency::Idempotency,
    orders::{NewOrder, OrderError, Placed},
};
use testkit::TestApp;

/// A seeded shop with one customer, who may order as much as they like.
struct Shop {
    app: TestApp,
    customer: UserId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::with(pool, |store| store.with_unpaid_limits(UnpaidLimits::NONE)).await;
        let customer = app.customer().await;
        Self { app, customer }
    }

    /// An order of the smallest plan, paid by bank transfer.
    async fn basket(&self) -> NewOrder {
        self.app.order().by(self.customer).paid_by(PaymentMethod::ManualTransfer).build().await
    }

    async fn place(&self, order: &NewOrder, key: &str) -> Result<Placed, OrderError> {
        self.store.place_order(order, &request(order, key)).await
    }
}

/// The key together with what it is sent with, as the API makes it.
fn request(order: &NewOrder, key: &str) -> Idempotency {
    let body = serde_json::json!({
        "plan_id": order.selection.plan_id,
        "region": order.selection.region,
        "term_months": order.selection.term_months,
        "hostname": order.hostname,
    });
    Idempotency::new("POST /orders", key, &body).unwrap()
}
