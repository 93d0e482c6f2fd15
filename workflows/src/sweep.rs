//! Starting workflows again that should run and don't: a schedule starts it.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::sweep::SweepStart;
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::steps;

pub use sweep_ports::WakeLost;

/// What a sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Swept {
    /// How many orders, servers and refunds should have a workflow.
    pub expected: u64,
    /// How many of them had none.
    pub missing: u64,
    /// How many had one that should have gone on long ago.
    pub stalled: u64,
    /// How many were started again or woken; the rest ended meanwhile, or is the next run's.
    pub woken: u64,
}

/// A step that asks the engine about all that is open, so it has heartbeats and is no local activity.
pub struct SweepPorts;

#[activity_definitions]
impl SweepPorts {
    /// Compares what is open in the database with what runs in the engine, and has what is missing started.
    #[activity(name = "wake_lost")]
    pub fn wake_lost(_: SweepStart) -> Result<Swept, ActivityError> {
        unimplemented!()
    }
}

/// Compares database and engine once.
#[workflow]
pub struct SweepWorkflow {
    start: SweepStart,
}

#[workflow_methods]
impl SweepWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: SweepStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the step did not succeed for as long as the policy is patient.
    #[run(name = "SweepWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Swept> {
        let start = ctx.state(|s| s.start);
        let summary = "Start workflows that are missing".to_owned();
        let options = steps::outside(&start.policy, ctx.task_queue().to_owned(), summary);
        let swept = ctx.execute_activity(WakeLost, start, options).await?;
        ctx.set_current_details(format!(
            "Of {} that should run, {} were missing and {} asleep; {} were started or woken.",
            swept.expected, swept.missing, swept.stalled, swept.woken
        ));
        Ok(swept)
    }
}
