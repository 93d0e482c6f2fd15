//! Recording steps of a server's life.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use domain::ids::InstanceId;
use store::Store;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::failure::failure;

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
}
