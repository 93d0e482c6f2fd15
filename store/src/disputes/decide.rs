//! Deciding on a dispute. Accepted, the books follow in the same transaction: what the gateway took back leaves what it
//! holds for us, and is borne by the order or invoice it paid, by the customer's balance as far as it reaches, and for the
//! rest by what the customer owes us.

use domain::{
    Rupiah,
    billing::PaymentOutcome,
    dispute::DisputeStatus,
    event::PaymentTakenBack,
    ids::{DisputeId, InstanceId, UserId},
    instance::InstanceAction,
    ledger::{Movement, Position, Service, TakenBack},
    order::Transition,
    outbox::Message,
    refund::CreditReason,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Dispute, read};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    idempotency::Claim,
    instance_actions::{self, NewAction, RequestedBy},
    ledger,
    locks::{lock_deposit, lock_invoice, lock_order, lock_payment},
    money_act::MoneyAct,
    outbox, payments,
    refunds::{self, Billed},
    transition,
};

/// What an administrator makes of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// The money is gone: the books follow.
    Accept {
        /// Whether the server that it paid for is powered off.
        suspend_server: bool,
        /// A remark.
        note: Option<&'a str>,
    },
    /// It is not so, or settled elsewhere: the books stay.
    Dismiss {
        /// Why.
        reason: &'a str,
    },
}

impl Decision<'_> {
    const fn status(self) -> DisputeStatus {
        match self {
            Self::Accept { .. } => DisputeStatus::Accepted,
            Self::Dismiss { .. } => DisputeStatus::Dismissed,
        }
    }
}

impl Store {
    /// Decides on a dispute. The same `request` again answers with the dispute as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such dispute; [`StoreError::Conflict`] naming its status when it is decided
    /// already, or was dismissed and what it is about went back otherwise since, or what is in the way of powering its server off; [`StoreError::OwnMoney`] when the payment is the
    /// administrator's; [`StoreError::IdempotencyMismatch`]. Nothing moved.
    #[boxed]
    pub async fn decide_dispute(
        &self,
        dispute: DisputeId,
        decision: &Decision<'_>,
        act: &MoneyAct,
    ) -> Result<Dispute> {
        let by = act.by;
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(_) = act.claim(&mut tx, dispute.0).await? {
            return read::read(&mut tx, dispute).await;
        }
        let (before, billed) = lock(&mut tx, dispute).await?;
        act.refuse_own(before.customer_id)?;
        if !before.status.may_become(decision.status()) {
            return Err(StoreError::Conflict { object: Object::Dispute, state: before.status.to_string() });
        }
        match *decision {
            Decision::Dismiss { reason } => dismiss(&mut tx, dispute, by, reason).await?,
            Decision::Accept { suspend_server, note } => {
                refuse_if_gone_otherwise(&mut tx, &before).await?;
                // The server is locked before the customer's accounts.
                if suspend_server {
                    power_off(&mut tx, &before, &act.origin).await?;
                }
                let taken = take_back(&mut tx, &before, billed.as_ref()).await?;
                accept(&mut tx, dispute, by, suspend_server, note, taken.receivable).await?;
                tell_customer(&mut tx, &before).await?;
            }
        }
        let after = read::read(&mut tx, dispute).await?;
        record(&mut tx, &before, &after, &act.origin).await?;
        tx.commit().await?;
        Ok(after)
    }
}

/// Locks what was paid, the attempt and the dispute, in the order everybody does; answers with what was billed, if the
/// payment paid a bill.
async fn lock(tx: &mut PgConnection, dispute: DisputeId) -> Result<(Dispute, Option<Billed>)> {
    let found = read::read(tx, dispute).await?;
    let billed = match (found.order_id, found.invoice_id, found.deposit_id) {
        (Some(order), ..) => Some(Billed::of_order(&lock_order(tx, order).await?)),
        (None, Some(invoice), _) => Some(Billed::of_invoice(&lock_invoice(tx, invoice).await?)),
        (None, None, Some(deposit)) => {
            lock_deposit(tx, deposit).await?;
            None
        }
        (None, None, None) => None,
    };
    lock_payment(tx, found.payment_id).await?;
    sqlx::query!("SELECT id FROM disputes WHERE id = $1 FOR NO KEY UPDATE", dispute.0)
        .fetch_one(&mut *tx)
        .await?;
    let found = read::read(tx, dispute).await?;
    let applied = sqlx::query_scalar!(
        r#"SELECT outcome AS "outcome: PaymentOutcome" FROM payments WHERE id = $1"#,
        found.payment_id.0
    )
    .fetch_one(tx)
    .await?;
    // Money that its order or invoice could not take went to the balance.
    let paid_it = matches!(applied, Some(PaymentOutcome::Applied | PaymentOutcome::Revived));
    Ok((found, billed.filter(|_| paid_it)))
}

async fn dismiss(tx: &mut PgConnection, dispute: DisputeId, by: UserId, reason: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE disputes SET status = 'DISMISSED', note = $3, decided_by = $2, decided_at = now() WHERE id = $1",
        dispute.0,
        by.0,
        reason,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What was dismissed counted as still there: it may have been taken back, or given back by us, in another way since.
async fn refuse_if_gone_otherwise(tx: &mut PgConnection, dispute: &Dispute) -> Result<()> {
    let is_left = dispute.amount <= payments::undisputed(tx, dispute.payment_id).await?
        && dispute.payer_fee <= super::undisputed_payer_fee(tx, dispute.payment_id).await?;
    if dispute.status == DisputeStatus::Dismissed && !is_left {
        let state = format!("{}, and what it is about went back otherwise since", dispute.status);
        return Err(StoreError::Conflict { object: Object::Dispute, state });
    }
    Ok(())
}

async fn accept(
    tx: &mut PgConnection,
    dispute: DisputeId,
    by: UserId,
    suspends_server: bool,
    note: Option<&str>,
    receivable: Rupiah,
) -> Result<()> {
    sqlx::query!(
        "UPDATE disputes SET status = 'ACCEPTED', note = coalesce($3, note), decided_by = $2, decided_at = now(),
                suspends_server = $4, receivable = $5
         WHERE id = $1",
        dispute.0,
        by.0,
        note,
        suspends_server,
        receivable.get(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Books what was taken back, with a credit note for what its bill loses. An order that loses all it was paid with, and
/// has no server yet, ends with it.
async fn take_back(tx: &mut PgConnection, dispute: &Dispute, billed: Option<&Billed>) -> Result<TakenBack> {
    let mut position = Position::default();
    if let Some(billed) = billed {
        ledger::recognise(tx, billed.parties(), &format!("dispute/{}", dispute.id)).await?;
        position = ledger::position(tx, billed.service).await?;
        lose(tx, dispute, billed, &position).await?;
    }
    let bonus = bonus_share(tx, dispute).await?;
    let balances = ledger::lock_accounts(tx, dispute.customer_id).await?;
    let service = billed.map(|billed| (&position, billed.price));
    let of_ours = match dispute.amount {
        Rupiah::ZERO => TakenBack::default(),
        amount => TakenBack::split(amount, bonus, service, balances.wallet)?,
    };
    let taken = TakenBack { payer_fee: dispute.payer_fee, ..of_ours };
    let about = match billed {
        Some(billed) => Some(billed.service),
        None => dispute.order_id.map(Service::Order).or(dispute.invoice_id.map(Service::Invoice)),
    };
    let movement = Movement::taken_back(dispute.customer_id, about, dispute.id, &taken)?;
    ledger::post(tx, &movement, None).await?;
    Ok(taken)
}

/// The papers for what a bill loses, and the end of an order that loses all.
async fn lose(tx: &mut PgConnection, dispute: &Dispute, billed: &Billed, position: &Position) -> Result<()> {
    let total = position.total()?;
    let lost = dispute.amount.min(total);
    if lost <= Rupiah::ZERO {
        return Ok(());
    }
    let is_all = lost == total;
    if let Some(order) = billed.order().filter(|_| is_all)
        && transition::apply(tx, order, Transition::Refund).await?
    {
        refunds::end_instance(tx, order).await?;
        outbox::enqueue(tx, &Message::OrderClosed { order_id: order }).await?;
    }
    let tax = position.share(lost, billed.price)?.tax_in_all()?;
    let reason = CreditReason::PaymentTakenBack { gateway: dispute.gateway.clone() };
    refunds::credit(tx, billed, lost, tax, is_all, &reason).await
}

/// What a promo code gave on top of the part of a deposit that is gone.
async fn bonus_share(tx: &mut PgConnection, dispute: &Dispute) -> Result<Rupiah> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(e.amount), 0)::bigint * $2 / p.amount AS "bonus!: Rupiah"
           FROM payments p
           LEFT JOIN ledger_movements m ON m.payment_id = p.id AND m.kind = 'PROMO_BONUS'
           LEFT JOIN ledger_accounts a ON a.kind = 'CUSTOMER_WALLET' AND a.owner_id = p.user_id
           LEFT JOIN ledger_entries e ON e.movement_id = m.id AND e.account_id = a.id
           WHERE p.id = $1 GROUP BY p.id"#,
        dispute.payment_id.0,
        dispute.amount.get(),
    )
    .fetch_one(tx)
    .await?)
}

/// Has the server that the payment paid for powered off, as staff would by hand.
async fn power_off(tx: &mut PgConnection, dispute: &Dispute, origin: &Origin) -> Result<()> {
    let instance = sqlx::query_scalar!(
        r#"SELECT s.id AS "id: InstanceId" FROM instances s
           WHERE s.order_id = $1
              OR s.id = (SELECT instance_id FROM renewals WHERE invoice_id = $2 AND $1::uuid IS NULL)"#,
        dispute.order_id.map(|id| id.0),
        dispute.invoice_id.map(|id| id.0),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| StoreError::Conflict { object: Object::Instance, state: "not there".to_owned() })?;
    let new = NewAction {
        instance,
        by: RequestedBy::Program,
        action: &InstanceAction::PowerOff,
        origin,
        idempotency_key: None,
    };
    instance_actions::request(tx, &new).await.map(drop)
}

async fn tell_customer(tx: &mut PgConnection, dispute: &Dispute) -> Result<()> {
    // A fee of the gateway's, which came back to whoever paid it.
    if dispute.amount == Rupiah::ZERO {
        return Ok(());
    }
    let taken_back = PaymentTakenBack {
        payment_id: dispute.payment_id,
        order_id: dispute.order_id,
        dispute_id: dispute.id,
        amount: dispute.amount,
    };
    let detail = json!({ "dispute_id": dispute.id, "payment_id": dispute.payment_id, "kind": dispute.kind });
    Entry::of(taken_back).detail(detail).tell(tx, dispute.customer_id).await
}

async fn record(tx: &mut PgConnection, before: &Dispute, after: &Dispute, origin: &Origin) -> Result<()> {
    let accepted = after.status == DisputeStatus::Accepted;
    let act = AuditEntry {
        action: if accepted { "dispute.accept" } else { "dispute.dismiss" },
        object_kind: "dispute",
        object_id: Some(after.id.0),
        before: Some(json!({ "status": before.status })),
        after: Some(json!({
            "status": after.status,
            "payment_id": after.payment_id,
            "amount": after.amount,
            "payer_fee": after.payer_fee,
            "receivable": after.receivable,
            "suspends_server": after.suspends_server,
            "note": after.note,
        })),
    };
    audit::record(tx, origin, &act).await
}
