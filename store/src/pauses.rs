//! What is not provisioned for now: all of it, or what is bought from a provider. Running workflows ask before each
//! create, so that a pause holds from its commit on; what exists at the provider is brought to its end.

use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde_json::json;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    versions::{IfMatch, Thing},
};

/// The scope of a pause of all provisioning.
pub const EVERYWHERE: &str = "*";

/// A pause of provisioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Slug of the provider, or [`EVERYWHERE`].
    pub scope: String,
    /// Why, for staff.
    pub reason: String,
    /// Since when.
    pub paused_at: DateTime<Utc>,
    /// Who paused it.
    pub paused_by: UserId,
}

impl Store {
    /// All pauses, that of everything first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        Ok(sqlx::query_as!(
            Pause,
            r#"SELECT scope, reason, paused_at, paused_by AS "paused_by: UserId" FROM provisioning_pauses ORDER BY scope"#,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The pause that holds for a provider; that of everything goes first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn pause_of(&self, provider: &str) -> Result<Option<Pause>> {
        Ok(sqlx::query_as!(
            Pause,
            r#"SELECT scope, reason, paused_at, paused_by AS "paused_by: UserId" FROM provisioning_pauses
               WHERE scope IN ($1, '*') ORDER BY scope LIMIT 1"#,
            provider,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Pauses provisioning. Doing it again replaces the reason.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn pause_provisioning(
        &self,
        scope: &str,
        reason: &str,
        staff: UserId,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<Pause> {
        let mut tx = self.pool.begin().await?;
        condition.require(&mut tx, Thing::Pause(scope)).await?;
        let pause = sqlx::query_as!(
            Pause,
            r#"INSERT INTO provisioning_pauses (scope, reason, paused_by)
               SELECT $1, $2, $3 WHERE $1 = '*' OR EXISTS (SELECT FROM providers WHERE slug = $1)
               ON CONFLICT (scope) DO UPDATE SET reason = EXCLUDED.reason
               RETURNING scope, reason, paused_at, paused_by AS "paused_by: UserId""#,
            scope,
            reason,
            staff.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("provider"))?;
        let act = AuditEntry {
            action: "provisioning.pause",
            object_kind: "provisioning",
            object_id: None,
            before: None,
            after: Some(json!({ "scope": scope, "reason": reason })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(pause)
    }

    /// Ends a pause. What waits goes on within seconds.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when nothing is paused there.
    #[boxed]
    pub async fn resume_provisioning(&self, scope: &str, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let reason =
            sqlx::query_scalar!("DELETE FROM provisioning_pauses WHERE scope = $1 RETURNING reason", scope,)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(StoreError::NotFound("pause"))?;
        let act = AuditEntry {
            action: "provisioning.resume",
            object_kind: "provisioning",
            object_id: None,
            before: Some(json!({ "scope": scope, "reason": reason })),
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        Ok(tx.commit().await?)
    }
}
