//! Payments that wait for too long, and what their gateways say when they are asked.

use domain::{
    billing::{Evidence, PaymentMethod, PaymentStatus, WebhookOutcome},
    dispute::MisfitReason,
    gateway::{GatewayReport, Outcome},
    ids::PaymentId,
    payment_check::PaymentCheckPolicy,
};
use sqlx::PgConnection;

use super::{Bill, BillId, Statement, events};
use crate::{
    Result, Store, boxed,
    crash_point::crash_point,
    locks::{LockedPayment, lock_payment},
    payments::{Misfit, tell_of_misfit},
};

/// A payment whose gateway is to be asked.
#[derive(Debug, Clone)]
pub struct DuePayment {
    /// The payment.
    pub id: PaymentId,
    /// Slug of the gateway.
    pub gateway: String,
    /// Our name for the attempt.
    pub gateway_order_id: String,
    /// The gateway's id of the transaction, if it ever told.
    pub transaction_id: Option<String>,
    /// How it is paid.
    pub method: PaymentMethod,
    /// Where it stands.
    pub status: PaymentStatus,
    /// Whether the customer was told how to pay it.
    pub has_instructions: bool,
    /// Whether nobody is to pay it any more: its time is over, or it was called off here. A gateway that still takes money for
    /// it is to be told so.
    pub is_over: bool,
}

impl Store {
    /// Payments through `gateways` that are due to be asked about, after `last` by id, at most `limit`: those that wait
    /// for too long, once more when their time is over; those that were called off here, so that they are called off there
    /// too; those that are closed here, when their time at the gateway is over; both until the gateway named their end; and
    /// those of which something was told that the gateway could not be asked about.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn due_payments(
        &self,
        gateways: &[String],
        policy: &PaymentCheckPolicy,
        last: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<DuePayment>> {
        Ok(sqlx::query_as!(
            DuePayment,
            r#"WITH ages AS (SELECT $3::bigint * interval '1 millisecond' AS pending,
                                    $4::bigint * interval '1 millisecond' AS unknown,
                                    $5::bigint * interval '1 millisecond' AS forgotten)
               SELECT id AS "id: PaymentId", gateway AS "gateway!", gateway_order_id,
                      gateway_transaction_id AS transaction_id, method AS "method: PaymentMethod",
                      status AS "status: PaymentStatus",
                      (qr_string IS NOT NULL OR va_number IS NOT NULL OR bill_key IS NOT NULL) AS "has_instructions!",
                      status = 'CANCELLED' OR coalesce(expires_at < now() - ages.unknown, false) AS "is_over!"
               FROM payments, ages
               WHERE gateway = ANY($1) AND ($2::uuid IS NULL OR id > $2)
                 AND ((status IN ('PENDING', 'UNKNOWN')
                       AND created_at < now() - CASE status WHEN 'UNKNOWN' THEN ages.unknown ELSE ages.pending END
                       AND created_at > now() - ages.forgotten
                       AND (checked_at IS NULL
                            OR expires_at < now() - ages.unknown AND checked_at < expires_at + ages.unknown
                            OR checked_at < now() - greatest((checked_at - created_at) / 4,
                                   CASE status WHEN 'UNKNOWN' THEN ages.unknown ELSE ages.pending END)))
                   OR (status IN ('CANCELLED', 'EXPIRED', 'DENIED') AND answered_at IS NULL
                       AND created_at > now() - ages.forgotten
                       AND coalesce(expires_at, created_at) < now() - ages.pending
                       AND (checked_at IS NULL OR checked_at < coalesce(expires_at, created_at)
                            OR checked_at < now() - greatest((checked_at - coalesce(expires_at, created_at)) / 4, ages.pending)))
                   OR (status = 'CANCELLED' AND answered_at IS NULL
                       AND created_at > now() - ages.forgotten AND updated_at < now() - ages.pending
                       AND (checked_at IS NULL OR checked_at < updated_at
                            OR checked_at < now() - greatest((checked_at - updated_at) / 4, ages.pending)))
                   OR (doubted_at IS NOT NULL AND doubted_at > now() - ages.forgotten
                       AND (checked_at IS NULL OR checked_at < doubted_at
                            OR checked_at < now() - greatest((checked_at - doubted_at) / 4, ages.unknown))))
               ORDER BY id LIMIT $6"#,
            gateways,
            last.map(|id| id.0),
            milliseconds(policy.pending_after_ms),
            milliseconds(policy.unknown_after_ms),
            milliseconds(policy.forget_after_ms),
            limit,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Lets what a gateway said of the attempt of that name, when it was asked, take effect, as a webhook event of it
    /// would: money settles, an ended attempt is closed. Idempotent: what is already so stays.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; nothing was changed then.
    #[boxed]
    pub async fn apply_report(
        &self,
        gateway: &str,
        gateway_order_id: &str,
        report: &GatewayReport,
    ) -> Result<Outcome> {
        let mut tx = self.pool.begin().await?;
        crash_point("requery.begun");
        let Some((bill, payment)) = lock(&mut tx, gateway, gateway_order_id).await? else {
            return Ok(Outcome::UnknownPayment);
        };
        crash_point("requery.payment_locked");
        let outcome = if report.charged() != Some(payment.amount) {
            let note = format!("the gateway says {}, not {}", report.amount_as_received, payment.amount);
            note_answer(&mut tx, payment.id, report.status, Some(&note)).await?;
            events::tell_of_mismatch(&mut tx, gateway, &payment, &report.amount_as_received).await?;
            Outcome::Mismatch { payment_id: payment.id, expected: payment.amount }
        } else {
            note_answer(&mut tx, payment.id, report.status, None).await?;
            crash_point("requery.noted");
            let statement = Statement { report, evidence: Evidence::Asked };
            let effect = statement.effect_on(&mut tx, &payment).await?;
            statement.apply(&mut tx, &bill, &payment, effect).await?
        };
        crash_point("requery.applied");
        tx.commit().await?;
        crash_point("requery.committed");
        Ok(outcome)
    }

    /// Notes that a gateway was asked about a payment and did not answer. It is asked again; later and later.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_payment_question(&self, payment: PaymentId) -> Result<()> {
        sqlx::query!("UPDATE payments SET checked_at = now() WHERE id = $1", payment.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes that a gateway certainly never got the charge of an attempt that is closed: nobody asks about it any more.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_never_charged(&self, payment: PaymentId) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        note_answer(&mut connection, payment, PaymentStatus::Denied, None).await
    }

    /// Tells administrators of payments through `gateways` whose gateway never said what became of them, for so long that
    /// nobody asks any more: of each once, at most of `limit` now. Answers of how many.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn give_payments_up(
        &self,
        gateways: &[String],
        policy: &PaymentCheckPolicy,
        limit: i64,
    ) -> Result<usize> {
        let mut tx = self.pool.begin().await?;
        let given_up = sqlx::query!(
            r#"UPDATE payments SET given_up_at = now() WHERE id IN (
                   SELECT id FROM payments
                   WHERE gateway = ANY($1) AND given_up_at IS NULL
                     AND (answered_at IS NULL AND status <> 'PAID'
                          AND created_at <= now() - $2::bigint * interval '1 millisecond'
                          OR doubted_at <= now() - $2::bigint * interval '1 millisecond')
                   ORDER BY id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
               RETURNING id AS "id: PaymentId", gateway AS "gateway!", gateway_order_id, status AS "status: PaymentStatus""#,
            gateways,
            milliseconds(policy.forget_after_ms),
            limit,
        )
        .fetch_all(&mut *tx)
        .await?;
        for payment in &given_up {
            let misfit = Misfit {
                gateway: &payment.gateway,
                subject: &payment.gateway_order_id,
                payment_id: Some(payment.id),
                outcome: WebhookOutcome::Unanswered,
                reason: MisfitReason::GivenUp { status: payment.status },
                key: &format!("payment/{}/given_up", payment.id),
            };
            tell_of_misfit(&mut tx, misfit).await?;
        }
        tx.commit().await?;
        Ok(given_up.len())
    }
}

/// Locks the order or deposit and the attempt that a gateway was asked about, in this order, as everybody does.
async fn lock(
    tx: &mut PgConnection,
    gateway: &str,
    gateway_order_id: &str,
) -> Result<Option<(Bill, LockedPayment)>> {
    let found = sqlx::query!(
        r#"SELECT id AS "id: PaymentId", order_id, invoice_id, deposit_id FROM payments
           WHERE gateway = $1 AND gateway_order_id = $2"#,
        gateway,
        gateway_order_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let Some(bill) = BillId::new(found.order_id, found.invoice_id, found.deposit_id) else { return Ok(None) };
    let bill = bill.lock(tx).await?;
    Ok(Some((bill, lock_payment(tx, found.id).await?)))
}

/// Notes that a gateway answered, with a remark for staff if there is something to remark. One that named the end of the
/// attempt needs no asking any more.
pub(super) async fn note_answer(
    tx: &mut PgConnection,
    payment: PaymentId,
    said: PaymentStatus,
    remark: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE payments SET checked_at = now(), doubted_at = NULL, note = coalesce($2, note),
                answered_at = CASE WHEN $3 THEN now() ELSE answered_at END
         WHERE id = $1",
        payment.0,
        remark,
        !said.is_open(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn milliseconds(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
