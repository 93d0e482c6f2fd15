//! A database that was put back to an earlier state, while engine and providers remember what happened since. A server's
//! workflow shows it: it knows of more looks at its life than the database does. Nothing is taken from anybody from then on,
//! until an administrator has looked: no suspension, no deletion, and nothing that was asked for before and destroys
//! what is on a disk, since it may have been done already.

use domain::{event::DatabasePutBack, ids::InstanceId, life::LifeLook, outbox::Message};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    instance_actions, outbox,
};

/// Why steps are held back meanwhile.
pub(super) const WHY: &str = "the database was put back to an earlier state";

/// By so much more than any server's life has looks are they counted on once somebody has looked.
const ERA: i64 = 1 << 40;

pub(super) async fn is(tx: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM installation WHERE restored_at IS NOT NULL) AS "is!""#
    )
    .fetch_one(tx)
    .await?)
}

/// Locks a server, and notes that the database was put back when its workflow knows of more looks at its life than the
/// database does. Staff are told.
pub(super) async fn lock_and_note_if(tx: &mut PgConnection, look: LifeLook) -> Result<()> {
    let found = sqlx::query_scalar!(
        "SELECT life_turns FROM instances WHERE id = $1 FOR NO KEY UPDATE",
        look.instance_id.0,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::NotFound("instance"))?;
    if found >= look.seen_turns {
        return Ok(());
    }
    // What the workflow knows is what is counted on from here.
    sqlx::query!("UPDATE instances SET life_turns = $2 WHERE id = $1", look.instance_id.0, look.seen_turns)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("UPDATE installation SET restored_at = coalesce(restored_at, now())")
        .execute(&mut *tx)
        .await?;
    let hour = sqlx::query_scalar!(r#"SELECT to_char(now(), 'YYYYMMDDHH24') AS "hour!""#)
        .fetch_one(&mut *tx)
        .await?;
    tracing::error!(
        alert = "life.database_put_back",
        instance_id = %look.instance_id,
        known = look.seen_turns,
        found,
        "the database was put back to an earlier state"
    );
    let put_back = DatabasePutBack { instance_id: look.instance_id, known: look.seen_turns, found, hour };
    Entry::of(put_back).tell_administrators(tx).await
}

impl Store {
    /// Says that somebody has looked at a database that was put back: what is due goes on. What the engine knows from before
    /// tells nothing new after that, however late a workflow wakes. Rebuilds and restores that were asked for before it was
    /// put back fail: they may have been done, and their owners ask again if not. `false` when it was not put back, or
    /// somebody has looked already.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn confirm_put_back(&self, origin: &Origin) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let restored_at = sqlx::query_scalar!(
            r#"SELECT restored_at AS "at!" FROM installation WHERE restored_at IS NOT NULL FOR UPDATE"#
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(restored_at) = restored_at else { return Ok(false) };
        // One after the other by their ids, as whoever locks several does.
        sqlx::query!(
            "WITH servers AS (SELECT id FROM instances WHERE status <> 'TERMINATED' ORDER BY id FOR NO KEY UPDATE)
             UPDATE instances s SET life_turns = life_turns + $1 FROM servers WHERE s.id = servers.id",
            ERA,
        )
        .execute(&mut *tx)
        .await?;
        instance_actions::fail_overwriting(&mut tx, restored_at).await?;
        sqlx::query!("UPDATE installation SET restored_at = NULL").execute(&mut *tx).await?;
        wake_waiting(&mut tx).await?;
        let act = AuditEntry {
            action: "life.put_back_confirmed",
            object_kind: "installation",
            object_id: None,
            before: None,
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Has those looked at that waited for it.
async fn wake_waiting(tx: &mut PgConnection) -> Result<()> {
    let waiting: Vec<InstanceId> = sqlx::query_scalar!(
        r#"SELECT s.id AS "id: InstanceId" FROM instances s
           WHERE s.held_why = $1 OR EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id
                                            AND a.status IN ('pending', 'in_progress'))
           ORDER BY s.id"#,
        WHY,
    )
    .fetch_all(&mut *tx)
    .await?;
    for instance_id in waiting {
        outbox::enqueue(tx, &Message::ActionRequested { instance_id }).await?;
    }
    Ok(())
}
