//! How long orders took from paid to ACTIVE: read by those who measure.

use chrono::{DateTime, Utc};
use domain::ids::OrderId;

use crate::{Result, Store, boxed};

/// An order that is ACTIVE, and the way there by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activation {
    /// The order.
    pub order_id: OrderId,
    /// When its payment was taken in.
    pub paid_at: DateTime<Utc>,
    /// When it became ACTIVE.
    pub active_at: DateTime<Utc>,
}

impl Store {
    /// Those of `orders` that are ACTIVE, in one query.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn activations(&self, orders: &[OrderId]) -> Result<Vec<Activation>> {
        let ids: Vec<uuid::Uuid> = orders.iter().map(|order| order.0).collect();
        Ok(sqlx::query_as!(
            Activation,
            r#"SELECT id AS "order_id: OrderId", paid_at AS "paid_at!", active_at AS "active_at!" FROM orders
               WHERE id = ANY($1) AND status = 'ACTIVE' AND paid_at IS NOT NULL AND active_at IS NOT NULL"#,
            &ids,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
