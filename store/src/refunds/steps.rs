//! A refund's way through its gateway. Before each call it is noted that a call may be out ([`Store::begin_refund_call`]);
//! the note goes only when it is certain that no call took effect. While it is there the money goes nowhere else.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::PaymentMethod,
    event::{RefundCompleted, RefundReturned},
    ids::RefundId,
    ledger::{Movement, Parties, Service},
    outbox::Message,
    refund::{RefundPolicy, RefundStart, RefundStatus},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Refund, read, tell};
use crate::{
    Elapsed, Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, ledger, outbox,
};

/// What a gateway is to give back.
#[derive(Debug, Clone)]
pub struct RefundJob {
    /// Where the refund stands.
    pub status: RefundStatus,
    /// Slug of the gateway.
    pub gateway: String,
    /// Our name for the payment there.
    pub gateway_order_id: String,
    /// The gateway's name for the payment.
    pub transaction_id: Option<String>,
    /// How it was paid.
    pub method: PaymentMethod,
    /// How much is to be given back.
    pub amount: Rupiah,
    /// Why.
    pub reason: String,
    /// The gateway's name for the refund, once it took it on.
    pub gateway_refund_id: Option<String>,
}

/// A call to a gateway that may be out from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundCall {
    /// Which one it is, counted from 1.
    pub number: i32,
    /// Since when an earlier call may have taken effect whose answer is not known.
    pub in_doubt_since: Option<DateTime<Utc>>,
    /// The same as an age, at the beginning of this call.
    pub in_doubt_for: Option<Elapsed>,
}

impl Store {
    /// What is to be given back through a gateway.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such refund, or it goes to the balance.
    #[boxed]
    pub async fn refund_job(&self, refund: RefundId) -> Result<RefundJob> {
        sqlx::query_as!(
            RefundJob,
            r#"SELECT r.status AS "status: RefundStatus", p.gateway AS "gateway!", p.gateway_order_id,
                      p.gateway_transaction_id AS transaction_id, p.method AS "method: PaymentMethod",
                      r.amount AS "amount: Rupiah", r.reason, r.gateway_refund_id
               FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = $1"#,
            refund.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("refund"))
    }

    /// Notes that a call to the gateway may be out from now on. `None` when the refund has ended: no call may be made.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn begin_refund_call(&self, refund: RefundId) -> Result<Option<RefundCall>> {
        // What was in doubt before is read in a part of its own: an UPDATE returns what the row has become.
        Ok(sqlx::query_as!(
            RefundCall,
            r#"WITH before AS (
                   SELECT id, in_doubt_since FROM refunds
                   WHERE id = $1 AND status IN ('REQUESTED', 'SENT') FOR NO KEY UPDATE)
               UPDATE refunds r SET status = 'SENT', attempts = attempts + 1, in_doubt_since = now(),
                      sent_at = coalesce(sent_at, now()), updated_at = now()
               FROM before b WHERE r.id = b.id
               RETURNING r.attempts AS "number!", b.in_doubt_since,
                         extract(epoch FROM now() - b.in_doubt_since)::float8 AS "in_doubt_for: Elapsed""#,
            refund.0,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// A call certainly gave nothing back, because of `error`. What earlier calls left open stays open unless
    /// `none_took_effect` is certain, and nothing is certain while a later call may be out.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn refund_call_refused(
        &self,
        refund: RefundId,
        call: RefundCall,
        none_took_effect: bool,
        error: &str,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE refunds SET in_doubt_since = $3, last_error = $4, updated_at = now()
             WHERE id = $1 AND attempts = $2 AND status = 'SENT'",
            refund.0,
            call.number,
            call.in_doubt_since.filter(|_| !none_took_effect),
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// A call's outcome is open: the gateway left it so, or goes on by itself under the given name. `word` is for staff.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn refund_call_open(
        &self,
        refund: RefundId,
        gateway_refund_id: Option<&str>,
        word: &str,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE refunds SET gateway_refund_id = coalesce($2, gateway_refund_id), last_error = $3, updated_at = now()
             WHERE id = $1 AND status = 'SENT'",
            refund.0,
            gateway_refund_id,
            word,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes trouble before any call was made, for staff.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_refund_trouble(&self, refund: RefundId, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE refunds SET last_error = $2, updated_at = now() WHERE id = $1 AND status IN ('REQUESTED', 'SENT')",
            refund.0,
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The gateway gave the money back: what was owed is settled, and the customer is told. A refund that has ended
    /// stays as it is. Answers where it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such refund.
    #[boxed]
    pub async fn settle_refund(
        &self,
        refund: RefundId,
        gateway_refund_id: Option<&str>,
    ) -> Result<RefundStatus> {
        let mut tx = self.pool.begin().await?;
        let locked = lock(&mut tx, refund).await?;
        if !locked.status.is_open() {
            return Ok(locked.status);
        }
        sqlx::query!(
            "UPDATE refunds SET status = 'COMPLETED', gateway_refund_id = coalesce($2, gateway_refund_id),
                    in_doubt_since = NULL, last_error = NULL, ended_at = now(), updated_at = now() WHERE id = $1",
            refund.0,
            gateway_refund_id,
        )
        .execute(&mut *tx)
        .await?;
        let settled = Movement::refund_settled(parties(&locked), refund, locked.amount)?;
        ledger::post(&mut tx, &settled, None).await?;
        let ended = read::read(&mut tx, refund).await?;
        tell(&mut tx, &ended, |refund| RefundCompleted(refund).into()).await?;
        tx.commit().await?;
        Ok(RefundStatus::Completed)
    }

    /// Undoes a refund that its gateway certainly did not make: the money goes to the balance, and the customer is told.
    /// One of which that is not certain, or that has ended, stays as it is. Answers where it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such refund.
    #[boxed]
    pub async fn return_refund(&self, refund: RefundId, error: &str) -> Result<RefundStatus> {
        let mut tx = self.pool.begin().await?;
        let locked = lock(&mut tx, refund).await?;
        if !locked.status.is_open() || locked.in_doubt_since.is_some() {
            return Ok(locked.status);
        }
        sqlx::query!(
            "UPDATE refunds SET status = 'RETURNED_TO_WALLET', last_error = coalesce(last_error, $2), ended_at = now(),
                    updated_at = now() WHERE id = $1",
            refund.0,
            error,
        )
        .execute(&mut *tx)
        .await?;
        doubt(&mut tx, &locked).await?;
        let returned = Movement::refund_returned(parties(&locked), refund, locked.amount)?;
        ledger::post(&mut tx, &returned, Some(&locked.reason)).await?;
        let ended = read::read(&mut tx, refund).await?;
        tell(&mut tx, &ended, |refund| RefundReturned(refund).into()).await?;
        tx.commit().await?;
        Ok(RefundStatus::ReturnedToWallet)
    }

    /// Has a gateway asked once more for a refund whose end is not known. Harmless while it is being asked anyway.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such refund, [`StoreError::Conflict`] naming its status when it has
    /// ended.
    #[boxed]
    pub async fn retry_refund(
        &self,
        refund: RefundId,
        policy: RefundPolicy,
        origin: &Origin,
    ) -> Result<Refund> {
        let mut tx = self.pool.begin().await?;
        let locked = lock(&mut tx, refund).await?;
        if !locked.status.is_open() {
            return Err(StoreError::Conflict { object: Object::Refund, state: locked.status.to_string() });
        }
        outbox::enqueue(&mut tx, &Message::StartRefund(RefundStart { refund_id: refund, policy })).await?;
        let act = AuditEntry {
            action: "refund.retry",
            object_kind: "refund",
            object_id: Some(refund.0),
            before: Some(json!({
                "status": locked.status,
                "attempts": locked.attempts,
                "last_error": locked.last_error,
            })),
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(locked)
    }
}

/// A gateway that does not give money back may have none left: it is asked what became of the payment. What it took back while
/// the refund was under way could not be in dispute for all of its amount.
async fn doubt(tx: &mut PgConnection, returned: &Refund) -> Result<()> {
    sqlx::query!(
        "UPDATE payments SET doubted_at = coalesce(doubted_at, now()) WHERE id = $1",
        returned.payment_id.map(|id| id.0),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks a refund; the customer's accounts come after it.
async fn lock(tx: &mut PgConnection, refund: RefundId) -> Result<Refund> {
    sqlx::query!("SELECT id FROM refunds WHERE id = $1 FOR NO KEY UPDATE", refund.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("refund"))?;
    read::read(tx, refund).await
}

fn parties(refund: &Refund) -> Parties {
    let service = refund.order_id.map_or(Service::Invoice(refund.invoice_id), Service::Order);
    Parties { customer: refund.customer_id, service }
}
