//! Refunds on a database of their own, through the simulators of both gateways.

use domain::{
    Rupiah,
    ids::UserId,
    refund::{RefundDestination, RefundPolicy},
};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::refunds::{NewRefund, Part};
use testkit::new_money_act;

use super::*;
use crate::{
    payment_check::tests::{Placed, Shop},
    skewed_clock,
};

/// A quarter of an hour: longer than any test.
const LONG: u64 = 900_000;

struct Desk {
    shop: Shop,
    refunds: RefundGatewayActivities,
    admin: UserId,
}

impl Desk {
    async fn open(pool: PgPool) -> Self {
        let shop = Shop::open(pool).await;
        let (store, gateways) = (shop.janitor.store.clone(), shop.janitor.gateways.clone());
        let admin = shop.admin().await;
        Self { shop, refunds: RefundGatewayActivities { store, gateways }, admin }
    }

    async fn paid(&self, gateway: &'static str) -> Placed {
        let placed = self.shop.charged(gateway).await;
        self.shop.pay(&placed, json!({})).await;
        self.shop.check().await;
        placed
    }

    /// Money of an order is to go back through its gateway.
    async fn begin(&self, placed: &Placed, part: Part) -> RefundId {
        let new = NewRefund {
            part,
            destination: RefundDestination::Gateway,
            reason: "sold out",
            gateways: &["midtrans", "xendit"],
            policy: RefundPolicy::default(),
        };
        let act = new_money_act(self.admin);
        self.refunds.store.refund_order(placed.order, &new, &act).await.unwrap().refund.id
    }

    /// One try; a lost call must show after `settle_ms`.
    async fn try_once(&self, refund_id: RefundId, settle_ms: u64) -> Result<RefundGiven, FailureClass> {
        self.refunds.send(&RefundOrder { refund_id, settle_ms }).await.map_err(|error| error.class())
    }

    async fn settle(&self, given: RefundGiven) -> RefundStatus {
        let id = given.gateway_refund_id.as_deref();
        self.refunds.store.settle_refund(given.refund_id, id).await.unwrap()
    }

    async fn give_up(&self, refund: RefundId) -> RefundStatus {
        self.refunds.store.return_refund(refund, "gave up").await.unwrap()
    }

    /// The next call of this kind fails so at the gateway.
    async fn fault(&self, gateway: &str, fault: Value) {
        let route = if gateway == "xendit" { "POST /refunds" } else { "POST /v2/{order_id}/refund" };
        let mut body = fault;
        body["route"] = json!(route);
        self.shop.control(gateway, "faults", body).await;
    }

    /// What an order's gateway gave back until now.
    async fn given_back(&self, placed: &Placed) -> Vec<i64> {
        let url = match placed.gateway {
            "xendit" => format!("{}/__sim/payment_requests", self.shop.xendit.url()),
            _ => format!("{}/__sim/transactions", self.shop.midtrans.url()),
        };
        let all: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let name = &placed.charge.gateway_order_id;
        let kind = if placed.gateway == "xendit" { "payment_requests" } else { "transactions" };
        let own = all[kind]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| [&one["order_id"], &one["reference_id"]].contains(&&json!(name)));
        let refunds = own.unwrap()["refunds"].as_array().cloned().unwrap_or_default();
        refunds.iter().map(|refund| refund["amount"].as_i64().unwrap()).collect()
    }

    async fn last_error(&self, refund: RefundId) -> String {
        self.refunds.store.refund(refund).await.unwrap().last_error.unwrap_or_default()
    }
}

fn some(amount: i64) -> Part {
    Part::Amount(Rupiah::new(amount))
}

#[sqlx::test(migrations = "../migrations")]
async fn money_goes_back_once_however_often_it_is_asked_for(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let midtrans = desk.paid("midtrans").await;
    let refund = desk.begin(&midtrans, some(20_000)).await;
    let given = desk.try_once(refund, LONG).await.unwrap();
    assert_eq!(desk.try_once(refund, LONG).await.as_ref(), Ok(&given));
    assert_eq!(desk.settle(given.clone()).await, RefundStatus::Completed);
    assert_eq!(desk.try_once(refund, LONG).await, Ok(given));
    assert_eq!(desk.given_back(&midtrans).await, [20_000]);
    let rest = desk.begin(&midtrans, Part::Whole).await;
    let given = desk.try_once(rest, LONG).await.unwrap();
    assert_eq!(desk.settle(given).await, RefundStatus::Completed);
    let total = midtrans.charge.amount.get();
    assert_eq!(desk.given_back(&midtrans).await, [20_000, total - 20_000]);

    // Xendit takes a refund on, and is asked later what became of it.
    let xendit = desk.paid("xendit").await;
    let refund = desk.begin(&xendit, Part::Whole).await;
    assert_eq!(desk.try_once(refund, LONG).await, Err(FailureClass::Retryable));
    assert!(desk.last_error(refund).await.contains("not done yet"));
    assert_eq!(desk.give_up(refund).await, RefundStatus::Sent);
    let given = desk.try_once(refund, LONG).await.unwrap();
    assert!(given.gateway_refund_id.as_deref().unwrap().starts_with("rfd-"));
    assert_eq!(desk.settle(given).await, RefundStatus::Completed);
    assert_eq!(desk.shop.xendit.calls("POST /refunds"), 1);
    assert_eq!(desk.given_back(&xendit).await, [xendit.charge.amount.get()]);
    desk.shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_lost_answer_is_asked_for_again_and_gives_nothing_back_twice(pool: PgPool) {
    let desk = Desk::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = desk.paid(gateway).await;
        let refund = desk.begin(&placed, Part::Whole).await;
        desk.fault(gateway, json!({ "kind": "drop_after_create" })).await;
        assert_eq!(desk.try_once(refund, 0).await, Err(FailureClass::Retryable), "{gateway}");
        assert_eq!(desk.give_up(refund).await, RefundStatus::Sent, "{gateway}");
        let given = desk.try_once(refund, 0).await.unwrap();
        assert_eq!(desk.settle(given).await, RefundStatus::Completed);
        assert_eq!(desk.given_back(&placed).await, [placed.charge.amount.get()], "{gateway}");
    }
    desk.shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_gateway_refuses_goes_to_the_balance(pool: PgPool) {
    let desk = Desk::open(pool).await;
    desk.shop.expect_alert("payment.disputed");
    for gateway in ["midtrans", "xendit"] {
        let placed = desk.paid(gateway).await;
        // Somebody gave half of it back by hand, in the gateway's own dashboard.
        let by_hand = payments::Refund {
            attempt: Attempt { gateway_order_id: &placed.charge.gateway_order_id, transaction_id: None },
            method: placed.charge.method,
            refund_key: "by-hand",
            amount: Rupiah::new(placed.charge.amount.get() / 2),
            reason: "by hand",
        };
        desk.refunds.gateways[gateway].refund(&by_hand).await.unwrap();
        let refund = desk.begin(&placed, Part::Whole).await;
        assert_eq!(desk.try_once(refund, LONG).await, Err(FailureClass::Permanent), "{gateway}");
        assert!(desk.last_error(refund).await.contains("refused"));
        assert_eq!(desk.give_up(refund).await, RefundStatus::ReturnedToWallet, "{gateway}");
        assert_eq!(desk.try_once(refund, LONG).await, Err(FailureClass::Conflict), "{gateway}");
    }
    desk.shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_that_may_pass_is_waited_for_and_leaves_no_doubt(pool: PgPool) {
    let desk = Desk::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = desk.paid(gateway).await;
        let refund = desk.begin(&placed, Part::Whole).await;
        desk.fault(gateway, json!({ "kind": "status", "status": 401 })).await;
        assert_eq!(desk.try_once(refund, LONG).await, Err(FailureClass::Retryable), "{gateway}");
        assert!(desk.last_error(refund).await.contains("credentials"));
        assert_eq!(desk.give_up(refund).await, RefundStatus::ReturnedToWallet, "{gateway}");
        assert_eq!(desk.given_back(&placed).await, [0; 0]);
    }
    let placed = desk.paid("midtrans").await;
    let refund = desk.begin(&placed, Part::Whole).await;
    let nowhere =
        RefundGatewayActivities { store: desk.refunds.store.clone(), gateways: Gateways::default() };
    let asked = RefundOrder { refund_id: refund, settle_ms: LONG };
    let failed = nowhere.send(&asked).await.unwrap_err();
    assert_eq!((failed.class(), failed.to_string().contains("not set up")), (FailureClass::Retryable, true));
    assert_eq!(desk.refunds.store.refund(refund).await.unwrap().status, RefundStatus::Requested);
    assert!(desk.try_once(refund, LONG).await.is_ok());
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_of_a_moment_neither_ends_a_refund_nor_is_forgotten(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let page = |status: u16| json!({ "kind": "status", "status": status, "body": "<html>nginx</html>" });
    for gateway in ["midtrans", "xendit"] {
        for fault in [
            json!({ "kind": "status", "status": 429, "seconds": 7 }),
            json!({ "kind": "status", "status": 409 }),
            json!({ "kind": "status", "status": 503, "seconds": 7 }),
            page(400),
            page(403),
            page(404),
            page(429),
            page(502),
        ] {
            let placed = desk.paid(gateway).await;
            let refund = desk.begin(&placed, Part::Whole).await;
            let asks_to_wait = fault.get("seconds").is_some();
            desk.fault(gateway, fault.clone()).await;
            let asked = RefundOrder { refund_id: refund, settle_ms: LONG };
            let error = desk.refunds.send(&asked).await.unwrap_err();
            let StepError::Refund { class, retry_after, .. } = error else { panic!("{error}") };
            assert_eq!(class, FailureClass::Retryable, "{gateway}: {fault}");
            assert_eq!(retry_after, asks_to_wait.then_some(Duration::from_secs(7)), "{gateway}: {fault}");
            let given = match desk.try_once(refund, LONG).await {
                Ok(given) => given,
                // Xendit has taken it on and is asked what became of it.
                Err(_) => desk.try_once(refund, LONG).await.unwrap(),
            };
            assert_eq!(desk.settle(given).await, RefundStatus::Completed, "{gateway}: {fault}");
            assert_eq!(desk.given_back(&placed).await, [placed.charge.amount.get()], "{gateway}: {fault}");
        }
    }
    desk.shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_worker_whose_clock_runs_fast_proves_no_absence(pool: PgPoolOptions, database: PgConnectOptions) {
    let ahead = -2 * i32::try_from(LONG / 1_000).unwrap();
    only_proof_of_absence_lets_money_go_to_the_balance(skewed_clock::open(pool, database, ahead).await).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn after_a_lost_call_only_proof_of_absence_lets_money_go_to_the_balance(pool: PgPool) {
    only_proof_of_absence_lets_money_go_to_the_balance(pool).await;
}

async fn only_proof_of_absence_lets_money_go_to_the_balance(pool: PgPool) {
    let desk = Desk::open(pool).await;
    for gateway in ["midtrans", "xendit"] {
        let placed = desk.paid(gateway).await;
        let refund = desk.begin(&placed, Part::Whole).await;
        // The first call got lost on its way, and from then on the gateway refuses.
        desk.fault(gateway, json!({ "kind": "status", "status": 500 })).await;
        assert_eq!(desk.try_once(refund, LONG).await, Err(FailureClass::Retryable), "{gateway}");
        desk.fault(gateway, json!({ "kind": "status", "status": 412, "times": 2 })).await;
        assert_eq!(desk.try_once(refund, LONG).await, Err(FailureClass::Retryable), "{gateway}");
        assert_eq!(desk.give_up(refund).await, RefundStatus::Sent, "{gateway}: it may be on its way");
        let later = desk.try_once(refund, 0).await;
        let (class, status) = match gateway {
            "midtrans" => (FailureClass::Permanent, RefundStatus::ReturnedToWallet),
            // It can't be asked whether it has a refund by our name.
            _ => (FailureClass::Retryable, RefundStatus::Sent),
        };
        assert_eq!((later, desk.give_up(refund).await), (Err(class), status), "{gateway}");
        desk.shop.assert_books_are_sound().await;
    }
}
