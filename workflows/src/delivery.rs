//! Telling somebody something outside of the app: sent until it is taken, refused or too late. What it says and where it
//! goes is read where it is sent; here are ids only.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use domain::delivery::{DeliveryRun, DeliveryStart, DeliveryState};
use temporalio_common::{ActivityError, error::ActivityExecutionError};
use temporalio_macros::{activity_definitions, workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::steps::{self, record};

pub use delivery_ports::SendDelivery;
pub use delivery_record_ports::GiveUpDelivery;

/// The sending itself.
pub struct DeliveryPorts;

#[activity_definitions]
impl DeliveryPorts {
    /// Sends the message, once.
    #[activity(name = "send_delivery")]
    pub fn send_delivery(_: DeliveryStart) -> Result<DeliveryState, ActivityError> {
        unimplemented!()
    }
}

/// The recording step, run as a local activity.
pub struct DeliveryRecordPorts;

#[activity_definitions]
impl DeliveryRecordPorts {
    /// Notes that it is not tried any more.
    #[activity(name = "give_up_delivery")]
    pub fn give_up_delivery(_: DeliveryRun) -> Result<DeliveryState, ActivityError> {
        unimplemented!()
    }
}

/// Tells one person one event by one channel. It runs beside all other workflows, on the queue of the notifications.
#[workflow]
pub struct DeliveryWorkflow {
    start: DeliveryStart,
}

#[workflow_methods]
impl DeliveryWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: DeliveryStart) -> Self {
        Self { start }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// Ends when it is cancelled from outside; what can't be sent is not an error.
    #[run(name = "DeliveryWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<DeliveryState> {
        let start = ctx.state(|s| s.start);
        let options = steps::outside(&start.policy.steps, ctx.task_queue().to_owned(), "Send the message");
        let state = match ctx.execute_activity(SendDelivery, start, options).await {
            Ok(state) => state,
            Err(ActivityExecutionError::Cancelled(cancelled)) => {
                return Err(ActivityExecutionError::Cancelled(cancelled).into());
            }
            Err(_) => record(ctx, GiveUpDelivery, start.run(), "Give the message up").await?,
        };
        ctx.set_current_details(format!("The message is {state}."));
        Ok(state)
    }
}
