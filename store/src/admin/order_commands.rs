//! Stepping into an order's course. Each act is one transaction: the move itself, what follows from it, an audit
//! row with the state before and after, a step on the order's timeline, and the message to its workflow.

mod attach;
mod cancel;
mod replace;
mod retry;

use domain::{ids::OrderId, order::Transition};
use serde_json::{Value, json};
use sqlx::PgConnection;

pub(super) use retry::retry;

pub use attach::{AttachedOrder, FoundServer};
pub use cancel::CancelledOrder;
pub use replace::ReplacedServer;
pub use retry::RetriedOrder;

use crate::{Object, Result, StoreError, transition};

/// An order as it was when the act began, with its task.
struct Before {
    status: String,
    user_id: uuid::Uuid,
    hostname: String,
    failure_class: Option<String>,
    failure_message: Option<String>,
    task_status: String,
    attempts: i32,
    last_error_class: Option<String>,
    last_error: Option<String>,
    last_error_code: Option<String>,
    provider_request_id: Option<String>,
    server_may_exist: bool,
}

impl Before {
    fn to_json(&self) -> Value {
        json!({
            "status": self.status,
            "failure_class": self.failure_class,
            "failure_message": self.failure_message,
            "task": {
                "status": self.task_status,
                "attempts": self.attempts,
                "last_error_class": self.last_error_class,
                "last_error": self.last_error,
                "last_error_code": self.last_error_code,
                "provider_request_id": self.provider_request_id,
            },
        })
    }
}

/// Locks the order, then its task, so that what is read here is what the audit row may call "before".
async fn lock(tx: &mut PgConnection, order: OrderId) -> Result<Before> {
    // No key changes (NO KEY), so those who write payments or events that point at the order need not wait.
    sqlx::query_as!(
        Before,
        r#"SELECT o.status, o.user_id, o.hostname, o.failure_class, o.failure_message, t.status AS task_status, t.attempts,
                  t.last_error_class, t.last_error, t.last_error_code, t.provider_request_id,
                  (t.create_sent_at IS NOT NULL OR EXISTS (SELECT FROM instances i WHERE i.order_id = o.id
                   AND i.provider_instance_id IS NOT NULL)) AS "server_may_exist!"
           FROM orders o JOIN provisioning_tasks t ON t.order_id = o.id
           WHERE o.id = $1 FOR NO KEY UPDATE OF o, t"#,
        order.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("order"))
}

/// Moves an order, or names the status that is in the way.
async fn move_or_conflict(
    tx: &mut PgConnection,
    order: OrderId,
    transition: Transition,
    before: &Before,
) -> Result<()> {
    if transition::apply(tx, order, transition).await? {
        return Ok(());
    }
    Err(StoreError::Conflict { object: Object::Order, state: before.status.clone() })
}
