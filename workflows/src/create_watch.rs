//! Looking for servers that surface late: a schedule starts it.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::upkeep::CreateWatchStart;
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{queues, search, steps};

pub use create_watch_ports::WatchCreates;

/// What a look came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CreatesWatched {
    /// How many orders it was about.
    pub orders: usize,
    /// How many servers of theirs were one too many.
    pub unwanted: usize,
}

/// The calls to the provider, on its own task queue.
pub struct CreateWatchPorts;

#[activity_definitions]
impl CreateWatchPorts {
    /// Looks for servers of creates that were made again, where a look is due, and switches off what is one too many.
    #[activity(name = "watch_creates")]
    pub fn watch_creates(_: CreateWatchStart) -> Result<CreatesWatched, ActivityError> {
        unimplemented!()
    }
}

/// Looks once at the servers of orders whose create was made again.
#[workflow]
pub struct CreateWatchWorkflow {
    start: CreateWatchStart,
}

#[workflow_methods]
impl CreateWatchWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: CreateWatchStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the provider does not list its servers for as long as the policy is patient.
    #[run(name = "CreateWatchWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<CreatesWatched> {
        let start = ctx.state(|s| s.start.clone());
        ctx.upsert_search_attributes([search::PROVIDER.value_set(start.provider.clone())]);
        let summary = format!("Look for servers at {} that surfaced late", start.provider);
        let queue = queues::provider_beside(ctx.task_queue(), &start.provider);
        let options = steps::outside(&start.policy, queue, summary);
        let watched = ctx.execute_activity(WatchCreates, start, options).await?;
        ctx.set_current_details(format!(
            "Of {} orders whose create was made again, {} servers are one too many.",
            watched.orders, watched.unwanted
        ));
        Ok(watched)
    }
}
