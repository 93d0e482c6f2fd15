//! What is done to servers by ourselves, at nobody's request: switched off for want of money, switched on again, deleted.
//! What others ask for is [`crate::instance_actions`]'.

use domain::{
    ids::{ActionId, InstanceId},
    instance::InstanceAction,
};
use sqlx::PgConnection;

use crate::{Result, new_id};

/// Adds an action of ours to what waits for a server. Its workflow is at work, or woken by the caller, who holds the
/// server's lock. A server that is to be deleted is `TERMINATING` from here on.
pub(crate) async fn request(
    tx: &mut PgConnection,
    instance: InstanceId,
    action: &InstanceAction,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO instance_actions (id, instance_id, action, requested_by, request_hash)
         VALUES ($1, $2, $3, 'system', '')",
        new_id::<ActionId>().0,
        instance.0,
        action.kind().as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if *action == InstanceAction::Delete {
        note_terminating(tx, instance).await?;
    }
    Ok(())
}

/// A server that runs or is suspended is being deleted from now on. One that never became its owner's stays as it is.
pub(crate) async fn note_terminating(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    sqlx::query!(
        "UPDATE instances SET status = 'TERMINATING', next_due_at = NULL, held_step = NULL, held_since = NULL,
                held_why = NULL, updated_at = now()
         WHERE id = $1 AND status IN ('ACTIVE', 'SUSPENDED')",
        instance.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}
