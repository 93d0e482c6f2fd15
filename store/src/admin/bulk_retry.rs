//! Many failed orders tried again together, some a minute, so that whatever made them fail is not met by all at once.

use chrono::{DateTime, Utc};
use domain::{
    ids::{BulkRetryId, OrderId, UserId},
    provisioning::FailureClass,
    sorting::AgeSort,
};
use serde_json::json;
use sqlx::PgConnection;

use super::order_commands;
use crate::{
    Result, Store, StoreError,
    audit::{self, Actor, AuditEntry, Origin},
    boxed, new_id,
    page::{Page, SortCursor, SortedRequest},
};

/// Which failed orders are to be tried again, and how fast.
#[derive(Debug, Clone)]
pub struct NewBulkRetry {
    /// Those that failed with this class.
    pub failure_class: FailureClass,
    /// Of these, those that are at this provider now (slug); none: all.
    pub provider: Option<String>,
    /// How many a minute.
    pub per_minute: i32,
    /// Who wants it.
    pub staff: UserId,
}

/// Failed orders that are tried again together.
#[derive(Debug, Clone)]
pub struct BulkRetry {
    /// Its id, also the cursor of lists.
    pub id: BulkRetryId,
    /// The class they failed with.
    pub failure_class: FailureClass,
    /// The provider they were at; none: all.
    pub provider: Option<String>,
    /// How many a minute.
    pub per_minute: i32,
    /// Who wanted it.
    pub requested_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When staff stopped it.
    pub stopped_at: Option<DateTime<Utc>>,
    /// How many orders it is about.
    pub orders: i64,
    /// How many are tried again.
    pub retried: i64,
    /// How many had not failed any more when it was their turn, or with another class, or could not be tried again.
    pub skipped: i64,
}

impl BulkRetry {
    /// How many are still to be tried again.
    #[must_use]
    pub const fn waiting(&self) -> i64 {
        if self.stopped_at.is_some() { 0 } else { self.orders - self.retried - self.skipped }
    }
}

/// Bulk retries in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_bulk_retries {
    ($on:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            BulkRetry,
            r#"SELECT b.id AS "id: BulkRetryId", b.failure_class AS "failure_class: FailureClass", b.provider,
                      b.per_minute, b.requested_by AS "requested_by: UserId", b.created_at, b.stopped_at,
                      o.orders AS "orders!", o.retried AS "retried!", o.skipped AS "skipped!"
               FROM bulk_retries b
               CROSS JOIN LATERAL (
                   SELECT count(*) AS orders, count(*) FILTER (WHERE outcome = 'retried') AS retried,
                          count(*) FILTER (WHERE outcome = 'skipped') AS skipped
                   FROM bulk_retry_orders WHERE bulk_retry_id = b.id) o
               WHERE ($1::uuid IS NULL OR b.id = $1)
                 AND ($2::text IS NULL OR "#
                + $after
                + ") ORDER BY "
                + $order
                + " LIMIT $4",
            $only,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Takes in which orders are to be tried again: those that have failed by now, in the order they were placed in. The first of
    /// them are tried with the next [`Store::advance_bulk_retries`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider, or no such order.
    #[boxed]
    pub async fn request_bulk_retry(&self, new: &NewBulkRetry, origin: &Origin) -> Result<BulkRetry> {
        if let Some(provider) = &new.provider {
            self.provider_exists(provider).await?;
        }
        let id: BulkRetryId = new_id();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO bulk_retries (id, failure_class, provider, per_minute, requested_by)
             VALUES ($1, $2, $3, $4, $5)",
            id.0,
            new.failure_class.as_str(),
            new.provider,
            new.per_minute,
            new.staff.0,
        )
        .execute(&mut *tx)
        .await?;
        let taken = sqlx::query!(
            "INSERT INTO bulk_retry_orders (bulk_retry_id, order_id)
             SELECT $1, o.id FROM orders o
             JOIN current_placements c ON c.order_id = o.id
             JOIN providers p ON p.id = c.provider_id
             WHERE o.status = 'PROVISIONING_FAILED' AND o.failure_class = $2
               AND ($3::text IS NULL OR p.slug = $3)",
            id.0,
            new.failure_class.as_str(),
            new.provider,
        )
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 0 {
            return Err(StoreError::NotFound("failed order of that kind"));
        }
        let act = AuditEntry {
            action: "order.bulk_retry",
            object_kind: "bulk_retry",
            object_id: Some(id.0),
            before: None,
            after: Some(json!({
                "failure_class": new.failure_class, "provider": new.provider, "per_minute": new.per_minute,
                "orders": taken.rows_affected(),
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        self.bulk_retry(id).await
    }

    /// One with its progress.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such one.
    #[boxed]
    pub async fn bulk_retry(&self, id: BulkRetryId) -> Result<BulkRetry> {
        let one = SortedRequest::first(1);
        let found = select_bulk_retries!(&self.pool, Some(id.0), one, "b.id < $3", "b.id DESC").pop();
        found.ok_or(StoreError::NotFound("bulk retry"))
    }

    /// All of them.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn bulk_retries(
        &self,
        sort: AgeSort,
        page: SortedRequest,
    ) -> Result<Page<BulkRetry, SortCursor>> {
        let (on, all) = (&self.pool, None::<uuid::Uuid>);
        let rows = match sort {
            AgeSort::Newest => select_bulk_retries!(on, all, page, "b.id < $3", "b.id DESC"),
            AgeSort::Oldest => select_bulk_retries!(on, all, page, "b.id > $3", "b.id"),
        };
        Ok(page.cut_by_age(rows, |row| row.id.0))
    }

    /// Stops one: what is still to be tried is not. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such one.
    #[boxed]
    pub async fn stop_bulk_retry(&self, id: BulkRetryId, origin: &Origin) -> Result<BulkRetry> {
        let mut tx = self.pool.begin().await?;
        let stopped = sqlx::query!(
            "UPDATE bulk_retries SET stopped_at = now() WHERE id = $1 AND stopped_at IS NULL",
            id.0,
        )
        .execute(&mut *tx)
        .await?;
        if stopped.rows_affected() == 1 {
            let act = AuditEntry {
                action: "order.bulk_retry_stopped",
                object_kind: "bulk_retry",
                object_id: Some(id.0),
                before: None,
                after: None,
            };
            audit::record(&mut tx, origin, &act).await?;
        }
        tx.commit().await?;
        self.bulk_retry(id).await
    }

    /// Tries as many orders again as a minute of each bulk retry allows, unless that was done within the minute. Answers how
    /// many. Each is a transaction of its own: one that there is trouble with is skipped, and stops none behind it.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn advance_bulk_retries(&self) -> Result<u64> {
        let due = sqlx::query!(
            r#"UPDATE bulk_retries b SET advanced_at = now()
               WHERE b.stopped_at IS NULL
                 AND (b.advanced_at IS NULL OR b.advanced_at < now() - interval '50 seconds')
                 AND EXISTS (SELECT FROM bulk_retry_orders o WHERE o.bulk_retry_id = b.id AND o.outcome IS NULL)
               RETURNING b.id AS "id: BulkRetryId", b.per_minute, b.requested_by AS "staff: UserId",
                         b.failure_class AS "failure_class: FailureClass""#,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut retried = 0;
        for bulk in due {
            let origin = Origin { actor: Actor::User(bulk.staff), ip: None, request_id: None };
            for _ in 0..bulk.per_minute {
                match self.retry_next(bulk.id, bulk.failure_class, &origin).await? {
                    Some(true) => retried += 1,
                    Some(false) => {}
                    None => break,
                }
            }
        }
        Ok(retried)
    }

    /// Tries the next order of a bulk retry again; `false` when it need not be any more, or can't. `None` when none is left.
    async fn retry_next(
        &self,
        id: BulkRetryId,
        class: FailureClass,
        origin: &Origin,
    ) -> Result<Option<bool>> {
        let mut tx = self.pool.begin().await?;
        let Some(order) = next(&mut tx, id).await? else { return Ok(None) };
        let is_retried = match retry_if_failed_so(&mut tx, order, class, origin).await {
            Ok(is_retried) => is_retried,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                tracing::error!(
                    alert = "bulk_retry.order_failed",
                    bulk_retry_id = %id,
                    order_id = %order,
                    %error,
                    "an order can't be tried again"
                );
                drop(tx);
                tx = self.pool.begin().await?;
                false
            }
        };
        note(&mut tx, id, order, is_retried).await?;
        tx.commit().await?;
        Ok(Some(is_retried))
    }
}

/// The order whose turn it is, its turn taken.
async fn next(tx: &mut PgConnection, id: BulkRetryId) -> Result<Option<OrderId>> {
    // Workers that advance the same retry take different orders: one that another has at hand is skipped, not waited for.
    Ok(sqlx::query_scalar!(
        r#"SELECT order_id AS "id: OrderId" FROM bulk_retry_orders
           WHERE bulk_retry_id = $1 AND outcome IS NULL
           ORDER BY order_id LIMIT 1 FOR UPDATE SKIP LOCKED"#,
        id.0,
    )
    .fetch_optional(tx)
    .await?)
}

/// Tries an order again, unless it has not failed any more, or failed with another class since.
async fn retry_if_failed_so(
    tx: &mut PgConnection,
    order: OrderId,
    class: FailureClass,
    origin: &Origin,
) -> Result<bool> {
    let failed_so = sqlx::query_scalar!(
        "SELECT failure_class = $2 FROM orders WHERE id = $1 AND status = 'PROVISIONING_FAILED' FOR NO KEY UPDATE",
        order.0,
        class.as_str(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    if failed_so.flatten() != Some(true) {
        return Ok(false);
    }
    order_commands::retry(tx, order, origin).await.map(|_| true)
}

async fn note(tx: &mut PgConnection, id: BulkRetryId, order: OrderId, is_retried: bool) -> Result<()> {
    sqlx::query!(
        "UPDATE bulk_retry_orders SET outcome = $3, at = now()
         WHERE bulk_retry_id = $1 AND order_id = $2 AND outcome IS NULL",
        id.0,
        order.0,
        if is_retried { "retried" } else { "skipped" },
    )
    .execute(tx)
    .await?;
    Ok(())
}
