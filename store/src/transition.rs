//! The one place that changes an order's status.

use domain::{ids::OrderId, order::Transition};
use sqlx::PgConnection;

use crate::{Result, promos};

/// Moves an order if its status allows it; `false` when it does not (nothing is changed then). The condition in the
/// UPDATE makes concurrent callers agree on one winner. Leaving `PROVISIONING_FAILED` clears the failure. The use of the
/// order's promo code follows; that locks the code, so no ledger account may be locked yet.
pub(crate) async fn apply(tx: &mut PgConnection, order: OrderId, transition: Transition) -> Result<bool> {
    let from: Vec<String> = transition.from().iter().map(|s| s.as_str().to_owned()).collect();
    let to = transition.to().as_str();
    let moved = sqlx::query!(
        "UPDATE orders SET status = $2, updated_at = now(), failure_class = NULL, failure_message = NULL,
                paid_at = CASE WHEN $2 = 'PAID' THEN now() ELSE paid_at END,
                active_at = CASE WHEN $2 = 'ACTIVE' THEN now() ELSE active_at END
         WHERE id = $1 AND status = ANY($3)",
        order.0,
        to,
        &from,
    )
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    promos::follow_order(tx, order, transition).await?;
    Ok(true)
}

/// Moves an order to `PROVISIONING_FAILED` with its reason; `false` when it is not provisioning.
pub(crate) async fn fail(tx: &mut PgConnection, order: OrderId, class: &str, message: &str) -> Result<bool> {
    let moved = sqlx::query!(
        "UPDATE orders SET status = 'PROVISIONING_FAILED', failure_class = $2, failure_message = $3, updated_at = now()
         WHERE id = $1 AND status = 'PROVISIONING'",
        order.0,
        class,
        message,
    )
    .execute(tx)
    .await?;
    Ok(moved.rows_affected() == 1)
}
