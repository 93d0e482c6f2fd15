//! Giving an order a server that people found or made for it at the provider.

use domain::{
    ids::{InstanceId, OrderId},
    instance::PowerState,
    order::{OrderStatus, Transition},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{lock, move_or_conflict};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, outbox, provisioning,
};

/// A server as its provider told of it.
#[derive(Debug, Clone)]
pub struct FoundServer {
    /// The provider's id.
    pub provider_instance_id: String,
    /// Its public IPv4.
    pub ipv4: Option<String>,
    /// Its public IPv6.
    pub ipv6: Option<String>,
    /// Whether it is on.
    pub power: PowerState,
}

/// An order that was given a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedOrder {
    /// The order.
    pub order_id: OrderId,
    /// Where it stands now: `ACTIVE`.
    pub status: OrderStatus,
    /// The server's id.
    pub instance_id: InstanceId,
}

impl Store {
    /// Makes an order `ACTIVE` with this server of its provider: the term begins and what was set aside of the balance is
    /// taken, as when the server had been made for it. Attaching the same server again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order, [`StoreError::Conflict`] when it is not being provisioned and
    /// has not failed, has another server, or the server is another order's or has no address yet.
    #[boxed]
    pub async fn attach_server(
        &self,
        order: OrderId,
        server: &FoundServer,
        reason: &str,
        origin: &Origin,
    ) -> Result<AttachedOrder> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, order).await?;
        let instance_id = instance(&mut tx, order).await?;
        let attached = AttachedOrder { order_id: order, status: OrderStatus::Active, instance_id };
        if before.status == OrderStatus::Active.as_str() && is_its_own(&mut tx, order, server).await? {
            return Ok(attached);
        }
        if server.ipv4.is_none() {
            let state = "without an address yet".to_owned();
            return Err(StoreError::Conflict { object: Object::Server, state });
        }
        move_or_conflict(&mut tx, order, Transition::Attach, &before).await?;
        provisioning::tie_server(&mut tx, order, &server.provider_instance_id).await?;
        sqlx::query!(
            "UPDATE instances SET ipv4 = $2, ipv6 = $3, power_state = $4, updated_at = now() WHERE order_id = $1",
            order.0,
            server.ipv4,
            server.ipv6,
            server.power.as_str(),
        )
        .execute(&mut *tx)
        .await?;
        provisioning::begin_term(&mut tx, order).await?;
        let act = AuditEntry {
            action: "order.attach_server",
            object_kind: "order",
            object_id: Some(order.0),
            before: Some(before.to_json()),
            after: Some(json!({
                "status": "ACTIVE",
                "provider_instance_id": server.provider_instance_id,
                "reason": reason,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        // The order's workflow asks where the order stands, and ends.
        outbox::enqueue(&mut tx, &Message::OrderClosed { order_id: order }).await?;
        tx.commit().await?;
        Ok(attached)
    }
}

async fn instance(tx: &mut PgConnection, order: OrderId) -> Result<InstanceId> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: InstanceId" FROM instances WHERE order_id = $1 FOR NO KEY UPDATE"#,
        order.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or_else(|| StoreError::Conflict {
        object: Object::Order,
        state: "not provisioned yet: it can't have a server".to_owned(),
    })
}

async fn is_its_own(tx: &mut PgConnection, order: OrderId, server: &FoundServer) -> Result<bool> {
    // A record without a server has NULL, and has to answer no, not NULL.
    Ok(sqlx::query_scalar!(
        r#"SELECT provider_instance_id IS NOT DISTINCT FROM $2 AS "own!" FROM instances WHERE order_id = $1"#,
        order.0,
        server.provider_instance_id,
    )
    .fetch_one(tx)
    .await?)
}
