//! Deciding on a refund: one transaction that books it and, through a gateway, sends it on its way.

use domain::{
    Rupiah,
    event::{RefundCredited, RefundSent},
    ids::{InvoiceId, OrderId, PaymentId, RefundId, UserId},
    ledger::{Movement, Position, Service, Share},
    order::{OrderStatus, Transition},
    outbox::Message,
    refund::{CreditReason, RefundDestination, RefundStart, leads_back},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    Billed, NewRefund, Part, Refund, RefundError, RefundedOrder,
    credit_notes::{self, Issued, Sums},
    lock_invoice, read, tell,
};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry},
    boxed,
    idempotency::Claim,
    ledger,
    locks::lock_order,
    money_act::MoneyAct,
    new_id, outbox, payments, transition,
};

impl Store {
    /// Gives money of an order back, with a credit note. All that is in a paid or failed order ends it: it is
    /// `REFUNDED`, and its workflow is told. A part of it, and whatever is given back of a running or a closed one,
    /// leaves the order where it is. The same `request` again answers with the same refund.
    ///
    /// # Errors
    /// [`RefundError::TooMuch`] when there is less, [`RefundError::ChannelUnavailable`] when it can't go back the way it
    /// was paid. Of [`StoreError`]: `NotFound` when there is no such order; `Conflict` naming its status when there is
    /// nothing to give back, its server is being made, or all is wanted back of one that runs; `OwnMoney` when it is the
    /// administrator's; `IdempotencyMismatch`.
    #[boxed]
    pub async fn refund_order(
        &self,
        order: OrderId,
        new: &NewRefund<'_>,
        act: &MoneyAct,
    ) -> Result<RefundedOrder, RefundError> {
        let id: RefundId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Some(earlier) = earlier(&mut tx, act, id).await? {
            return Ok(of_order(&mut tx, order, earlier).await?);
        }
        let before = lock_order(&mut tx, order).await?;
        act.refuse_own(before.user_id)?;
        let billed = Billed::of_order(&before);
        let position = position(&mut tx, &billed, id).await?;
        let wanted = wanted_of_order(before.status, new.part, &position)?;
        let is_all = wanted == position.total()?;
        // The order moves first: what follows it is locked before the customer's accounts.
        let moved = is_all && transition::apply(&mut tx, order, Transition::Refund).await?;
        if moved || is_closed(before.status) {
            end_instance(&mut tx, order).await?;
        }
        let refund = begin(&mut tx, &billed, new, &position, wanted, Decided { id, by: act.by }).await?;
        if moved {
            outbox::enqueue(&mut tx, &Message::OrderClosed { order_id: order }).await?;
        }
        let refunded = of_order(&mut tx, order, refund).await?;
        let entry = AuditEntry {
            action: "order.refund",
            object_kind: "order",
            object_id: Some(order.0),
            before: Some(json!({ "status": before.status })),
            after: Some(json!({
                "status": refunded.status,
                "amount": refunded.refund.amount,
                "reason": new.reason,
                "server_may_exist": refunded.server_may_exist,
                "refund_id": id,
                "destination": new.destination,
            })),
        };
        audit::record(&mut tx, &act.origin, &entry).await?;
        tx.commit().await?;
        Ok(refunded)
    }

    /// Gives money of a paid invoice back that belongs to no order, with a credit note. The same `request` again answers
    /// with the same refund.
    ///
    /// # Errors
    /// As [`Store::refund_order`], about the invoice: `Conflict` also when it is an order's, or not paid.
    #[boxed]
    pub async fn refund_invoice(
        &self,
        invoice: InvoiceId,
        new: &NewRefund<'_>,
        act: &MoneyAct,
    ) -> Result<Refund, RefundError> {
        let id: RefundId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Some(earlier) = earlier(&mut tx, act, id).await? {
            return Ok(earlier);
        }
        let billed = lock_invoice(&mut tx, invoice).await?;
        act.refuse_own(billed.customer)?;
        let position = position(&mut tx, &billed, id).await?;
        let nothing = || StoreError::Conflict { object: Object::Invoice, state: "without money".to_owned() };
        let wanted = wanted(new.part, &position)?.ok_or_else(nothing)?;
        let refund = begin(&mut tx, &billed, new, &position, wanted, Decided { id, by: act.by }).await?;
        let entry = AuditEntry {
            action: "invoice.refund",
            object_kind: "invoice",
            object_id: Some(invoice.0),
            before: None,
            after: Some(json!({
                "amount": refund.amount,
                "reason": new.reason,
                "refund_id": id,
                "destination": new.destination,
            })),
        };
        audit::record(&mut tx, &act.origin, &entry).await?;
        tx.commit().await?;
        Ok(refund)
    }
}

/// A refund's id, and who decides on it.
#[derive(Clone, Copy)]
pub(super) struct Decided {
    pub(super) id: RefundId,
    pub(super) by: UserId,
}

/// The refund that an earlier request with the same key made.
async fn earlier(tx: &mut PgConnection, act: &MoneyAct, id: RefundId) -> Result<Option<Refund>> {
    match act.claim(tx, id.0).await? {
        Claim::Fresh => Ok(None),
        Claim::Done(earlier) => read::read(tx, earlier.into()).await.map(Some),
    }
}

/// Where the money is, after what has been earned by now was recognised: only the rest is not served yet.
pub(super) async fn position(tx: &mut PgConnection, billed: &Billed, refund: RefundId) -> Result<Position> {
    ledger::recognise(tx, billed.parties(), &format!("refund/{refund}")).await?;
    ledger::position(tx, billed.service).await
}

fn wanted_of_order(status: OrderStatus, part: Part, position: &Position) -> Result<Rupiah, RefundError> {
    let conflict = || StoreError::Conflict { object: Object::Order, state: status.to_string() };
    let allowed = match status {
        OrderStatus::PendingPayment | OrderStatus::Provisioning => false,
        // All of its money instead of a server is no longer possible.
        OrderStatus::Active => part != Part::Whole,
        _ => part != Part::Unserved,
    };
    if !allowed {
        return Err(conflict().into());
    }
    Ok(wanted(part, position)?.ok_or_else(conflict)?)
}

/// How much is to be given back; `None` when there is nothing.
fn wanted(part: Part, position: &Position) -> Result<Option<Rupiah>> {
    let available = position.total()?;
    let wanted = match part {
        Part::Whole => available,
        Part::Unserved => position.unserved()?,
        Part::Amount(amount) => amount,
    };
    Ok((available > Rupiah::ZERO && wanted > Rupiah::ZERO).then_some(wanted))
}

/// Books a refund with its papers, and sends it on its way when it goes through a gateway. What it is of is locked.
pub(super) async fn begin(
    tx: &mut PgConnection,
    billed: &Billed,
    new: &NewRefund<'_>,
    position: &Position,
    wanted: Rupiah,
    decided: Decided,
) -> Result<Refund, RefundError> {
    let id = decided.id;
    let mut available = position.total()?;
    let payment = match new.destination {
        RefundDestination::Wallet => None,
        RefundDestination::Gateway => {
            let way = way_back(tx, billed, new.gateways).await?;
            available = available.min(way.left);
            Some(way.payment)
        }
    };
    if wanted > available {
        return Err(RefundError::TooMuch { available });
    }
    let share = position.share(wanted, billed.price)?;
    let sums = Sums { total: wanted, tax: share.tax_in_all()?, is_all: wanted == position.total()? };
    let reason = CreditReason::from(new.reason.to_owned());
    let credit_note = credit_notes::take_back_invoice(tx, billed, sums, &reason).await?;
    insert(tx, billed, new, &share, Row { decided, payment, credit_note }).await?;
    let movement = Movement::given_back(billed.parties(), id, new.destination, &share)?;
    ledger::post(tx, &movement, reason.written()).await?;
    if new.destination == RefundDestination::Gateway {
        let start = RefundStart { refund_id: id, policy: new.policy };
        outbox::enqueue(tx, &Message::StartRefund(start)).await?;
    }
    let refund = read::read(tx, id).await?;
    tell(tx, &refund, |of| match refund.destination {
        RefundDestination::Wallet => RefundCredited(of).into(),
        RefundDestination::Gateway => RefundSent(of).into(),
    })
    .await?;
    Ok(refund)
}

/// A payment through whose gateway money can go back, and how much of it still can.
struct WayBack {
    payment: PaymentId,
    left: Rupiah,
}

/// Finds and locks the payment that money would go back through.
async fn way_back(tx: &mut PgConnection, billed: &Billed, gateways: &[&str]) -> Result<WayBack, RefundError> {
    let paid = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", gateway, method AS "method: domain::billing::PaymentMethod"
           FROM payments WHERE invoice_id = $1 AND status = 'PAID' AND outcome IN ('APPLIED', 'REVIVED')
           FOR NO KEY UPDATE"#,
        billed.invoice.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let unavailable = |why: String| Err(RefundError::ChannelUnavailable(why));
    let Some(paid) = paid else {
        return unavailable("no payment through a gateway brought this money".to_owned());
    };
    if !leads_back(paid.method) {
        return unavailable(format!("what was paid by {} goes back to the balance only", paid.method));
    }
    if !paid.gateway.as_deref().is_some_and(|gateway| gateways.contains(&gateway)) {
        return unavailable("the gateway it was paid through is not set up here".to_owned());
    }
    let left = payments::undisputed(tx, paid.id).await?;
    Ok(WayBack { payment: paid.id, left })
}

/// What a row has besides what was asked for.
struct Row {
    decided: Decided,
    payment: Option<PaymentId>,
    credit_note: Option<Issued>,
}

async fn insert(
    tx: &mut PgConnection,
    billed: &Billed,
    new: &NewRefund<'_>,
    share: &Share,
    row: Row,
) -> Result<()> {
    let (order, invoice) = match billed.service {
        Service::Order(order) => (Some(order.0), None),
        Service::Invoice(invoice) => (None, Some(invoice.0)),
    };
    sqlx::query!(
        "INSERT INTO refunds (id, user_id, order_id, invoice_id, payment_id, destination, status, amount, net, tax, reason,
                              credit_note_id, requested_by, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, CASE $6 WHEN 'WALLET' THEN 'COMPLETED' ELSE 'REQUESTED' END, $7, $8, $9, $10,
                 $11, $12, CASE $6 WHEN 'WALLET' THEN now() END)",
        row.decided.id.0,
        billed.customer.0,
        order,
        invoice,
        row.payment.map(|id| id.0),
        new.destination.as_str(),
        share.amount()?.get(),
        share.net()?.get(),
        share.tax_in_all()?.get(),
        new.reason,
        row.credit_note.map(|note| note.id.0),
        row.decided.by.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

const fn is_closed(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Cancelled | OrderStatus::Expired | OrderStatus::Refunded)
}

/// An order as it stands after a refund.
async fn of_order(tx: &mut PgConnection, order: OrderId, refund: Refund) -> Result<RefundedOrder> {
    let row = sqlx::query!(
        r#"SELECT o.status AS "status: OrderStatus",
                  (t.create_sent_at IS NOT NULL OR EXISTS (SELECT FROM instances i WHERE i.order_id = o.id
                   AND i.provider_instance_id IS NOT NULL)) AS "server_may_exist!"
           FROM orders o JOIN provisioning_tasks t ON t.order_id = o.id WHERE o.id = $1"#,
        order.0,
    )
    .fetch_one(tx)
    .await?;
    Ok(RefundedOrder { order_id: order, status: row.status, server_may_exist: row.server_may_exist, refund })
}

/// The record of a server that never came to be ends with its order, unless one may exist all the same.
pub(crate) async fn end_instance(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!(
        "WITH task AS (SELECT create_sent_at FROM provisioning_tasks WHERE order_id = $1 FOR NO KEY UPDATE)
         UPDATE instances SET status = 'TERMINATED', updated_at = now()
         WHERE order_id = $1 AND status = 'PROVISIONING' AND provider_instance_id IS NULL
           AND EXISTS (SELECT FROM task WHERE create_sent_at IS NULL)",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}
