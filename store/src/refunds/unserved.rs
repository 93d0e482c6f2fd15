//! What of a server's terms is not served yet, when it goes before their end.

use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InstanceId, InvoiceId, OrderId, RefundId, UserId},
    ledger::Position,
    order::OrderStatus,
    refund::{CreditReason, RefundDestination, RefundPolicy},
};
use sqlx::PgConnection;

use super::{
    Billed, NewRefund, Part, RefundError,
    request::{Decided, begin, position},
};
use crate::{
    Object, Result, StoreError,
    locks::{lock_invoice, lock_order},
    new_id,
};

/// Something that a server was paid with, and where its money is.
struct Paid {
    billed: Billed,
    position: Position,
    refund: RefundId,
}

/// Gives what is not served of a server's present and future terms, or the `share` of it, back to its owner's balance, each
/// order and invoice with a credit note of its own, and answers how much that is. What was earned until now is recognised, so
/// what is left is earned over the rest of the term. The server is locked by the caller.
pub(crate) async fn give_back_unserved(
    tx: &mut PgConnection,
    instance: InstanceId,
    owner: UserId,
    reason: &CreditReason,
    share: impl Fn(Rupiah) -> Result<Rupiah> + Send,
) -> Result<Rupiah> {
    let paid = paid(tx, instance).await?;
    let mut given = Rupiah::ZERO;
    for Paid { billed, position, refund } in paid {
        let wanted = share(position.unserved()?)?;
        given = given.plus(give_back(tx, &billed, &position, wanted, refund, owner, reason).await?)?;
    }
    Ok(given)
}

/// How much that would be. Recognises what is earned, so whoever only wants to know rolls back.
pub(crate) async fn unserved(
    tx: &mut PgConnection,
    instance: InstanceId,
    share: impl Fn(Rupiah) -> Result<Rupiah> + Send,
) -> Result<Rupiah> {
    let mut unserved = Rupiah::ZERO;
    for Paid { position, .. } in paid(tx, instance).await? {
        unserved = unserved.plus(share(position.unserved()?)?)?;
    }
    Ok(unserved)
}

/// Gives all that is left of a paid invoice without an order back to the balance, and answers how much that is. The server
/// that it is over something of is locked by the caller.
pub(crate) async fn give_back_invoice(
    tx: &mut PgConnection,
    invoice: InvoiceId,
    owner: UserId,
    reason: &CreditReason,
) -> Result<Rupiah> {
    let invoice = lock_invoice(tx, invoice).await?;
    if invoice.status != InvoiceStatus::Paid {
        return Ok(Rupiah::ZERO);
    }
    let (billed, refund): (Billed, RefundId) = (Billed::of_invoice(&invoice), new_id());
    let position = position(tx, &billed, refund).await?;
    give_back(tx, &billed, &position, position.total()?, refund, owner, reason).await
}

/// Gives so much of what was paid for something back to the balance. Nothing when there is nothing.
async fn give_back(
    tx: &mut PgConnection,
    billed: &Billed,
    position: &Position,
    wanted: Rupiah,
    refund: RefundId,
    owner: UserId,
    reason: &CreditReason,
) -> Result<Rupiah> {
    if wanted <= Rupiah::ZERO {
        return Ok(Rupiah::ZERO);
    }
    let new = NewRefund {
        part: Part::Amount(wanted),
        destination: RefundDestination::Wallet,
        reason: &reason.to_text(),
        gateways: &[],
        policy: RefundPolicy::default(),
    };
    let begun = begin(tx, billed, &new, position, wanted, Decided { id: refund, by: owner }).await;
    begun.map(|refund| refund.amount).map_err(|error| match error {
        RefundError::Store(error) => error,
        error => StoreError::Conflict { object: Object::Refund, state: error.to_string() },
    })
}

/// Everything that a server was paid with, locked, with what is earned of it recognised: its order, then the invoices
/// over its further terms and dearer plans.
async fn paid(tx: &mut PgConnection, instance: InstanceId) -> Result<Vec<Paid>> {
    let order = sqlx::query_scalar!(
        r#"SELECT order_id AS "order_id: OrderId" FROM instances WHERE id = $1"#,
        instance.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let invoices = sqlx::query_scalar!(
        r#"SELECT v.id AS "id: InvoiceId" FROM invoices v
           WHERE v.status = 'PAID' AND v.id IN (SELECT invoice_id FROM renewals WHERE instance_id = $1
                                                UNION ALL SELECT invoice_id FROM resizes WHERE instance_id = $1)
           ORDER BY v.id"#,
        instance.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    let order = lock_order(tx, order).await?;
    let mut billed = Vec::with_capacity(invoices.len() + 1);
    if order.status == OrderStatus::Active {
        billed.push(Billed::of_order(&order));
    }
    for invoice in invoices {
        billed.push(Billed::of_invoice(&lock_invoice(tx, invoice).await?));
    }
    let mut paid = Vec::with_capacity(billed.len());
    for billed in billed {
        let refund: RefundId = new_id();
        let position = position(tx, &billed, refund).await?;
        paid.push(Paid { billed, position, refund });
    }
    Ok(paid)
}
