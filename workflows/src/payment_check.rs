//! The janitor of payments: asks the gateways about those that wait for too long. A schedule starts it.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::payment_check::PaymentCheckStart;
use temporalio_common::ActivityError;
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{queues, steps};

pub use payment_check_ports::CheckPayments;

/// What a look at the waiting payments came to: how many there were of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PaymentsChecked {
    /// Paid after all.
    pub settled: u32,
    /// At their end, without money.
    pub closed: u32,
    /// Still open at the gateway.
    pub waiting: u32,
    /// Paid or open over another amount than ours: somebody has to look into them.
    pub mismatched: u32,
    /// The gateway did not say.
    pub unanswered: u32,
    /// Paid, and taken back by the gateway: somebody has to decide.
    #[serde(default)]
    pub disputed: u32,
    /// Could not be asked about, or what was answered could not take effect.
    #[serde(default)]
    pub failed: u32,
    /// Never answered, and not asked about any more: people were told.
    #[serde(default)]
    pub given_up: u32,
}

impl PaymentsChecked {
    /// How many payments were asked about.
    #[must_use]
    pub const fn asked(&self) -> u32 {
        self.settled
            + self.closed
            + self.waiting
            + self.mismatched
            + self.unanswered
            + self.disputed
            + self.failed
    }
}

/// The calls to the gateways, on a task queue of their own.
pub struct PaymentCheckPorts;

#[activity_definitions]
impl PaymentCheckPorts {
    /// Asks about every payment that is due, and lets the answers take effect.
    #[activity(name = "check_payments")]
    pub fn check_payments(_: PaymentCheckStart) -> Result<PaymentsChecked, ActivityError> {
        unimplemented!()
    }
}

/// Looks at the waiting payments once.
#[workflow]
pub struct PaymentCheckWorkflow {
    start: PaymentCheckStart,
}

#[workflow_methods]
impl PaymentCheckWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: PaymentCheckStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the database is away for as long as the policy is patient. A gateway that is away fails nothing: its
    /// payments are asked about again.
    #[run(name = "PaymentCheckWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<PaymentsChecked> {
        let start = ctx.state(|s| s.start);
        let queue = queues::payments_beside(ctx.task_queue());
        let options = steps::outside(&start.policy.steps, queue, "Ask the gateways about waiting payments");
        let checked = ctx.execute_activity(CheckPayments, start, options).await?;
        ctx.set_current_details(format!(
            "Asked about {} payments: {} were paid after all, {} are at their end, {} wait, {} are over another \
             amount, {} got no answer, {} were taken back, {} failed; {} are given up.",
            checked.asked(),
            checked.settled,
            checked.closed,
            checked.waiting,
            checked.mismatched,
            checked.unanswered,
            checked.disputed,
            checked.failed,
            checked.given_up,
        ));
        Ok(checked)
    }
}
