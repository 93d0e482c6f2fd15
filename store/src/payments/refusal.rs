//! An attempt that a gateway refused.

use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    event::PaymentRefused,
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{Result, events::Entry};

/// Has its customer choose another way to pay, if they still wait to pay what it is for.
pub(crate) async fn tell_of_refusal(tx: &mut PgConnection, payment: PaymentId) -> Result<()> {
    let refused = sqlx::query!(
        r#"SELECT p.user_id AS "user_id: UserId", p.method AS "method: PaymentMethod", p.bank AS "bank: Bank",
                  p.amount AS "amount: Rupiah", p.order_id AS "order_id: OrderId",
                  p.invoice_id AS "invoice_id: InvoiceId", p.deposit_id AS "deposit_id: DepositId",
                  o.hostname AS "hostname?", i.number AS "number?",
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
    let event = PaymentRefused {
        payment_id: payment,
        order_id: refused.order_id,
        invoice_id: refused.invoice_id,
        deposit_id: refused.deposit_id,
        hostname: refused.hostname,
        number: refused.number,
        method: refused.method,
        bank: refused.bank,
        amount: refused.amount,
    };
    let detail = json!({ "payment_id": payment, "status": "DENIED" });
    Entry::of(event).detail(detail).tell(tx, refused.user_id).await
}
