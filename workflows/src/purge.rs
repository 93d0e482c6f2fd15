//! Deleting what serves nobody any more: a schedule starts it.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::purge::{PurgeBounds, PurgeRule, PurgeStart, Purgeable};
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::steps;

pub use purge_ports::PurgeRows;

/// Rows of one kind that are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PurgeRun {
    /// Which, and how old.
    pub rule: PurgeRule,
    /// How many, and for how long.
    pub bounds: PurgeBounds,
}

/// What became of one kind of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Purged {
    /// Which rows.
    pub what: Purgeable,
    /// How many are gone.
    pub rows: u64,
    /// Whether none is left that should be gone.
    pub is_done: bool,
}

/// Steps that may take minutes, so they have heartbeats and are no local activities.
pub struct PurgePorts;

#[activity_definitions]
impl PurgePorts {
    /// Deletes rows of one kind, a few at a time.
    #[activity(name = "purge_rows")]
    pub fn purge_rows(_: PurgeRun) -> Result<Purged, ActivityError> {
        unimplemented!()
    }
}

/// Deletes once what serves nobody any more.
#[workflow]
pub struct PurgeWorkflow {
    start: PurgeStart,
}

#[workflow_methods]
impl PurgeWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: PurgeStart) -> Self {
        Self { start }
    }

    /// Runs to the end. Rows that can't be deleted keep no others from it.
    ///
    /// # Errors
    /// When a step did not succeed for as long as the policy is patient.
    #[run(name = "PurgeWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Vec<Purged>> {
        let PurgeStart { rules, bounds, policy } = ctx.state(|s| s.start.clone());
        let (mut purged, mut failed) = (Vec::new(), None);
        for rule in rules {
            let options =
                steps::outside(&policy, ctx.task_queue().to_owned(), format!("Purge {}", rule.what));
            match ctx.execute_activity(PurgeRows, PurgeRun { rule, bounds }, options).await {
                Ok(rows) => purged.push(rows),
                Err(error) => failed = Some(error),
            }
            ctx.set_current_details(details(&purged));
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(purged),
        }
    }
}

fn details(purged: &[Purged]) -> String {
    let words: Vec<String> = purged
        .iter()
        .map(|kind| {
            format!("{}: {}{}", kind.what, kind.rows, if kind.is_done { "" } else { " and more to go" })
        })
        .collect();
    format!("Rows deleted. {}.", words.join(", "))
}
