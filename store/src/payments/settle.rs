//! Money takes effect: here and nowhere else.

use domain::{
    billing::{Bank, PaymentMethod, PaymentOutcome},
    ids::{PaymentId, UserId},
    notification::NotificationKind,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{LockedOrder, LockedPayment};
use crate::{
    Result, StoreError,
    notifications::{self, Notice},
    orders, outbox,
    timeline::{self, Step},
    transition,
};

/// How it is known that the money is ours.
#[derive(Debug, Default)]
pub(crate) struct Settlement<'a> {
    /// The gateway's id of the transaction.
    pub transaction_id: Option<&'a str>,
    /// The administrator who saw the money.
    pub approved_by: Option<UserId>,
    /// What the administrator remarked.
    pub note: Option<&'a str>,
}

/// Marks an attempt as paid and lets the money do what it can: pay an order that waits, or bring an expired one back
/// if it can still be had. An order beyond that keeps its state; the money then waits for an administrator. Order and
/// attempt are locked by the caller, and the attempt is not paid yet.
pub(crate) async fn settle(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    settlement: &Settlement<'_>,
) -> Result<PaymentOutcome> {
    let outcome = match order.status {
        OrderStatus::PendingPayment => PaymentOutcome::Applied,
        OrderStatus::Expired if orders::in_stock(tx, order.plan_id).await? => PaymentOutcome::Revived,
        _ => PaymentOutcome::Unapplied,
    };
    mark_paid(tx, payment.id, outcome, settlement).await?;
    if outcome == PaymentOutcome::Unapplied {
        tell_of_idle_money(tx, order, payment).await?;
    } else {
        pay_order(tx, order, payment, outcome).await?;
    }
    Ok(outcome)
}

async fn mark_paid(
    tx: &mut PgConnection,
    payment: PaymentId,
    outcome: PaymentOutcome,
    settlement: &Settlement<'_>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE payments SET status = 'PAID', outcome = $2, paid_at = now(), updated_at = now(),
                gateway_transaction_id = coalesce($3, gateway_transaction_id), approved_by = $4, note = coalesce($5, note)
         WHERE id = $1",
        payment.0,
        outcome.as_str(),
        settlement.transaction_id,
        settlement.approved_by.map(|id| id.0),
        settlement.note,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn pay_order(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    outcome: PaymentOutcome,
) -> Result<()> {
    if !transition::apply(tx, order.id, Transition::Pay).await? {
        return Err(StoreError::Conflict { object: "order", state: order.status.to_string() });
    }
    sqlx::query!(
        "UPDATE invoices SET status = 'PAID', paid_at = now() WHERE id = $1 AND status = 'OPEN'",
        order.invoice_id.0,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE payments SET status = 'CANCELLED', updated_at = now()
         WHERE order_id = $1 AND id <> $2 AND status IN ('PENDING', 'UNKNOWN')",
        order.id.0,
        payment.id.0,
    )
    .execute(&mut *tx)
    .await?;
    tell_of_payment(tx, order, payment, outcome).await?;
    let start = outbox::order_start(tx, order.id).await?;
    outbox::enqueue(tx, &Message::PaymentConfirmed(start)).await?;
    Ok(())
}

async fn tell_of_payment(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    outcome: PaymentOutcome,
) -> Result<()> {
    let method = method_words(payment.method, payment.bank);
    let late = match outcome {
        PaymentOutcome::Revived => " It came after the deadline; your order goes on nevertheless.",
        _ => "",
    };
    let message = format!("{} received: {}.{late}", capital(&method), payment.amount);
    let step = Step {
        detail: json!({
            "payment_id": payment.id,
            "gateway": payment.gateway,
            "gateway_order_id": payment.gateway_order_id,
            "outcome": outcome,
        }),
        ..Step::done("payment_confirmed", &message)
    };
    timeline::record(tx, order.id, &step).await?;
    let notice = Notice {
        kind: NotificationKind::PaymentConfirmed,
        title: "Payment received",
        message: &format!(
            "We received your payment of {} for {}. Your server is being set up.{late}",
            payment.amount, order.hostname
        ),
        action_url: Some(&format!("/orders/{}", order.id)),
        metadata: json!({ "order_id": order.id, "payment_id": payment.id }),
        dedupe_key: &format!("order/{}/payment_confirmed", order.id),
    };
    notifications::notify(tx, order.user_id, &notice).await
}

/// Money that its order can't take: the customer learns that it arrived, administrators that they have to decide.
async fn tell_of_idle_money(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
) -> Result<()> {
    let message = format!(
        "{} arrived, but this order could not take it any more. Our team will see to it.",
        payment.amount
    );
    let step = Step {
        key: &format!("payment/{}/unapplied", payment.id),
        detail: json!({ "payment_id": payment.id, "order_status": order.status }),
        ..Step::done("payment_unapplied", &message)
    };
    timeline::record(tx, order.id, &step).await?;
    let action_url = format!("/orders/{}", order.id);
    let notice = Notice {
        kind: NotificationKind::PaymentUnapplied,
        title: "Payment received for a closed order",
        message: &format!(
            "We received {} for {}, but that order could not take it any more. Our team will contact you.",
            payment.amount, order.hostname
        ),
        action_url: Some(&action_url),
        metadata: json!({ "order_id": order.id, "payment_id": payment.id }),
        dedupe_key: &format!("payment/{}/unapplied", payment.id),
    };
    notifications::notify(tx, order.user_id, &notice).await?;
    let notice = Notice {
        title: "Money without an order",
        message: &format!(
            "{} arrived for order {}, which is {}. Please decide what becomes of it.",
            payment.amount, order.id, order.status
        ),
        action_url: Some(&format!("/admin{action_url}")),
        dedupe_key: &format!("payment/{}/unapplied/admin", payment.id),
        ..notice
    };
    notify_administrators(tx, &notice).await
}

async fn notify_administrators(tx: &mut PgConnection, notice: &Notice<'_>) -> Result<()> {
    let administrators = sqlx::query_scalar!(
        "SELECT id FROM users WHERE role IN ('admin', 'superadmin') AND suspended_at IS NULL"
    )
    .fetch_all(&mut *tx)
    .await?;
    for administrator in administrators {
        notifications::notify(tx, administrator.into(), notice).await?;
    }
    Ok(())
}

/// How a customer would call such a payment: `QRIS payment`, `BCA virtual account payment`.
pub(crate) fn method_words(method: PaymentMethod, bank: Option<Bank>) -> String {
    match (method, bank) {
        (PaymentMethod::Qris, _) => "QRIS payment".to_owned(),
        (PaymentMethod::VirtualAccount, Some(bank)) => format!("{bank} virtual account payment"),
        (PaymentMethod::VirtualAccount, None) => "virtual account payment".to_owned(),
        (PaymentMethod::ManualTransfer, _) => "bank transfer".to_owned(),
        (PaymentMethod::Wallet, _) => "payment from your balance".to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
