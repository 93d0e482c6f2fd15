//! The story an order tells: written by every transaction that moves it, read by customers and admins.

use chrono::{DateTime, Utc};
use domain::ids::{OrderId, UserId};
use sqlx::PgConnection;

use crate::{Result, Store, StoreError};

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepStatus {
    /// It happened.
    Done,
    /// Something is awaited.
    Waiting,
    /// It went wrong.
    Failed,
}

/// One step to be recorded. `key` is unique per order: recording it twice keeps the first.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub key: &'a str,
    pub step: &'a str,
    pub status: StepStatus,
    pub message: &'a str,
    /// For admins: attempts, error class, request ids.
    pub detail: serde_json::Value,
}

impl<'a> Step<'a> {
    /// A step that happened, once per order.
    pub(crate) fn done(step: &'a str, message: &'a str) -> Self {
        Self { key: step, step, status: StepStatus::Done, message, detail: serde_json::json!({}) }
    }
}

/// Writes one step within the caller's transaction.
pub(crate) async fn record(tx: &mut PgConnection, order: OrderId, step: &Step<'_>) -> Result<()> {
    let status = match step.status {
        StepStatus::Done => "done",
        StepStatus::Waiting => "waiting",
        StepStatus::Failed => "failed",
    };
    sqlx::query!(
        "INSERT INTO order_timeline (order_id, key, step, status, message, detail)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (order_id, key) DO NOTHING",
        order.0,
        step.key,
        step.step,
        status,
        step.message,
        step.detail,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// One step as read.
#[derive(Debug, Clone)]
pub struct TimelineEntry {
    /// What the step is called, such as `payment_confirmed`.
    pub step: String,
    /// `done`, `waiting` or `failed`.
    pub status: String,
    /// In words a customer understands.
    pub message: String,
    /// For admins only.
    pub detail: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// An order's steps, oldest first. `owner` restricts to that customer's orders.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order (of that owner).
    pub async fn order_timeline(&self, order: OrderId, owner: Option<UserId>) -> Result<Vec<TimelineEntry>> {
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
        Ok(sqlx::query_as!(
            TimelineEntry,
            "SELECT step, status, message, detail, at FROM order_timeline WHERE order_id = $1 ORDER BY id",
            order.0,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
