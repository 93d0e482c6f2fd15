//! Figures for metrics: how many of what there are, and for how long.

use domain::{delivery::DeliveryChannel, order::OrderStatus};

use crate::{Result, Store, boxed};

/// The orders in one status.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrdersInStatus {
    /// The status.
    pub status: OrderStatus,
    /// How many there are.
    pub orders: i64,
    /// How long the one has been in it that has been so the longest, in seconds; nothing for statuses that are final.
    pub oldest_seconds: f64,
}

/// The deliveries by one channel that are not over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeliveriesWaiting {
    /// The channel.
    pub channel: DeliveryChannel,
    /// How many there are.
    pub waiting: i64,
    /// How old the oldest is, in seconds.
    pub oldest_seconds: f64,
    /// Those that came to nothing, or may have, and wait for a person.
    pub dead: i64,
}

/// Connections of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUsage {
    /// Open and in use.
    pub used: usize,
    /// Open and idle.
    pub idle: usize,
    /// Most that may be open.
    pub most: u32,
}

impl Store {
    /// The orders by status; statuses that no order is in are there with 0.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn orders_by_status(&self) -> Result<Vec<OrdersInStatus>> {
        let counted = sqlx::query!(
            r#"SELECT status AS "status: OrderStatus", count(*) AS "orders!",
                      CASE WHEN status IN ('PENDING_PAYMENT', 'PAID', 'PROVISIONING', 'PROVISIONING_FAILED')
                           THEN extract(epoch FROM now() - min(updated_at))::float8 ELSE 0 END AS "oldest_seconds!"
               FROM orders GROUP BY status"#
        )
        .fetch_all(&self.pool)
        .await?;
        let of = |status: &OrderStatus| {
            let found = counted.iter().find(|row| row.status == *status);
            found.map_or((0, 0.0), |row| (row.orders, row.oldest_seconds))
        };
        let all = OrderStatus::ALL.iter().map(|status| {
            let (orders, oldest_seconds) = of(status);
            OrdersInStatus { status: *status, orders, oldest_seconds }
        });
        Ok(all.collect())
    }

    /// The deliveries that are not over, or wait for a person, by channel.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn deliveries_waiting(&self) -> Result<Vec<DeliveriesWaiting>> {
        let counted = sqlx::query!(
            r#"SELECT channel AS "channel: DeliveryChannel",
                      count(*) FILTER (WHERE finished_at IS NULL) AS "waiting!",
                      coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE finished_at IS NULL)),
                               0)::float8 AS "oldest_seconds!",
                      count(*) FILTER (WHERE state IN ('FAILED', 'UNKNOWN')) AS "dead!"
               FROM notification_deliveries WHERE state <> 'SENT' GROUP BY channel"#
        )
        .fetch_all(&self.pool)
        .await?;
        let all = DeliveryChannel::ALL.iter().map(|channel| {
            let found = counted.iter().find(|row| row.channel == *channel);
            let (waiting, oldest_seconds, dead) =
                found.map_or((0, 0.0, 0), |row| (row.waiting, row.oldest_seconds, row.dead));
            DeliveriesWaiting { channel: *channel, waiting, oldest_seconds, dead }
        });
        Ok(all.collect())
    }

    /// The connections of this process.
    #[must_use]
    pub fn pool_usage(&self) -> PoolUsage {
        let connections = self.pool.connections();
        let idle = connections.num_idle();
        let open = usize::try_from(connections.size()).unwrap_or(usize::MAX);
        PoolUsage { used: open.saturating_sub(idle), idle, most: connections.options().get_max_connections() }
    }
}
