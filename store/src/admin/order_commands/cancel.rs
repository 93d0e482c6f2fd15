//! Calling an order off for staff.

use domain::{
    Rupiah,
    event::OrderCancelledByStaff,
    ids::{InstanceId, OrderId},
    instance::InstanceAction,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Before, lock, move_or_conflict};
use crate::{
    Result, Store,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    idempotency::Claim,
    instance_actions::{self, NewAction, RequestedBy},
    invoices,
    money_act::MoneyAct,
    outbox, refunds,
};

/// An order that staff called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelledOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now.
    pub status: OrderStatus,
    /// Whether the customer had paid.
    pub was_paid: bool,
    /// Whether a server may exist at the provider: it was seen, or a create was sent and never refused for certain.
    pub server_may_exist: bool,
    /// What went back to the customer's balance.
    pub returned: Rupiah,
}

impl Store {
    /// Calls an order off for staff that has not come to its end: unpaid, paid, being provisioned, or failed. An open
    /// invoice becomes `VOID` and open attempts to pay are closed; what was paid goes back to the balance, with a credit
    /// note; a server that exists or may exist is deleted. The customer is told with `reason`. The same request again
    /// answers with the same.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] naming its status when it can't
    /// be called off any more, [`StoreError::OwnMoney`] when it is the administrator's,
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn cancel_order_for_staff(
        &self,
        order: OrderId,
        reason: &str,
        act: &MoneyAct,
    ) -> Result<CancelledOrder> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, order).await?;
        act.refuse_own(before.user_id.into())?;
        if let Claim::Done(_) = act.claim(&mut tx, order.0).await? {
            return cancelled(&mut tx, order, &before).await;
        }
        move_or_conflict(&mut tx, order, Transition::Cancel, &before).await?;
        invoices::call_off_order(&mut tx, order).await?;
        if before.server_may_exist {
            delete_server(&mut tx, order, &act.origin).await?;
        } else {
            close_instance(&mut tx, order).await?;
        }
        let returned = refunds::give_back(&mut tx, order, "cancelled", reason).await?;
        tell_of_cancellation(&mut tx, order, &before, reason).await?;
        let cancelled = CancelledOrder {
            order_id: order,
            status: OrderStatus::Cancelled,
            was_paid: before.status != OrderStatus::PendingPayment.as_str(),
            server_may_exist: before.server_may_exist,
            returned,
        };
        let entry = AuditEntry {
            action: "order.cancel",
            object_kind: "order",
            object_id: Some(order.0),
            before: Some(before.to_json()),
            after: Some(json!({
                "status": "CANCELLED",
                "reason": reason,
                "was_paid": cancelled.was_paid,
                "server_may_exist": cancelled.server_may_exist,
                "returned": cancelled.returned,
            })),
        };
        audit::record(&mut tx, &act.origin, &entry).await?;
        outbox::enqueue(&mut tx, &Message::OrderClosed { order_id: order }).await?;
        tx.commit().await?;
        Ok(cancelled)
    }
}

/// What came of calling an order off, read again.
async fn cancelled(tx: &mut PgConnection, order: OrderId, now: &Before) -> Result<CancelledOrder> {
    let row = sqlx::query!(
        r#"SELECT o.status AS "status: OrderStatus", o.paid_at IS NOT NULL AS "was_paid!",
                  (SELECT coalesce(sum(e.amount), 0)::bigint
                   FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                   JOIN ledger_accounts a ON a.id = e.account_id
                   WHERE m.cause IN ('order/' || o.id || '/release/cancelled', 'order/' || o.id || '/refund/cancelled')
                     AND a.kind = 'CUSTOMER_WALLET') AS "returned!: Rupiah"
           FROM orders o WHERE o.id = $1"#,
        order.0,
    )
    .fetch_one(tx)
    .await?;
    Ok(CancelledOrder {
        order_id: order,
        status: row.status,
        was_paid: row.was_paid,
        server_may_exist: now.server_may_exist,
        returned: row.returned,
    })
}

/// A server that exists or may exist costs money until it is gone.
async fn delete_server(tx: &mut PgConnection, order: OrderId, origin: &Origin) -> Result<()> {
    let instance = sqlx::query_scalar!(
        r#"SELECT id AS "id: InstanceId" FROM instances WHERE order_id = $1 AND status = 'PROVISIONING'"#,
        order.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(instance) = instance {
        let delete = NewAction {
            instance,
            by: RequestedBy::Program,
            action: &InstanceAction::Delete,
            origin,
            idempotency_key: None,
        };
        instance_actions::request(tx, &delete).await?;
    }
    Ok(())
}

/// The record of a server that never came to be at the provider ends with its order. One that may exist there stays
/// as it is until the provider says that it is gone.
async fn close_instance(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!(
        "UPDATE instances SET status = 'TERMINATED', updated_at = now()
         WHERE order_id = $1 AND status = 'PROVISIONING'",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn tell_of_cancellation(
    tx: &mut PgConnection,
    order: OrderId,
    before: &Before,
    reason: &str,
) -> Result<()> {
    let cancelled = OrderCancelledByStaff {
        order_id: order,
        hostname: before.hostname.clone(),
        reason: reason.to_owned(),
    };
    let detail = json!({ "by": "staff", "from": before.status, "failure_class": before.failure_class });
    Entry::of(cancelled).detail(detail).tell(tx, before.user_id.into()).await
}
