use domain::{
    billing::{Evidence, InvoiceStatus, PaymentMethod, PaymentOutcome, PaymentStatus as P, WebhookOutcome},
    gateway::{About, GatewayReport, Outcome, WebhookEvent},
    order::OrderStatus,
};
use sqlx::PgPool;
use store::payments::{NewAttempt, Payment};
use tokio::task::JoinSet;

use crate::{MIDTRANS, Shop, plus_one, request, step_words, webhook_event};

const EFFECTS: &[(&str, i64)] = &[
    ("SELECT count(*) FROM webhook_events", 1),
    ("SELECT count(*) FROM payments WHERE status = 'PAID' AND outcome = 'APPLIED'", 1),
    ("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'", 1),
    ("SELECT count(*) FROM order_timeline WHERE step = 'payment_confirmed'", 1),
    ("SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_CONFIRMED'", 1),
];

fn outcome(intake: Outcome) -> Option<PaymentOutcome> {
    match intake {
        Outcome::Applied { outcome, .. } => outcome,
        other => panic!("{other:?}"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn fifty_identical_notifications_at_once_are_one_payment(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    let mut copies = JoinSet::new();
    for _ in 0..50 {
        let (store, payment) = (shop.store.clone(), payment.clone());
        copies.spawn(async move {
            store.apply_webhook_event(&webhook_event(&payment, P::Paid, "t:settlement")).await
        });
    }
    let answers: Vec<Outcome> = copies.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|a| matches!(a, Outcome::Applied { .. })).count(), 1);
    assert_eq!(answers.iter().filter(|a| **a == Outcome::AlreadyHandled).count(), 49);

    let paid = shop.store.any_order(order).await.unwrap();
    assert_eq!((paid.status, paid.invoice.status), (OrderStatus::Paid, InvoiceStatus::Paid));
    assert!(paid.paid_at.is_some());
    for (sql, expected) in EFFECTS {
        assert_eq!(shop.count(sql).await, *expected, "{sql}");
    }
    let steps = shop.store.any_timeline(order).await.unwrap();
    let message = format!("QRIS payment received: {}.", payment.amount);
    assert!(steps.iter().any(|step| step_words(step) == message), "{steps:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn money_stays_whatever_is_told_afterwards(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    for (status, intake) in
        [(P::Expired, Outcome::AskFirst), (P::Denied, Outcome::AskFirst), (P::Pending, Outcome::Ignored)]
    {
        let late =
            WebhookEvent { evidence: Some(Evidence::Signed), ..webhook_event(&payment, status, "t:late") };
        assert_eq!(shop.receive(&late).await, intake, "{status}");
    }
    // The gateway says that it is paid.
    assert_eq!(shop.receive(&webhook_event(&payment, P::Paid, "t:late")).await, Outcome::Ignored);
    assert_eq!(shop.payment_status(payment.id).await, P::Paid);
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_expiry_closes_the_attempt_only_and_money_reopens_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    assert_eq!(outcome(shop.receive(&webhook_event(&payment, P::Expired, "t:expire")).await), None);
    assert_eq!(shop.payment_status(payment.id).await, P::Expired);
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    assert_eq!(shop.count("SELECT count(*) FROM order_timeline WHERE step = 'payment_closed'").await, 1);

    // A signature alone opens nothing that is closed.
    let signed =
        WebhookEvent { evidence: Some(Evidence::Signed), ..webhook_event(&payment, P::Paid, "t:settlement") };
    assert_eq!(shop.receive(&signed).await, Outcome::AskFirst);
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    let late = shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert_eq!(outcome(late), Some(PaymentOutcome::Applied));
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_event_without_effect_does_not_use_up_the_identity_of_one_that_has(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    // The same words with a status code that means nothing yet, and then with the one that means money.
    let signed = |status| WebhookEvent {
        evidence: Some(Evidence::Signed),
        ..webhook_event(&payment, status, "t:settlement:accept")
    };
    assert_eq!(shop.receive(&signed(P::Pending)).await, Outcome::Ignored);
    assert_eq!(outcome(shop.receive(&signed(P::Paid)).await), Some(PaymentOutcome::Applied));
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.receive(&signed(P::Paid)).await, Outcome::AlreadyHandled);
}

#[sqlx::test(migrations = "../migrations")]
async fn no_proof_is_kept_whoever_writes_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    let proof = "ab".repeat(64);
    let body = format!(
        r#"{{"order_id":"WB-1", "signature_key" : "{proof}","verification_token":"t0k\"en","amount":1}}"#
    );
    shop.receive(&WebhookEvent {
        body: body.as_bytes().to_vec(),
        ..webhook_event(&payment, P::Pending, "t:pending")
    })
    .await;
    let nested = format!("not json at all {proof}");
    let forged = WebhookOutcome::BadSignature;
    shop.store.keep_unbelieved(MIDTRANS, forged, "wrong", nested.as_bytes()).await.unwrap();
    shop.store.keep_unbelieved(MIDTRANS, forged, "wrong", b"\xff\x00 no text").await.unwrap();
    let kept = shop.texts("SELECT encode(body, 'escape') FROM webhook_events ORDER BY id").await;
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|body| !body.contains("abab") && !body.contains("t0k")), "{kept:?}");
    assert_eq!(
        kept[0],
        r#"{"order_id":"WB-1", "signature_key" : "[redacted]","verification_token":"[redacted]","amount":1}"#
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn what_can_not_be_read_is_kept_and_told_of(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for _ in 0..2 {
        assert!(shop.store.keep_unreadable(MIDTRANS, "its transaction_status is ``", b"{}").await.unwrap());
    }
    let told = "SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_ALERT'";
    assert_eq!(shop.count(told).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNREADABLE'").await, 2);
}

#[sqlx::test(migrations = "../migrations")]
async fn another_amount_moves_nothing_and_does_not_stand_in_the_way(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    let right = webhook_event(&payment, P::Paid, "t:settlement");
    for (amount, words) in [(Some(plus_one(payment.amount)), "1 too many"), (None, "5539.50 IDR")] {
        let wrong = {
            let event = right.clone();
            WebhookEvent {
                report: GatewayReport { amount, amount_as_received: words.into(), ..event.report },
                ..event
            }
        };
        for _ in 0..2 {
            let refused = Outcome::Mismatch { payment_id: payment.id, expected: payment.amount };
            assert_eq!(shop.receive(&wrong).await, refused);
        }
    }
    assert_eq!(shop.payment_status(payment.id).await, P::Pending);
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'MISMATCH'").await, 2);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 0);

    assert_eq!(outcome(shop.receive(&right).await), Some(PaymentOutcome::Applied));
    assert_eq!(shop.receive(&right).await, Outcome::AlreadyHandled);
    // An event that was handled does not make a wrong amount right.
    let wrong = {
        let event = right.clone();
        WebhookEvent {
            report: GatewayReport { amount: Some(plus_one(payment.amount)), ..event.report },
            ..event
        }
    };
    let refused = Outcome::Mismatch { payment_id: payment.id, expected: payment.amount };
    assert_eq!(shop.receive(&wrong).await, refused);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_late_payment_revives_the_order_if_it_can_still_be_had(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.store.expire_order(order).await.unwrap();
    assert_eq!(shop.status(order).await, OrderStatus::Expired);
    let late = shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert_eq!(outcome(late), Some(PaymentOutcome::Revived));
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_late_payment_for_what_is_sold_out_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.store.expire_order(order).await.unwrap();
    sqlx::query("UPDATE plans SET stock_limit = 0").execute(&shop.pool).await.unwrap();
    let late = shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert_eq!(outcome(late), Some(PaymentOutcome::Credited));
    assert_eq!(shop.status(order).await, OrderStatus::Expired);
    assert_credited(&shop, &payment).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_late_payment_for_an_image_that_was_retired_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.store.expire_order(order).await.unwrap();
    sqlx::query("UPDATE image_sources SET unavailable_since = now(), unavailable_reason = 'gone'")
        .execute(&shop.pool)
        .await
        .unwrap();
    let late = shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert_eq!(outcome(late), Some(PaymentOutcome::Credited));
    assert_eq!(shop.status(order).await, OrderStatus::Expired);
    assert_credited(&shop, &payment).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_payment_after_cancellation_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    assert_eq!(shop.payment_status(payment.id).await, P::Cancelled);
    let late = shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert_eq!(outcome(late), Some(PaymentOutcome::Credited));
    assert_eq!(shop.payment_status(payment.id).await, P::Paid);
    let order = shop.store.any_order(order).await.unwrap();
    assert_eq!((order.status, order.invoice.status), (OrderStatus::Cancelled, InvoiceStatus::Void));
    assert_credited(&shop, &payment).await;
}

/// The money is on the balance, the customer knows, the workflow does not.
async fn assert_credited(shop: &Shop, payment: &Payment) {
    assert_eq!(shop.store.wallet(shop.customer).await.unwrap().wallet, payment.amount);
    let told = "SELECT u.email FROM in_app_notifications n JOIN users u ON u.id = n.user_id
                WHERE n.type = 'WALLET_CREDITED' ORDER BY 1";
    assert_eq!(shop.texts(told).await, ["sari@example.com"]);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 0);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn two_attempts_paid_at_once_pay_the_order_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, first) = shop.order().await;
    let attempt = NewAttempt {
        user: shop.customer,
        order,
        method: PaymentMethod::Qris,
        bank: None,
        gateway: Some(MIDTRANS),
    };
    let second = shop.store.open_payment(&attempt, &request("second")).await.unwrap();
    let second = shop.store.any_payment(second.payment_id).await.unwrap();
    let mut both = JoinSet::new();
    for (payment, key) in [(first, "a:settlement"), (second, "b:settlement")] {
        let store = shop.store.clone();
        both.spawn(async move {
            store.apply_webhook_event(&webhook_event(&payment, P::Paid, key)).await.unwrap()
        });
    }
    let mut outcomes: Vec<_> = both.join_all().await.into_iter().filter_map(outcome).collect();
    outcomes.sort();
    assert_eq!(outcomes, [PaymentOutcome::Applied, PaymentOutcome::Credited]);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn payment_and_cancellation_at_once_end_in_one_of_two_ways(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for round in 0..10 {
        let (order, payment) = shop.order_by(PaymentMethod::Qris, &format!("round-{round}")).await;
        let key = format!("{round}:settlement");
        let told = webhook_event(&payment, P::Paid, &key);
        let (cancelled, paid) = tokio::join!(
            shop.store.cancel_order(order, shop.customer),
            shop.store.apply_webhook_event(&told)
        );
        let expected = match outcome(paid.unwrap()) {
            Some(PaymentOutcome::Applied) => {
                assert!(cancelled.is_err());
                OrderStatus::Paid
            }
            Some(PaymentOutcome::Credited) => {
                cancelled.unwrap();
                OrderStatus::Cancelled
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(shop.status(order).await, expected);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_about_nothing_of_ours_is_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    let stray = WebhookEvent {
        about: About::Attempt("WB-nobody-1".into()),
        ..webhook_event(&payment, P::Paid, "t:settlement")
    };
    assert_eq!(shop.receive(&stray).await, Outcome::UnknownPayment);
    // Another gateway's payments are not this one's to settle.
    let foreign = WebhookEvent { gateway: "xendit", ..webhook_event(&payment, P::Paid, "t:settlement") };
    assert_eq!(shop.receive(&foreign).await, Outcome::UnknownPayment);
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNKNOWN_PAYMENT'").await, 2);
    assert_eq!(shop.payment_status(payment.id).await, P::Pending);
}

async fn kept_unbelieved(shop: &Shop, outcome: WebhookOutcome) -> bool {
    shop.store.keep_unbelieved(MIDTRANS, outcome, "the signature is wrong", b"forged").await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_not_believed_is_kept_within_bounds(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for outcome in [WebhookOutcome::BadSignature, WebhookOutcome::Unconfirmed] {
        let mut kept = 0;
        for _ in 0..110 {
            kept += i32::from(kept_unbelieved(&shop, outcome).await);
        }
        assert_eq!(kept, 100, "{outcome}");
    }
    let rows = "SELECT count(*) FROM webhook_events WHERE outcome = 'BAD_SIGNATURE' AND dedupe_key IS NULL";
    assert_eq!(shop.count(rows).await, 100);
    // What moves no payment is kept whole.
    for _ in 0..110 {
        assert!(kept_unbelieved(&shop, WebhookOutcome::Ignored).await);
    }
}
