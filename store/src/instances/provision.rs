//! Asking for an order's server from outside its workflow.

use domain::{
    ids::{InstanceId, OrderId},
    order::OrderStatus,
    outbox::{Message, order_workflow_id},
};

use crate::{Result, Store, StoreError, boxed, outbox};

/// How an order's server comes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvisioningStanding {
    /// Where the order stands.
    pub status: OrderStatus,
    /// Its server, once work on it began.
    pub instance_id: Option<InstanceId>,
}

impl Store {
    /// How an order's server comes along. A paid order's workflow is told once more that it is paid, unless a message
    /// to it is on its way: that changes nothing for a workflow that knows, and starts one that was lost.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn ask_for_provisioning(&self, order: OrderId) -> Result<ProvisioningStanding> {
        let mut tx = self.pool.begin().await?;
        let standing = sqlx::query!(
            r#"SELECT o.status AS "status: OrderStatus",
                      (SELECT i.id FROM instances i WHERE i.order_id = o.id) AS "instance_id: InstanceId",
                      EXISTS (SELECT FROM outbox m WHERE m.workflow_id = $2 AND m.dispatched_at IS NULL
                              AND m.failures = 0) AS "told!"
               FROM orders o WHERE o.id = $1 FOR NO KEY UPDATE OF o"#,
            order.0,
            order_workflow_id(order),
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("order"))?;
        if standing.status == OrderStatus::Paid && !standing.told {
            let start = outbox::order_start(&mut tx, order).await?;
            outbox::enqueue(&mut tx, &Message::PaymentConfirmed(start)).await?;
        }
        tx.commit().await?;
        Ok(ProvisioningStanding { status: standing.status, instance_id: standing.instance_id })
    }
}
