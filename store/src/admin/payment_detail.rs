//! One attempt to pay with what is around it, and having its gateway asked.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::PaymentMethod,
    ids::{MovementId, PaymentId},
    ledger::MovementKind,
    sorting::PaymentSort,
};

use super::{PaymentDetail, PaymentFilter, WebhookSummary, payments::rows};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    page::SortedRequest,
};

/// How much of what is around a payment is shown.
const AROUND: i64 = 100;

/// An attempt to pay with what is around it.
#[derive(Debug, Clone)]
pub struct PaymentAround {
    /// The attempt.
    pub payment: PaymentDetail,
    /// When its gateway was last asked by us.
    pub checked_at: Option<DateTime<Utc>>,
    /// The latest hundred attempts to pay the same, newest first; it is one of them.
    pub attempts: Vec<PaymentDetail>,
    /// The latest hundred notifications about it, newest first.
    pub webhooks: Vec<WebhookSummary>,
    /// What its money did in the books, the first first.
    pub movements: Vec<PaymentMovement>,
}

/// A movement of an attempt's money in the books.
#[derive(Debug, Clone)]
pub struct PaymentMovement {
    /// Its id.
    pub id: MovementId,
    /// Why it moved.
    pub kind: MovementKind,
    /// What brought it about.
    pub cause: String,
    /// How much moved.
    pub amount: Rupiah,
    /// When.
    pub at: DateTime<Utc>,
}

/// An attempt as its gateway knows it.
#[derive(Debug, Clone)]
pub struct AskedPayment {
    /// Slug of the gateway.
    pub gateway: String,
    /// Our name for the attempt there.
    pub gateway_order_id: String,
    /// The gateway's id of it, if it ever told.
    pub transaction_id: Option<String>,
}

impl Store {
    /// One attempt with what is around it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such attempt.
    #[boxed]
    pub async fn payment_for_staff(&self, payment: PaymentId) -> Result<PaymentAround> {
        let (newest, one) = (PaymentSort::Newest, SortedRequest::first(1));
        let filter = PaymentFilter { id: Some(payment), ..PaymentFilter::default() };
        let found = rows(&self.pool, &filter, newest, &one).await?.into_iter().next();
        let found = found.ok_or(StoreError::NotFound("payment"))?;
        let same = PaymentFilter {
            order: found.order_id,
            invoice: found.invoice_id.filter(|_| found.order_id.is_none()),
            deposit: found.deposit_id,
            ..PaymentFilter::default()
        };
        let checked_at = sqlx::query_scalar!("SELECT checked_at FROM payments WHERE id = $1", payment.0)
            .fetch_one(&self.pool)
            .await?;
        Ok(PaymentAround {
            checked_at,
            attempts: rows(&self.pool, &same, newest, &SortedRequest::first(AROUND - 1)).await?,
            webhooks: self.payment_webhooks(payment).await?,
            movements: self.payment_movements(payment).await?,
            payment: found,
        })
    }

    async fn payment_webhooks(&self, payment: PaymentId) -> Result<Vec<WebhookSummary>> {
        Ok(sqlx::query_as!(
            WebhookSummary,
            r#"SELECT id, gateway, payment_id AS "payment_id: PaymentId", outcome, reason, received_at
               FROM webhook_events WHERE payment_id = $1 ORDER BY received_at DESC, id DESC LIMIT $2"#,
            payment.0,
            AROUND,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    async fn payment_movements(&self, payment: PaymentId) -> Result<Vec<PaymentMovement>> {
        Ok(sqlx::query_as!(
            PaymentMovement,
            r#"SELECT m.id AS "id: MovementId", m.kind AS "kind: MovementKind", m.cause, m.at,
                      (SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger_entries e
                       WHERE e.movement_id = m.id AND e.amount > 0) AS "amount!: Rupiah"
               FROM ledger_movements m WHERE m.payment_id = $1 ORDER BY m.at, m.id LIMIT $2"#,
            payment.0,
            AROUND,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Notes in the audit log that staff have a gateway asked about an attempt. Answers with the gateway.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such attempt; [`StoreError::Conflict`] when no gateway takes it.
    #[boxed]
    pub async fn request_payment_check(&self, payment: PaymentId, origin: &Origin) -> Result<AskedPayment> {
        let mut tx = self.pool.begin().await?;
        let found = sqlx::query!(
            r#"SELECT gateway, gateway_order_id, gateway_transaction_id, method AS "method: PaymentMethod"
               FROM payments WHERE id = $1"#,
            payment.0
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("payment"))?;
        let Some(gateway) = found.gateway else {
            let state = format!("by {}, which no gateway takes", found.method);
            return Err(StoreError::Conflict { object: Object::Payment, state });
        };
        let act = AuditEntry {
            action: "payment.check",
            object_kind: "payment",
            object_id: Some(payment.0),
            before: None,
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(AskedPayment {
            gateway,
            gateway_order_id: found.gateway_order_id,
            transaction_id: found.gateway_transaction_id,
        })
    }
}
