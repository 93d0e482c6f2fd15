use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentOutcome, PaymentStatus as P},
    ids::PaymentId,
    order::OrderStatus,
    payment_check::PaymentCheckPolicy,
};
use sqlx::PgPool;
use store::{
    payments::{ChargeResult, Payment},
    webhooks::{GatewayReport, Intake},
};

use crate::{MIDTRANS, Shop, told};

fn says(payment: &Payment, status: P) -> GatewayReport<'_> {
    GatewayReport {
        gateway: MIDTRANS,
        gateway_order_id: &payment.gateway_order_id,
        transaction_id: Some("transaction-1"),
        status,
        amount: Some(payment.amount),
        amount_as_received: "as charged",
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
    assert_eq!(shop.store.apply_report(&says(&payment, P::Pending)).await.unwrap(), Intake::Ignored);
    let paid = shop.store.apply_report(&says(&payment, P::Paid)).await.unwrap();
    assert!(matches!(paid, Intake::Applied { outcome: Some(PaymentOutcome::Applied), .. }), "{paid:?}");
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.store.apply_report(&says(&payment, P::Paid)).await.unwrap(), Intake::Ignored);
    // The notification comes after all.
    assert_eq!(shop.tell(&told(&payment, P::Paid, "t:settlement")).await, Intake::Ignored);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn another_amount_is_remarked_and_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    for amount in [Some(Rupiah::new(1)), None] {
        let odd = GatewayReport { amount, amount_as_received: "1 IDR", ..says(&payment, P::Paid) };
        let answer = shop.store.apply_report(&odd).await.unwrap();
        assert_eq!(answer, Intake::Mismatch { payment_id: payment.id, expected: payment.amount });
    }
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    let remarked = "SELECT count(*) FROM payments WHERE note LIKE 'the gateway says 1 IDR, not %'";
    assert_eq!(shop.count(remarked).await, 1);
    let stray = GatewayReport { gateway_order_id: "WB-nobody-1", ..says(&payment, P::Paid) };
    assert_eq!(shop.store.apply_report(&stray).await.unwrap(), Intake::UnknownPayment);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_longer_a_payment_waits_the_less_often_it_is_asked_about(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, payment) = shop.order().await;
    let due = [payment.gateway_order_id.clone()];
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(3).await;
    assert_eq!(shop.due().await, due);
    shop.store.note_payment_check(payment.id, None).await.unwrap();
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(57).await;
    assert_eq!(shop.due().await, due);
    shop.store.note_payment_check(payment.id, Some("asked")).await.unwrap();
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
async fn an_attempt_we_called_off_is_asked_about_once_at_its_end(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, payment) = shop.order().await;
    shop.store.cancel_order(order, shop.customer).await.unwrap();
    assert_eq!(shop.payment_status(payment.id).await, P::Cancelled);
    shop.minutes_pass(60).await;
    assert!(shop.due().await.is_empty());
    shop.minutes_pass(24 * 60).await;
    assert_eq!(shop.due().await, std::slice::from_ref(&payment.gateway_order_id));
    let paid = shop.store.apply_report(&says(&payment, P::Paid)).await.unwrap();
    assert!(matches!(paid, Intake::Applied { outcome: Some(PaymentOutcome::Credited), .. }), "{paid:?}");
    assert!(shop.due().await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn transfers_that_people_check_are_not_asked_about(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.order_by(PaymentMethod::ManualTransfer, "by hand").await;
    shop.minutes_pass(60).await;
    assert!(shop.due().await.is_empty());
}
