//! What an administrator decides about the money of an order.

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentOutcome, PaymentStatus},
    ids::{OrderId, PaymentId},
    notification::NotificationKind,
    order::{OrderStatus, Transition},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{LockedOrder, Payment, Settlement, attempt::insert_attempt, lock_order, lock_payment, settle};
use crate::{
    Result, Store, StoreError,
    audit::{self, Act, Actor, Origin},
    idempotency::{self, Claim, Idempotency},
    new_id,
    notifications::{self, Notice},
    timeline::{self, Step, StepStatus},
};

/// What an administrator says about the money of an order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Approval<'a> {
    /// What arrived with this transfer; `None` is exactly what was still due.
    pub arrived: Option<Rupiah>,
    /// A remark for colleagues.
    pub note: Option<&'a str>,
}

impl Store {
    /// Takes money for an order on an administrator's word: for the customer's open bank transfer, or where there is
    /// none, for a new one that stands for the override. Too much goes to the balance; too little is kept for the order
    /// and leaves the transfer open. Attempts open at a gateway are called off once the order is paid; if one is paid
    /// nevertheless, that money goes to the balance. So does a transfer that was announced for an order which can't take
    /// it any more, when `approval` says what arrived. The same `request` again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order; [`StoreError::Conflict`] naming the order's status when it
    /// can't be paid (any more) and no announced transfer is open, or the plan when an expired order can't be had again;
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    pub async fn approve_payment(
        &self,
        order: OrderId,
        origin: &Origin,
        approval: Approval<'_>,
        request: Option<&Idempotency>,
    ) -> Result<Payment> {
        let approved_by = match origin.actor {
            Actor::User(id) => Some(id),
            Actor::ApiKey(_) | Actor::System => None,
        };
        let mut tx = self.pool.begin().await?;
        if let (Some(request), Some(user)) = (request, approved_by)
            && let Claim::Done(earlier) = idempotency::claim(&mut tx, user, request, order.0).await?
        {
            return self.latest_payment(earlier.into()).await;
        }
        let order = lock_order(&mut tx, order, None).await?;
        let payment_id = transfer_to_approve(&mut tx, &order, approval).await?;
        let payment = lock_payment(&mut tx, payment_id).await?;
        let settlement =
            Settlement { transaction_id: None, approved_by, note: approval.note, arrived: approval.arrived };
        let outcome = settle(&mut tx, &order, &payment, &settlement).await?;
        if outcome == Some(PaymentOutcome::Credited) && approval.arrived.is_none() {
            return Err(StoreError::Conflict { object: "plan", state: "sold out".to_owned() });
        }
        let paid = matches!(outcome, Some(PaymentOutcome::Applied | PaymentOutcome::Revived));
        let act = Act {
            action: "payment.approve",
            object_kind: "order",
            object_id: Some(order.id.0),
            before: Some(json!({ "status": order.status })),
            after: Some(json!({
                "status": if paid { OrderStatus::Paid } else { order.status },
                "payment_id": payment_id,
                "outcome": outcome,
                "amount_received": approval.arrived,
                "note": approval.note,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        self.payment(payment_id, None).await
    }

    /// Refuses the latest open attempt to pay an order, a bank transfer first. The order goes on waiting, and the
    /// customer is told with `reason`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order; [`StoreError::Conflict`] naming the latest payment's
    /// status when none is open.
    pub async fn reject_payment(&self, order: OrderId, origin: &Origin, reason: &str) -> Result<Payment> {
        let mut tx = self.pool.begin().await?;
        let order = lock_order(&mut tx, order, None).await?;
        let (payment_id, before) = latest_attempt(&mut tx, &order).await?;
        if !before.is_open() {
            return Err(StoreError::Conflict { object: "payment", state: before.to_string() });
        }
        sqlx::query!(
            "UPDATE payments SET status = 'DENIED', note = $2, updated_at = now() WHERE id = $1",
            payment_id.0,
            reason,
        )
        .execute(&mut *tx)
        .await?;
        tell_of_rejection(&mut tx, &order, payment_id, reason).await?;
        let act = Act {
            action: "payment.reject",
            object_kind: "order",
            object_id: Some(order.id.0),
            before: Some(json!({ "payment_id": payment_id, "payment_status": before })),
            after: Some(json!({
                "payment_id": payment_id,
                "payment_status": PaymentStatus::Denied,
                "reason": reason,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        self.payment(payment_id, None).await
    }
}

/// The bank transfer an approval is about. An attempt open at a gateway is not approved: its own money may still come,
/// and would then be taken for a repetition. Where the order can't be paid any more, it is the transfer that the
/// customer had announced, if it was not approved or rejected yet.
async fn transfer_to_approve(
    tx: &mut PgConnection,
    order: &LockedOrder,
    approval: Approval<'_>,
) -> Result<PaymentId> {
    let payable = Transition::Pay.allowed_from(order.status);
    let announced = sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentId" FROM payments
           WHERE order_id = $1 AND method = 'MANUAL_TRANSFER'
             AND (status IN ('PENDING', 'UNKNOWN') OR NOT $2 AND status IN ('CANCELLED', 'EXPIRED'))
           ORDER BY id DESC LIMIT 1"#,
        order.id.0,
        payable,
    )
    .fetch_optional(&mut *tx)
    .await?;
    match announced {
        Some(announced) if payable || approval.arrived.is_some() => Ok(announced),
        _ if !payable => Err(StoreError::Conflict { object: "order", state: order.status.to_string() }),
        _ => {
            let payment_id: PaymentId = new_id();
            insert_attempt(tx, payment_id, order, PaymentMethod::ManualTransfer, None, None).await?;
            Ok(payment_id)
        }
    }
}

/// The attempt a rejection is about: open ones before closed ones, bank transfers before others, the latest first.
async fn latest_attempt(tx: &mut PgConnection, order: &LockedOrder) -> Result<(PaymentId, PaymentStatus)> {
    let latest = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", status AS "status: PaymentStatus" FROM payments WHERE order_id = $1
           ORDER BY status IN ('PENDING', 'UNKNOWN') DESC, method = 'MANUAL_TRANSFER' DESC, id DESC LIMIT 1
           FOR NO KEY UPDATE"#,
        order.id.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("payment"))?;
    Ok((latest.id, latest.status))
}

async fn tell_of_rejection(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: PaymentId,
    reason: &str,
) -> Result<()> {
    let step = Step {
        key: &format!("payment/{payment}/rejected"),
        step: "payment_rejected",
        status: StepStatus::Failed,
        message: &format!("Your payment was not accepted: {reason}"),
        detail: json!({ "payment_id": payment }),
    };
    timeline::record(tx, order.id, &step).await?;
    let notice = Notice {
        kind: NotificationKind::PaymentRejected,
        title: "Payment not accepted",
        message: &format!("Your payment for {} was not accepted: {reason}", order.hostname),
        action_url: Some(&format!("/orders/{}", order.id)),
        metadata: json!({ "order_id": order.id, "payment_id": payment }),
        dedupe_key: &format!("payment/{payment}/rejected"),
    };
    notifications::notify(tx, order.user_id, &notice).await
}
