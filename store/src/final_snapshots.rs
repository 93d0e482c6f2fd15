//! The last snapshot of servers whose plan includes one: taken before the server is deleted, kept for some days, and then
//! deleted. The trigger `instances_final_snapshot_first` has no such server end without it.

use chrono::{DateTime, Utc};
use domain::ids::{ActionId, InstanceId, UserId};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    instance_actions::lock,
};

/// Expired snapshots that are deleted in one go.
const BATCH: i64 = 100;

/// What became of a server's last snapshot.
#[derive(Debug, Clone)]
pub struct FinalSnapshot {
    /// The provider's id of it; none when it was done without.
    pub provider_snapshot_id: Option<String>,
    /// When it was taken.
    pub taken_at: Option<DateTime<Utc>>,
    /// Until when it is kept.
    pub kept_until: Option<DateTime<Utc>>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// When it was decided to do without.
    pub waived_at: Option<DateTime<Utc>>,
    /// Why.
    pub waived_reason: Option<String>,
}

/// A last snapshot whose time is over.
#[derive(Debug, Clone)]
pub struct ExpiredSnapshot {
    /// Whose it was.
    pub instance_id: InstanceId,
    /// The provider's id of it.
    pub provider_snapshot_id: String,
}

impl Store {
    /// Has what was asked of the provider for an action forgotten, since it failed for certain: the next try asks anew.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn ask_anew(&self, action: ActionId) -> Result<()> {
        sqlx::query!(
            "UPDATE instance_actions SET sent_at = NULL, receipt = NULL, updated_at = now()
             WHERE id = $1 AND status = 'in_progress'",
            action.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps that a server's last snapshot was taken. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn keep_final_snapshot(&self, instance: InstanceId, provider_snapshot_id: &str) -> Result<()> {
        sqlx::query!(
            "INSERT INTO final_snapshots (instance_id, provider_snapshot_id, taken_at, kept_until)
             SELECT id, $2, now(), now() + make_interval(days => final_snapshot_days) FROM instances
             WHERE id = $1 AND final_snapshot_days IS NOT NULL
             ON CONFLICT (instance_id) DO NOTHING",
            instance.0,
            provider_snapshot_id,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps that there is nothing to take a last snapshot of: the provider lost the server.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_nothing_to_snapshot(&self, instance: InstanceId) -> Result<()> {
        let reason = "the provider does not know the server any more";
        waive(&mut *self.pool.acquire().await?, instance, None, reason).await.map(drop)
    }

    /// Has a server deleted without its last snapshot, as staff decided.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server, [`StoreError::Conflict`] when none is due for it.
    #[boxed]
    pub async fn waive_final_snapshot(
        &self,
        instance: InstanceId,
        staff: UserId,
        reason: &str,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        lock(&mut tx, instance).await?;
        if !waive(&mut tx, instance, Some(staff), reason).await? {
            let state = "without a last snapshot that is still to be taken".to_owned();
            return Err(StoreError::Conflict { object: Object::Instance, state });
        }
        let act = AuditEntry {
            action: "instance.waive_final_snapshot",
            object_kind: "instance",
            object_id: Some(instance.0),
            before: None,
            after: Some(json!({ "reason": reason })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Last snapshots at a provider whose time is over, some of them.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn expired_final_snapshots(&self, provider: &str) -> Result<Vec<ExpiredSnapshot>> {
        Ok(sqlx::query_as!(
            ExpiredSnapshot,
            r#"SELECT f.instance_id AS "instance_id: InstanceId", f.provider_snapshot_id AS "provider_snapshot_id!"
               FROM final_snapshots f
               JOIN instances s ON s.id = f.instance_id
               JOIN providers p ON p.id = s.provider_id
               WHERE f.deleted_at IS NULL AND f.kept_until <= now() AND p.slug = $1
               ORDER BY f.kept_until LIMIT $2"#,
            provider,
            BATCH,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Keeps that a last snapshot is gone at its provider.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_final_snapshot_deleted(&self, instance: InstanceId) -> Result<()> {
        sqlx::query!(
            "UPDATE final_snapshots SET deleted_at = coalesce(deleted_at, now()) WHERE instance_id = $1",
            instance.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// What became of a server's last snapshot; `None` while nothing did.
pub(crate) async fn of(connection: &mut PgConnection, instance: InstanceId) -> Result<Option<FinalSnapshot>> {
    Ok(sqlx::query_as!(
        FinalSnapshot,
        "SELECT provider_snapshot_id, taken_at, kept_until, deleted_at, waived_at, waived_reason
         FROM final_snapshots WHERE instance_id = $1",
        instance.0,
    )
    .fetch_optional(connection)
    .await?)
}

/// `false` when none is to be taken, or something became of it before.
async fn waive(
    tx: &mut PgConnection,
    instance: InstanceId,
    staff: Option<UserId>,
    reason: &str,
) -> Result<bool> {
    let waived = sqlx::query!(
        "INSERT INTO final_snapshots (instance_id, waived_at, waived_by, waived_reason)
         SELECT id, now(), $2, $3 FROM instances
         WHERE id = $1 AND final_snapshot_days IS NOT NULL AND status <> 'TERMINATED'
         ON CONFLICT (instance_id) DO NOTHING",
        instance.0,
        staff.map(|staff| staff.0),
        reason,
    )
    .execute(tx)
    .await?;
    Ok(waived.rows_affected() == 1)
}
