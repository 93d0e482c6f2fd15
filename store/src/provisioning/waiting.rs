//! Servers that take long to come up, and what staff want done about them meanwhile.

use domain::{
    event::{ServerNotReady, ServerNotReadyForStaff},
    ids::OrderId,
    order::OrderStatus,
};
use serde_json::json;

use crate::{Result, Store, StoreError, boxed, events::Entry};

/// What is wanted of an order whose server is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where the order stands; anything but `PROVISIONING` ends the waiting.
    pub status: OrderStatus,
    /// The provider's id of a server that is to be replaced.
    pub replace_server: Option<String>,
}

impl Store {
    /// What is wanted of an order by now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn wanted_of_order(&self, order: OrderId) -> Result<Wanted> {
        sqlx::query_as!(
            Wanted,
            r#"SELECT o.status AS "status: OrderStatus", t.replace_server
               FROM orders o JOIN provisioning_tasks t ON t.order_id = o.id WHERE o.id = $1"#,
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("order"))
    }

    /// Notes that a server has not come up for as long as that may take, and tells administrators, who can have it
    /// replaced, once of each server. The waiting goes on.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_not_ready(&self, order: OrderId, provider_instance_id: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let server = provider_instance_id.to_owned();
        let late = ServerNotReady { order_id: order, provider_instance_id: server.clone() };
        let detail = json!({ "provider_instance_id": provider_instance_id });
        Entry::of(late).detail(detail).record(&mut tx).await?;
        let for_staff = ServerNotReadyForStaff { order_id: order, provider_instance_id: server };
        Entry::of(for_staff).tell_administrators(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Notes that a server that was to be replaced is gone, so that another one is made.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; the server is then found gone again.
    #[boxed]
    pub async fn note_replaced(&self, order: OrderId, provider_instance_id: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "UPDATE instances SET provider_instance_id = NULL, ipv4 = NULL, ipv6 = NULL, updated_at = now()
             WHERE order_id = $1 AND provider_instance_id = $2 AND status = 'PROVISIONING'",
            order.0,
            provider_instance_id,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE provisioning_tasks SET create_sent_at = NULL, create_fence = create_fence + 1,
                    server_known_at = NULL, replace_server = NULL, updated_at = now()
             WHERE order_id = $1 AND replace_server = $2",
            order.0,
            provider_instance_id,
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}
