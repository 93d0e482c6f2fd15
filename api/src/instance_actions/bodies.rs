//! An action as it is asked for and as it is shown.

use chrono::{DateTime, Utc};
use domain::{
    ids::ActionId,
    instance::{ActionKind, ActionStatus},
    language::Language,
    provisioning::FailureClass,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Something to do to a server.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct ActionRequest {
    /// `power_on`, `power_off`, `shutdown`, `reboot`, `power_cycle`, `rebuild`, `snapshot`, `restore`,
    /// `delete_snapshot`, `rename`, `enable_backups`, `disable_backups`, `reset_password` (which needs the server off; the new
    /// one is among its credentials when it is done).
    #[schema(example = "rebuild")]
    pub action: String,
    /// `rebuild`: `image` (slug of our catalog); `snapshot` and `rename`: `name`; `restore` and `delete_snapshot`:
    /// `snapshot_id`. The others take none.
    #[schema(value_type = Option<Object>, example = json!({ "image": "debian-12" }))]
    pub params: Option<Map<String, Value>>,
}

/// Something that was asked for a server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Action {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    pub id: ActionId,
    /// What is to be done.
    pub action: ActionKind,
    /// With what.
    #[schema(value_type = Object, example = json!({ "image": "debian-12" }))]
    pub params: Value,
    pub status: ActionStatus,
    /// Why it failed; only with `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<ActionFailure>,
    /// What it made, such as `snapshot_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({ "snapshot_id": "7555620" }))]
    pub result: Option<Value>,
    pub created_at: DateTime<Utc>,
    /// When its turn came.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Why an action failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionFailure {
    pub class: FailureClass,
    /// In words a customer understands.
    #[schema(example = "The provider has no room for this at the moment. Please try again later.")]
    pub message: &'static str,
}

impl Action {
    /// An action, with why it failed in words.
    pub(crate) fn in_language(row: store::instance_actions::Action, language: Language) -> Self {
        let failure = |class| ActionFailure { class, message: messages::action_failure(class, language) };
        Self {
            id: row.id,
            action: row.kind,
            params: row.params,
            status: row.status,
            failure: row.failure_class.map(failure),
            result: row.result,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        }
    }
}
