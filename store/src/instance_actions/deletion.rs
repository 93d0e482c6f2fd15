//! The end of a server.

use chrono::{DateTime, Utc};
use domain::{
    ids::{ActionId, InstanceId, OrderId},
    instance::{ActionStatus, InstanceStatus},
    notification::NotificationKind,
};
use serde_json::json;

use super::progress::{fail_all_waiting, finish, instance_of, lock};
use crate::{
    Result, Store, StoreError,
    notifications::{self, Notice},
    renewals,
};

/// Everything it takes to delete a server, and to be sure that it is gone.
#[derive(Debug, Clone)]
pub struct DeletionJob {
    /// The server.
    pub instance_id: InstanceId,
    /// The order it was bought with; its tag is on the server.
    pub order_id: OrderId,
    /// How the delete goes.
    pub status: ActionStatus,
    /// Slug of the provider.
    pub provider: String,
    /// The provider's id of the server; none when no create is known to have succeeded.
    pub provider_instance_id: Option<String>,
    /// When a create was last sent whose outcome is not known.
    pub create_sent_at: Option<DateTime<Utc>>,
}

impl Store {
    /// What is to be deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such action.
    pub async fn deletion_job(&self, action: ActionId) -> Result<DeletionJob> {
        sqlx::query_as!(
            DeletionJob,
            r#"SELECT a.instance_id AS "instance_id: InstanceId", s.order_id AS "order_id: OrderId",
                      a.status AS "status: ActionStatus", p.slug AS provider, s.provider_instance_id,
                      t.create_sent_at AS "create_sent_at?"
               FROM instance_actions a
               JOIN instances s ON s.id = a.instance_id
               JOIN providers p ON p.id = s.provider_id
               LEFT JOIN provisioning_tasks t ON t.order_id = s.order_id
               WHERE a.id = $1 AND a.action = 'delete'"#,
            action.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("action"))
    }

    /// Ends a delete: the server is `TERMINATED`, what still waited for it fails, what was wished
    /// for it and is not paid yet is withdrawn, and its owner is told. To be called
    /// only when the provider has confirmed that the server is gone. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such action.
    pub async fn terminate_instance(&self, action: ActionId) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let instance = instance_of(&mut tx, action).await?.ok_or(StoreError::NotFound("action"))?;
        let before = lock(&mut tx, instance).await?;
        if !finish(&mut tx, action, None).await? {
            return Ok(());
        }
        let server = sqlx::query!(
            "UPDATE instances SET status = 'TERMINATED', power_state = 'OFF', updated_at = now() WHERE id = $1
             RETURNING user_id, name",
            instance.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        fail_all_waiting(&mut tx, instance).await?;
        renewals::withdraw_open(&mut tx, instance).await?;
        // Nobody misses a server that never became theirs.
        if before != InstanceStatus::Provisioning {
            let notice = Notice {
                kind: NotificationKind::VpsTerminated,
                title: "A server was deleted",
                message: &format!("{} was deleted at the provider, with everything on it.", server.name),
                action_url: Some(&format!("/instances/{instance}")),
                metadata: json!({ "instance_id": instance }),
                dedupe_key: &format!("instance/{instance}/terminated"),
            };
            notifications::notify(&mut tx, server.user_id.into(), &notice).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
