//! The ports of what is done to a server at its provider.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use adapters::providers::{CloudProvider, Registry};
use domain::{ids::ActionId, provisioning::FailureClass};
use store::{Store, instance_actions::ActionJob, provisioning::ProviderTrouble};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::ActionRun;

use crate::{
    crash_point,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
    turn::in_turn,
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

    /// Idempotent: deleting what is gone is no error, and the record is moved once. It never gives up: what its provider
    /// refuses is tried again, and told to administrators, since it costs money until it is gone.
    #[activity(definition = workflows::DeleteServer)]
    pub async fn delete_server(
        self: Arc<Self>,
        ctx: ActivityContext,
        action: ActionId,
    ) -> Result<(), ActivityError> {
        crash_point("delete_server.before");
        if let Err(error) = while_heartbeating(&ctx, self.delete(action)).await {
            self.note_undeleted(action, &error).await;
            return Err(failure(error.until_gone()));
        }
        crash_point("delete_server.after");
        Ok(())
    }
}

impl ServerActivities {
    /// Refuses to touch what another installation on the same account made. What the provider does not know (yet) is
    /// nobody else's.
    pub(crate) async fn refuse_foreign(
        &self,
        provider: &dyn CloudProvider,
        server: &str,
    ) -> Result<(), StepError> {
        refuse_foreign(&self.store, provider, server).await.map(drop)
    }

    /// The same before an action, of a server that has not shown yet whose it is.
    pub(crate) async fn prove_ours(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
    ) -> Result<(), StepError> {
        let server = &job.provider_instance_id;
        if !job.is_proven_ours && refuse_foreign(&self.store, provider, server).await? {
            self.store.note_proven_ours(job.instance_id, server).await?;
        }
        Ok(())
    }

    async fn end(&self, action: ActionId, outcome: Result<(), StepError>) -> Result<(), ActivityError> {
        let Err(error) = outcome else { return Ok(()) };
        self.note_trouble(action, &error).await;
        Err(failure(error))
    }

    /// Admins see the latest trouble while tries go on; failing to note it must not hide the trouble itself.
    async fn note_trouble(&self, action: ActionId, error: &StepError) {
        if let Err(noting) = self.store.note_action_trouble(action, &trouble(error)).await {
            tracing::warn!(
                event = "action.trouble_not_noted",
                action_id = %action,
                error = %noting,
                "could not note the provider's trouble"
            );
        }
    }

    /// The same of a delete, which administrators hear of when its provider refused it, or it takes too long.
    async fn note_undeleted(&self, action: ActionId, error: &StepError) {
        match self.store.note_undeleted(action, &trouble(error)).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::error!(
                    alert = "deletion.still_there",
                    action_id = %action,
                    %error,
                    "a server that is to be deleted is still there, and costs money"
                );
            }
            Err(noting) => {
                tracing::warn!(
                    event = "action.trouble_not_noted",
                    action_id = %action,
                    error = %noting,
                    "could not note the provider's trouble"
                );
            }
        }
    }
}

/// Refuses to touch what another installation on the same account made. What the provider does not know (yet) is nobody
/// else's: then `false`.
pub(crate) async fn refuse_foreign(
    store: &Store,
    provider: &dyn CloudProvider,
    server: &str,
) -> Result<bool, StepError> {
    let seen = match in_turn(|| provider.get_server(server)).await {
        Err(error) if error.class == FailureClass::NotFound => return Ok(false),
        seen => seen?,
    };
    match store.installation().other(&seen.tags) {
        Some(other) => Err(StepError::Foreign { server: server.to_owned(), installation: other.to_owned() }),
        None => Ok(true),
    }
}

/// What administrators see of it.
fn trouble(error: &StepError) -> ProviderTrouble {
    let (code, request_id) = match error {
        StepError::Provider(e) => (e.code.clone(), e.request_id.as_deref().map(str::to_owned)),
        _ => (None, None),
    };
    ProviderTrouble { class: error.class(), message: error.to_string(), code, request_id }
}

#[cfg(test)]
mod tests;
