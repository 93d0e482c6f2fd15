//! The end of a server.

use domain::{
    event::{ServerNotDeleted, ServerTerminated},
    ids::{ActionId, InstanceId, OrderId},
    instance::{ActionStatus, InstanceStatus},
};

use super::progress::{fail_all_waiting, finish, instance_of, lock, note_trouble};
use crate::{
    Elapsed, Result, Store, StoreError, boxed, credentials, events::Entry, provisioning::ProviderTrouble,
    server_terms,
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
    /// A last snapshot is to be taken before.
    pub wants_final_snapshot: bool,
    /// The provider's id of the last snapshot, once it is taken.
    pub final_snapshot: Option<String>,
}

impl Store {
    /// What is to be deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such action.
    #[boxed]
    pub async fn deletion_job(&self, action: ActionId) -> Result<DeletionJob> {
        sqlx::query_as!(
            DeletionJob,
            r#"SELECT a.instance_id AS "instance_id: InstanceId", s.order_id AS "order_id: OrderId",
                      a.status AS "status: ActionStatus", p.slug AS provider, s.provider_instance_id,
                      extract(epoch FROM now() - t.create_sent_at)::float8 AS "create_sent_ago?: Elapsed",
                      extract(epoch FROM now() - o.placed_at)::float8 AS "placed_ago!: Elapsed",
                      (s.final_snapshot_days IS NOT NULL AND f.instance_id IS NULL) AS "wants_final_snapshot!",
                      f.provider_snapshot_id AS "final_snapshot?"
               FROM instance_actions a
               JOIN instances s ON s.id = a.instance_id
               JOIN orders o ON o.id = s.order_id
               JOIN providers p ON p.id = s.provider_id
               LEFT JOIN provisioning_tasks t ON t.order_id = s.order_id
               LEFT JOIN final_snapshots f ON f.instance_id = s.id
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
    #[boxed]
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
            let undeleted = ServerNotDeleted {
                instance_id: delete.instance_id,
                action_id: action,
                name: delete.name.clone(),
                provider: delete.provider.clone(),
                provider_instance_id: delete.provider_instance_id.clone(),
                class: trouble.class,
                trouble: trouble.message.clone(),
                day: delete.today.clone(),
            };
            Entry::of(undeleted).tell_administrators(&mut tx).await?;
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
    #[boxed]
    pub async fn terminate_instance(&self, action: ActionId) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let instance = instance_of(&mut tx, action).await?.ok_or(StoreError::NotFound("action"))?;
        let before = lock(&mut tx, instance).await?;
        if !finish(&mut tx, action, None).await? {
            return Ok(());
        }
        let server = sqlx::query!(
            "UPDATE instances SET status = 'TERMINATED', power_state = 'OFF', updated_at = now() WHERE id = $1
             RETURNING user_id, name, (SELECT kept_until FROM final_snapshots WHERE instance_id = $1) AS kept_until",
            instance.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        // What fails may have money given back, with the number of a paper: nothing is locked after that.
        server_terms::withdraw_open(&mut tx, instance).await?;
        fail_all_waiting(&mut tx, instance).await?;
        credentials::forget_user_data(&mut tx, instance).await?;
        // Nobody misses a server that never became theirs.
        if before != InstanceStatus::Provisioning {
            let terminated = ServerTerminated {
                instance_id: instance,
                name: server.name,
                snapshot_kept_until: server.kept_until,
            };
            Entry::of(terminated).tell(&mut tx, server.user_id.into()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
