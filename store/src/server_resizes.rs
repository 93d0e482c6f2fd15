//! Changes of plans, as the invoices over them see them: begun when the difference is paid, and wanted by nobody once the
//! server goes or another wish takes their place. Asking for one is [`crate::resizes`]'.

use domain::{
    ids::{ActionId, InstanceId, InvoiceId, PlanId, ResizeId, UserId},
    instance::InstanceAction,
    outbox::Message,
    resize::ResizeStatus,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::{Result, new_id, outbox};

/// Begins the change of plans that an invoice is over, if it is over one, once. Server and invoice are locked by the caller.
pub(crate) async fn begin_paid(tx: &mut PgConnection, invoice: InvoiceId) -> Result<()> {
    let resize =
        sqlx::query_scalar!(r#"SELECT id AS "id: ResizeId" FROM resizes WHERE invoice_id = $1"#, invoice.0)
            .fetch_optional(&mut *tx)
            .await?;
    match resize {
        Some(resize) => begin(tx, resize).await,
        None => Ok(()),
    }
}

/// Puts a change of plans among the server's actions, once. Where its provider resizes only what is off, the server is shut
/// down before and started afterwards, unless it is off. The server is locked by the caller.
pub(crate) async fn begin(tx: &mut PgConnection, resize: ResizeId) -> Result<()> {
    let row = sqlx::query!(
        r#"SELECT z.instance_id AS "instance_id: InstanceId", z.user_id AS "user_id: UserId",
                  z.to_plan_id AS "plan_id: PlanId", z.status AS "status: ResizeStatus",
                  (z.stops_server AND s.power_state <> 'OFF') AS "stops!"
           FROM resizes z JOIN instances s ON s.id = z.instance_id WHERE z.id = $1"#,
        resize.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    if row.status != ResizeStatus::Open {
        return Ok(());
    }
    let (instance, owner) = (row.instance_id, row.user_id);
    if row.stops {
        insert(tx, instance, owner, &InstanceAction::Shutdown).await?;
        insert(tx, instance, owner, &InstanceAction::PowerOff).await?;
    }
    let action = insert(tx, instance, owner, &InstanceAction::Resize { plan_id: row.plan_id }).await?;
    if row.stops {
        insert(tx, instance, owner, &InstanceAction::PowerOn).await?;
    }
    sqlx::query!(
        "UPDATE resizes SET status = 'APPLYING', action_id = $2, starts_at = now() WHERE id = $1",
        resize.0,
        action.0,
    )
    .execute(&mut *tx)
    .await?;
    outbox::enqueue(tx, &Message::ActionRequested { instance_id: instance }).await.map(drop)
}

/// Ends what is wished for a server and not paid: its invoice is withdrawn by the caller, who holds the server.
pub(crate) async fn lapse_open(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    sqlx::query!(
        "UPDATE resizes SET status = 'LAPSED', ended_at = now() WHERE instance_id = $1 AND status = 'OPEN'",
        instance.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// An action of the owner's, who has paid for it.
async fn insert(
    tx: &mut PgConnection,
    instance: InstanceId,
    owner: UserId,
    action: &InstanceAction,
) -> Result<ActionId> {
    let id: ActionId = new_id();
    let mut whole = serde_json::to_value(action)?;
    let params = whole.get_mut("params").map_or_else(|| json!({}), Value::take);
    sqlx::query!(
        "INSERT INTO instance_actions (id, instance_id, action, params, requested_by, requester_id, request_hash)
         VALUES ($1, $2, $3, $4, 'user', $5, $6)",
        id.0,
        instance.0,
        action.kind().as_str(),
        params,
        owner.0,
        Sha256::digest(serde_json::to_vec(action)?).to_vec(),
    )
    .execute(tx)
    .await?;
    Ok(id)
}
