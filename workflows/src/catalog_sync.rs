//! Reading a provider's catalog, now and then: a schedule starts it, or somebody who wants it now.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::{ids::CatalogSyncId, upkeep::CatalogSyncStart};
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{queues, search, steps};

pub use catalog_sync_ports::SyncCatalog;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CatalogSynced {
    /// The record of the run.
    pub sync_id: CatalogSyncId,
    /// How much was new, gone or different in the provider's lists.
    pub changes: i32,
    /// How much of what we offer can't be sold any more.
    pub flagged: i32,
    /// How much of it can be sold again.
    pub restored: i32,
}

/// The call to the provider, on its own task queue.
pub struct CatalogSyncPorts;

#[activity_definitions]
impl CatalogSyncPorts {
    /// Reads the provider's catalog and takes it over.
    #[activity(name = "sync_catalog")]
    pub fn sync_catalog(_: CatalogSyncStart) -> Result<CatalogSynced, ActivityError> {
        unimplemented!()
    }
}

/// Reads one provider's catalog once.
#[workflow]
pub struct CatalogSyncWorkflow {
    start: CatalogSyncStart,
}

#[workflow_methods]
impl CatalogSyncWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: CatalogSyncStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the provider does not tell its catalog for as long as the policy is patient.
    #[run(name = "CatalogSyncWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CatalogSynced> {
        let start = ctx.state(|s| s.start.clone());
        ctx.upsert_search_attributes([search::PROVIDER.value_set(start.provider.clone())]);
        ctx.set_current_details(format!("Reading the catalog of {}.", start.provider));
        let summary = format!("Read the catalog of {}", start.provider);
        let queue = queues::provider_beside(ctx.task_queue(), &start.provider);
        let options = steps::outside(&start.policy, queue, summary);
        let synced = ctx.execute_activity(SyncCatalog, start, options).await?;
        ctx.set_current_details(format!(
            "{} changes; {} of our offers can't be sold any more, {} can again.",
            synced.changes, synced.flagged, synced.restored
        ));
        Ok(synced)
    }
}
