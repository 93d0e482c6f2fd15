//! A refund through a gateway: a saga of two ends. The money is owed in the books before the gateway is asked, and
//! what undoes that ([`ReturnRefund`]) is there before the first call: it takes effect only where it is certain that no
//! call did.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::{
    ids::RefundId,
    refund::{RefundStart, RefundStatus},
};
use temporalio_common::{ActivityError, error::ActivityExecutionError};
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::{
    queues,
    steps::{self, record},
};

pub use refund_gateway_ports::SendRefund;
pub use refund_ports::{ReturnRefund, SettleRefund};

/// What a gateway is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundOrder {
    /// The refund.
    pub refund_id: RefundId,
    /// So long after a call whose answer was lost the gateway must know of it, in milliseconds.
    pub settle_ms: u64,
}

/// Money that a gateway gave back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundGiven {
    /// The refund.
    pub refund_id: RefundId,
    /// The gateway's name for it, if it has one.
    pub gateway_refund_id: Option<String>,
}

/// Money that no gateway gave back, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundNotGiven {
    /// The refund.
    pub refund_id: RefundId,
    /// Why, for staff.
    pub message: String,
}

/// The last word of a refund's workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RefundOutcome {
    /// Where the refund stands. `SENT` when nothing final is known: staff have it asked for again.
    pub status: RefundStatus,
}

/// The call to the gateway, on the queue of the payments.
pub struct RefundGatewayPorts;

#[activity_definitions]
impl RefundGatewayPorts {
    /// Has the gateway give the money back, or finds out that it did.
    #[activity(name = "send_refund")]
    pub fn send_refund(_: RefundOrder) -> Result<RefundGiven, ActivityError> {
        unimplemented!()
    }
}

/// Recording steps of a refund: one database transaction each, run as local activities.
pub struct RefundPorts;

#[activity_definitions]
impl RefundPorts {
    /// Settles what was owed.
    #[activity(name = "settle_refund")]
    pub fn settle_refund(_: RefundGiven) -> Result<RefundStatus, ActivityError> {
        unimplemented!()
    }

    /// Undoes a refund that its gateway certainly did not make: the money goes to the balance.
    #[activity(name = "return_refund")]
    pub fn return_refund(_: RefundNotGiven) -> Result<RefundStatus, ActivityError> {
        unimplemented!()
    }
}

/// Takes a refund through its gateway.
#[workflow]
pub struct RefundWorkflow {
    start: RefundStart,
}

#[workflow_methods]
impl RefundWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: RefundStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// Ends when it is cancelled from outside; a gateway that refuses or is silent is not an error.
    #[run(name = "RefundWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<RefundOutcome> {
        let start = ctx.state(|s| s.start);
        ctx.set_current_details("Asking the gateway to give the money back.");
        let asked = RefundOrder { refund_id: start.refund_id, settle_ms: start.policy.settle_ms };
        let queue = queues::payments_beside(ctx.task_queue());
        let options = steps::outside(&start.policy.steps, queue, "Have the gateway give the money back");
        let status = match ctx.execute_activity(SendRefund, asked, options).await {
            Ok(given) => record(ctx, SettleRefund, given, "Settle the refund").await?,
            Err(ActivityExecutionError::Cancelled(cancelled)) => {
                return Err(ActivityExecutionError::Cancelled(cancelled).into());
            }
            Err(error) => {
                let refund_id = start.refund_id;
                let not_given = RefundNotGiven { refund_id, message: error.to_string() };
                record(
                    ctx,
                    ReturnRefund,
                    not_given,
                    "Return the money to the balance, if it certainly was not given back",
                )
                .await?
            }
        };
        ctx.set_current_details(format!("The refund is {status}."));
        Ok(RefundOutcome { status })
    }
}
