use domain::{
    Rupiah,
    billing::{Evidence, PaymentMethod, PaymentOutcome, PaymentStatus as P},
    gateway::{GatewayReport, Instructions, Outcome, WebhookEvent},
    ids::PaymentId,
    order::OrderStatus,
    payment_check::PaymentCheckPolicy,
};
use sqlx::PgPool;
use store::payments::{ChargeResult, Payment};

use crate::{MIDTRANS, Shop, webhook_event};

fn says(payment: &Payment, status: P) -> GatewayReport {
    GatewayReport {
        transaction_id: Some("transaction-1".into()),
        status,
        amount: Some(payment.amount),
        payer_fee: None,
        amount_as_received: "as charged".into(),
        reversals: Vec::new(),
        instructions: Instructions::default(),
    }
}

impl Shop {
    /// The gateway order ids of what is due.
    async fn due(&self) -> Vec<String> {
        self.due_after(MIDTRANS, None).await
    }

    async fn due_after(&self, gateway: &str, last: Option<PaymentId>) -> Vec<String> {
        let (gateways, policy) = ([gateway.to_owned()], PaymentCheckPolicy::default());
        let due = self.store.due_payments(&gateways, &policy, last, 10).await.unwrap();
        due.into_iter().map(|payment| payment.gateway_order_id).collect()
    }

    /// Lets that many minutes pass for all payments.
    async fn minutes_pass(&self, minutes: i32) {
        let sql = "UPDATE payments SET created_at = created_at - make_interval(mins => $1),
                   checked_at = checked_at - make_interval(mins => $1),
                   expires_at = expires_at - make_interval(mins => $1)";
        sqlx::query(sql).bind(minutes).execute(&self.pool).await.unwrap();
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn money_that_a_lost_notification_told_of_counts_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    assert_eq!(
        shop.store
            .apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Pending))
            .await
            .unwrap(),
        Outcome::Ignored
    );
    let paid =
        shop.store.apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Paid)).await.unwrap();
    assert!(matches!(paid, Outcome::Applied { outcome: Some(PaymentOutcome::Applied), .. }), "{paid:?}");
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(
        shop.store.apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Paid)).await.unwrap(),
        Outcome::Ignored
    );
    // The notification comes after all.
    assert_eq!(shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await, Outcome::Ignored);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn another_amount_is_remarked_and_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    for amount in [Some(Rupiah::new(1)), None] {
        let odd = GatewayReport { amount, amount_as_received: "1 IDR".into(), ..says(&payment, P::Paid) };
        let answer = shop.store.apply_report(MIDTRANS, &payment.gateway_order_id, &odd).await.unwrap();
        assert_eq!(answer, Outcome::Mismatch { payment_id: payment.id, expected: payment.amount });
    }
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    let remarked = "SELECT count(*) FROM payments WHERE note LIKE 'the gateway says 1 IDR, not %'";
    assert_eq!(shop.count(remarked).await, 1);
    // Administrators are told as they are of a notification that does not fit: once, whichever way it came to us.
    let told = {
        let event = webhook_event(&payment, P::Paid, "t:settlement");
        WebhookEvent {
            report: GatewayReport {
                amount: Some(Rupiah::new(1)),
                amount_as_received: "1 IDR".into(),
                ..event.report
            },
            ..event
        }
    };
    assert!(matches!(shop.receive(&told).await, Outcome::Mismatch { .. }));
    let alerts = "SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_ALERT'";
    assert_eq!(shop.count(alerts).await, 1);
    assert_eq!(
        shop.store.apply_report(MIDTRANS, "WB-nobody-1", &says(&payment, P::Paid)).await.unwrap(),
        Outcome::UnknownPayment
    );
}

#[sqlx::test(migrations = "../migrations")]
async fn the_longer_a_payment_waits_the_less_often_it_is_asked_about(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    let due = [payment.gateway_order_id.clone()];
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(3).await;
    assert_eq!(shop.due().await, due);
    shop.store.note_payment_question(payment.id).await.unwrap();
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(57).await;
    assert_eq!(shop.due().await, due);
    shop.store.note_payment_question(payment.id).await.unwrap();
    // An hour old: a quarter of an hour until the next question.
    shop.minutes_pass(14).await;
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(2).await;
    assert_eq!(shop.due().await, due);
    assert!(shop.due_after("xendit", None).await.is_empty());
    assert!(shop.due_after(MIDTRANS, Some(payment.id)).await.is_empty());
    shop.minutes_pass(31 * 24 * 60).await;
    assert!(shop.due().await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_charge_without_an_answer_is_asked_about_soon(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.minutes_pass(1).await;
    assert!(shop.due().await.is_empty());
    shop.store.record_charge(payment.id, &ChargeResult::Unknown("silence".to_owned())).await.unwrap();
    assert_eq!(shop.due().await, [payment.gateway_order_id]);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_attempt_we_called_off_is_asked_about_at_its_end_until_there_is_an_answer(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    assert_eq!(shop.payment_status(payment.id).await, P::Cancelled);
    shop.minutes_pass(60).await;
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(24 * 60).await;
    let due = std::slice::from_ref(&payment.gateway_order_id);
    assert_eq!(shop.due().await, due);
    // Asked is not answered.
    shop.store.note_payment_question(payment.id).await.unwrap();
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(60).await;
    assert_eq!(shop.due().await, due);
    // Neither is an answer that names no end.
    shop.store.apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Pending)).await.unwrap();
    shop.minutes_pass(60).await;
    assert_eq!(shop.due().await, due);
    let paid =
        shop.store.apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Paid)).await.unwrap();
    assert!(matches!(paid, Outcome::Applied { outcome: Some(PaymentOutcome::Credited), .. }), "{paid:?}");
    assert!(shop.due().await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_a_gateway_closed_is_asked_about_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.receive(&WebhookEvent {
        evidence: Some(Evidence::Signed),
        ..webhook_event(&payment, P::Expired, "t:expire")
    })
    .await;
    shop.minutes_pass(25 * 60).await;
    assert_eq!(shop.due().await, std::slice::from_ref(&payment.gateway_order_id));
    assert_eq!(
        shop.store
            .apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Expired))
            .await
            .unwrap(),
        Outcome::Ignored
    );
    shop.minutes_pass(25 * 60).await;
    assert!(shop.due().await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn what_no_gateway_ever_says_ends_with_a_person(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    let gateways = [MIDTRANS.to_owned()];
    let policy = PaymentCheckPolicy::default();
    assert_eq!(shop.store.give_payments_up(&gateways, &policy, 10).await.unwrap(), 0);
    shop.minutes_pass(31 * 24 * 60).await;
    assert!(shop.due().await.is_empty());
    assert_eq!(shop.store.give_payments_up(&gateways, &policy, 10).await.unwrap(), 1);
    assert_eq!(shop.store.give_payments_up(&gateways, &policy, 10).await.unwrap(), 0);
    let told = shop.told("PAYMENT_ALERT").await;
    assert!(told.len() == 1 && told[0].contains(&payment.gateway_order_id), "{told:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_its_gateway_could_not_be_asked_about_is_asked_later(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert!(shop.due().await.is_empty());
    let deny =
        WebhookEvent { evidence: Some(Evidence::Signed), ..webhook_event(&payment, P::Denied, "t:deny") };
    for _ in 0..2 {
        shop.store.keep_unanswered(&deny).await.unwrap();
    }
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNANSWERED'").await, 1);
    assert_eq!(shop.due().await, std::slice::from_ref(&payment.gateway_order_id));
    assert!(matches!(
        shop.store
            .apply_report(MIDTRANS, &payment.gateway_order_id, &says(&payment, P::Denied))
            .await
            .unwrap(),
        Outcome::Disputed { .. }
    ));
    assert!(shop.due().await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn transfers_that_people_check_are_not_asked_about(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.order_by(PaymentMethod::ManualTransfer, "by hand").await;
    shop.minutes_pass(60).await;
    assert!(shop.due().await.is_empty());
}
