//! The ports of what is done to a server at its provider.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use adapters::providers::Registry;
use domain::ids::ActionId;
use store::{Store, provisioning::ProviderTrouble};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::ActionRun;

use crate::{
    crash_point,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Implements the ports of what is done to a server.
#[derive(Debug, Clone)]
pub struct ServerActivities {
    /// The database.
    pub store: Store,
    /// The providers this worker may call.
    pub providers: Arc<Registry>,
}

#[activities]
impl ServerActivities {
    /// Idempotent by the receipt, and by looking before what may have been sent is sent again (see
    /// [`crate::instance_action`]).
    #[activity(definition = workflows::RunInstanceAction)]
    pub async fn run_instance_action(
        self: Arc<Self>,
        ctx: ActivityContext,
        run: ActionRun,
    ) -> Result<(), ActivityError> {
        crash_point("run_instance_action.before");
        let outcome = while_heartbeating(&ctx, self.carry_out(run)).await;
        self.end(run.action_id, outcome).await?;
        crash_point("run_instance_action.after");
        Ok(())
    }

    /// Idempotent: deleting what is gone is no error, and the record is moved once.
    #[activity(definition = workflows::DeleteServer)]
    pub async fn delete_server(
        self: Arc<Self>,
        ctx: ActivityContext,
        action: ActionId,
    ) -> Result<(), ActivityError> {
        crash_point("delete_server.before");
        let outcome = while_heartbeating(&ctx, self.delete(action)).await;
        self.end(action, outcome).await?;
        crash_point("delete_server.after");
        Ok(())
    }
}

impl ServerActivities {
    async fn end(&self, action: ActionId, outcome: Result<(), StepError>) -> Result<(), ActivityError> {
        let Err(error) = outcome else { return Ok(()) };
        self.note_trouble(action, &error).await;
        Err(failure(error))
    }

    /// Admins see the latest trouble while tries go on; failing to note it must not hide the trouble itself.
    async fn note_trouble(&self, action: ActionId, error: &StepError) {
        let (code, request_id) = match error {
            StepError::Provider(e) => (e.code.clone(), e.request_id.clone()),
            _ => (None, None),
        };
        let trouble = ProviderTrouble { class: error.class(), message: error.to_string(), code, request_id };
        if let Err(noting) = self.store.note_action_trouble(action, &trouble).await {
            tracing::warn!(action_id = %action, error = %noting, "could not note the provider's trouble");
        }
    }
}

#[cfg(test)]
mod tests;
