//! Failed orders that nobody sees to.

use domain::{event::OrdersWait, ids::OrderId};

use crate::{Result, Store, boxed, events::Entry};

/// Orders named in a notice.
const NAMED: usize = 20;

impl Store {
    /// Tells administrators of orders that have waited in `PROVISIONING_FAILED` for more than an hour, and again for more
    /// than a day: once of each, all of them together. Answers how many orders that were.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; they are told of with the next call.
    #[boxed]
    pub async fn escalate_failed_orders(&self) -> Result<usize> {
        let mut tx = self.pool.begin().await?;
        let waiting = sqlx::query!(
            r#"UPDATE provisioning_tasks t SET escalated = f.step
               FROM (SELECT o.id, CASE WHEN max(l.at) < now() - interval '24 hours' THEN 2 ELSE 1 END AS step
                     FROM orders o JOIN order_timeline l ON l.order_id = o.id AND l.step = 'provisioning_failed'
                     WHERE o.status = 'PROVISIONING_FAILED'
                     GROUP BY o.id HAVING max(l.at) < now() - interval '1 hour') f
               WHERE t.order_id = f.id AND t.escalated < f.step
               RETURNING t.order_id AS "order: OrderId", t.escalated"#,
        )
        .fetch_all(&mut *tx)
        .await?;
        for step in [1, 2] {
            let orders: Vec<OrderId> =
                waiting.iter().filter(|of| of.escalated == step).map(|of| of.order).collect();
            if orders.is_empty() {
                continue;
            }
            let named = orders.iter().copied().take(NAMED).collect();
            Entry::of(OrdersWait { orders: orders.len(), order_ids: named, step })
                .tell_administrators(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(waiting.len())
    }
}
