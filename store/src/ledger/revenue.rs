//! Revenue is recognised as it is earned.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::OrderId,
    ledger::{Movement, Service, earned},
};

use super::{position, post};
use crate::{Result, Store, payments::lock_order};

/// An order whose term has begun, with money that is not recognised yet.
struct Due {
    order_id: OrderId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Store {
    /// Recognises what orders have earned until now, each order by a movement of its own, at most one a day. Up to
    /// `limit` orders after `cursor`, in the order of their ids; answers with the last one, where the next call goes on,
    /// or `None` at the end, and how many movements were made. Doing it again the same day changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; what was recognised by then stays.
    pub async fn recognise_revenue(
        &self,
        cursor: Option<OrderId>,
        limit: i64,
    ) -> Result<(Option<OrderId>, usize)> {
        let due = sqlx::query_as!(
            Due,
            r#"SELECT o.id AS "order_id: OrderId", i.starts_at AS "starts_at!",
                      i.starts_at + make_interval(months => o.term_months) AS "ends_at!", now() AS "now!"
               FROM orders o JOIN instances i ON i.order_id = o.id
               WHERE o.status = 'ACTIVE' AND i.starts_at IS NOT NULL AND ($1::uuid IS NULL OR o.id > $1)
                 AND (SELECT sum(e.amount) FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                      JOIN ledger_accounts a ON a.id = e.account_id
                      WHERE m.order_id = o.id AND a.kind = 'DEFERRED_REVENUE') > 0
               ORDER BY o.id LIMIT $2"#,
            cursor.map(|id| id.0),
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut made = 0;
        for order in &due {
            made += usize::from(self.recognise(order).await?);
        }
        Ok((due.last().map(|order| order.order_id), made))
    }

    async fn recognise(&self, due: &Due) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let order = lock_order(&mut tx, due.order_id, None).await?;
        let position = position(&mut tx, Service::Order(order.id)).await?;
        let net = position.deferred.plus(position.revenue)?;
        let amount = earned(net, due.starts_at, due.ends_at, due.now)?.minus(position.revenue)?;
        if amount <= Rupiah::ZERO {
            return Ok(false);
        }
        let day = due.now.format("%Y-%m-%d").to_string();
        let booked =
            post(&mut tx, &Movement::revenue_recognised(order.parties(), &day, amount)?, None).await?;
        tx.commit().await?;
        Ok(booked)
    }
}
