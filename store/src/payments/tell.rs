//! What customers are told about their money.

use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentOutcome},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
    notification::NotificationKind,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{LockedInvoice, LockedOrder, LockedPayment, settle::Money};
use crate::{
    Result,
    crash_point::crash_point,
    notifications::{self, Notice},
    timeline::{self, Step, StepStatus},
};

/// An order is paid.
pub(super) async fn of_payment(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    outcome: PaymentOutcome,
    money: &Money,
) -> Result<()> {
    let mut more = String::new();
    if outcome == PaymentOutcome::Revived {
        more.push_str(" It came after the deadline; your order goes on nevertheless.");
    }
    if payment.method == PaymentMethod::ManualTransfer && money.surplus()? > Rupiah::ZERO {
        more.push_str(&format!(" {} more than was due went to your balance.", money.surplus()?));
    }
    confirm(tx, order, payment, Confirmed { outcome, arrived: money.arrived, more: &more }).await
}

/// An order is paid from the balance.
pub(super) async fn of_wallet_payment(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    taken: Rupiah,
) -> Result<()> {
    let confirmed = Confirmed { outcome: PaymentOutcome::Applied, arrived: taken, more: "" };
    confirm(tx, order, payment, confirmed).await
}

/// What there is to be told of a payment.
struct Confirmed<'a> {
    outcome: PaymentOutcome,
    arrived: Rupiah,
    /// Sentences to be added.
    more: &'a str,
}

async fn confirm(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    confirmed: Confirmed<'_>,
) -> Result<()> {
    let Confirmed { outcome, arrived, more } = confirmed;
    let method = capital(&method_words(payment.method, payment.bank));
    let message = format!("{method} received: {arrived}.{more}");
    let step = Step {
        detail: json!({
            "payment_id": payment.id,
            "gateway": payment.gateway,
            "gateway_order_id": payment.gateway_order_id,
            "outcome": outcome,
            "arrived": arrived,
        }),
        ..Step::done("payment_confirmed", &message)
    };
    timeline::record(tx, order.id, &step).await?;
    crash_point("settle.timeline_written");
    let notice = Notice {
        kind: NotificationKind::PaymentConfirmed,
        title: "Payment received",
        message: &format!(
            "We received your payment of {arrived} for {}. Your server is being set up.{more}",
            order.hostname
        ),
        action_url: Some(&format!("/orders/{}", order.id)),
        metadata: json!({ "order_id": order.id, "payment_id": payment.id }),
        dedupe_key: &format!("order/{}/payment_confirmed", order.id),
    };
    notifications::notify(tx, order.user_id, &notice).await?;
    crash_point("settle.customer_told");
    Ok(())
}

/// A gateway refused an attempt: its customer, if they still wait to pay what it is for, is to choose another method.
pub(crate) async fn of_refusal(tx: &mut PgConnection, payment: PaymentId) -> Result<()> {
    let refused = sqlx::query!(
        r#"SELECT p.user_id AS "user_id: UserId", p.method AS "method: PaymentMethod", p.bank AS "bank: Bank",
                  p.amount AS "amount: Rupiah", p.order_id AS "order_id: OrderId",
                  p.invoice_id AS "invoice_id: InvoiceId", p.deposit_id AS "deposit_id: DepositId",
                  coalesce('your order for ' || o.hostname, 'invoice ' || i.number, 'your deposit') AS "what!",
                  coalesce(o.status = 'PENDING_PAYMENT', i.status = 'OPEN', true) AS "is_awaited!"
           FROM payments p LEFT JOIN orders o ON o.id = p.order_id LEFT JOIN invoices i ON i.id = p.invoice_id
           WHERE p.id = $1"#,
        payment.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !refused.is_awaited {
        return Ok(());
    }
    let method = method_words(refused.method, refused.bank);
    let url = match (refused.order_id, refused.invoice_id) {
        (Some(order), _) => format!("/orders/{order}"),
        (None, Some(invoice)) => format!("/invoices/{invoice}"),
        (None, None) => "/wallet".to_owned(),
    };
    if let Some(order) = refused.order_id {
        let step = Step {
            key: &format!("payment/{payment}/denied"),
            step: "payment_closed",
            status: StepStatus::Failed,
            message: &format!("Your {method} was refused. Please choose another way to pay."),
            detail: json!({ "payment_id": payment, "status": "DENIED" }),
        };
        timeline::record(tx, order, &step).await?;
    }
    let notice = Notice {
        kind: NotificationKind::PaymentFailed,
        title: "Please choose another way to pay",
        message: &format!(
            "Your {method} of {} for {} was refused. Nothing was taken. Please choose another way to pay.",
            refused.amount, refused.what
        ),
        action_url: Some(&url),
        metadata: json!({
            "payment_id": payment,
            "order_id": refused.order_id,
            "invoice_id": refused.invoice_id,
            "deposit_id": refused.deposit_id,
        }),
        dedupe_key: &format!("payment/{payment}/failed"),
    };
    notifications::notify(tx, refused.user_id, &notice).await
}

/// A transfer was too small; `received` is what came in all.
pub(super) async fn of_part(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    received: Rupiah,
    money: &Money,
) -> Result<()> {
    let missing = money.due.minus(money.arrived)?;
    let message =
        format!("{} arrived. {missing} are still due; we keep what came for this order.", money.arrived);
    let key = format!("payment/{}/part/{}", payment.id, received.get());
    let step = Step {
        key: &key,
        step: "payment_incomplete",
        status: StepStatus::Waiting,
        message: &message,
        detail: json!({ "payment_id": payment.id, "arrived": money.arrived, "missing": missing }),
    };
    timeline::record(tx, order.id, &step).await?;
    let notice = Notice {
        kind: NotificationKind::PaymentIncomplete,
        title: "A part of your payment is missing",
        message: &format!(
            "{} for {} arrived. Please transfer the missing {missing}.",
            money.arrived, order.hostname
        ),
        action_url: Some(&format!("/orders/{}", order.id)),
        metadata: json!({ "order_id": order.id, "payment_id": payment.id, "missing": missing }),
        dedupe_key: &key,
    };
    notifications::notify(tx, order.user_id, &notice).await
}

/// The order could not take the money: it is on the balance.
pub(super) async fn of_credit(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: &LockedPayment,
    arrived: Rupiah,
) -> Result<()> {
    let key = format!("payment/{}/credited", payment.id);
    let message =
        format!("{arrived} arrived, but this order could not take it any more. It went to your balance.");
    let step = Step {
        key: &key,
        detail: json!({ "payment_id": payment.id, "order_status": order.status }),
        ..Step::done("payment_credited", &message)
    };
    timeline::record(tx, order.id, &step).await?;
    crash_point("settle.timeline_written");
    let notice = Notice {
        kind: NotificationKind::WalletCredited,
        title: "Your payment went to your balance",
        message: &format!(
            "We received {arrived} for {}, but that order could not take it any more. It is on your balance.",
            order.hostname
        ),
        action_url: Some("/wallet"),
        metadata: json!({ "order_id": order.id, "payment_id": payment.id }),
        dedupe_key: &key,
    };
    notifications::notify(tx, order.user_id, &notice).await?;
    crash_point("settle.customer_told");
    Ok(())
}

/// An invoice that belongs to no order is paid.
pub(super) async fn of_invoice_payment(
    tx: &mut PgConnection,
    invoice: &LockedInvoice,
    payment: &LockedPayment,
) -> Result<()> {
    let notice = Notice {
        kind: NotificationKind::PaymentConfirmed,
        title: "Payment received",
        message: &format!("We received your payment of {} for invoice {}.", payment.amount, invoice.number),
        action_url: Some(&format!("/invoices/{}", invoice.id)),
        metadata: json!({ "invoice_id": invoice.id, "payment_id": payment.id }),
        dedupe_key: &format!("invoice/{}/payment_confirmed", invoice.id),
    };
    notifications::notify(tx, invoice.user_id, &notice).await
}

/// An invoice could not take the money: it is on the balance.
pub(super) async fn of_invoice_credit(
    tx: &mut PgConnection,
    invoice: &LockedInvoice,
    payment: &LockedPayment,
) -> Result<()> {
    let notice = Notice {
        kind: NotificationKind::WalletCredited,
        title: "Your payment went to your balance",
        message: &format!(
            "We received {} for invoice {}, which does not need it any more. It is on your balance.",
            payment.amount, invoice.number
        ),
        action_url: Some("/wallet"),
        metadata: json!({ "invoice_id": invoice.id, "payment_id": payment.id }),
        dedupe_key: &format!("payment/{}/credited", payment.id),
    };
    notifications::notify(tx, invoice.user_id, &notice).await
}

/// What was set aside for an order is on the balance again.
pub(super) async fn of_release(
    tx: &mut PgConnection,
    order: &LockedOrder,
    event: &str,
    amount: Rupiah,
) -> Result<()> {
    let key = format!("released/{event}");
    let message = format!("{amount} that were set aside for this order went to your balance.");
    let step = Step { key: &key, ..Step::done("money_released", &message) };
    timeline::record(tx, order.id, &step).await?;
    let notice = Notice {
        kind: NotificationKind::WalletCredited,
        title: "Money went to your balance",
        message: &format!("{amount} that were set aside for {} went to your balance.", order.hostname),
        action_url: Some("/wallet"),
        metadata: json!({ "order_id": order.id }),
        dedupe_key: &format!("order/{}/{key}", order.id),
    };
    notifications::notify(tx, order.user_id, &notice).await
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
