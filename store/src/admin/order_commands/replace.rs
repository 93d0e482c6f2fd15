//! Another server for an order whose first does not come up.

use domain::{
    event::ServerReplaced,
    ids::OrderId,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{lock, move_or_conflict};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    outbox, placements,
};

/// An order whose server is being replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplacedServer {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now: `PROVISIONING`.
    pub status: OrderStatus,
    /// The provider's id of the server that goes.
    pub provider_instance_id: String,
}

impl Store {
    /// Has the server of an order deleted that never became the customer's, and another one made. The order's own step at
    /// the provider does both, one after the other: the new one is made only when the old one is gone for certain. Asking
    /// again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] when it is not being provisioned and
    /// has not failed, or no server of it is known.
    #[boxed]
    pub async fn replace_server(
        &self,
        order: OrderId,
        reason: &str,
        origin: &Origin,
    ) -> Result<ReplacedServer> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, order).await?;
        if before.status != OrderStatus::Provisioning.as_str()
            && before.status != OrderStatus::ProvisioningFailed.as_str()
        {
            return Err(StoreError::Conflict { object: Object::Order, state: before.status });
        }
        let server = known_server(&mut tx, order).await?.ok_or_else(|| StoreError::Conflict {
            object: Object::Server,
            state: "not known: there is nothing to replace".to_owned(),
        })?;
        let replaced = ReplacedServer {
            order_id: order,
            status: OrderStatus::Provisioning,
            provider_instance_id: server.clone(),
        };
        if !mark(&mut tx, order, &server).await? {
            return Ok(replaced);
        }
        if before.status == OrderStatus::ProvisioningFailed.as_str() {
            move_or_conflict(&mut tx, order, Transition::RetryProvisioning, &before).await?;
            placements::reset_task(&mut tx, order).await?;
            outbox::enqueue(&mut tx, &Message::RetryProvisioning { order_id: order }).await?;
        }
        let event = ServerReplaced { order_id: order, provider_instance_id: server.clone() };
        let detail = json!({ "provider_instance_id": server, "reason": reason });
        Entry::of(event).detail(detail).record(&mut tx).await?;
        let act = AuditEntry {
            action: "order.replace_server",
            object_kind: "order",
            object_id: Some(order.0),
            before: Some(before.to_json()),
            after: Some(
                json!({ "status": "PROVISIONING", "provider_instance_id": server, "reason": reason }),
            ),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(replaced)
    }
}

async fn known_server(tx: &mut PgConnection, order: OrderId) -> Result<Option<String>> {
    let server = sqlx::query_scalar!(
        "SELECT provider_instance_id FROM instances WHERE order_id = $1 FOR NO KEY UPDATE",
        order.0,
    )
    .fetch_optional(tx)
    .await?;
    Ok(server.flatten())
}

/// Has the server replaced; `false` when that was asked for before.
async fn mark(tx: &mut PgConnection, order: OrderId, server: &str) -> Result<bool> {
    let marked = sqlx::query!(
        "UPDATE provisioning_tasks SET replace_server = $2, updated_at = now()
         WHERE order_id = $1 AND replace_server IS DISTINCT FROM $2",
        order.0,
        server,
    )
    .execute(tx)
    .await?;
    Ok(marked.rows_affected() == 1)
}
