//! What a server's owner wishes for its further terms, and looking again once something changed.

use domain::{
    ids::{InstanceId, UserId},
    instance::InstanceStatus,
    outbox::Message,
};
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError, boxed, outbox,
    versions::{IfMatch, Thing},
};

/// Has the server's workflow look at its life. Locked by the caller.
pub(super) async fn look_again(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    sqlx::query!("UPDATE instances SET next_due_at = now() WHERE id = $1", instance.0)
        .execute(&mut *tx)
        .await?;
    outbox::enqueue(tx, &Message::ActionRequested { instance_id: instance }).await.map(drop)
}

/// Refuses what makes sense only for a server that its owner keeps.
pub(super) fn refuse_unless_kept(status: InstanceStatus) -> Result<()> {
    match status {
        InstanceStatus::Active | InstanceStatus::Suspended => Ok(()),
        status => Err(StoreError::Conflict { object: Object::Instance, state: status.to_string() }),
    }
}

impl Store {
    /// Has a server's terms renewed from the balance, or no longer. The same wish again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server, [`StoreError::Conflict`] naming what is in the way:
    /// it is gone or going, or was called off for the end of its term.
    #[boxed]
    pub async fn set_auto_renew(
        &self,
        owner: UserId,
        instance: InstanceId,
        enabled: bool,
        condition: &IfMatch,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let server = sqlx::query!(
            r#"SELECT status AS "status: InstanceStatus", auto_renew, cancels_at_period_end FROM instances
               WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE"#,
            instance.0,
            owner.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("instance"))?;
        condition.require(&mut tx, Thing::Instance(instance)).await?;
        refuse_unless_kept(server.status)?;
        if enabled && server.cancels_at_period_end {
            let state = "called off for the end of its term".to_owned();
            return Err(StoreError::Conflict { object: Object::Instance, state });
        }
        if server.auto_renew == enabled {
            return Ok(());
        }
        sqlx::query!(
            "UPDATE instances SET auto_renew = $2, updated_at = now() WHERE id = $1",
            instance.0,
            enabled
        )
        .execute(&mut *tx)
        .await?;
        look_again(&mut tx, instance).await?;
        Ok(tx.commit().await?)
    }
}
