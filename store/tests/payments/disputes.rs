//! Money that gateways take back: told once, decided once, and in the books.

mod guards;

use domain::{
    Rupiah,
    billing::{Evidence, InvoiceStatus, PaymentMethod, PaymentStatus as P},
    dispute::{DisputeStatus, Reversal, ReversalKind},
    gateway::{GatewayReport, Outcome, WebhookEvent},
    ids::{DisputeId, OrderId},
    ledger::AccountKind,
    order::OrderStatus,
    refund::RefundDestination,
};
use sqlx::PgPool;
use store::{
    StoreError,
    disputes::{Decision, Dispute, DisputeFilter},
    page::PageRequest,
    payments::Payment,
    refunds::{Part, RefundError},
};

use crate::{Shop, webhook_event};

const ACCEPT: Decision<'static> = Decision::Accept { suspend_server: false, note: None };

/// A reversal by its name at the gateway, which is also what it was asked for by.
fn taken(name: &str, kind: ReversalKind, amount: i64) -> Reversal {
    Reversal {
        name: name.to_owned(),
        kind,
        refund_key: Some(name.to_owned()),
        amount: Some(Rupiah::new(amount)),
        amount_as_received: amount.to_string(),
    }
}

/// What Midtrans says about a paid payment of which something was taken back.
fn reports(payment: &Payment, reversals: &[Reversal]) -> WebhookEvent {
    let event = webhook_event(payment, P::Paid, &reversals[0].name);
    WebhookEvent { report: GatewayReport { reversals: reversals.to_vec(), ..event.report }, ..event }
}

impl Shop {
    async fn all_disputes(&self) -> Vec<Dispute> {
        let page = PageRequest { before: None, limit: 20 };
        self.store.disputes(&DisputeFilter::default(), page).await.unwrap().data
    }

    async fn decide(&self, dispute: DisputeId, decision: Decision<'_>) -> Result<Dispute, StoreError> {
        self.decide_as(dispute, decision, &format!("{decision:?}")).await
    }

    async fn decide_as(
        &self,
        dispute: DisputeId,
        decision: Decision<'_>,
        key: &str,
    ) -> Result<Dispute, StoreError> {
        self.store.decide_dispute(dispute, &decision, &self.act(key)).await
    }

    /// A paid order of which the gateway says that all of it was withdrawn.
    async fn withdrawn(&self, status: P) -> (OrderId, Payment, Dispute) {
        let (order, payment) = self.order().await;
        self.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
        let disputed = self.receive(&webhook_event(&payment, status, "t:after")).await;
        assert!(matches!(disputed, Outcome::Disputed { .. }), "{disputed:?}");
        (order, payment, self.all_disputes().await.remove(0))
    }

    async fn total(&self, account: AccountKind) -> i64 {
        let totals = self.store.trial_balance().await.unwrap();
        totals.iter().find(|total| total.account == account).map_or(0, |total| total.balance.get())
    }

    async fn alerts(&self) -> i64 {
        self.count("SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_DISPUTED'").await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn whatever_takes_settled_money_back_is_a_dispute_and_told_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for (n, status) in [P::Denied, P::Cancelled, P::Expired].into_iter().enumerate() {
        let (order, payment) = shop.order_by(PaymentMethod::Qris, &format!("order-{n}")).await;
        shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
        // A signature is not enough, and the answer to the question counts however often it is given.
        let signed =
            WebhookEvent { evidence: Some(Evidence::Signed), ..webhook_event(&payment, status, "t:after") };
        assert_eq!(shop.receive(&signed).await, Outcome::AskFirst, "{status}");
        assert_eq!(shop.all_disputes().await.len(), n);
        for again in 0..3 {
            let key = format!("t:after:{again}");
            shop.receive(&webhook_event(&payment, status, &key)).await;
        }
        let dispute = shop.all_disputes().await.remove(0);
        assert_eq!((dispute.kind, dispute.amount), (ReversalKind::Withdrawn, payment.amount));
        assert_eq!((dispute.order_id, dispute.status), (Some(order), DisputeStatus::Open));
        assert_eq!(shop.payment_status(payment.id).await, P::Paid, "nothing moves by itself");
        assert_eq!(shop.status(order).await, OrderStatus::Paid);
    }
    assert_eq!((shop.all_disputes().await.len(), shop.alerts().await), (3, 3));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn parts_and_chargebacks_are_disputes_of_their_own_up_to_what_was_paid(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    let part = taken("k1", ReversalKind::Refund, 40_000);
    let signed = [part.clone()];
    let by_signature = WebhookEvent { evidence: Some(Evidence::Signed), ..reports(&payment, &signed) };
    assert_eq!(shop.receive(&by_signature).await, Outcome::AskFirst);
    shop.receive(&reports(&payment, &signed)).await;
    let both = [part, taken("c1", ReversalKind::Chargeback, 1_000_000)];
    shop.receive(&WebhookEvent { dedupe_key: "both".into(), ..reports(&payment, &both) }).await;
    let found: Vec<_> = shop.all_disputes().await.iter().map(|d| (d.kind, d.amount.get())).collect();
    let rest = payment.amount.get() - 40_000;
    assert_eq!(found, [(ReversalKind::Chargeback, rest), (ReversalKind::Refund, 40_000)]);
    assert_eq!(shop.alerts().await, 2);
    // Nothing is left, and it is told all the same.
    let more = [taken("k9", ReversalKind::Refund, 5)];
    assert_eq!(shop.receive(&reports(&payment, &more)).await, Outcome::Ignored);
    let misfits = "SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_ALERT'";
    assert_eq!(shop.count(misfits).await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn refunds_that_we_asked_for_stay_quiet_unless_they_came_to_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    let part = Part::Amount(Rupiah::new(30_000));
    let ours = shop.refund(order, part, RefundDestination::Gateway).await.unwrap().refund;
    let key = ours.id.to_string();
    let quiet = [taken(&key, ReversalKind::Refund, 30_000)];
    let signed = WebhookEvent { evidence: Some(Evidence::Signed), ..reports(&payment, &quiet) };
    assert_eq!(shop.receive(&signed).await, Outcome::Ignored, "nobody has to be asked");
    assert_eq!(shop.all_disputes().await.len(), 0);
    // More than we asked for is not ours.
    let more = [taken(&key, ReversalKind::Refund, 50_000)];
    shop.receive(&WebhookEvent { dedupe_key: "more".into(), ..reports(&payment, &more) }).await;
    assert_eq!(shop.all_disputes().await[0].amount.get(), 20_000);
    // What the gateway certainly did not give back, it did.
    let other = shop.refund(order, part, RefundDestination::Gateway).await.unwrap().refund;
    shop.store.return_refund(other.id, "refused").await.unwrap();
    let after_all = [taken(&other.id.to_string(), ReversalKind::Refund, 30_000)];
    shop.receive(&reports(&payment, &after_all)).await;
    assert_eq!(shop.all_disputes().await[0].amount.get(), 30_000);
    // What is in dispute does not go back a second time.
    let rest = Part::Amount(Rupiah::new(payment.amount.get() - 30_000));
    let refused = shop.refund(order, rest, RefundDestination::Gateway).await;
    assert!(matches!(refused, Err(RefundError::TooMuch { .. })), "{refused:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn money_that_came_and_went_before_we_heard_of_it_pays_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    let all = [taken("k1", ReversalKind::Refund, payment.amount.get())];
    let signed = WebhookEvent { evidence: Some(Evidence::Signed), ..reports(&payment, &all) };
    assert_eq!(shop.receive(&signed).await, Outcome::AskFirst);
    shop.receive(&reports(&payment, &all)).await;
    assert_eq!(shop.payment_status(payment.id).await, P::Cancelled);
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    assert_eq!(shop.all_disputes().await.len(), 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_that_loses_all_its_money_before_it_has_a_server_ends(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment, dispute) = shop.withdrawn(P::Denied).await;
    let after = shop.decide(dispute.id, ACCEPT).await.unwrap();
    assert_eq!((after.status, after.receivable), (DisputeStatus::Accepted, Some(Rupiah::ZERO)));
    let read = shop.store.any_order(order).await.unwrap();
    assert_eq!((read.status, read.invoice.status), (OrderStatus::Refunded, InvoiceStatus::Refunded));
    assert_eq!(shop.count("SELECT count(*) FROM credit_notes").await, 1);
    assert_eq!(shop.total(AccountKind::GatewayClearing).await, 0, "the gateway holds nothing of it any more");
    assert_eq!(shop.wallet().await, (0, 0));
    assert_eq!(shop.payment_status(payment.id).await, P::Paid);
    shop.assert_books_are_sound().await;
    // The same decision again, and another one.
    let same = shop.decide(dispute.id, ACCEPT).await.unwrap();
    assert_eq!(same.decided_at, after.decided_at);
    for decision in [ACCEPT, Decision::Dismiss { reason: "no" }] {
        let refused = shop.decide_as(dispute.id, decision, "another key").await;
        let is_conflict = matches!(refused, Err(StoreError::Conflict { object: store::Object::Dispute, .. }));
        assert!(is_conflict || matches!(refused, Err(StoreError::IdempotencyMismatch)), "{refused:?}");
    }
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements WHERE kind = 'DISPUTE'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'dispute.accept'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_running_order_gives_up_what_is_not_served_first_and_its_server_by_choice(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    shop.activate(order).await;
    let before = shop.in_order(order).await;
    let part = [taken("k1", ReversalKind::Refund, 50_000)];
    shop.receive(&reports(&payment, &part)).await;
    let dispute = shop.all_disputes().await.remove(0);
    let accept = Decision::Accept { suspend_server: true, note: Some("by the bank") };
    let after = shop.decide(dispute.id, accept).await.unwrap();
    assert!(after.suspends_server);
    let left = shop.in_order(order).await;
    assert_eq!(before.total().unwrap().minus(left.total().unwrap()).unwrap().get(), 50_000);
    assert_eq!(left.revenue, before.revenue, "what is not served yet goes first");
    assert_eq!(shop.status(order).await, OrderStatus::Active);
    let actions = "SELECT action FROM instance_actions WHERE requested_by = 'user' ORDER BY id";
    assert_eq!(shop.texts(actions).await, ["power_off"]);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_that_is_not_there_can_not_be_suspended_and_nothing_moves(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, _, dispute) = shop.withdrawn(P::Denied).await;
    let refused = shop.decide(dispute.id, Decision::Accept { suspend_server: true, note: None }).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict { object: store::Object::Instance, .. })),
        "{refused:?}"
    );
    assert_eq!(shop.all_disputes().await[0].status, DisputeStatus::Open);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements WHERE kind = 'DISPUTE'").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_customer_has_spent_already_is_owed_and_the_balance_is_never_below_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let deposit = shop.open_deposit(200_000, "deposit").await;
    shop.receive(&webhook_event(&deposit, P::Paid, "t:settlement")).await;
    shop.order_from_balance("spent").await.unwrap();
    let (left, held) = shop.wallet().await;
    assert_eq!(left + held, 200_000);
    shop.receive(&webhook_event(&deposit, P::Denied, "t:deny")).await;
    let dispute = shop.all_disputes().await.remove(0);
    assert_eq!(dispute.deposit_id, deposit.deposit_id);
    let after = shop.decide(dispute.id, ACCEPT).await.unwrap();
    assert_eq!(after.receivable, Some(Rupiah::new(200_000 - left)));
    assert_eq!(shop.wallet().await, (0, held));
    assert_eq!(shop.total(AccountKind::CustomerReceivable).await, left - 200_000);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_went_back_to_the_balance_before_is_taken_from_there(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment, dispute) = shop.withdrawn(P::Cancelled).await;
    shop.refund(order, Part::Whole, RefundDestination::Wallet).await.unwrap();
    assert_eq!(shop.wallet().await.0, payment.amount.get());
    let after = shop.decide(dispute.id, ACCEPT).await.unwrap();
    assert_eq!((after.receivable, shop.wallet().await), (Some(Rupiah::ZERO), (0, 0)));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_dismissed_dispute_moves_nothing_and_can_still_be_accepted(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment, dispute) = shop.withdrawn(P::Denied).await;
    let dismissed =
        shop.decide(dispute.id, Decision::Dismiss { reason: "a mistake of theirs" }).await.unwrap();
    assert_eq!(dismissed.note.as_deref(), Some("a mistake of theirs"));
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    shop.assert_books_are_sound().await;
    // It is not told again.
    shop.receive(&webhook_event(&payment, P::Denied, "t:again")).await;
    assert_eq!((shop.all_disputes().await.len(), shop.alerts().await), (1, 1));
    assert_eq!(shop.decide(dispute.id, ACCEPT).await.unwrap().status, DisputeStatus::Accepted);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_dismissed_and_went_back_otherwise_since_can_not_be_accepted(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    shop.receive(&reports(&payment, &[taken("k1", ReversalKind::Refund, 40_000)])).await;
    let part = shop.all_disputes().await.remove(0);
    shop.decide(part.id, Decision::Dismiss { reason: "a mistake of theirs" }).await.unwrap();
    shop.receive(&webhook_event(&payment, P::Denied, "t:deny")).await;
    let refused = shop.decide(part.id, ACCEPT).await;
    assert!(
        matches!(&refused, Err(StoreError::Conflict { object: store::Object::Dispute, state }) if state.starts_with("DISMISSED,")),
        "{refused:?}"
    );
    let all = shop.all_disputes().await.remove(0);
    assert_eq!((all.amount, all.status), (payment.amount, DisputeStatus::Open));
    shop.decide(all.id, ACCEPT).await.unwrap();
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_decides_on_a_dispute_of_their_own(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let own = Shop { customer: shop.admin, ..shop.clone() };
    let (_, _, dispute) = own.withdrawn(P::Denied).await;
    for decision in [ACCEPT, Decision::Dismiss { reason: "mine" }] {
        let refused = own.decide(dispute.id, decision).await;
        assert!(matches!(refused, Err(StoreError::OwnMoney)), "{refused:?}");
    }
    assert_eq!(shop.all_disputes().await[0].status, DisputeStatus::Open);
}

#[sqlx::test(migrations = "../migrations")]
async fn several_administrators_at_once_book_it_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, _, dispute) = shop.withdrawn(P::Denied).await;
    let decide = |key: &'static str| {
        let (store, act) = (shop.store.clone(), shop.act(key));
        async move { store.decide_dispute(dispute.id, &ACCEPT, &act).await }
    };
    let all = futures::future::join_all(["a", "b", "c", "d", "e", "f"].map(decide)).await;
    assert_eq!(all.iter().filter(|decided| decided.is_ok()).count(), 1);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements WHERE kind = 'DISPUTE'").await, 1);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_check_of_the_books_sees_what_is_missing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    shop.withdrawn(P::Denied).await;
    let broken = async || {
        let report = shop.store.check_ledger().await.unwrap();
        report.findings.into_iter().filter(|f| f.count > 0).map(|f| f.rule.into_owned()).collect::<Vec<_>>()
    };
    assert!(broken().await.is_empty());
    // Accepted by a hand that did not book it.
    let mut forced = shop.pool.begin().await.unwrap();
    sqlx::query("UPDATE disputes SET status = 'ACCEPTED', decided_at = now(), receivable = 5")
        .execute(&mut *forced)
        .await
        .unwrap();
    forced.commit().await.unwrap();
    assert_eq!(
        broken().await,
        [
            "every accepted dispute is in the books with its amount, and no other",
            "what customers owe us is what accepted disputes say"
        ]
    );
    let mut forced = shop.pool.begin().await.unwrap();
    for sql in ["SET LOCAL session_replication_role = replica", "DELETE FROM disputes"] {
        sqlx::query(sql).execute(&mut *forced).await.unwrap();
    }
    forced.commit().await.unwrap();
    assert_eq!(broken().await, ["every report that takes paid money back has its dispute"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn disputes_are_found_by_what_they_are_about(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment, dispute) = shop.withdrawn(P::Denied).await;
    let page = PageRequest { before: None, limit: 10 };
    let all = DisputeFilter::default;
    for (filter, found) in [
        (DisputeFilter { order: Some(order), ..all() }, 1),
        (DisputeFilter { payment: Some(payment.id), status: Some(DisputeStatus::Open), ..all() }, 1),
        (DisputeFilter { kind: Some(ReversalKind::Refund), ..all() }, 0),
        (DisputeFilter { gateway: Some("xendit".to_owned()), ..all() }, 0),
        (DisputeFilter { customer: Some(shop.admin), ..all() }, 0),
    ] {
        assert_eq!(shop.store.disputes(&filter, page).await.unwrap().data.len(), found, "{filter:?}");
    }
    let (newest, page) = (domain::sorting::PaymentSort::Newest, store::page::SortedRequest::first(10));
    let shown =
        shop.store.payments_for_staff(&Default::default(), newest, page).await.unwrap().data.remove(0);
    assert_eq!((shown.disputed, shown.open_disputes), (payment.amount, 1));
    assert_eq!(shop.store.dispute(dispute.id).await.unwrap().name, "denied");
}
