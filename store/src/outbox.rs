//! Messages to Temporal, written with the business and delivered afterwards.

use std::{sync::Arc, time::Duration};

use domain::{
    ids::{OrderId, OutboxId},
    order::OrderStatus,
    outbox::{Message, MessageClass, OrderStart},
    policy::OrderPolicy,
};
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};

use crate::{Result, Store, boxed, new_id, pool::KEEPALIVES};

mod dead;
mod standing;

pub use dead::{DeadFilter, Failed, OutboxMessage, OutboxState};
pub use standing::{Backlog, ClassBacklog};

/// Writes a message within the caller's transaction.
pub(crate) async fn enqueue(tx: &mut PgConnection, message: &Message) -> Result<OutboxId> {
    let id: OutboxId = new_id();
    sqlx::query!(
        "INSERT INTO outbox (id, workflow_id, kind, class, payload) VALUES ($1, $2, $3, $4, $5)",
        id.0,
        message.workflow_id(),
        message.kind(),
        message.class().as_str(),
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
    /// What to deliver, or why it can't be read: a newer version wrote it, for example.
    pub message: std::result::Result<Message, Arc<serde_json::Error>>,
    /// The word that names its kind, also of one that can't be read.
    pub kind: String,
    /// Who waits for it.
    pub class: MessageClass,
    /// Whether what it was about was overtaken: the order whose workflow it starts was paid or closed meanwhile, and the
    /// message that says so starts the workflow, too.
    pub is_superseded: bool,
    /// When it was taken: the present by the clock that the moments in messages are of, in milliseconds since the Unix
    /// epoch.
    pub claimed_at_ms: u64,
}

/// How many messages a dispatcher has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// In all.
    pub total: usize,
    /// For those that nobody who paid waits for.
    pub unhurried: usize,
}

impl Room {
    /// So many of whatever there is.
    #[must_use]
    pub const fn of(total: usize) -> Self {
        Self { total, unhurried: total }
    }
}

impl Store {
    /// Takes as many messages as there is room for, for `lease_seconds`: those that somebody who paid waits for first,
    /// of a class those that failed least, of these the oldest. A workflow's messages arrive in order, so of them only
    /// the oldest is taken; but nothing waits for one that failed, nor for the start of an unpaid order's workflow, which
    /// every other message to it starts, too. Another dispatcher does not see them until the lease is over.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn claim_outbox(&self, room: Room, lease_seconds: f64) -> Result<Vec<Claimed>> {
        let limit = |places: usize| i64::try_from(places).unwrap_or(i64::MAX);
        // Two parts, since what nobody waits for may take fewer places than there are. The first is sorted by class too,
        // although it has but one: so is the index. Dispatchers take different messages: one that another has locked is
        // skipped, not waited for.
        let rows = sqlx::query!(
            r#"WITH paid AS (
                   SELECT o.id FROM outbox o
                   WHERE o.dispatched_at IS NULL AND o.dead_at IS NULL AND o.class = 'PAID'
                     AND (o.claimed_until IS NULL OR o.claimed_until < now())
                     AND NOT EXISTS (SELECT FROM outbox e WHERE e.workflow_id = o.workflow_id AND e.id < o.id
                                     AND e.dispatched_at IS NULL AND e.failures = 0 AND e.kind <> 'start_order')
                   ORDER BY o.class, o.failures, o.id LIMIT $1 FOR UPDATE SKIP LOCKED),
               others AS (
                   SELECT o.id FROM outbox o
                   WHERE o.dispatched_at IS NULL AND o.dead_at IS NULL AND o.class > 'PAID'
                     AND (o.claimed_until IS NULL OR o.claimed_until < now())
                     AND NOT EXISTS (SELECT FROM outbox e WHERE e.workflow_id = o.workflow_id AND e.id < o.id
                                     AND e.dispatched_at IS NULL AND e.failures = 0 AND e.kind <> 'start_order')
                   ORDER BY o.class, o.failures, o.id
                   LIMIT least($2, $1 - (SELECT count(*) FROM paid)) FOR UPDATE SKIP LOCKED)
               UPDATE outbox c SET claimed_until = now() + make_interval(secs => $3), attempts = attempts + 1
               WHERE c.id IN (SELECT id FROM paid UNION ALL SELECT id FROM others)
               RETURNING c.id AS "id: OutboxId", c.kind, c.class AS "class: MessageClass", c.payload,
                         (c.kind = 'start_order' AND EXISTS (
                             SELECT FROM orders o WHERE o.id = split_part(c.workflow_id, '/', 2)::uuid
                             AND o.status <> 'PENDING_PAYMENT')) AS "is_superseded!",
                         now() AS "claimed_at!""#,
            limit(room.total),
            limit(room.unhurried),
            lease_seconds,
        )
        .fetch_all(&self.pool)
        .await?;
        let claimed = rows.into_iter().map(|row| Claimed {
            id: row.id,
            message: serde_json::from_value(row.payload).map_err(Arc::new),
            kind: row.kind,
            class: row.class,
            is_superseded: row.is_superseded,
            claimed_at_ms: u64::try_from(row.claimed_at.timestamp_millis()).unwrap_or_default(),
        });
        Ok(claimed.collect())
    }

    /// Marks messages as delivered.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; the messages are then delivered again.
    #[boxed]
    pub async fn mark_dispatched(&self, ids: &[OutboxId]) -> Result<()> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query!(
            "UPDATE outbox SET dispatched_at = now(), claimed_until = NULL, last_error = NULL, dead_at = NULL
             WHERE id = ANY($1) AND dispatched_at IS NULL",
            &ids,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives a message back that could not be delivered for no fault of its own; it is taken again after `seconds`.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; the lease then runs out by itself.
    #[boxed]
    pub async fn postpone_outbox(&self, id: OutboxId, seconds: f64, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE outbox SET claimed_until = now() + make_interval(secs => $2), last_error = $3
             WHERE id = $1 AND dispatched_at IS NULL",
            id.0,
            seconds,
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Where an order stands, and what its workflow starts with.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer or there is no such order.
    #[boxed]
    pub async fn order_standing(&self, order: OrderId) -> Result<(OrderStatus, OrderStart)> {
        let mut connection = self.pool.acquire().await?;
        let start = order_start(&mut connection, order).await?;
        let status = sqlx::query_scalar!(
            r#"SELECT status AS "status: OrderStatus" FROM orders WHERE id = $1"#,
            order.0
        )
        .fetch_one(&mut *connection)
        .await?;
        Ok((status, start))
    }

    /// A connection that hears of new messages on the channel `outbox`. It reconnects by itself.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn listen_outbox(&self) -> Result<PgListener> {
        self.listener("outbox").await
    }

    /// A connection of its own that hears what is notified on a channel.
    pub(crate) async fn listener(&self, channel: &str) -> Result<PgListener> {
        let mut listener = match &self.direct {
            Some(server) => PgListener::connect_with(&alone(server).await?).await?,
            None => PgListener::connect_with(self.pool.connections()).await?,
        };
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// Whether a message has waited for longer than `patience` for a dispatcher to take it, asked on a new connection: those
    /// there are may be the reason.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn is_outbox_neglected(&self, patience: Duration) -> Result<bool> {
        let server = self.direct.clone().unwrap_or_else(|| self.pool.connections().connect_options());
        let mut connection = PgConnection::connect_with(&server).await?;
        let neglected = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT FROM outbox o
                   WHERE o.dispatched_at IS NULL AND o.dead_at IS NULL
                     AND greatest(o.created_at, o.claimed_until) < now() - make_interval(secs => $1)
               ) AS "neglected!""#,
            patience.as_secs_f64(),
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(neglected)
    }
}

/// Whether a connection that listens still gets an answer.
///
/// # Errors
/// [`crate::StoreError::Db`] when it does not.
#[boxed]
pub async fn hears(listener: &mut PgListener) -> Result<()> {
    sqlx::query("SELECT 1").execute(listener).await?;
    Ok(())
}

/// A connection that nobody else waits for.
async fn alone(server: &PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    let options = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    options.connect_with(server.clone().options(KEEPALIVES)).await
}
