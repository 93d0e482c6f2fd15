//! Stepping into an order's course. Each act is one transaction: the move itself, what follows from it, an audit
//! row with the state before and after, a step on the order's timeline, and the message to its workflow.

use domain::{
    Rupiah,
    failover::PlacementReason,
    ids::OrderId,
    notification::NotificationKind,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, Act, Origin},
    idempotency::Claim,
    money_act::MoneyAct,
    notifications::{self, Notice},
    outbox,
    placements::{self, Elsewhere, ElsewhereRefusal, Place, RetryError},
    refunds,
    timeline::{self, Step, StepStatus},
    transition,
};

/// An order that is being provisioned once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetriedOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now.
    pub status: OrderStatus,
    /// Which manual retry of this order it is; the first is 1.
    pub retry: i64,
}

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
    /// Sends a failed order back to provisioning where it is: the task is `PENDING` again with its error cleared, and
    /// the workflow is told. `create_sent_at` stays: a server may exist from the failed try, and the next one must
    /// look for it first. Of several calls at once one wins.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] naming its status when it is
    /// not `PROVISIONING_FAILED`.
    pub async fn retry_provisioning(&self, order: OrderId, origin: &Origin) -> Result<RetriedOrder> {
        let mut tx = self.pool.begin().await?;
        let before = take_back(&mut tx, order).await?;
        let retried = go_on(&mut tx, order, origin, &before, None).await?;
        tx.commit().await?;
        Ok(retried)
    }

    /// The same with another plan, region or both. Refused while a server of the order exists or may exist where it
    /// was tried, since it could end up with two; what comes to the same place as before is a plain retry.
    ///
    /// # Errors
    /// As [`Store::retry_provisioning`], and [`RetryError::Refused`] when the order can't go there.
    pub async fn retry_provisioning_elsewhere(
        &self,
        order: OrderId,
        wish: &Elsewhere,
        origin: &Origin,
    ) -> Result<RetriedOrder, RetryError> {
        let mut tx = self.pool.begin().await?;
        let before = take_back(&mut tx, order).await?;
        let now = placements::current(&mut tx, order).await?;
        let (plan, region) = placements::resolve(&mut tx, order, &now, wish).await??;
        let moved = if (plan, region) == (now.plan_id, now.region_id) {
            None
        } else if placements::is_settled(&mut tx, order).await? {
            let to = placements::move_to(&mut tx, order, plan, region, PlacementReason::Admin).await?;
            Some((now, to))
        } else {
            return Err(ElsewhereRefusal::OutcomePending.into());
        };
        let retried = go_on(&mut tx, order, origin, &before, moved).await?;
        tx.commit().await?;
        Ok(retried)
    }

    /// Calls an order off for staff: unpaid, paid but not yet at the provider, or failed. An open invoice becomes
    /// `VOID` and open attempts to pay are closed; what was paid goes back to the balance, with a credit note. The
    /// customer is told with `reason`. The same request again answers with the same.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] naming its status when it can't
    /// be called off any more, [`StoreError::OwnMoney`] when it is the administrator's,
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
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
        close_billing(&mut tx, order).await?;
        if !before.server_may_exist {
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
        let entry = Act {
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

/// An order as it was when the act began, with its task.
struct Before {
    status: String,
    user_id: uuid::Uuid,
    hostname: String,
    failure_class: Option<String>,
    failure_message: Option<String>,
    task_status: String,
    attempts: i32,
    last_error_class: Option<String>,
    last_error: Option<String>,
    last_error_code: Option<String>,
    provider_request_id: Option<String>,
    server_may_exist: bool,
}

impl Before {
    fn to_json(&self) -> Value {
        json!({
            "status": self.status,
            "failure_class": self.failure_class,
            "failure_message": self.failure_message,
            "task": {
                "status": self.task_status,
                "attempts": self.attempts,
                "last_error_class": self.last_error_class,
                "last_error": self.last_error,
                "last_error_code": self.last_error_code,
                "provider_request_id": self.provider_request_id,
            },
        })
    }
}

/// Locks the order, then its task, so that what is read here is what the audit row may call "before".
async fn lock(tx: &mut PgConnection, order: OrderId) -> Result<Before> {
    sqlx::query_as!(
        Before,
        r#"SELECT o.status, o.user_id, o.hostname, o.failure_class, o.failure_message, t.status AS task_status, t.attempts,
                  t.last_error_class, t.last_error, t.last_error_code, t.provider_request_id,
                  (t.create_sent_at IS NOT NULL OR EXISTS (SELECT FROM instances i WHERE i.order_id = o.id
                   AND i.provider_instance_id IS NOT NULL)) AS "server_may_exist!"
           FROM orders o JOIN provisioning_tasks t ON t.order_id = o.id
           WHERE o.id = $1 FOR NO KEY UPDATE OF o, t"#,
        order.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("order"))
}

/// Locks a failed order and moves it back to `PROVISIONING`; answers how it was.
async fn take_back(tx: &mut PgConnection, order: OrderId) -> Result<Before> {
    let before = lock(tx, order).await?;
    move_or_conflict(tx, order, Transition::RetryProvisioning, &before).await?;
    Ok(before)
}

/// What follows from a retry, the order being moved or not: the task begins anew, the step, the audit row and the
/// message to the workflow are written.
async fn go_on(
    tx: &mut PgConnection,
    order: OrderId,
    origin: &Origin,
    before: &Before,
    moved: Option<(Place, Place)>,
) -> Result<RetriedOrder> {
    reset_task(tx, order).await?;
    let (mut was, mut is) =
        (before.to_json(), json!({ "status": "PROVISIONING", "task": { "status": "PENDING" } }));
    let mut message = "We are trying again to set up your server.".to_owned();
    if let Some((from, to)) = &moved {
        was["placement"] = from.to_json();
        is["placement"] = to.to_json();
        message = format!(
            "We are trying again to set up your server: at {} in {} ({}).",
            to.provider_name, to.region_name, to.plan_name
        );
    }
    let retry = record_retry(tx, order, before, &message).await?;
    is["retry"] = json!(retry);
    if moved.is_some() {
        placements::tell_customer(tx, order, &format!("retry/{retry}"), &message).await?;
    }
    let act = Act {
        action: "order.retry_provisioning",
        object_kind: "order",
        object_id: Some(order.0),
        before: Some(was),
        after: Some(is),
    };
    audit::record(tx, origin, &act).await?;
    outbox::enqueue(tx, &Message::RetryProvisioning { order_id: order }).await?;
    Ok(RetriedOrder { order_id: order, status: OrderStatus::Provisioning, retry })
}

async fn move_or_conflict(
    tx: &mut PgConnection,
    order: OrderId,
    transition: Transition,
    before: &Before,
) -> Result<()> {
    if transition::apply(tx, order, transition).await? {
        return Ok(());
    }
    Err(StoreError::Conflict { object: "order", state: before.status.clone() })
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

async fn reset_task(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!(
        "UPDATE provisioning_tasks SET status = 'PENDING', last_error_class = NULL, last_error = NULL,
                last_error_code = NULL, provider_request_id = NULL, updated_at = now()
         WHERE order_id = $1",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes the retry to the timeline and answers its number. The order's lock makes the number unique.
async fn record_retry(tx: &mut PgConnection, order: OrderId, before: &Before, message: &str) -> Result<i64> {
    let earlier = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM order_timeline WHERE order_id = $1 AND step = 'provisioning_retried'"#,
        order.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let retry = earlier + 1;
    let step = Step {
        key: &format!("retry/{retry}"),
        step: "provisioning_retried",
        status: StepStatus::Done,
        message,
        detail: json!({
            "retry": retry,
            "attempts": before.attempts,
            "failure_class": before.failure_class,
            "failure_message": before.failure_message,
            "provider_request_id": before.provider_request_id,
        }),
    };
    timeline::record(tx, order, &step).await?;
    Ok(retry)
}

async fn close_billing(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!("UPDATE invoices SET status = 'VOID' WHERE order_id = $1 AND status = 'OPEN'", order.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "UPDATE payments SET status = 'CANCELLED', updated_at = now()
         WHERE order_id = $1 AND status IN ('PENDING', 'UNKNOWN')",
        order.0,
    )
    .execute(tx)
    .await?;
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
    let message = format!("Our team cancelled this order: {reason}");
    let mut step = Step::done("order_cancelled", &message);
    step.detail = json!({ "by": "staff", "from": before.status, "failure_class": before.failure_class });
    timeline::record(&mut *tx, order, &step).await?;
    let notice = Notice {
        kind: NotificationKind::OrderCancelled,
        title: "Your order was cancelled",
        message: &format!("Our team cancelled your order for {}: {reason}", before.hostname),
        action_url: Some(&format!("/orders/{order}")),
        metadata: json!({ "order_id": order }),
        dedupe_key: &format!("order/{order}/cancelled"),
    };
    notifications::notify(tx, before.user_id.into(), &notice).await
}
