//! What an administrator decides about the money of an order.

use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentOutcome, PaymentStatus},
    event::PaymentRejected,
    ids::{OrderId, PaymentId},
    order::{OrderStatus, Transition},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Payment, Settlement, attempt::insert_attempt, settle, settle::settle_to_wallet};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    idempotency::Claim,
    locks::{LockedOrder, LockedPayment, lock_order, lock_payment},
    money_act::MoneyAct,
    new_id,
};

/// What an administrator says about the money of an order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Approval<'a> {
    /// The bank transfer it is about. It may be left out when exactly one waits, or when none was announced.
    pub payment: Option<PaymentId>,
    /// What arrived with this transfer. It may be left out for what is still due of an order that waits, unless a
    /// transfer of it was rejected.
    pub arrived: Option<Rupiah>,
    /// A remark for colleagues.
    pub note: Option<&'a str>,
    /// The named transfer is closed (called off, expired or rejected), and what arrived with it is to go to the balance.
    pub credit_closed: bool,
}

/// Why money is not taken for an order. Nothing moved.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It was not said which of the transfers that wait it is about; these are they, the latest first.
    #[error("{} bank transfers wait; say which one it is about", .0.len())]
    SeveralWait(Vec<PaymentId>),
    /// A closed transfer is meant, and not named.
    #[error("say which closed transfer's money is to be credited")]
    PaymentRequired,
    /// Nothing is due, so nobody can guess what arrived.
    #[error("say what arrived: nothing is known to be due")]
    AmountRequired,
    /// The state of things, the request's idempotency key or the database was in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ApprovalError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Takes money for an order on an administrator's word: for the bank transfer that is named, for the only one that
    /// waits, or where none does, for a new one that stands for the override. Too much goes to the balance; too little
    /// is kept for the order and leaves the transfer open. Attempts open at a gateway are called off once the order is
    /// paid; if one is paid nevertheless, that money goes to the balance. So does what an order can't take any more, and
    /// what arrived with a closed transfer, when that is asked for. The same request again answers with the same payment
    /// as it is by then.
    ///
    /// # Errors
    /// [`ApprovalError::SeveralWait`], [`ApprovalError::PaymentRequired`], [`ApprovalError::AmountRequired`]. Of
    /// [`StoreError`]: `NotFound` when there is no such order, or it has no such payment; `Conflict` naming the order's
    /// status when it can't be paid (any more) and no transfer is open, or the payment's when it is paid, closed or no
    /// bank transfer; `OwnMoney` when the order is the administrator's; `IdempotencyMismatch`.
    #[boxed]
    pub async fn approve_payment(
        &self,
        order: OrderId,
        approval: &Approval<'_>,
        act: &MoneyAct,
    ) -> Result<Payment, ApprovalError> {
        let mut tx = self.pool.begin().await?;
        let order = lock_order(&mut tx, order).await?;
        act.refuse_own(order.user_id)?;
        // Requests of one key are about one order, so they wait for each other at its lock.
        if let Some(earlier) = act.earlier(&mut tx).await? {
            drop(tx);
            return Ok(self.any_payment(earlier.into()).await?);
        }
        let transfer = transfer_to_approve(&mut tx, &order, approval).await?;
        let id = transfer.payment.id;
        if let Claim::Done(_) = act.claim(&mut tx, id.0).await? {
            return Err(StoreError::IdempotencyMismatch.into());
        }
        if approval.arrived.is_none() && !transfer.amount_may_be_left_out {
            return Err(ApprovalError::AmountRequired);
        }
        let outcome = take(&mut tx, &order, &transfer, approval, act).await?;
        record_approval(&mut tx, &order, id, outcome, approval, act).await?;
        tx.commit().await?;
        Ok(self.any_payment(id).await?)
    }

    /// Refuses an open attempt to pay an order: the one that is named, or the only bank transfer that waits, or where
    /// none does, the only other attempt. The order goes on waiting, with what a part of the transfer has brought, and the
    /// customer is told with `reason`.
    ///
    /// # Errors
    /// [`ApprovalError::SeveralWait`]. Of [`StoreError`]: `NotFound` when there is no such order, or it has no such
    /// payment; `Conflict` naming the payment's status (the latest's, when none is named) when it is not open.
    #[boxed]
    pub async fn reject_payment(
        &self,
        order: OrderId,
        payment: Option<PaymentId>,
        origin: &Origin,
        reason: &str,
    ) -> Result<Payment, ApprovalError> {
        let mut tx = self.pool.begin().await?;
        let order = lock_order(&mut tx, order).await?;
        let LockedPayment { id, status: before, .. } = attempt_to_reject(&mut tx, &order, payment).await?;
        if !before.is_open() {
            return Err(StoreError::Conflict { object: Object::Payment, state: before.to_string() }.into());
        }
        sqlx::query!(
            "UPDATE payments SET status = 'DENIED', note = $2, updated_at = now() WHERE id = $1",
            id.0,
            reason,
        )
        .execute(&mut *tx)
        .await?;
        tell_of_rejection(&mut tx, &order, id, reason).await?;
        let act = AuditEntry {
            action: "payment.reject",
            object_kind: "order",
            object_id: Some(order.id.0),
            before: Some(json!({ "payment_id": id, "payment_status": before })),
            after: Some(json!({
                "payment_id": id,
                "payment_status": PaymentStatus::Denied,
                "reason": reason,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(self.any_payment(id).await?)
    }
}

/// The bank transfer an approval is about.
struct Transfer {
    payment: LockedPayment,
    /// It is known what is due, and nobody denied that it arrived.
    amount_may_be_left_out: bool,
}

/// Finds and locks the transfer. An attempt at a gateway is never approved: its own money may still come, and would then
/// be taken for a repetition.
async fn transfer_to_approve(
    tx: &mut PgConnection,
    order: &LockedOrder,
    approval: &Approval<'_>,
) -> Result<Transfer, ApprovalError> {
    let waits = order.status == OrderStatus::PendingPayment;
    let open = match approval.payment {
        Some(named) => {
            let payment = lock_of_order(tx, order, named).await?;
            refuse_unless_approvable(&payment, approval.credit_closed)?;
            let amount_may_be_left_out = waits && payment.status.is_open();
            return Ok(Transfer { payment, amount_may_be_left_out });
        }
        None if approval.credit_closed => return Err(ApprovalError::PaymentRequired),
        None => open_attempts(tx, order, true).await?,
    };
    match *open {
        [only] => Ok(Transfer { payment: lock_payment(tx, only).await?, amount_may_be_left_out: waits }),
        [] if Transition::Pay.allowed_from(order.status) => {
            let id: PaymentId = new_id();
            insert_attempt(tx, id, order, PaymentMethod::ManualTransfer, None, None).await?;
            let amount_may_be_left_out = waits && !was_rejected(tx, order).await?;
            Ok(Transfer { payment: lock_payment(tx, id).await?, amount_may_be_left_out })
        }
        [] => Err(StoreError::Conflict { object: Object::Order, state: order.status.to_string() }.into()),
        _ => Err(ApprovalError::SeveralWait(open)),
    }
}

fn refuse_unless_approvable(payment: &LockedPayment, credit_closed: bool) -> Result<()> {
    let state = match (payment.method, payment.status) {
        (PaymentMethod::ManualTransfer, PaymentStatus::Paid) => PaymentStatus::Paid.to_string(),
        (PaymentMethod::ManualTransfer, status) if status.is_open() == credit_closed => {
            let hint = if credit_closed { "not closed" } else { "closed: its money can only be credited" };
            format!("{status}, {hint}")
        }
        (PaymentMethod::ManualTransfer, _) => return Ok(()),
        (method, _) => format!("one by {method}, no bank transfer"),
    };
    Err(StoreError::Conflict { object: Object::Payment, state })
}

/// Locks a payment if it is one of the order's.
async fn lock_of_order(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: PaymentId,
) -> Result<LockedPayment> {
    sqlx::query_scalar!("SELECT id FROM payments WHERE id = $1 AND order_id = $2", payment.0, order.id.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("payment"))?;
    lock_payment(tx, payment).await
}

/// The open attempts to pay an order, the latest first: bank transfers, or all others.
async fn open_attempts(
    tx: &mut PgConnection,
    order: &LockedOrder,
    transfers: bool,
) -> Result<Vec<PaymentId>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentId" FROM payments
           WHERE order_id = $1 AND (method = 'MANUAL_TRANSFER') = $2 AND status IN ('PENDING', 'UNKNOWN')
           ORDER BY id DESC"#,
        order.id.0,
        transfers,
    )
    .fetch_all(tx)
    .await?)
}

/// Whether somebody denied that a transfer for the order arrived.
async fn was_rejected(tx: &mut PgConnection, order: &LockedOrder) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM payments WHERE order_id = $1 AND method = 'MANUAL_TRANSFER'
                          AND status = 'DENIED') AS "was_rejected!""#,
        order.id.0,
    )
    .fetch_one(tx)
    .await?)
}

async fn take(
    tx: &mut PgConnection,
    order: &LockedOrder,
    transfer: &Transfer,
    approval: &Approval<'_>,
    act: &MoneyAct,
) -> Result<Option<PaymentOutcome>> {
    let settlement = Settlement {
        transaction_id: None,
        approved_by: Some(act.by),
        note: approval.note,
        arrived: approval.arrived,
        payer_fee: Rupiah::ZERO,
    };
    if approval.credit_closed {
        return settle_to_wallet(tx, order, &transfer.payment, &settlement).await.map(Some);
    }
    settle(tx, order, &transfer.payment, &settlement).await
}

async fn record_approval(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: PaymentId,
    outcome: Option<PaymentOutcome>,
    approval: &Approval<'_>,
    act: &MoneyAct,
) -> Result<()> {
    let paid = matches!(outcome, Some(PaymentOutcome::Applied | PaymentOutcome::Revived));
    let entry = AuditEntry {
        action: "payment.approve",
        object_kind: "order",
        object_id: Some(order.id.0),
        before: Some(json!({ "status": order.status })),
        after: Some(json!({
            "status": if paid { OrderStatus::Paid } else { order.status },
            "payment_id": payment,
            "outcome": outcome,
            "amount_received": approval.arrived,
            "credit_closed": approval.credit_closed,
            "note": approval.note,
        })),
    };
    audit::record(tx, &act.origin, &entry).await
}

/// The attempt a rejection is about, locked: open ones before closed ones, bank transfers before others.
async fn attempt_to_reject(
    tx: &mut PgConnection,
    order: &LockedOrder,
    named: Option<PaymentId>,
) -> Result<LockedPayment, ApprovalError> {
    if let Some(payment) = named {
        return Ok(lock_of_order(tx, order, payment).await?);
    }
    let mut open = open_attempts(tx, order, true).await?;
    if open.is_empty() {
        open = open_attempts(tx, order, false).await?;
    }
    match *open {
        [only] => Ok(lock_payment(tx, only).await?),
        [] => Ok(latest_attempt(tx, order).await?),
        _ => Err(ApprovalError::SeveralWait(open)),
    }
}

async fn latest_attempt(tx: &mut PgConnection, order: &LockedOrder) -> Result<LockedPayment> {
    let latest = sqlx::query_scalar!(
        r#"SELECT id AS "id: PaymentId" FROM payments WHERE order_id = $1
           ORDER BY method = 'MANUAL_TRANSFER' DESC, id DESC LIMIT 1"#,
        order.id.0,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound("payment"))?;
    lock_payment(tx, latest).await
}

async fn tell_of_rejection(
    tx: &mut PgConnection,
    order: &LockedOrder,
    payment: PaymentId,
    reason: &str,
) -> Result<()> {
    let rejected = PaymentRejected {
        order_id: order.id,
        payment_id: payment,
        hostname: order.hostname.clone(),
        reason: reason.to_owned(),
    };
    let detail = json!({ "payment_id": payment });
    Entry::of(rejected).detail(detail).tell(tx, order.user_id).await
}
