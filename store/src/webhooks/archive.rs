//! Webhook events as they were kept, for staff.

use chrono::{DateTime, Utc};
use domain::{
    billing::WebhookOutcome,
    ids::{OrderId, PaymentId, WebhookEventId},
    sorting::WebhookSort,
};

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    page::{Page, SortCursor, SortedRequest},
};

/// Which events are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct WebhookFilter {
    /// Only those of this gateway.
    pub gateway: Option<String>,
    /// Only those with which this was done.
    pub outcome: Option<WebhookOutcome>,
    /// Only those about this payment.
    pub payment: Option<PaymentId>,
}

/// One event of a gateway, as it was kept.
#[derive(Debug, Clone)]
pub struct WebhookDetail {
    /// Its id, also the cursor of lists.
    pub id: WebhookEventId,
    /// Slug of the gateway.
    pub gateway: String,
    /// The payment it is about, if it is one of ours.
    pub payment_id: Option<PaymentId>,
    /// The order that payment pays, if it pays one.
    pub order_id: Option<OrderId>,
    /// What was done with it.
    pub outcome: WebhookOutcome,
    /// Why nothing was moved, when nothing was.
    pub reason: Option<String>,
    /// The identity of the event that it tells of; `None` when it was not believed.
    pub dedupe_key: Option<String>,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// As it came.
    pub body: Vec<u8>,
}

/// An event to be applied once more.
#[derive(Debug, Clone)]
pub struct KeptWebhook {
    /// Slug of the gateway.
    pub gateway: String,
    /// As it came.
    pub body: Vec<u8>,
}

/// Events in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_events {
    ($on:expr, $filter:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            WebhookDetail,
            r#"SELECT w.id AS "id: WebhookEventId", w.gateway, w.payment_id AS "payment_id: PaymentId",
                      p.order_id AS "order_id?: OrderId", w.outcome AS "outcome: WebhookOutcome", w.reason,
                      w.dedupe_key, w.received_at, w.body
               FROM webhook_events w LEFT JOIN payments p ON p.id = w.payment_id
               WHERE ($1::text IS NULL OR w.gateway = $1) AND ($2::text IS NULL OR w.outcome = $2)
                 AND ($3::uuid IS NULL OR w.payment_id = $3)
                 AND ($4::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $6",
            $filter.gateway,
            $filter.outcome.map(WebhookOutcome::as_str),
            $filter.payment.map(|payment| payment.0),
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Events of all gateways.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn webhooks(
        &self,
        filter: &WebhookFilter,
        sort: WebhookSort,
        page: SortedRequest,
    ) -> Result<Page<WebhookDetail, SortCursor>> {
        let rows = match sort {
            WebhookSort::Newest => select_events!(&self.pool, filter, page, "w.id < $5", "w.id DESC"),
            WebhookSort::Oldest => select_events!(&self.pool, filter, page, "w.id > $5", "w.id"),
        };
        Ok(page.cut_by_age(rows, |row| row.id.0))
    }

    /// One event.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such event.
    #[boxed]
    pub async fn webhook(&self, id: WebhookEventId) -> Result<WebhookDetail> {
        sqlx::query_as!(
            WebhookDetail,
            r#"SELECT w.id AS "id: WebhookEventId", w.gateway, w.payment_id AS "payment_id: PaymentId",
                      p.order_id AS "order_id?: OrderId", w.outcome AS "outcome: WebhookOutcome", w.reason,
                      w.dedupe_key, w.received_at, w.body
               FROM webhook_events w LEFT JOIN payments p ON p.id = w.payment_id WHERE w.id = $1"#,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("webhook"))
    }

    /// Notes that somebody has an event applied once more, and hands it out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such event.
    #[boxed]
    pub async fn replay_webhook(&self, id: WebhookEventId, origin: &Origin) -> Result<KeptWebhook> {
        let mut tx = self.pool.begin().await?;
        let kept =
            sqlx::query_as!(KeptWebhook, "SELECT gateway, body FROM webhook_events WHERE id = $1", id.0,)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(StoreError::NotFound("webhook"))?;
        let act = AuditEntry {
            action: "webhook.replay",
            object_kind: "webhook",
            object_id: Some(id.0),
            before: None,
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(kept)
    }
}
