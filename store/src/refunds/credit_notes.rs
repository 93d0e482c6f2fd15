//! The papers for money that goes back, and giving back the money of an order that is called off.

use domain::{
    Rupiah,
    event::OrderMoneyReturned,
    ids::{CreditNoteId, OrderId},
    ledger::Service,
    refund::CreditReason,
};
use serde_json::json;
use sqlx::PgConnection;

use super::Billed;
use crate::{Result, events::Entry, ledger, locks::lock_order, new_id, numbers};

/// What a credit note says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    /// All that goes back.
    pub(super) total: Rupiah,
    /// PPN in it.
    pub(super) tax: Rupiah,
    /// Whether nothing is left of what the invoice brought.
    pub(super) is_all: bool,
}

/// A credit note that was issued.
pub(super) struct Issued {
    pub(super) id: CreditNoteId,
    pub(super) number: String,
}

/// Gives all that an order has brought in back to the customer's balance because of `event`, and answers how much. A
/// paid invoice becomes `REFUNDED` and gets a credit note. The order is locked by the caller.
pub(crate) async fn give_back(
    tx: &mut PgConnection,
    order: OrderId,
    event: &str,
    reason: &str,
) -> Result<Rupiah> {
    let position = ledger::position(tx, Service::Order(order)).await?;
    let total = position.total()?;
    if total == Rupiah::ZERO {
        return Ok(total);
    }
    let order = lock_order(tx, order).await?;
    let billed = Billed::of_order(&order);
    let sums = Sums { total, tax: position.tax_in_all(billed.price)?, is_all: true };
    let credited = CreditReason::Written(reason.to_owned());
    let credit_note = take_back_invoice(tx, &billed, sums, &credited).await?;
    for movement in position.give_back(order.parties(), event)? {
        ledger::post(tx, &movement, Some(reason)).await?;
    }
    let number = credit_note.map(|note| note.number);
    let detail = json!({ "amount": total, "credit_note": number });
    let returned = OrderMoneyReturned {
        order_id: order.id,
        hostname: order.hostname,
        amount: total,
        credit_note: number,
        cause: event.to_owned(),
    };
    Entry::of(returned).detail(detail).tell(tx, order.user_id).await?;
    Ok(total)
}

/// Writes the paper for `total` of a bill, `tax` of it PPN, that we did not give back and that is gone all the same. `is_all`
/// when nothing of it is left.
pub(crate) async fn credit(
    tx: &mut PgConnection,
    billed: &Billed,
    total: Rupiah,
    tax: Rupiah,
    is_all: bool,
    reason: &CreditReason,
) -> Result<()> {
    take_back_invoice(tx, billed, Sums { total, tax, is_all }, reason).await.map(drop)
}

/// Issues the credit note of a paid invoice, which is `REFUNDED` when nothing is left of it. `None` for an invoice that
/// was never paid in full. Locks the customer's accounts; whatever else the transaction locks, it has locked before.
pub(super) async fn take_back_invoice(
    tx: &mut PgConnection,
    billed: &Billed,
    sums: Sums,
    reason: &CreditReason,
) -> Result<Option<Issued>> {
    let paid = sqlx::query_scalar!(
        "UPDATE invoices SET status = CASE WHEN $2 THEN 'REFUNDED' ELSE status END
         WHERE id = $1 AND status = 'PAID' RETURNING id",
        billed.invoice.0,
        sums.is_all,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if paid.is_none() {
        return Ok(None);
    }
    // What is posted after the credit note must not wait for the accounts: its number's counter is held by then.
    ledger::lock_accounts(tx, billed.customer).await?;
    issue_credit_note(tx, billed, sums, reason).await.map(Some)
}

async fn issue_credit_note(
    tx: &mut PgConnection,
    billed: &Billed,
    sums: Sums,
    reason: &CreditReason,
) -> Result<Issued> {
    let id: CreditNoteId = new_id();
    let number = numbers::take_for_credit_note(tx).await?;
    sqlx::query!(
        "INSERT INTO credit_notes (id, number, invoice_id, order_id, user_id, reason, net, tax, total)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.0,
        number,
        billed.invoice.0,
        billed.order().map(|order| order.0),
        billed.customer.0,
        reason.to_text(),
        sums.total.minus(sums.tax)?.get(),
        sums.tax.get(),
        sums.total.get(),
    )
    .execute(tx)
    .await?;
    Ok(Issued { id, number })
}
