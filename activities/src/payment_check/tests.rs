//! The janitor on a database of its own, asking the simulators of both gateways.

use std::{ops::Deref, time::Duration};

use adapters::payments::Charge;
use domain::{
    billing::{Bank, PaymentMethod},
    gateway::Instructions,
    ids::{OrderId, PaymentId, UserId},
    order::OrderStatus,
    unpaid::UnpaidLimits,
};
use serde_json::{Value, json};
use simulators::Handle;
use sqlx::PgPool;
use store::payments::NewAttempt;
use testkit::{SimulatedGateway, TestApp, request};

use super::*;

/// A shop whose gateways tell nobody of anything.
pub(crate) struct Shop {
    app: TestApp,
    pub(crate) janitor: PaymentActivities,
    pub(crate) midtrans: Handle,
    pub(crate) xendit: Handle,
    http: reqwest::Client,
}

/// An order and its payment.
pub(crate) struct Placed {
    pub(crate) order: OrderId,
    customer: UserId,
    payment: PaymentId,
    pub(crate) gateway: &'static str,
    pub(crate) charge: Charge,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    pub(crate) async fn open(pool: PgPool) -> Self {
        let app = TestApp::with(pool, |store| store.with_unpaid_limits(UnpaidLimits::NONE)).await;
        let store = app.store.clone();
        let [midtrans, xendit] =
            [SimulatedGateway::start("midtrans").await, SimulatedGateway::start("xendit").await];
        let gateways = [&midtrans, &xendit].map(|gateway| (gateway.vendor.slug, gateway.adapter())).into();
        let [midtrans, xendit] = [midtrans.simulator, xendit.simulator];
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let shop = Self { app, janitor: PaymentActivities { store, gateways }, midtrans, xendit, http };
        for gateway in ["midtrans", "xendit"] {
            let nowhere =
                json!({ "notification_url": "http://127.0.0.1:9/", "retry_interval_seconds": 3600 });
            shop.control(gateway, "config", nowhere).await;
        }
        shop
    }

    pub(crate) async fn control(&self, gateway: &str, call: &str, body: Value) {
        let url = if gateway == "xendit" { self.xendit.url() } else { self.midtrans.url() };
        let answer = self.http.post(format!("{url}/__sim/{call}")).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{call}: {}", answer.text().await.unwrap());
    }

    /// Places an order; its gateway is not charged yet.
    async fn order(&self, gateway: &'static str, bank: Option<Bank>) -> Placed {
        let order = self.app.order().through(gateway);
        let placed = match bank {
            Some(bank) => order.paid_to(bank).place().await,
            None => order.place().await,
        };
        let payment = placed.payment;
        let charge = Charge {
            gateway_order_id: payment.gateway_order_id,
            amount: payment.amount,
            method: payment.method,
            bank,
            pay_within: Duration::from_secs(3_600),
        };
        Placed { order: placed.id, customer: placed.customer, payment: payment.id, gateway, charge }
    }

    /// Places an order whose gateway got the charge, and whose answer was lost.
    async fn unanswered(&self, gateway: &'static str, bank: Option<Bank>) -> Placed {
        let placed = self.order(gateway, bank).await;
        self.janitor.gateways[gateway].create(&placed.charge).await.unwrap();
        let silence = ChargeResult::Unknown("no answer".to_owned());
        self.janitor.store.record_charge(placed.payment, &silence).await.unwrap();
        placed
    }

    /// Places an order that waits for its money.
    pub(crate) async fn charged(&self, gateway: &'static str) -> Placed {
        let placed = self.order(gateway, None).await;
        let told = self.janitor.gateways[gateway].create(&placed.charge).await.unwrap();
        let instructions = Instructions {
            transaction_id: told.transaction_id,
            qr_string: told.qr_string,
            ..Instructions::default()
        };
        let ready = ChargeResult::Ready(instructions);
        self.janitor.store.record_charge(placed.payment, &ready).await.unwrap();
        placed
    }

    /// The customer pays, and the notification is lost.
    pub(crate) async fn pay(&self, placed: &Placed, extra: Value) {
        let mut pay = json!({ "order_id": placed.charge.gateway_order_id });
        pay.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.control(placed.gateway, "pay", pay).await;
    }

    /// The janitor looks at everything that is there, however young it is and however lately it was asked about.
    pub(crate) async fn check(&self) -> PaymentsChecked {
        let unasked = "UPDATE payments SET checked_at = NULL WHERE status <> 'CANCELLED'";
        sqlx::query(unasked).execute(&self.pool).await.unwrap();
        let at_once =
            PaymentCheckPolicy { pending_after_ms: 0, unknown_after_ms: 0, ..PaymentCheckPolicy::default() };
        self.janitor.check(&at_once).await.unwrap()
    }

    async fn status(&self, placed: &Placed) -> PaymentStatus {
        self.janitor.store.any_payment(placed.payment).await.unwrap().status
    }

    async fn order_status(&self, placed: &Placed) -> OrderStatus {
        self.janitor.store.any_order(placed.order).await.unwrap().status
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn money_whose_notification_was_lost_pays_its_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = shop.charged(gateway).await;
        assert_eq!(shop.check().await, PaymentsChecked { waiting: 1, ..Default::default() }, "{gateway}");
        shop.pay(&placed, json!({})).await;
        assert_eq!(shop.check().await, PaymentsChecked { settled: 1, ..Default::default() }, "{gateway}");
        assert_eq!(shop.order_status(&placed).await, OrderStatus::Paid);
        assert_eq!(shop.check().await, PaymentsChecked::default());
    }
    let booked = "SELECT count(*) FROM ledger_movements WHERE cause LIKE 'payment/%'";
    let booked: i64 = sqlx::query_scalar(booked).fetch_one(&shop.pool).await.unwrap();
    assert_eq!(booked, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_charge_without_an_answer_is_found_with_what_it_is_paid_by(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for (gateway, bank) in [("midtrans", Some(Bank::Bri)), ("xendit", Some(Bank::Mandiri)), ("xendit", None)]
    {
        let placed = shop.unanswered(gateway, bank).await;
        assert_eq!(shop.check().await, PaymentsChecked { waiting: 1, ..Default::default() }, "{gateway}");
        let payment = shop.janitor.store.any_payment(placed.payment).await.unwrap();
        assert_eq!(payment.status, PaymentStatus::Pending);
        assert_eq!(
            (payment.qr_string.is_some(), payment.va_number.is_some()),
            (bank.is_none(), bank.is_some())
        );
        shop.pay(&placed, json!({})).await;
        shop.check().await;
        assert_eq!(shop.order_status(&placed).await, OrderStatus::Paid);
    }
    // Paid before anybody asked, and with a code that only the customer saw.
    let placed = shop.unanswered("midtrans", None).await;
    shop.pay(&placed, json!({})).await;
    assert_eq!(shop.check().await, PaymentsChecked { settled: 1, ..Default::default() });
    assert_eq!(shop.order_status(&placed).await, OrderStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_charge_that_never_arrived_is_denied(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = shop.order(gateway, None).await;
        assert_eq!(shop.check().await, PaymentsChecked { closed: 1, ..Default::default() }, "{gateway}");
        assert_eq!(shop.status(&placed).await, PaymentStatus::Denied);
        assert_eq!(shop.order_status(&placed).await, OrderStatus::PendingPayment);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_end_at_the_gateway_closes_the_attempt_never_the_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.charged("xendit").await;
    shop.pay(&placed, json!({ "outcome": "expire" })).await;
    assert_eq!(shop.check().await, PaymentsChecked { closed: 1, ..Default::default() });
    assert_eq!(shop.status(&placed).await, PaymentStatus::Expired);
    assert_eq!(shop.order_status(&placed).await, OrderStatus::PendingPayment);
}

#[sqlx::test(migrations = "../migrations")]
async fn another_amount_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("payment_check.mismatch");
    for gateway in ["midtrans", "xendit"] {
        let placed = shop.charged(gateway).await;
        shop.pay(&placed, json!({ "amount": 1 })).await;
        assert_eq!(shop.check().await.mismatched, 1, "{gateway}");
        assert_eq!(shop.status(&placed).await, PaymentStatus::Pending);
        // It was a mistake of the gateway's.
        shop.pay(&placed, json!({})).await;
        assert_eq!(shop.check().await.settled, 1, "{gateway}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn one_gateway_out_of_order_does_not_stop_the_other(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (away, there) = (shop.charged("midtrans").await, shop.charged("xendit").await);
    shop.pay(&away, json!({})).await;
    shop.pay(&there, json!({})).await;
    let fault = json!({ "route": "GET /v2/{order_id}/status", "kind": "status", "status": 503 });
    shop.control("midtrans", "faults", fault).await;
    let checked = shop.check().await;
    assert_eq!(checked, PaymentsChecked { settled: 1, unanswered: 1, ..Default::default() });
    assert_eq!(shop.order_status(&there).await, OrderStatus::Paid);
    assert_eq!(shop.order_status(&away).await, OrderStatus::PendingPayment);
    assert_eq!(shop.check().await, PaymentsChecked { settled: 1, ..Default::default() });
    assert_eq!(shop.order_status(&away).await, OrderStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn more_than_one_batch_is_asked_about(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.charged("midtrans").await;
    // The gateway knows nothing of the others.
    for n in 0..120 {
        let attempt = NewAttempt {
            user: placed.customer,
            order: placed.order,
            method: PaymentMethod::Qris,
            bank: None,
            gateway: Some("midtrans"),
        };
        let opened = shop.store.open_payment(&attempt, &request(&format!("copy-{n}"))).await.unwrap();
        let told = Instructions { transaction_id: "t".to_owned(), ..Instructions::default() };
        shop.store.record_charge(opened.payment_id, &ChargeResult::Ready(told)).await.unwrap();
    }
    let checked = shop.check().await;
    assert_eq!((checked.asked(), checked.waiting), (121, 1));
    assert_eq!(shop.midtrans.calls("GET /v2/{order_id}/status"), 121);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_payment_there_is_trouble_with_does_not_stop_those_behind_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (poisoned, behind) = (shop.charged("midtrans").await, shop.charged("xendit").await);
    shop.pay(&poisoned, json!({})).await;
    shop.pay(&behind, json!({})).await;
    let poison = format!(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.id = '{}' AND NEW.status = 'PAID' THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW;
         END $$;
         CREATE TRIGGER poison BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION poison();",
        poisoned.payment
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(poison)).execute(&shop.pool).await.unwrap();
    let checked = shop.check().await;
    assert_eq!(checked, PaymentsChecked { settled: 1, failed: 1, ..Default::default() });
    assert_eq!(shop.order_status(&behind).await, OrderStatus::Paid);
    sqlx::query("DROP TRIGGER poison ON payments").execute(&shop.pool).await.unwrap();
    assert_eq!(shop.check().await, PaymentsChecked { settled: 1, ..Default::default() });
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_that_was_called_off_is_asked_about_until_the_gateway_answers(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.charged("midtrans").await;
    shop.janitor.store.cancel_order(placed.order, placed.customer).await.unwrap();
    let ended = "UPDATE payments SET expires_at = now() - interval '1 minute', created_at = now() - interval '1 hour'";
    sqlx::query(ended).execute(&shop.pool).await.unwrap();
    shop.pay(&placed, json!({})).await;
    let fault = json!({ "route": "GET /v2/{order_id}/status", "kind": "status", "status": 503 });
    shop.control("midtrans", "faults", fault).await;
    assert_eq!(shop.check().await, PaymentsChecked { unanswered: 1, ..Default::default() });
    let later = "UPDATE payments SET checked_at = checked_at - interval '1 hour'";
    sqlx::query(later).execute(&shop.pool).await.unwrap();
    assert_eq!(shop.check().await, PaymentsChecked { settled: 1, ..Default::default() });
    assert_eq!(shop.janitor.store.wallet(placed.customer).await.unwrap().wallet, placed.charge.amount);
    assert_eq!(shop.check().await, PaymentsChecked::default());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_taken_back_is_found_by_asking_too(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("payment.disputed");
    let placed = shop.charged("midtrans").await;
    shop.pay(&placed, json!({})).await;
    assert_eq!(shop.check().await.settled, 1);
    let taken = json!({ "order_id": placed.charge.gateway_order_id, "notify": false });
    shop.control("midtrans", "withdraw", taken).await;
    // Its notification could not be confirmed when it came.
    let doubted = "UPDATE payments SET doubted_at = now()";
    sqlx::query(doubted).execute(&shop.pool).await.unwrap();
    assert_eq!(shop.check().await, PaymentsChecked { disputed: 1, ..Default::default() });
    assert_eq!(shop.check().await, PaymentsChecked::default());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_whose_time_is_over_is_called_off_where_its_gateway_goes_on(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = shop.charged(gateway).await;
        assert_eq!(shop.check().await, PaymentsChecked { waiting: 1, ..Default::default() }, "{gateway}");
        let past = "UPDATE payments SET expires_at = now() - interval '1 minute' WHERE id = $1";
        sqlx::query(past).bind(placed.payment.0).execute(&shop.pool).await.unwrap();
        // A gateway that can't call it off just now is asked again; nothing is closed before.
        let route = match gateway {
            "midtrans" => "POST /v2/{order_id}/cancel",
            _ => "POST /v3/payment_requests/{payment_request_id}/cancel",
        };
        shop.control(gateway, "faults", json!({ "route": route, "kind": "status", "status": 503 })).await;
        assert_eq!(shop.check().await, PaymentsChecked { waiting: 1, ..Default::default() }, "{gateway}");
        assert_eq!(shop.status(&placed).await, PaymentStatus::Pending);
        assert_eq!(shop.check().await, PaymentsChecked { closed: 1, ..Default::default() }, "{gateway}");
        assert_eq!(shop.status(&placed).await, PaymentStatus::Expired);
        let attempt = Attempt { gateway_order_id: &placed.charge.gateway_order_id, transaction_id: None };
        let there = shop.janitor.gateways[gateway].status(attempt).await.unwrap();
        assert_eq!(there.status, PaymentStatus::Cancelled, "{gateway} takes no money for it any more");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_of_a_cancelled_order_is_called_off_at_its_gateway_at_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = shop.charged(gateway).await;
        shop.janitor.store.cancel_order(placed.order, placed.customer).await.unwrap();
        assert_eq!(shop.check().await, PaymentsChecked { closed: 1, ..Default::default() }, "{gateway}");
        let attempt = Attempt { gateway_order_id: &placed.charge.gateway_order_id, transaction_id: None };
        let there = shop.janitor.gateways[gateway].status(attempt).await.unwrap();
        assert_eq!(there.status, PaymentStatus::Cancelled, "{gateway} takes no money for it any more");
        assert_eq!(shop.status(&placed).await, PaymentStatus::Cancelled, "{gateway}");
        assert_eq!(shop.check().await, PaymentsChecked::default(), "it is not asked about again");
    }
}
