//! Promo codes on a real Postgres: their uses by orders and deposits, the limits under concurrency, what the database
//! refuses by itself, and what staff do with them. Each test has a database of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod deposits;
mod guards;
mod limits;
mod orders;
mod staff;

use std::ops::Deref;

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentStatus},
    gateway::Outcome,
    ids::{DepositId, OrderId, PromoId, UserId},
    promo::{PromoCode, PromoKind, PromoRefusal, PromoTerms},
};
use sqlx::PgPool;
use store::{
    StoreError,
    audit::Origin,
    money_act::MoneyAct,
    orders::{NewOrder, OrderError, Placed, Refusal},
    payments::Payment,
    wallet::{Deposit, NewDeposit, OpenedDeposit},
};
use testkit::{GATEWAY as MIDTRANS, TestApp, by_user, new_money_act, new_promo, request, webhook_event};

const CODE: &str = "HEMAT10";

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
        let customer = app.customer().await;
        let admin = app.admin().await;
        Self { app, customer, admin }
    }

    /// The same shop as another customer sees it.
    async fn visited_by(&self, name: &str) -> Self {
        let customer = self.customer().email(format!("{name}@example.com")).await;
        Self { customer, ..self.clone() }
    }

    /// Makes [`CODE`].
    async fn promo(&self, kind: PromoKind, value: i64, change: impl FnOnce(&mut PromoTerms)) -> PromoId {
        self.app.promo(CODE, kind, value).terms(change).await
    }

    async fn new_order(&self, method: PaymentMethod, code: Option<&str>) -> NewOrder {
        let order = self.app.order().by(self.customer).configured(&["digitalocean"]).paid_by(method);
        order.maybe_promo(code).build().await
    }

    /// Places an order with [`CODE`], to be paid by QRIS.
    async fn try_order(&self, key: &str) -> Result<Placed, OrderError> {
        self.store.place_order(&self.new_order(PaymentMethod::Qris, Some(CODE)).await, &request(key)).await
    }

    async fn order(&self, key: &str) -> (OrderId, Payment) {
        let placed = self.try_order(key).await.unwrap();
        (placed.order_id, self.store.any_payment(placed.to_charge.unwrap()).await.unwrap())
    }

    /// Opens a deposit with [`CODE`], to be paid by QRIS.
    async fn try_deposit(&self, amount: i64, key: &str) -> Result<OpenedDeposit, StoreError> {
        let new = NewDeposit {
            user: self.customer,
            amount: Rupiah::new(amount),
            method: PaymentMethod::Qris,
            bank: None,
            gateway: MIDTRANS,
            pay_within_ms: 3_600_000,
            promo: Some(PromoCode::parse(CODE).unwrap()),
        };
        self.store.open_deposit(&new, &request(key)).await
    }

    async fn deposit(&self, amount: i64, key: &str) -> Deposit {
        let opened = self.try_deposit(amount, key).await.unwrap();
        self.store.deposit(opened.deposit_id, self.customer).await.unwrap()
    }

    async fn receive(&self, payment: &Payment, status: PaymentStatus) -> Outcome {
        let key = format!("{}:{status}", payment.id);
        self.store.apply_webhook_event(&webhook_event(payment, status, &key)).await.unwrap()
    }

    async fn wallet(&self) -> i64 {
        self.store.wallet(self.customer).await.unwrap().wallet.get()
    }

    async fn state_of_order(&self, order: OrderId) -> String {
        let sql = "SELECT state FROM promo_redemptions WHERE order_id = $1";
        sqlx::query_scalar(sql).bind(order.0).fetch_one(&self.pool).await.unwrap()
    }

    async fn state_of_deposit(&self, deposit: DepositId) -> String {
        let sql = "SELECT state FROM promo_redemptions WHERE deposit_id = $1";
        sqlx::query_scalar(sql).bind(deposit.0).fetch_one(&self.pool).await.unwrap()
    }

    /// How often [`CODE`] is used, by the database's own count.
    async fn uses(&self) -> i64 {
        let sql = "SELECT uses FROM promos WHERE code = $1";
        sqlx::query_scalar(sql).bind(CODE).fetch_one(&self.pool).await.unwrap()
    }

    fn admins_origin(&self) -> Origin {
        by_user(self.admin)
    }

    /// The administrator acts on somebody's money, by a request like no other.
    fn act(&self) -> MoneyAct {
        new_money_act(self.admin)
    }
}

/// Why an order was refused for its code.
fn refusal<T: std::fmt::Debug>(placed: Result<T, OrderError>) -> PromoRefusal {
    match placed {
        Err(OrderError::Refused(Refusal::Promo(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Why a deposit was refused for its code.
fn deposit_refusal(opened: Result<OpenedDeposit, StoreError>) -> PromoRefusal {
    match opened {
        Err(StoreError::Promo(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}
