//! A server's life: its paid term, and everything that is done to it, one thing at a time.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{
    collections::VecDeque,
    time::{Duration, UNIX_EPOCH},
};

use domain::{
    ids::OutboxId,
    instance::{ActionKind, ActionWork, InstancePolicy},
    outbox::InstanceStart,
};
use temporalio_common::{Priority, error::ActivityExecutionError};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityOptions, ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflows,
};

use crate::{
    ports::{ActionFailed, ActionRun, DeleteServer, FailAction, NextAction, NoteTermEnd, RunInstanceAction},
    queues,
    steps::{self, record},
};

const OUT_OF_TIME: &str = "gave up after the longest time an action may take at the provider";

/// Messages remembered, so that a second delivery is recognised. They come in order, so a repeated one is recent.
const REMEMBERED: usize = 32;

/// Actions after which a run is continued as a new one when nothing waits, whatever the engine suggests.
const ACTIONS_PER_RUN: u32 = 200;

/// What a run begins with: what the dispatcher starts it with, and what an earlier run knew.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InstanceInput {
    /// The server.
    #[serde(flatten)]
    pub start: InstanceStart,
    /// The end of the term was noted.
    #[serde(default)]
    pub term_is_over: bool,
    /// Messages that were handled, oldest first.
    #[serde(default)]
    pub seen: VecDeque<OutboxId>,
}

/// Holds a server's term and carries out what is asked for it, one thing at a time. The database is the authority on
/// what that is and in which order: a signal only wakes this workflow. A year in which nobody asks for anything costs the
/// engine one timer.
#[workflow]
pub struct InstanceWorkflow {
    start: InstanceStart,
    term_is_over: bool,
    seen: VecDeque<OutboxId>,
    woken: bool,
}

#[workflow_methods]
impl InstanceWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: InstanceInput) -> Self {
        let InstanceInput { start, term_is_over, seen } = input;
        // A server that never had a term has none to end.
        let term_is_over = term_is_over || start.expires_at_ms == 0;
        // Whatever was asked for before this run began is looked for first.
        Self { start, term_is_over, seen, woken: true }
    }

    /// Runs until the server is gone.
    ///
    /// # Errors
    /// Ends when it is cancelled, or continues as new.
    #[run(name = "InstanceWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let mut done = 0;
        loop {
            if ctx.state_mut(|s| std::mem::take(&mut s.woken)) && Self::work_off(ctx, &mut done).await? {
                ctx.set_current_details("The server is gone.");
                return Ok(());
            }
            Self::note_term_end_when_due(ctx).await?;
            if done >= ACTIONS_PER_RUN || ctx.continue_as_new_suggested() {
                Self::begin_afresh_if_idle(ctx).await?;
            }
            Self::rest(ctx).await?;
        }
    }

    /// Something is to be done.
    #[signal(name = "action_requested")]
    pub fn action_requested(&mut self, _ctx: &mut SyncWorkflowContext<Self>, cause: OutboxId) {
        if self.seen.contains(&cause) {
            return;
        }
        self.seen.push_back(cause);
        if self.seen.len() > REMEMBERED {
            self.seen.pop_front();
        }
        self.woken = true;
    }
}

impl InstanceWorkflow {
    /// Does what waits, oldest first, until nothing waits; `true` when the server is gone for good.
    async fn work_off(ctx: &mut WorkflowContext<Self>, done: &mut u32) -> WorkflowResult<bool> {
        let instance = ctx.state(|s| s.start.instance_id);
        loop {
            let turn = record(ctx, NextAction, instance, "Look for the next action").await?;
            ctx.state_mut(|s| s.learn_term(turn.expires_at_ms));
            if turn.is_terminated {
                return Ok(true);
            }
            let Some(work) = turn.work else { return Ok(false) };
            Self::act(ctx, work).await?;
            *done += 1;
        }
    }

    /// Carries one action out. That it went well the activity records itself.
    async fn act(ctx: &mut WorkflowContext<Self>, work: ActionWork) -> WorkflowResult<()> {
        let (provider, policy) = ctx.state(|s| (s.start.provider.clone(), s.start.policy));
        ctx.set_current_details(format!("At {provider}: {} (action {}).", work.kind, work.action_id));
        let queue = queues::provider_beside(ctx.task_queue(), &provider);
        let outcome = if work.kind == ActionKind::Delete {
            // The server costs money until it is gone.
            let options = steps::outside_until_done(&policy.steps, queue, "Delete the server");
            ctx.execute_activity(DeleteServer, work.action_id, options).await
        } else {
            let run = ActionRun { action_id: work.action_id, busy_patience_ms: policy.busy_patience_ms };
            ctx.execute_activity(RunInstanceAction, run, at_provider(policy, queue, work.kind)).await
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(ActivityExecutionError::Cancelled(cancelled)) => {
                Err(ActivityExecutionError::Cancelled(cancelled).into())
            }
            Err(error) => {
                let (class, message) = steps::reason(&error, OUT_OF_TIME);
                let failed = ActionFailed { action_id: work.action_id, class, message };
                Ok(record(ctx, FailAction, failed, "Record the failure").await?)
            }
        }
    }

    /// A term that became longer is not over.
    fn learn_term(&mut self, expires_at_ms: Option<u64>) {
        if let Some(later) = expires_at_ms.filter(|at| *at > self.start.expires_at_ms) {
            self.start.expires_at_ms = later;
            self.term_is_over = false;
        }
    }

    async fn note_term_end_when_due(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        if ctx.state(|s| s.term_is_over) || !Self::left_of_term(ctx).is_zero() {
            return Ok(());
        }
        let instance = ctx.state(|s| s.start.instance_id);
        record(ctx, NoteTermEnd, instance, "Note the end of the term").await?;
        ctx.state_mut(|s| s.term_is_over = true);
        Ok(())
    }

    /// Waits for something to do.
    async fn rest(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        if ctx.state(|s| s.term_is_over) {
            ctx.set_current_details("The paid term is over. Waiting for something to do.");
            ctx.wait_condition(|s| s.woken).await?;
            return Ok(());
        }
        ctx.set_current_details("The server runs within its paid term.");
        let left = Self::left_of_term(ctx);
        workflows::select! {
            woken = ctx.wait_condition(|s| s.woken) => woken?,
            _ = ctx.timer(left) => {}
        }
        Ok(())
    }

    fn left_of_term(ctx: &WorkflowContext<Self>) -> Duration {
        let end = UNIX_EPOCH + Duration::from_millis(ctx.state(|s| s.start.expires_at_ms));
        ctx.workflow_time().and_then(|now| end.duration_since(now).ok()).unwrap_or_default()
    }

    /// Goes on with an empty history, unless there is something to do. No start of a server's workflow has a delay, or the
    /// engine would hold the next run back for what is left of it.
    async fn begin_afresh_if_idle(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let finished = ctx.clone();
        ctx.wait_condition(move |_| finished.all_handlers_finished()).await?;
        if ctx.state(|s| s.woken) {
            return Ok(());
        }
        let input = ctx.state(|s| InstanceInput {
            start: s.start.clone(),
            term_is_over: s.term_is_over,
            seen: s.seen.clone(),
        });
        ctx.continue_as_new(input, ContinueAsNewOptions::default())?;
        Ok(())
    }
}

/// Options of an action: served before orders, since somebody waits.
fn at_provider(policy: InstancePolicy, queue: String, kind: ActionKind) -> ActivityOptions {
    let mut options = steps::outside(&policy.steps, queue, format!("Carry out {kind}"));
    options.priority = Some(Priority::builder().priority_key(1).build());
    options
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn start() -> InstanceStart {
        InstanceStart {
            instance_id: Uuid::nil().into(),
            order_id: Uuid::nil().into(),
            customer_id: Uuid::nil().into(),
            provider: "linode".to_owned(),
            plan_slug: "linode-1gb".to_owned(),
            expires_at_ms: 1,
            policy: InstancePolicy::default(),
        }
    }

    #[test]
    fn a_run_begins_with_what_the_dispatcher_or_an_earlier_run_gives() {
        let input = serde_json::from_value::<InstanceInput>(serde_json::to_value(start()).unwrap()).unwrap();
        assert_eq!(input, InstanceInput { start: start(), term_is_over: false, seen: VecDeque::new() });
        let carried = InstanceInput { term_is_over: true, seen: [Uuid::max().into()].into(), ..input };
        let read = serde_json::from_value(serde_json::to_value(&carried).unwrap());
        assert_eq!(read.ok(), Some(carried));
    }
}
