//! Comparing a provider with the database, now and then: a schedule starts it, or somebody who wants it now.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::{ids::ReconciliationId, upkeep::ReconcileStart};
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{queues, search, steps};

pub use reconcile_ports::ReconcileProvider;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reconciled {
    /// The record of the run, which has the findings.
    pub reconciliation_id: ReconciliationId,
    /// How many servers of ours the provider listed.
    pub listed: usize,
    /// Servers nobody uses.
    pub orphans: usize,
    /// Servers the provider does not know.
    pub ghosts: usize,
    /// Servers whose order has another.
    pub duplicates: usize,
    /// Servers that are not as we believe.
    pub drifted: usize,
    /// Servers there was trouble with; the next run tries again.
    #[serde(default)]
    pub failed: usize,
}

/// The calls to the provider, on its own task queue.
pub struct ReconcilePorts;

#[activity_definitions]
impl ReconcilePorts {
    /// Compares the provider's servers with the database and acts on what it finds, as far as it may.
    #[activity(name = "reconcile_provider")]
    pub fn reconcile_provider(_: ReconcileStart) -> Result<Reconciled, ActivityError> {
        unimplemented!()
    }
}

/// Compares one provider with the database once.
#[workflow]
pub struct ReconcileWorkflow {
    start: ReconcileStart,
}

#[workflow_methods]
impl ReconcileWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: ReconcileStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the provider does not list its servers for as long as the policy is patient.
    #[run(name = "ReconcileWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Reconciled> {
        let start = ctx.state(|s| s.start.clone());
        ctx.upsert_search_attributes([search::PROVIDER.value_set(start.provider.clone())]);
        ctx.set_current_details(format!("Comparing {} with the database.", start.provider));
        let summary = format!("Compare {} with the database", start.provider);
        let queue = queues::provider_beside(ctx.task_queue(), &start.provider);
        let options = steps::outside(&start.policy, queue, summary);
        let found = ctx.execute_activity(ReconcileProvider, start, options).await?;
        ctx.set_current_details(format!(
            "{} servers listed: {} orphans, {} duplicates, {} ghosts, {} drifted.",
            found.listed, found.orphans, found.duplicates, found.ghosts, found.drifted
        ));
        Ok(found)
    }
}
