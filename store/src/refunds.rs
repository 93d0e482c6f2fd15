//! Giving an order's money back to the customer's balance: when it is called off, and when it is refunded.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{CreditNoteId, InvoiceId, OrderId, UserId},
    ledger::{Position, Service},
    notification::NotificationKind,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, Act, Origin},
    ledger, new_id,
    notifications::{self, Notice},
    outbox,
    payments::{LockedOrder, lock_order},
    timeline::{self, Step},
    transition,
};

/// An order whose money went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundedOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now.
    pub status: OrderStatus,
    /// What went to the customer's balance.
    pub amount: Rupiah,
    /// Whether a server may exist at the provider: it was seen, or a create was sent and never refused for certain.
    pub server_may_exist: bool,
}

/// The paper for money of an invoice that went back.
#[derive(Debug, Clone)]
pub struct CreditNote {
    /// Its id.
    pub id: CreditNoteId,
    /// Its number, sequential per year: `CN/2026/000001`.
    pub number: String,
    /// Why the money went back.
    pub reason: String,
    /// What went back, without tax.
    pub net: Rupiah,
    /// PPN that went back.
    pub tax: Rupiah,
    /// All that went back.
    pub total: Rupiah,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
}

impl Store {
    /// The credit notes of one of `owner`'s invoices, the first first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn credit_notes(&self, invoice: InvoiceId, owner: UserId) -> Result<Vec<CreditNote>> {
        Ok(sqlx::query_as!(
            CreditNote,
            r#"SELECT id AS "id: CreditNoteId", number, reason, net AS "net: Rupiah", tax AS "tax: Rupiah",
                      total AS "total: Rupiah", issued_at
               FROM credit_notes WHERE invoice_id = $1 AND user_id = $2 ORDER BY id"#,
            invoice.0,
            owner.0,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Gives the money of a paid or failed order back to the customer's balance, with a credit note; the order is
    /// `REFUNDED`, and its workflow and customer are told. Of an order that is closed already, what is still in it is
    /// given back and its status stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] naming its status when there is
    /// nothing to give back, or a server is being made or used.
    pub async fn refund_order(&self, order: OrderId, origin: &Origin, reason: &str) -> Result<RefundedOrder> {
        let mut tx = self.pool.begin().await?;
        let before = lock_order(&mut tx, order, None).await?;
        let moved = transition::apply(&mut tx, order, Transition::Refund).await?;
        let amount = give_back(&mut tx, order, "refunded", reason).await?;
        let closed =
            matches!(before.status, OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Refunded);
        let left_over = closed && amount > Rupiah::ZERO;
        if !moved && !left_over {
            return Err(StoreError::Conflict { object: "order", state: before.status.to_string() });
        }
        let status = if moved { OrderStatus::Refunded } else { before.status };
        let server_may_exist = close_instance(&mut tx, order).await?;
        let refunded = RefundedOrder { order_id: order, status, amount, server_may_exist };
        let act = Act {
            action: "order.refund",
            object_kind: "order",
            object_id: Some(order.0),
            before: Some(json!({ "status": before.status })),
            after: Some(json!({
                "status": status,
                "amount": amount,
                "reason": reason,
                "server_may_exist": server_may_exist,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        if moved {
            outbox::enqueue(&mut tx, &Message::OrderClosed { order_id: order }).await?;
        }
        tx.commit().await?;
        Ok(refunded)
    }
}

/// The record of a server that never came to be ends with its order; answers whether one may exist all the same.
async fn close_instance(tx: &mut PgConnection, order: OrderId) -> Result<bool> {
    let may_exist = sqlx::query_scalar!(
        r#"SELECT (t.create_sent_at IS NOT NULL OR EXISTS (SELECT FROM instances i WHERE i.order_id = t.order_id
                   AND i.provider_instance_id IS NOT NULL)) AS "may_exist!"
           FROM provisioning_tasks t WHERE t.order_id = $1 FOR NO KEY UPDATE"#,
        order.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    if !may_exist {
        sqlx::query!(
            "UPDATE instances SET status = 'TERMINATED', updated_at = now()
             WHERE order_id = $1 AND status = 'PROVISIONING'",
            order.0,
        )
        .execute(tx)
        .await?;
    }
    Ok(may_exist)
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
    let order = lock_order(tx, order, None).await?;
    let credit_note = take_back_invoice(tx, &order, &position, reason).await?;
    for movement in position.give_back(order.parties(), event)? {
        ledger::post(tx, &movement, Some(reason)).await?;
    }
    tell(tx, &order, event, total, credit_note.as_deref()).await?;
    Ok(total)
}

/// Marks a paid invoice as refunded and issues its credit note; answers the note's number.
async fn take_back_invoice(
    tx: &mut PgConnection,
    order: &LockedOrder,
    position: &Position,
    reason: &str,
) -> Result<Option<String>> {
    let invoice = sqlx::query_scalar!(
        r#"UPDATE invoices SET status = 'REFUNDED' WHERE order_id = $1 AND status = $2 RETURNING id AS "id: InvoiceId""#,
        order.id.0,
        InvoiceStatus::Paid.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(invoice) = invoice else { return Ok(None) };
    // What is held is the whole price, its tax included.
    let tax = if position.held > Rupiah::ZERO { order.tax.plus(position.tax)? } else { position.tax };
    let total = position.total()?;
    Ok(Some(issue_credit_note(tx, order, invoice, total, tax, reason).await?))
}

/// Numbers are taken as invoices' are: from the year's counter, which stays locked until the commit.
async fn issue_credit_note(
    tx: &mut PgConnection,
    order: &LockedOrder,
    invoice: InvoiceId,
    total: Rupiah,
    tax: Rupiah,
    reason: &str,
) -> Result<String> {
    Ok(sqlx::query_scalar!(
        "WITH counter AS (
             INSERT INTO credit_note_counters AS c (year, last)
             VALUES (extract(year FROM now() AT TIME ZONE 'Asia/Jakarta')::integer, 1)
             ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING year, last::text AS last)
         INSERT INTO credit_notes (id, number, invoice_id, order_id, user_id, reason, net, tax, total)
         SELECT $1, 'CN/' || year || '/' || lpad(last, greatest(6, length(last)), '0'), $2, $3, $4, $5, $6, $7, $8
         FROM counter RETURNING number",
        new_id::<CreditNoteId>().0,
        invoice.0,
        order.id.0,
        order.user_id.0,
        reason,
        total.minus(tax)?.get(),
        tax.get(),
        total.get(),
    )
    .fetch_one(tx)
    .await?)
}

async fn tell(
    tx: &mut PgConnection,
    order: &LockedOrder,
    event: &str,
    amount: Rupiah,
    credit_note: Option<&str>,
) -> Result<()> {
    let key = format!("money_returned/{event}");
    let message = format!("{amount} of this order went back to your balance.");
    let step = Step {
        key: &key,
        detail: json!({ "amount": amount, "credit_note": credit_note }),
        ..Step::done("money_returned", &message)
    };
    timeline::record(tx, order.id, &step).await?;
    let notice = Notice {
        kind: NotificationKind::OrderRefunded,
        title: "Your money is back on your balance",
        message: &format!("{amount} of your order for {} went back to your balance.", order.hostname),
        action_url: Some("/wallet"),
        metadata: json!({ "order_id": order.id, "amount": amount, "credit_note": credit_note }),
        dedupe_key: &format!("order/{}/{key}", order.id),
    };
    notifications::notify(tx, order.user_id, &notice).await
}
