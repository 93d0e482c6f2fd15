//! Messages to Temporal, written with the business and delivered afterwards.

use domain::{
    ids::{OrderId, OutboxId},
    outbox::{Message, OrderStart},
    policy::OrderPolicy,
};
use sqlx::{PgConnection, postgres::PgListener};

use crate::{Result, Store, new_id};

/// How long a message that can't be read is left alone.
const UNREADABLE_PAUSE_SECONDS: f64 = 60.0;

/// Writes a message within the caller's transaction.
pub(crate) async fn enqueue(tx: &mut PgConnection, message: &Message) -> Result<OutboxId> {
    let id: OutboxId = new_id();
    sqlx::query!(
        "INSERT INTO outbox (id, workflow_id, kind, payload) VALUES ($1, $2, $3, $4)",
        id.0,
        message.workflow_id(),
        message.kind(),
        serde_json::to_value(message)?,
    )
    .execute(tx)
    .await?;
    Ok(id)
}

/// What an order's workflow starts with, read from the order.
pub(crate) async fn order_start(tx: &mut PgConnection, order: OrderId) -> Result<OrderStart> {
    let row = sqlx::query!(
        r#"SELECT o.user_id, o.placed_at, o.policy, p.slug AS provider, l.slug AS plan
           FROM orders o JOIN providers p ON p.id = o.provider_id JOIN plans l ON l.id = o.plan_id
           WHERE o.id = $1"#,
        order.0,
    )
    .fetch_one(tx)
    .await?;
    let policy: OrderPolicy = serde_json::from_value(row.policy)?;
    Ok(OrderStart {
        order_id: order,
        customer_id: row.user_id.into(),
        provider: row.provider,
        plan_slug: row.plan,
        placed_at_ms: u64::try_from(row.placed_at.timestamp_millis()).unwrap_or_default(),
        policy,
    })
}

/// A message that a dispatcher has taken.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Identifies the delivery; signals carry it so that a second one is recognised.
    pub id: OutboxId,
    /// What to deliver.
    pub message: Message,
    /// How often it was taken, this time included.
    pub attempts: i32,
}

/// Messages that wait, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// How many.
    pub waiting: i64,
    /// Age of the oldest in seconds; 0 when none waits.
    pub oldest_seconds: f64,
}

impl Store {
    /// Takes up to `limit` messages for `lease_seconds`, oldest first and at most one per workflow, so that a
    /// workflow's messages arrive in order. Another dispatcher does not see them until the lease is over.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn claim_outbox(&self, limit: i64, lease_seconds: f64) -> Result<Vec<Claimed>> {
        let rows = sqlx::query!(
            r#"UPDATE outbox SET claimed_until = now() + make_interval(secs => $2), attempts = attempts + 1
               WHERE id IN (
                   SELECT id FROM outbox o
                   WHERE dispatched_at IS NULL AND (claimed_until IS NULL OR claimed_until < now())
                     AND NOT EXISTS (SELECT FROM outbox e WHERE e.workflow_id = o.workflow_id AND e.id < o.id
                                     AND e.dispatched_at IS NULL)
                   ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
               RETURNING id, payload, attempts"#,
            limit,
            lease_seconds,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            match serde_json::from_value(row.payload) {
                Ok(message) => claimed.push(Claimed { id: row.id.into(), message, attempts: row.attempts }),
                // Written by a newer version: it waits for a newer dispatcher and holds nobody else up.
                Err(error) => {
                    tracing::error!(outbox_id = %row.id, %error, "a message can't be read; it waits");
                    self.postpone_outbox(row.id.into(), UNREADABLE_PAUSE_SECONDS, &error.to_string()).await?;
                }
            }
        }
        Ok(claimed)
    }

    /// Marks messages as delivered.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; the messages are then delivered again.
    pub async fn mark_dispatched(&self, ids: &[OutboxId]) -> Result<()> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query!(
            "UPDATE outbox SET dispatched_at = now(), claimed_until = NULL, last_error = NULL WHERE id = ANY($1)",
            &ids,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives a message back after a failed delivery; it is taken again after `seconds`.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; the lease then runs out by itself.
    pub async fn postpone_outbox(&self, id: OutboxId, seconds: f64, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE outbox SET claimed_until = now() + make_interval(secs => $2), last_error = $3 WHERE id = $1",
            id.0,
            seconds,
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What an order's workflow starts with.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer or there is no such order.
    pub async fn order_start(&self, order: OrderId) -> Result<OrderStart> {
        order_start(&mut *self.pool.acquire().await?, order).await
    }

    /// How much waits.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn outbox_backlog(&self) -> Result<Backlog> {
        Ok(sqlx::query_as!(
            Backlog,
            r#"SELECT count(*) AS "waiting!",
                      coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS "oldest_seconds!"
               FROM outbox WHERE dispatched_at IS NULL"#,
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// A connection that hears of new messages on the channel `outbox`. It reconnects by itself.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    pub async fn listen_outbox(&self) -> Result<PgListener> {
        let mut listener = PgListener::connect_with(self.pool.connections()).await?;
        listener.listen("outbox").await?;
        Ok(listener)
    }
}
