//! The end of a server.

use domain::{
    ids::{ActionId, InstanceId, OrderId},
    instance::{ActionStatus, InstanceStatus},
    notification::NotificationKind,
};
use serde_json::json;

use super::progress::{fail_all_waiting, finish, instance_of, lock, note_trouble};
use crate::{
    Elapsed, Result, Store, StoreError,
    catalog_sync::administrators,
    notifications::{self, Notice},
    provisioning::ProviderTrouble,
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
    /// How long ago a create was last sent whose outcome is not known.
    pub create_sent_ago: Option<Elapsed>,
    /// How long ago the order was placed.
    pub placed_ago: Elapsed,
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
                      extract(epoch FROM now() - t.create_sent_at)::float8 AS "create_sent_ago?: Elapsed",
                      extract(epoch FROM now() - o.placed_at)::float8 AS "placed_ago!: Elapsed"
               FROM instance_actions a
               JOIN instances s ON s.id = a.instance_id
               JOIN orders o ON o.id = s.order_id
               JOIN providers p ON p.id = s.provider_id
               LEFT JOIN provisioning_tasks t ON t.order_id = s.order_id
               WHERE a.id = $1 AND a.action = 'delete'"#,
            action.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("action"))
    }

    /// Keeps why a delete is not done yet. Administrators are told, once a day while it lasts, when its provider refused
    /// it, or when it has taken more than an hour; answers whether they have to know.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn note_undeleted(&self, action: ActionId, trouble: &ProviderTrouble) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        note_trouble(&mut tx, action, trouble).await?;
        let waiting = sqlx::query!(
            r#"SELECT a.instance_id AS "instance_id: InstanceId", s.name, p.name AS provider, s.provider_instance_id,
                      coalesce(now() - a.started_at > interval '1 hour', false) AS "is_late!",
                      to_char(now() AT TIME ZONE 'Asia/Jakarta', 'YYYY-MM-DD') AS "today!"
               FROM instance_actions a
               JOIN instances s ON s.id = a.instance_id
               JOIN providers p ON p.id = s.provider_id
               WHERE a.id = $1 AND a.status = 'in_progress'"#,
            action.0,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let told = waiting.filter(|delete| delete.is_late || !trouble.class.is_retryable());
        if let Some(delete) = &told {
            let id = delete.instance_id;
            let message = format!(
                "{} ({}) is to be deleted and still costs money: {} Tries go on.",
                delete.name, delete.provider, trouble.message
            );
            let notice = Notice {
                kind: NotificationKind::VpsNotDeleted,
                title: "A server can't be deleted",
                message: &message,
                action_url: Some(&format!("/admin/instances/{id}")),
                metadata: json!({
                    "instance_id": id, "action_id": action, "class": trouble.class,
                    "provider_instance_id": delete.provider_instance_id,
                }),
                dedupe_key: &format!("instance/{id}/not-deleted/{}", delete.today),
            };
            for administrator in administrators(&mut tx).await? {
                notifications::notify(&mut tx, administrator, &notice).await?;
            }
        }
        tx.commit().await?;
        Ok(told.is_some())
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
