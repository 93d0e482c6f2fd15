//! What is asked for servers and what became of it. Asking ([`Store::request_action`]) commits the action with the
//! message to the server's workflow; the workflow takes one at a time ([`Store::next_action`]), oldest first. Locks
//! are taken in one order: the server's row, then its actions.

use chrono::{DateTime, Utc};
use domain::{
    ids::{ActionId, InstanceId, UserId},
    instance::{ActionKind, ActionStatus, InstanceAction},
    provisioning::FailureClass,
};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError, boxed,
    page::{Page, PageRequest},
};

mod deletion;
mod progress;
mod request;
mod targets;

pub use deletion::DeletionJob;
pub use progress::ActionJob;
pub(crate) use progress::{Standing, fail_overwriting, lock, take_turn};
pub(crate) use request::request;
pub use request::{ACTIONS_PER_HOUR, NewAction, RequestedBy};
pub use targets::ResizeTarget;

/// An action as it stands.
#[derive(Debug, Clone)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// The server.
    pub instance_id: InstanceId,
    /// What is to be done.
    pub kind: ActionKind,
    /// With what, in our words.
    pub params: Value,
    /// How it goes.
    pub status: ActionStatus,
    /// Who asked: `user`, `api_key` or `system`.
    pub requested_by: String,
    /// The user's or the key's id.
    pub requester_id: Option<Uuid>,
    /// What it made, such as `{"snapshot_id": "…"}`.
    pub result: Option<Value>,
    /// Why it failed.
    pub failure_class: Option<FailureClass>,
    /// What is kept beside the class. Customers read words that are found by the class when it is shown.
    pub failure_message: Option<String>,
    /// The latest trouble with the provider, for administrators.
    pub trouble: Option<Value>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When its turn came.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
}

macro_rules! select_actions {
    ($tail:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Action,
            r#"SELECT a.id AS "id: ActionId", a.instance_id AS "instance_id: InstanceId", a.action AS "kind: ActionKind",
                      a.params, a.status AS "status: ActionStatus", a.requested_by, a.requester_id, a.result,
                      a.failure_class AS "failure_class: FailureClass", a.failure_message, a.trouble, a.created_at,
                      a.started_at, a.finished_at
               FROM instance_actions a
               "# + $tail,
            $($argument),+
        )
    };
}

impl Store {
    /// One action of a customer's server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server, or it no such action.
    #[boxed]
    pub async fn action_of(&self, owner: UserId, instance: InstanceId, action: ActionId) -> Result<Action> {
        self.find_action(instance, action, Some(owner)).await
    }

    /// One action of anybody's server.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server, or it has no such action.
    #[boxed]
    pub async fn any_action(&self, instance: InstanceId, action: ActionId) -> Result<Action> {
        self.find_action(instance, action, None).await
    }

    async fn find_action(
        &self,
        instance: InstanceId,
        action: ActionId,
        owner: Option<UserId>,
    ) -> Result<Action> {
        select_actions!(
            "JOIN instances s ON s.id = a.instance_id
             WHERE a.id = $1 AND a.instance_id = $2 AND ($3::uuid IS NULL OR s.user_id = $3)",
            action.0,
            instance.0,
            owner.map(|id| id.0),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("action"))
    }

    /// The actions of a customer's server, newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such server.
    #[boxed]
    pub async fn actions_of(
        &self,
        owner: UserId,
        instance: InstanceId,
        page: &PageRequest,
    ) -> Result<Page<Action>> {
        self.server_ref_of(owner, instance).await?;
        self.list_actions(instance, page).await
    }

    /// The actions of anybody's server, newest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such server.
    #[boxed]
    pub async fn any_actions(&self, instance: InstanceId, page: &PageRequest) -> Result<Page<Action>> {
        self.any_server_ref(instance).await?;
        self.list_actions(instance, page).await
    }

    async fn list_actions(&self, instance: InstanceId, page: &PageRequest) -> Result<Page<Action>> {
        let rows = select_actions!(
            "WHERE a.instance_id = $1 AND ($2::uuid IS NULL OR a.id < $2) ORDER BY a.id DESC LIMIT $3",
            instance.0,
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |action| action.id.0))
    }
}

/// One action within the caller's transaction.
async fn by_id(tx: &mut PgConnection, action: Uuid) -> Result<Option<Action>> {
    Ok(select_actions!("WHERE a.id = $1", action).fetch_optional(tx).await?)
}

/// The parameters of an action as they are stored: an object, empty where it takes none.
fn params_of(action: &InstanceAction) -> Result<Value> {
    Ok(serde_json::to_value(action)?.get_mut("params").map_or_else(|| serde_json::json!({}), Value::take))
}

/// An action from its row.
fn typed(kind: ActionKind, params: Value) -> Result<InstanceAction> {
    let mut whole = serde_json::json!({ "action": kind });
    if params.as_object().is_some_and(|params| !params.is_empty()) {
        whole["params"] = params;
    }
    Ok(serde_json::from_value(whole)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_survive_their_rows() {
        for action in [
            InstanceAction::Reboot,
            InstanceAction::Rebuild { image: "ubuntu-24-04".to_owned() },
            InstanceAction::Resize { plan_id: Uuid::nil().into() },
            InstanceAction::Delete,
        ] {
            let params = params_of(&action).unwrap();
            assert!(params.is_object());
            assert_eq!(typed(action.kind(), params).unwrap(), action);
        }
    }
}
