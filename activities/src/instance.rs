//! Recording steps of a server's life.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use domain::{
    ids::InstanceId,
    instance::ActionTurn,
    life::{LifeLook, LifeTurn},
};
use store::Store;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::ActionFailed;

use crate::{crash_point, failure::failure};

/// Implements the server's recording ports.
#[derive(Debug, Clone)]
pub struct InstanceActivities {
    /// The database.
    pub store: Store,
}

#[activities]
impl InstanceActivities {
    /// Idempotent: the first moment noted stays.
    #[activity(definition = workflows::NoteTermEnd)]
    pub async fn note_term_end(
        self: Arc<Self>,
        _ctx: ActivityContext,
        instance: InstanceId,
    ) -> Result<(), ActivityError> {
        self.store.note_term_end(instance).await.map_err(failure)?;
        Ok(())
    }

    /// Idempotent: what is due is decided from what was recorded before, and an action whose turn has come keeps it until it
    /// is over.
    #[activity(definition = workflows::LookAtLife)]
    pub async fn look_at_life(
        self: Arc<Self>,
        _ctx: ActivityContext,
        look: LifeLook,
    ) -> Result<LifeTurn, ActivityError> {
        crash_point("look_at_life.before");
        let turn = self.store.look_at_life(look).await.map_err(failure)?;
        crash_point("look_at_life.after");
        Ok(turn)
    }

    /// Idempotent: an action whose turn has come keeps it until it is over.
    #[activity(definition = workflows::NextAction)]
    pub async fn next_action(
        self: Arc<Self>,
        _ctx: ActivityContext,
        instance: InstanceId,
    ) -> Result<ActionTurn, ActivityError> {
        self.store.next_action(instance).await.map_err(failure)
    }

    /// Idempotent by the condition on the action's status.
    #[activity(definition = workflows::FailAction)]
    pub async fn fail_action(
        self: Arc<Self>,
        _ctx: ActivityContext,
        failed: ActionFailed,
    ) -> Result<(), ActivityError> {
        crash_point("fail_action.before");
        self.store.fail_action(failed.action_id, failed.class, &failed.message).await.map_err(failure)?;
        crash_point("fail_action.after");
        tracing::warn!(
            event = "action.failed",
            action_id = %failed.action_id,
            class = %failed.class,
            reason = failed.message,
            "an action on a server failed"
        );
        Ok(())
    }
}
