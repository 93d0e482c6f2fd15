//! Money that arrives on a balance, and the servers whose renewal waits for it.

use domain::{
    ids::{InstanceId, UserId},
    outbox::Message,
};
use sqlx::PgConnection;

use crate::{Result, outbox};

/// Has the workflows of a customer's servers look again whose renewal from the balance lacked money.
pub(crate) async fn arrived(tx: &mut PgConnection, customer: UserId) -> Result<()> {
    let waiting: Vec<InstanceId> = sqlx::query_scalar!(
        r#"SELECT s.id AS "id: InstanceId" FROM instances s
           JOIN life_notices n ON n.instance_id = s.id AND n.term_ends_at = s.expires_at AND n.notice = 'lacks_money'
           WHERE s.user_id = $1 AND s.auto_renew AND s.status IN ('ACTIVE', 'SUSPENDED') ORDER BY s.expires_at"#,
        customer.0,
    )
    .fetch_all(&mut *tx)
    .await?;
    for instance_id in waiting {
        outbox::enqueue(tx, &Message::ActionRequested { instance_id }).await?;
    }
    Ok(())
}
