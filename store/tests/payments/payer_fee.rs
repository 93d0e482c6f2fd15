//! A gateway may make the payer pay a fee on top of what we charged: it is ours, and never the customer's.

use domain::{
    Rupiah,
    billing::{Evidence, PaymentMethod, PaymentStatus as P},
    dispute::{Reversal, ReversalKind},
    gateway::{GatewayReport, Outcome, WebhookEvent},
    ledger::AccountKind as A,
    order::OrderStatus,
};
use sqlx::PgPool;
use store::{
    disputes::{Decision, DisputeFilter},
    page::PageRequest,
    payments::Payment,
};

use crate::{Shop, webhook_event};

const FEE: i64 = 932;
const PAGE: PageRequest = PageRequest { before: None, limit: 10 };
const ACCEPT: Decision<'static> = Decision::Accept { suspend_server: false, note: None };

/// What the gateway says when it is asked about a payment that was paid with a fee on top.
fn with_fee(payment: &Payment, status: P, key: &str) -> WebhookEvent {
    let event = webhook_event(payment, status, key);
    WebhookEvent {
        report: GatewayReport {
            amount: Some(payment.amount.plus(Rupiah::new(FEE)).unwrap()),
            payer_fee: Some(Rupiah::new(FEE)),
            ..event.report
        },
        ..event
    }
}

fn back(name: &str, amount: i64) -> Reversal {
    Reversal {
        name: name.to_owned(),
        refund_key: None,
        kind: ReversalKind::Refund,
        amount: Some(Rupiah::new(amount)),
        amount_as_received: amount.to_string(),
    }
}

impl Shop {
    async fn on_account(&self, account: A) -> i64 {
        let totals = self.store.trial_balance().await.unwrap();
        totals.iter().find(|total| total.account == account).map_or(0, |total| total.balance.get())
    }

    async fn payer_fees(&self) -> Vec<i64> {
        let (newest, page) = (domain::sorting::PaymentSort::Newest, store::page::SortedRequest::first(10));
        let all = self.store.payments_for_staff(&Default::default(), newest, page).await.unwrap().data;
        all.iter().map(|payment| payment.payer_fee.get()).collect()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn the_customer_has_what_was_charged_and_the_fee_makes_up_for_the_gateways(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    let signed = WebhookEvent { evidence: Some(Evidence::Signed), ..with_fee(&payment, P::Paid, "t:paid") };
    assert_eq!(shop.receive(&signed).await, Outcome::AskFirst, "nothing stands behind the fee");
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);

    for (key, expected) in [("t:paid", true), ("t:again", false)] {
        let moved = shop.receive(&with_fee(&payment, P::Paid, key)).await;
        assert_eq!(matches!(moved, Outcome::Applied { .. }), expected, "{moved:?}");
    }
    assert_eq!(shop.receive(&signed).await, Outcome::AlreadyHandled, "nobody is asked twice");
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!((shop.wallet().await, shop.payer_fees().await), ((0, 0), vec![FEE]));
    assert_eq!(shop.on_account(A::GatewayClearing).await, -payment.amount.get() - FEE);
    assert_eq!(shop.on_account(A::GatewayFees).await, FEE);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn deposits_and_money_that_came_too_late_are_credited_without_the_fee(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let deposit = shop.open_deposit(50_000, "deposit").await;
    shop.receive(&with_fee(&deposit, P::Paid, "deposit:paid")).await;
    let (order, late) = shop.order_by(PaymentMethod::Qris, "order").await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    shop.receive(&with_fee(&late, P::Paid, "late:paid")).await;
    assert_eq!(shop.wallet().await, (50_000 + late.amount.get(), 0));
    assert_eq!(shop.on_account(A::GatewayFees).await, 2 * FEE);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_not_our_amount_with_the_fee_taken_off_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    let with = |gross: Option<i64>, fee: Option<i64>| {
        let event = webhook_event(&payment, P::Paid, "t:paid");
        WebhookEvent {
            report: GatewayReport {
                amount: gross.map(Rupiah::new),
                payer_fee: fee.map(Rupiah::new),
                ..event.report
            },
            ..event
        }
    };
    let charged = payment.amount.get();
    for (gross, fee) in [
        (Some(charged + FEE), None),
        (Some(charged), Some(FEE)),
        (Some(charged + FEE), Some(FEE - 1)),
        (None, Some(FEE)),
    ] {
        let odd = shop.receive(&with(gross, fee)).await;
        assert!(matches!(odd, Outcome::Mismatch { .. }), "{gross:?} {fee:?}: {odd:?}");
    }
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 0);
    // They stand in nobody's way.
    assert!(matches!(shop.receive(&with_fee(&payment, P::Paid, "t:paid")).await, Outcome::Applied { .. }));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_fee_that_goes_back_with_the_money_is_no_loss_of_the_customers(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let deposit = shop.open_deposit(50_000, "deposit").await;
    shop.receive(&with_fee(&deposit, P::Paid, "paid")).await;
    // A part is of what was charged; only the rest can have the fee in it.
    for (n, reversals) in
        [vec![back("a", 20_000)], vec![back("a", 20_000), back("b", 30_000 + FEE)]].into_iter().enumerate()
    {
        let key = n.to_string();
        shop.receive(&{
            let event = with_fee(&deposit, P::Paid, &key);
            WebhookEvent { report: GatewayReport { reversals: reversals.to_vec(), ..event.report }, ..event }
        })
        .await;
    }
    let disputes = shop.store.disputes(&DisputeFilter::default(), PAGE).await.unwrap().data;
    let parts: Vec<_> = disputes.iter().map(|d| (d.amount.get(), d.payer_fee.get())).collect();
    assert_eq!(parts, [(30_000, FEE), (20_000, 0)]);
    for dispute in &disputes {
        shop.store.decide_dispute(dispute.id, &ACCEPT, &shop.anew()).await.unwrap();
    }
    assert_eq!(shop.wallet().await, (0, 0));
    for account in [A::GatewayClearing, A::GatewayFees, A::CustomerReceivable] {
        assert_eq!(shop.on_account(account).await, 0, "{account}");
    }
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_fee_that_goes_back_alone_is_a_dispute_of_nothing_but_the_fee(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let deposit = shop.open_deposit(50_000, "deposit").await;
    shop.receive(&with_fee(&deposit, P::Paid, "paid")).await;
    let after = [vec![back("a", 50_000)], vec![back("a", 50_000), back("b", FEE)]];
    for (n, reversals) in after.iter().enumerate() {
        let key = n.to_string();
        shop.receive(&{
            let event = with_fee(&deposit, P::Paid, &key);
            WebhookEvent { report: GatewayReport { reversals: reversals.to_vec(), ..event.report }, ..event }
        })
        .await;
        let disputes = shop.store.disputes(&DisputeFilter::default(), PAGE).await.unwrap().data;
        let open = disputes.iter().find(|dispute| dispute.decided_at.is_none()).unwrap();
        assert_eq!((open.amount.get(), open.payer_fee.get()), [(50_000, 0), (0, FEE)][n]);
        shop.store.decide_dispute(open.id, &ACCEPT, &shop.anew()).await.unwrap();
        assert_eq!(shop.on_account(A::GatewayClearing).await, [-FEE, 0][n]);
        shop.assert_books_are_sound().await;
    }
    assert_eq!((shop.wallet().await, shop.on_account(A::GatewayFees).await), ((0, 0), 0));
    // Said again, it is no news.
    shop.receive(&{
        let event = with_fee(&deposit, P::Paid, "again");
        WebhookEvent { report: GatewayReport { reversals: after[1].to_vec(), ..event.report }, ..event }
    })
    .await;
    assert_eq!(shop.count("SELECT count(*) FROM disputes").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_withdrawn_takes_the_fee_along_and_what_came_and_went_pays_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.receive(&with_fee(&payment, P::Paid, "paid")).await;
    shop.receive(&with_fee(&payment, P::Denied, "denied")).await;
    let dispute = shop.store.disputes(&DisputeFilter::default(), PAGE).await.unwrap().data.remove(0);
    assert_eq!((dispute.amount, dispute.payer_fee.get()), (payment.amount, FEE));
    shop.store.decide_dispute(dispute.id, &ACCEPT, &shop.anew()).await.unwrap();
    assert_eq!(shop.on_account(A::GatewayClearing).await, 0);

    let gone = shop.open_deposit(50_000, "deposit").await;
    let all = [back("all", 50_000 + FEE)];
    shop.receive(&{
        let event = with_fee(&gone, P::Paid, "gone");
        WebhookEvent { report: GatewayReport { reversals: all.to_vec(), ..event.report }, ..event }
    })
    .await;
    assert_eq!(shop.payment_status(gone.id).await, P::Cancelled);
    assert_eq!(shop.on_account(A::GatewayFees).await, 0);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_database_and_the_check_hold_what_a_fee_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    let (_, open) = shop.order().await;
    let by_hand = shop.order_by(PaymentMethod::ManualTransfer, "transfer").await.1;
    let paid = shop.open_deposit(50_000, "deposit").await;
    shop.receive(&with_fee(&paid, P::Paid, "paid")).await;
    for (payment, sql) in [
        (open.id, "UPDATE payments SET payer_fee = 1 WHERE id = $1"),
        (open.id, "UPDATE payments SET payer_fee = -1, status = 'PAID', paid_at = now() WHERE id = $1"),
        (by_hand.id, "UPDATE payments SET payer_fee = 1, status = 'PAID', paid_at = now() WHERE id = $1"),
        (paid.id, "UPDATE payments SET payer_fee = 0 WHERE id = $1"),
    ] {
        let refused = sqlx::query(sql).bind(payment.0).execute(&shop.pool).await;
        assert!(refused.is_err(), "{sql}");
    }
    shop.assert_books_are_sound().await;
    let mut forced = shop.pool.begin().await.unwrap();
    for sql in ["SET LOCAL session_replication_role = replica", "UPDATE payments SET payer_fee = 0"] {
        sqlx::query(sql).execute(&mut *forced).await.unwrap();
    }
    forced.commit().await.unwrap();
    let report = shop.store.check_ledger().await.unwrap();
    let broken: Vec<_> = report.findings.iter().filter(|f| f.count > 0).map(|f| f.rule.as_ref()).collect();
    assert_eq!(broken, ["every fee that a payer paid is in the books, and no other"]);
}
