//! The upkeep of the books: recognises the revenue that was earned, then proves that the books are sound. A schedule
//! starts it, or somebody who wants it now.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::{ids::LedgerCheckId, upkeep::LedgerUpkeepStart};
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::steps;

pub use ledger_ports::{CheckLedger, RecogniseRevenue};

/// A check of the books that is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerCheckRun {
    /// The record of the check, when somebody asked for it.
    pub check_id: Option<LedgerCheckId>,
    /// How many movements of revenue were written before; none when that could not be finished.
    pub recognised: Option<u64>,
}

/// What a check of the books came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerChecked {
    /// The record of the check, which has the findings.
    pub check_id: LedgerCheckId,
    /// Whether every rule holds.
    pub sound: bool,
    /// How many movements there are.
    pub movements: i64,
    /// How many rules do not hold.
    pub broken: usize,
}

/// Steps over all the books. They take longer than a recording step, so they have heartbeats and are no local activities.
pub struct LedgerPorts;

#[activity_definitions]
impl LedgerPorts {
    /// Recognises what all orders have earned until now; answers with how many movements that were.
    #[activity(name = "recognise_revenue")]
    pub fn recognise_revenue(_: LedgerUpkeepStart) -> Result<u64, ActivityError> {
        unimplemented!()
    }

    /// Checks the books, keeps what was found, and tells administrators when they are not sound.
    #[activity(name = "check_ledger")]
    pub fn check_ledger(_: LedgerCheckRun) -> Result<LedgerChecked, ActivityError> {
        unimplemented!()
    }
}

/// Keeps the books once.
#[workflow]
pub struct LedgerUpkeepWorkflow {
    start: LedgerUpkeepStart,
}

#[workflow_methods]
impl LedgerUpkeepWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: LedgerUpkeepStart) -> Self {
        Self { start }
    }

    /// Runs to the end. Revenue that can't be recognised keeps nobody from checking the books.
    ///
    /// # Errors
    /// When a step does not succeed for as long as the policy is patient.
    #[run(name = "LedgerUpkeepWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<LedgerChecked> {
        let start = ctx.state(|s| s.start);
        let options = |summary: &str| steps::outside(&start.policy, ctx.task_queue().to_owned(), summary);
        ctx.set_current_details("Recognising revenue.".to_owned());
        let recognising = ctx.execute_activity(RecogniseRevenue, start, options("Recognise earned revenue"));
        let recognised = recognising.await;
        ctx.set_current_details("Checking the books.".to_owned());
        let run = LedgerCheckRun { check_id: start.check_id, recognised: recognised.as_ref().ok().copied() };
        let checked = ctx.execute_activity(CheckLedger, run, options("Check the books")).await?;
        ctx.set_current_details(format!(
            "{} movements, {} rules broken: the books are {}.",
            checked.movements,
            checked.broken,
            if checked.sound { "sound" } else { "NOT SOUND" },
        ));
        recognised?;
        Ok(checked)
    }
}
