//! A server's life: for now, its paid term.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::time::{Duration, UNIX_EPOCH};

use domain::outbox::InstanceStart;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    LocalActivityOptions, RetryPolicy, WorkflowContext, WorkflowContextView, WorkflowResult,
};

use crate::ports::NoteTermEnd;

/// Holds a server's term and notes its end. The dispatcher starts it delayed until the term's end, so a year of
/// waiting costs the engine one timer.
#[workflow]
pub struct InstanceWorkflow {
    start: InstanceStart,
}

#[workflow_methods]
impl InstanceWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: InstanceStart) -> Self {
        Self { start }
    }

    /// Runs to the end of the term.
    ///
    /// # Errors
    /// Ends when it is cancelled.
    #[run(name = "InstanceWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let start = ctx.state(|s| s.start.clone());
        let end = UNIX_EPOCH + Duration::from_millis(start.expires_at_ms);
        let left = ctx.workflow_time().and_then(|now| end.duration_since(now).ok()).unwrap_or_default();
        if !left.is_zero() {
            ctx.set_current_details("The server runs within its paid term.");
            ctx.timer(left).await;
        }
        let recording = LocalActivityOptions::builder()
            .start_to_close_timeout(Duration::from_secs(10))
            .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(10)).build())
            .summary("Note the end of the term".to_owned())
            .build();
        ctx.execute_local_activity(NoteTermEnd, start.instance_id, recording).await?;
        ctx.set_current_details("The paid term is over.");
        Ok(())
    }
}
