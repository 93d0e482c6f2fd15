//! Paying on a real Postgres: notifications in any order and number, further attempts, administrators' decisions.
//! Each test has a database of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod archive;
mod attempts;
mod billed_by_hand;
mod cancellations;
mod disputes;
mod guards;
mod interleaving;
mod notifications;
mod numbering;
mod payer_fee;
mod proofs;
mod refund_saga;
mod refunds;
mod renewals;
mod requery;
mod resizes;
mod review;
mod taken_back_meanwhile;
mod transfers;
mod unpaid;
mod wallet;

use std::ops::Deref;

use domain::{
    Rupiah,
    billing::PaymentMethod,
    gateway::{Outcome, WebhookEvent},
    ids::{OrderId, UserId},
};
use sqlx::PgPool;
use store::{
    audit::Origin,
    money_act::MoneyAct,
    orders::{OrderError, Placed},
    payments::Payment,
};
use testkit::{
    GATEWAY as MIDTRANS, TestApp, by_user, money_act, new_money_act, request, step_words, webhook_event,
};

/// A seeded shop with one customer and one administrator.
#[derive(Clone)]
struct Shop {
    app: TestApp,
    customer: UserId,
    admin: UserId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let app = TestApp::new(pool).await;
        let customer = app.customer().email("sari@example.com").await;
        let admin = app.admin().email("admin@example.com").await;
        Self { app, customer, admin }
    }

    /// Places an order to be paid in the given way.
    async fn order_by(&self, method: PaymentMethod, key: &str) -> (OrderId, Payment) {
        let placed = self.try_order_by(method, None, key).await.unwrap();
        (placed.order_id, self.store.any_payment(placed.to_charge.unwrap()).await.unwrap())
    }

    /// Places an order to be paid in the given way, with a promo code.
    async fn try_order_by(
        &self,
        method: PaymentMethod,
        code: Option<&str>,
        key: &str,
    ) -> Result<Placed, OrderError> {
        let order = self.app.order().by(self.customer).paid_by(method).maybe_promo(code);
        order.request(request(key)).try_place().await
    }

    /// Places an order to be paid by QRIS.
    async fn order(&self) -> (OrderId, Payment) {
        self.order_by(PaymentMethod::Qris, "order").await
    }

    async fn receive(&self, event: &WebhookEvent) -> Outcome {
        self.store.apply_webhook_event(event).await.unwrap()
    }

    fn admins_origin(&self) -> Origin {
        by_user(self.admin)
    }

    /// The administrator acts on somebody's money; the same key means the same request.
    fn act(&self, key: &str) -> MoneyAct {
        money_act(self.admin, key)
    }

    /// The same by a request like no other.
    fn anew(&self) -> MoneyAct {
        new_money_act(self.admin)
    }
}

fn plus_one(amount: Rupiah) -> Rupiah {
    amount.plus(Rupiah::new(1)).unwrap()
}
