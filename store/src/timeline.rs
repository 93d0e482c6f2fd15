//! The story an order tells: a view of its events, read by customers and admins.

use chrono::{DateTime, Utc};
use domain::{
    event::Event,
    ids::{OrderId, UserId},
};

use crate::{Result, Store, StoreError, boxed, events};

/// One step as read.
#[derive(Debug, Clone)]
pub struct TimelineEntry {
    /// What the step is called, such as `payment_confirmed`.
    pub step: String,
    /// `done`, `waiting` or `failed`.
    pub status: String,
    /// What happened; `None` when another version of the program wrote it.
    pub event: Option<Event>,
    /// For admins only.
    pub detail: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// The steps of a customer's order, oldest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such order.
    #[boxed]
    pub async fn timeline_of(&self, owner: UserId, order: OrderId) -> Result<Vec<TimelineEntry>> {
        self.find_timeline(order, Some(owner)).await
    }

    /// The steps of anybody's order, oldest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn any_timeline(&self, order: OrderId) -> Result<Vec<TimelineEntry>> {
        self.find_timeline(order, None).await
    }

    async fn find_timeline(&self, order: OrderId, owner: Option<UserId>) -> Result<Vec<TimelineEntry>> {
        let visible = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM orders WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2)) AS "visible!""#,
            order.0,
            owner.map(|o| o.0),
        )
        .fetch_one(&self.pool)
        .await?;
        if !visible {
            return Err(StoreError::NotFound("order"));
        }
        let rows = sqlx::query!(
            r#"SELECT kind AS "kind!", data AS "data!", step AS "step!", status AS "status!", detail AS "detail!", at AS "at!"
               FROM order_timeline WHERE order_id = $1 ORDER BY id"#,
            order.0,
        )
        .fetch_all(&self.pool)
        .await?;
        let entries = rows.into_iter().map(|row| TimelineEntry {
            event: events::read(&row.kind, row.data),
            step: row.step,
            status: row.status,
            detail: row.detail,
            at: row.at,
        });
        Ok(entries.collect())
    }
}
