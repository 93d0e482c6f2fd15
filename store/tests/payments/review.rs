use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentOutcome, PaymentStatus as P},
    ids::OrderId,
    order::OrderStatus,
};
use sqlx::PgPool;
use store::{
    StoreError,
    payments::{Approval, Payment},
    webhooks::Intake,
};
use tokio::task::JoinSet;

use crate::{Shop, told};

impl Shop {
    async fn approve(&self, order: OrderId, received: Option<Rupiah>) -> Result<Payment, StoreError> {
        let approval = Approval { arrived: received, note: Some("seen") };
        self.store.approve_payment(order, &self.admins_origin(), approval, None).await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_bank_transfer_is_approved(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let approved = shop.approve(order, Some(transfer.amount)).await.unwrap();
    assert_eq!((approved.id, approved.status), (transfer.id, P::Paid));
    let paid = shop.store.order(order, None).await.unwrap();
    assert_eq!((paid.status, paid.invoice.status), (OrderStatus::Paid, InvoiceStatus::Paid));
    let signed = "SELECT count(*) FROM payments p JOIN audit_log a ON a.object_id = p.order_id
                  WHERE p.approved_by = a.actor_id AND p.note = 'seen' AND a.action = 'payment.approve'
                    AND a.before ->> 'status' = 'PENDING_PAYMENT' AND a.after ->> 'status' = 'PAID'";
    assert_eq!(shop.count(signed).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_override_leaves_room_for_the_gateways_own_money(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    let approved = shop.approve(order, None).await.unwrap();
    assert_eq!((approved.method, approved.status), (PaymentMethod::ManualTransfer, P::Paid));
    assert_eq!(shop.payment_status(qris.id).await, P::Cancelled);
    assert_eq!(shop.status(order).await, OrderStatus::Paid);

    // The customer pays the code nevertheless: that is a second sum, and it is not swallowed.
    let intake = shop.tell(&told(&qris, P::Paid, "t:settlement")).await;
    assert!(matches!(intake, Intake::Applied { outcome: Some(PaymentOutcome::Credited), .. }), "{intake:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn of_five_approvals_at_once_one_counts(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.order().await;
    let mut requests = JoinSet::new();
    for _ in 0..5 {
        let (store, origin) = (shop.store.clone(), shop.admins_origin());
        requests.spawn(async move { store.approve_payment(order, &origin, Approval::default(), None).await });
    }
    let answers = requests.join_all().await;
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 1);
    for refused in answers.iter().filter_map(|a| a.as_ref().err()) {
        let named = matches!(refused, StoreError::Conflict { state, .. } if state == "PAID");
        assert!(named, "{refused:?}");
    }
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'payment.approve'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_expired_order_is_approved_while_it_can_be_had(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.order().await;
    shop.store.expire_order(order).await.unwrap();
    sqlx::query("UPDATE plans SET stock_limit = 0").execute(&shop.pool).await.unwrap();
    let refused = shop.approve(order, None).await.unwrap_err();
    let sold_out = matches!(refused, StoreError::Conflict { object: "plan", .. });
    assert!(sold_out, "{refused:?}");
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 1);

    sqlx::query("UPDATE plans SET stock_limit = 1").execute(&shop.pool).await.unwrap();
    shop.approve(order, None).await.unwrap();
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_rejection_closes_the_attempt_and_tells_why(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let origin = shop.admins_origin();
    let reject = || shop.store.reject_payment(order, &origin, "No such transfer");
    let rejected = reject().await.unwrap();
    assert_eq!((rejected.id, rejected.status), (transfer.id, P::Denied));
    assert_eq!(shop.status(order).await, OrderStatus::PendingPayment);
    let told = shop.texts("SELECT message FROM in_app_notifications WHERE type = 'PAYMENT_REJECTED'").await;
    assert!(told[0].contains("No such transfer"), "{told:?}");
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'payment.reject'").await, 1);

    let again = reject().await;
    assert!(
        matches!(&again, Err(StoreError::Conflict { object: "payment", state }) if state == "DENIED"),
        "{again:?}"
    );
}
