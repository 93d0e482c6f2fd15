//! How an unpaid invoice ends: void or paid, and with it the attempts to pay it.

use domain::ids::{InvoiceId, OrderId, PaymentId};
use sqlx::PgConnection;

use crate::{Result, crash_point::crash_point};

/// Withdraws a draft or an unpaid invoice with its open attempts to pay; `false` when it is neither. Money that comes
/// all the same goes to the balance.
pub(crate) async fn void(tx: &mut PgConnection, invoice: InvoiceId) -> Result<bool> {
    let voided = sqlx::query!(
        "UPDATE invoices SET status = 'VOID' WHERE id = $1 AND status IN ('DRAFT', 'OPEN')",
        invoice.0
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE payments SET status = 'CANCELLED', updated_at = now()
         WHERE invoice_id = $1 AND status IN ('PENDING', 'UNKNOWN')
           AND EXISTS (SELECT FROM invoices WHERE id = $1 AND status = 'VOID')",
        invoice.0
    )
    .execute(tx)
    .await?;
    Ok(voided.rows_affected() == 1)
}

/// Withdraws an order's unpaid invoice with all open attempts to pay it, since the order was called off. Money that comes
/// all the same goes to the balance. The order is locked by the caller.
pub(crate) async fn call_off_order(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    void_of_order(tx, order).await?;
    sqlx::query!(
        "UPDATE payments SET status = 'CANCELLED', updated_at = now()
         WHERE order_id = $1 AND status IN ('PENDING', 'UNKNOWN')",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Withdraws an order's unpaid invoice. The attempts to pay it stay as they are: money may be under way, and brings the
/// invoice back with its order. The order is locked by the caller.
pub(crate) async fn void_of_order(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!("UPDATE invoices SET status = 'VOID' WHERE order_id = $1 AND status = 'OPEN'", order.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Notes which attempt paid an invoice, and calls the others off. What it is over is locked by the caller. An expired
/// order's invoice is void; money that came late brings it back with its order.
pub(crate) async fn pay(tx: &mut PgConnection, invoice: InvoiceId, paid_by: PaymentId) -> Result<()> {
    sqlx::query!(
        "UPDATE invoices SET status = 'PAID', paid_at = now() WHERE id = $1 AND status IN ('OPEN', 'VOID')",
        invoice.0,
    )
    .execute(&mut *tx)
    .await?;
    crash_point("settle.invoice_paid");
    sqlx::query!(
        "UPDATE payments SET status = 'CANCELLED', updated_at = now()
         WHERE invoice_id = $1 AND id <> $2 AND status IN ('PENDING', 'UNKNOWN')",
        invoice.0,
        paid_by.0,
    )
    .execute(tx)
    .await?;
    crash_point("settle.others_cancelled");
    Ok(())
}
