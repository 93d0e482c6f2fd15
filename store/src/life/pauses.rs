//! What is not done to servers by itself for now: everywhere, or at one provider. With everything paused, what would be
//! done is seen among what is held back ([`crate::Store::held_servers`]).

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, UserId},
    life::{Held, Process},
    outbox::Message,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, outbox,
    versions::{IfMatch, Thing},
};

/// A pause of renewals, suspensions or terminations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifePause {
    /// Slug of the provider, or [`crate::pauses::EVERYWHERE`].
    pub scope: String,
    /// What is paused.
    pub process: Process,
    /// Why, for staff.
    pub reason: String,
    /// Since when.
    pub paused_at: DateTime<Utc>,
    /// Who paused it.
    pub paused_by: UserId,
}

/// Why a process is paused at a provider, if it is.
pub(super) async fn reason(
    tx: &mut PgConnection,
    provider: &str,
    process: Process,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT reason FROM life_pauses WHERE scope IN ($1, '*') AND process = $2 ORDER BY scope LIMIT 1",
        provider,
        process.as_str(),
    )
    .fetch_optional(tx)
    .await?)
}

impl Store {
    /// All pauses, those of everything first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn life_pauses(&self) -> Result<Vec<LifePause>> {
        Ok(sqlx::query_as!(
            LifePause,
            r#"SELECT scope, process AS "process: Process", reason, paused_at, paused_by AS "paused_by: UserId"
               FROM life_pauses ORDER BY scope, process"#,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Pauses a process. Doing it again replaces the reason. It holds from its commit on: each step asks in the transaction
    /// that would do it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn pause_life(
        &self,
        scope: &str,
        process: Process,
        reason: &str,
        staff: UserId,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<LifePause> {
        let mut tx = self.pool.begin().await?;
        condition.require(&mut tx, Thing::LifePause(scope, process)).await?;
        let pause = sqlx::query_as!(
            LifePause,
            r#"INSERT INTO life_pauses (scope, process, reason, paused_by)
               SELECT $1, $2, $3, $4 WHERE $1 = '*' OR EXISTS (SELECT FROM providers WHERE slug = $1)
               ON CONFLICT (scope, process) DO UPDATE SET reason = EXCLUDED.reason
               RETURNING scope, process AS "process: Process", reason, paused_at, paused_by AS "paused_by: UserId""#,
            scope,
            process.as_str(),
            reason,
            staff.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("provider"))?;
        record(&mut tx, origin, "life.pause", scope, process, reason).await?;
        tx.commit().await?;
        Ok(pause)
    }

    /// Ends a pause. What it held back is looked at at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when nothing is paused there.
    #[boxed]
    pub async fn resume_life(&self, scope: &str, process: Process, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let reason = sqlx::query_scalar!(
            "DELETE FROM life_pauses WHERE scope = $1 AND process = $2 RETURNING reason",
            scope,
            process.as_str(),
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("pause"))?;
        wake_held(&mut tx, scope, process).await?;
        record(&mut tx, origin, "life.resume", scope, process, &reason).await?;
        Ok(tx.commit().await?)
    }
}

async fn wake_held(tx: &mut PgConnection, scope: &str, process: Process) -> Result<()> {
    let held = match process {
        Process::Renewals => Held::Renew,
        Process::Suspensions => Held::Suspend,
        Process::Terminations => Held::Terminate,
    };
    let waiting: Vec<InstanceId> = sqlx::query_scalar!(
        r#"SELECT s.id AS "id: InstanceId" FROM instances s JOIN providers p ON p.id = s.provider_id
           WHERE s.held_step = $1 AND $2 IN ('*', p.slug) ORDER BY s.id"#,
        held.as_str(),
        scope,
    )
    .fetch_all(&mut *tx)
    .await?;
    for instance_id in waiting {
        outbox::enqueue(tx, &Message::ActionRequested { instance_id }).await?;
    }
    Ok(())
}

async fn record(
    tx: &mut PgConnection,
    origin: &Origin,
    action: &str,
    scope: &str,
    process: Process,
    reason: &str,
) -> Result<()> {
    let act = AuditEntry {
        action,
        object_kind: "life",
        object_id: None,
        before: None,
        after: Some(json!({ "scope": scope, "process": process, "reason": reason })),
    };
    audit::record(tx, origin, &act).await
}
