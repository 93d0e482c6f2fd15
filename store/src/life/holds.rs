//! What staff hold servers for.

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, UserId},
    life::HoldKind,
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::wishes;
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, instance_actions, new_id,
};

/// A hold to be put on a server.
#[derive(Debug, Clone)]
pub struct NewHold<'a> {
    /// The server.
    pub instance: InstanceId,
    /// What for.
    pub kind: HoldKind,
    /// Whether no time passes towards suspension and deletion meanwhile.
    pub stops_clock: bool,
    /// Why, for staff.
    pub reason: &'a str,
    /// When it ends by itself; `None`: when it is released.
    pub until: Option<DateTime<Utc>>,
    /// Who holds it.
    pub by: UserId,
}

/// A hold of a server.
#[derive(Debug, Clone)]
pub struct InstanceHold {
    /// Its id.
    pub id: Uuid,
    /// What for.
    pub kind: HoldKind,
    /// Whether no time passes meanwhile.
    pub stops_clock: bool,
    /// Why.
    pub reason: String,
    /// Who holds it.
    pub held_by: UserId,
    /// Since when.
    pub held_from: DateTime<Utc>,
    /// When it ends by itself.
    pub held_until: Option<DateTime<Utc>>,
    /// When it was released.
    pub released_at: Option<DateTime<Utc>>,
}

/// A server is held once for each kind: a request that is sent again finds the first. The server is locked by the caller.
async fn refuse_second(tx: &mut PgConnection, new: &NewHold<'_>) -> Result<()> {
    let held = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM instance_holds
                          WHERE instance_id = $1 AND kind = $2 AND released_at IS NULL
                            AND (held_until IS NULL OR held_until > now())) AS "is_held!""#,
        new.instance.0,
        new.kind.as_str(),
    )
    .fetch_one(tx)
    .await?;
    if held {
        let state = format!("held for this already: {}", new.kind);
        return Err(StoreError::Conflict { object: Object::Instance, state });
    }
    Ok(())
}

impl Store {
    /// Holds a server: it is neither suspended nor deleted for want of money while that lasts. Its workflow looks at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server, [`StoreError::Conflict`] naming what is in the way: it is gone
    /// or going, held for this already, or the hold would be over by now.
    #[boxed]
    pub async fn hold_instance(&self, new: &NewHold<'_>, origin: &Origin) -> Result<InstanceHold> {
        let mut tx = self.pool.begin().await?;
        let status = instance_actions::lock(&mut tx, new.instance).await?;
        wishes::refuse_unless_kept(status)?;
        refuse_second(&mut tx, new).await?;
        let hold = sqlx::query_as!(
            InstanceHold,
            r#"INSERT INTO instance_holds (id, instance_id, kind, stops_clock, reason, held_by, held_until)
               SELECT $1, $2, $3, $4, $5, $6, $7 WHERE $7::timestamptz IS NULL OR $7 > now()
               RETURNING id, kind AS "kind: HoldKind", stops_clock, reason, held_by AS "held_by: UserId", held_from,
                         held_until, released_at"#,
            new_id::<Uuid>(),
            new.instance.0,
            new.kind.as_str(),
            new.stops_clock,
            new.reason,
            new.by.0,
            new.until,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| StoreError::Conflict {
            object: Object::Instance,
            state: "not to be held until a moment that has passed".to_owned(),
        })?;
        wishes::look_again(&mut tx, new.instance).await?;
        let act = AuditEntry {
            action: "instance.hold",
            object_kind: "instance",
            object_id: Some(new.instance.0),
            before: None,
            after: Some(json!({
                "hold_id": hold.id, "kind": hold.kind, "stops_clock": hold.stops_clock, "reason": hold.reason,
                "until": hold.held_until,
            })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(hold)
    }

    /// Ends a hold. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the server has no such hold.
    #[boxed]
    pub async fn release_hold(
        &self,
        instance: InstanceId,
        hold: Uuid,
        by: UserId,
        origin: &Origin,
    ) -> Result<InstanceHold> {
        let mut tx = self.pool.begin().await?;
        instance_actions::lock(&mut tx, instance).await?;
        let released = sqlx::query!(
            "UPDATE instance_holds SET released_at = now(), released_by = $3
             WHERE id = $1 AND instance_id = $2 AND released_at IS NULL",
            hold,
            instance.0,
            by.0,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        let now = sqlx::query_as!(
            InstanceHold,
            r#"SELECT id, kind AS "kind: HoldKind", stops_clock, reason, held_by AS "held_by: UserId", held_from,
                      held_until, released_at
               FROM instance_holds WHERE id = $1 AND instance_id = $2"#,
            hold,
            instance.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("hold"))?;
        if released {
            wishes::look_again(&mut tx, instance).await?;
            let act = AuditEntry {
                action: "instance.release",
                object_kind: "instance",
                object_id: Some(instance.0),
                before: None,
                after: Some(json!({ "hold_id": hold })),
            };
            audit::record(&mut tx, origin, &act).await?;
        }
        tx.commit().await?;
        Ok(now)
    }

    /// All holds of a server, newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn holds_of(&self, instance: InstanceId) -> Result<Vec<InstanceHold>> {
        self.any_server_ref(instance).await?;
        Ok(sqlx::query_as!(
            InstanceHold,
            r#"SELECT id, kind AS "kind: HoldKind", stops_clock, reason, held_by AS "held_by: UserId", held_from,
                      held_until, released_at
               FROM instance_holds WHERE instance_id = $1 ORDER BY id DESC"#,
            instance.0,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
