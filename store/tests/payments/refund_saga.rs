//! A refund's way through its gateway, step by step: each may be taken twice, and the money ends in one place.

mod guards;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentStatus as P},
    ids::{OrderId, RefundId},
    order::OrderStatus,
    refund::{RefundDestination as To, RefundPolicy, RefundStatus},
    sweep::SweepRules,
};
use sqlx::PgPool;
use store::{
    StoreError,
    payments::Approval,
    refunds::{Part, RefundError},
    sweep::OpenWork,
};

use crate::{Shop, webhook_event};

impl Shop {
    async fn sent_back(&self, order: OrderId) -> RefundId {
        self.refund(order, Part::Whole, To::Gateway).await.unwrap().refund.id
    }

    async fn refund_status(&self, refund: RefundId) -> RefundStatus {
        self.store.refund(refund).await.unwrap().status
    }

    async fn owed(&self) -> i64 {
        self.count(
            "SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger_entries e
             JOIN ledger_accounts a ON a.id = e.account_id WHERE a.kind = 'REFUNDS_PAYABLE'",
        )
        .await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_gateway_gave_back_is_settled_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let refund = shop.sent_back(order).await;
    assert_eq!(shop.status(order).await, OrderStatus::Refunded);
    assert_eq!((shop.wallet().await, shop.owed().await), ((0, 0), total));
    shop.assert_books_are_sound().await;

    let call = shop.store.begin_refund_call(refund).await.unwrap().unwrap();
    assert_eq!((call.number, call.in_doubt_since), (1, None));
    assert_eq!(shop.refund_status(refund).await, RefundStatus::Sent);
    for _ in 0..2 {
        let status = shop.store.settle_refund(refund, Some("rfd-1")).await.unwrap();
        assert_eq!(status, RefundStatus::Completed);
    }
    // Whoever comes late finds nothing to do.
    assert_eq!(shop.store.begin_refund_call(refund).await.unwrap(), None);
    assert_eq!(shop.store.return_refund(refund, "late").await.unwrap(), RefundStatus::Completed);
    shop.store.refund_call_refused(refund, call, true, "late").await.unwrap();
    let ended = shop.store.refund(refund).await.unwrap();
    assert_eq!((ended.last_error, ended.gateway_refund_id.as_deref()), (None, Some("rfd-1")));
    assert_eq!((shop.wallet().await, shop.owed().await), ((0, 0), 0));
    let steps = "SELECT step FROM order_timeline WHERE step LIKE 'money%' ORDER BY id";
    assert_eq!(shop.texts(steps).await, ["money_on_its_way", "money_returned"]);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_gateway_refused_is_undone_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let refund = shop.sent_back(order).await;
    let call = shop.store.begin_refund_call(refund).await.unwrap().unwrap();
    // While a call is out nobody knows.
    assert_eq!(shop.store.return_refund(refund, "gave up").await.unwrap(), RefundStatus::Sent);
    shop.store.refund_call_refused(refund, call, false, "midtrans refused with 412").await.unwrap();
    for _ in 0..2 {
        let status = shop.store.return_refund(refund, "gave up").await.unwrap();
        assert_eq!(status, RefundStatus::ReturnedToWallet);
    }
    assert_eq!(shop.store.settle_refund(refund, None).await.unwrap(), RefundStatus::ReturnedToWallet);
    assert_eq!((shop.wallet().await, shop.owed().await), ((total, 0), 0));
    let refused = shop.store.refund(refund).await.unwrap().last_error;
    assert_eq!(refused.as_deref(), Some("midtrans refused with 412"));
    let retried = shop.store.retry_refund(refund, RefundPolicy::default(), &shop.admins_origin()).await;
    assert!(
        matches!(retried, Err(StoreError::Conflict { object: store::Object::Refund, .. })),
        "{retried:?}"
    );
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_never_asked_for_is_undone(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let refund = shop.sent_back(order).await;
    shop.store.note_refund_trouble(refund, "midtrans is not set up here").await.unwrap();
    assert_eq!(shop.store.return_refund(refund, "gave up").await.unwrap(), RefundStatus::ReturnedToWallet);
    assert_eq!(shop.store.begin_refund_call(refund).await.unwrap(), None);
    assert_eq!(shop.wallet().await, (total, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn doubt_keeps_the_money_where_it_is(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let refund = shop.sent_back(order).await;
    let lost = shop.store.begin_refund_call(refund).await.unwrap().unwrap();
    shop.store.refund_call_open(refund, None, "no answer").await.unwrap();
    let refused = shop.store.begin_refund_call(refund).await.unwrap().unwrap();
    let since: Option<DateTime<Utc>> = refused.in_doubt_since;
    assert!(since.is_some());
    // The first one's late refusal says nothing while the second is out.
    shop.store.refund_call_refused(refund, lost, false, "refused").await.unwrap();
    assert_eq!(shop.store.return_refund(refund, "gave up").await.unwrap(), RefundStatus::Sent);
    // The second one's refusal leaves what the first one left open.
    shop.store.refund_call_refused(refund, refused, false, "refused").await.unwrap();
    assert_eq!(shop.store.refund(refund).await.unwrap().in_doubt_since, since);
    assert_eq!(shop.store.return_refund(refund, "gave up").await.unwrap(), RefundStatus::Sent);
    assert_eq!((shop.wallet().await, shop.owed().await), ((0, 0), total));
    shop.assert_books_are_sound().await;

    let asked =
        shop.store.retry_refund(refund, RefundPolicy::default(), &shop.admins_origin()).await.unwrap();
    assert_eq!((asked.status, asked.last_error.as_deref()), (RefundStatus::Sent, Some("refused")));
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'start_refund'").await, 2);
    let third = shop.store.begin_refund_call(refund).await.unwrap().unwrap();
    shop.store.refund_call_refused(refund, third, true, "refused, and not there").await.unwrap();
    assert_eq!(shop.store.return_refund(refund, "gave up").await.unwrap(), RefundStatus::ReturnedToWallet);
    assert_eq!(shop.wallet().await, (total, 0));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn only_codes_lead_back_and_only_what_they_brought(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let unavailable = |outcome| matches!(outcome, Err(RefundError::ChannelUnavailable(_)));
    let (by_transfer, _) = shop.order_by(PaymentMethod::ManualTransfer, "transfer").await;
    shop.store.approve_payment(by_transfer, &Approval::default(), &shop.anew()).await.unwrap();
    assert!(unavailable(shop.refund(by_transfer, Part::Whole, To::Gateway).await));
    shop.deposit(500_000, "deposit").await;
    let from_balance = shop.order_from_balance("balance").await.unwrap().order_id;
    assert!(unavailable(shop.refund(from_balance, Part::Whole, To::Gateway).await));
    let (by_code, qris) = shop.order().await;
    shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    let elsewhere =
        store::refunds::NewRefund { gateways: &["xendit"], ..shop.new_refund(Part::Whole, To::Gateway) };
    let refused = shop.store.refund_order(by_code, &elsewhere, &shop.anew()).await;
    assert!(unavailable(refused));
    assert_eq!(shop.count("SELECT count(*) FROM refunds").await, 0);
    assert_eq!(shop.status(by_code).await, OrderStatus::Paid);
    let too_much = Part::Amount(Rupiah::new(qris.amount.get() + 1));
    let refused = shop.refund(by_code, too_much, To::Gateway).await;
    assert!(matches!(refused, Err(RefundError::TooMuch { .. })), "{refused:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_database_holds_the_same_arrows_as_the_rules(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut rules: Vec<String> = RefundStatus::ALL
        .iter()
        .flat_map(|from| RefundStatus::ALL.iter().map(move |to| (from, to)))
        .filter(|(from, to)| from.may_become(**to))
        .map(|(from, to)| format!("{from} {to}"))
        .collect();
    rules.sort();
    let held = shop.texts("SELECT from_status || ' ' || to_status FROM refund_transitions ORDER BY 1").await;
    assert_eq!(held, rules);
}

/// Its workflow ended since the gateway said nothing final for long, or the engine lost it.
#[sqlx::test(migrations = "../migrations")]
async fn a_refund_without_a_workflow_is_begun_again_once_a_day(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.paid_order().await;
    let refund = shop.sent_back(order).await;
    let rules = SweepRules::default();
    let lost = async || {
        let expected = shop.store.expected_workflows(&rules).await.unwrap();
        let refunds = expected.into_iter().map(|expected| expected.work);
        refunds.filter(|work| matches!(work, OpenWork::Refund(_))).collect::<Vec<_>>()
    };
    let later = async |changes: &[&'static str]| {
        for change in changes {
            sqlx::query(*change).execute(&shop.pool).await.unwrap();
        }
    };
    let delivered = "UPDATE outbox SET dispatched_at = now() WHERE dispatched_at IS NULL";
    let minutes = "UPDATE refunds SET updated_at = now() - interval '3 minutes'";
    later(&[minutes]).await;
    assert!(lost().await.is_empty(), "its first message is on its way");
    later(&[delivered]).await;
    let work = [OpenWork::Refund(refund)];
    assert_eq!(lost().await, work);
    for _ in 0..2 {
        assert_eq!(shop.store.wake_lost(&work, RefundPolicy::default()).await.unwrap(), 1);
    }
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE dispatched_at IS NULL").await, 2);
    later(&[delivered, minutes]).await;
    assert!(lost().await.is_empty(), "it was begun again today");
    later(&["UPDATE refunds SET woken_at = now() - interval '25 hours'"]).await;
    assert_eq!(lost().await, work);
    shop.store.begin_refund_call(refund).await.unwrap();
    shop.store.settle_refund(refund, None).await.unwrap();
    later(&[minutes]).await;
    assert!(lost().await.is_empty(), "what has ended needs no workflow");
    assert_eq!(shop.store.wake_lost(&work, RefundPolicy::default()).await.unwrap(), 0);
}
