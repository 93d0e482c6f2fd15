//! A server's life: its paid term, and everything that is done to it, one thing at a time.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{
    collections::VecDeque,
    time::{Duration, UNIX_EPOCH},
};

use domain::{
    ids::OutboxId,
    instance::{ActionKind, ActionWork, InstancePolicy, InstanceStatus},
    life::{LifeLook, LifeTurn},
    outbox::InstanceStart,
};
use temporalio_common::{Priority, error::ActivityExecutionError};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityOptions, ContinueAsNewOptions, SyncWorkflowContext, WorkflowContext, WorkflowContextView,
    WorkflowResult, workflows,
};

use crate::{
    next_version,
    ports::{
        ActionFailed, ActionRun, DeleteServer, FailAction, LookAtLife, NextAction, NoteTermEnd,
        RunInstanceAction,
    },
    queues::{self, WorkflowQueue},
    search,
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
    /// Looks at the server's life, counted.
    #[serde(default)]
    pub turns: i64,
}

/// Looks after a server's life and carries out what is asked for it, one thing at a time. The database is the authority on
/// what that is and in which order: a signal only wakes this workflow, and a timer when the next thing is due. A run lasts
/// until the server is renewed.
#[workflow]
pub struct InstanceWorkflow {
    start: InstanceStart,
    term_is_over: bool,
    seen: VecDeque<OutboxId>,
    woken: bool,
    turns: i64,
    status: Option<InstanceStatus>,
    due_day: Option<String>,
    due_in_ms: Option<u64>,
    details: String,
    is_renewed: bool,
}

#[workflow_methods]
impl InstanceWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: InstanceInput) -> Self {
        let InstanceInput { start, term_is_over, seen, turns } = input;
        // A server that never had a term has none to end.
        let term_is_over = term_is_over || start.expires_at_ms == 0;
        let found_by = start.found_by.clone();
        // Whatever was asked for before this run began is looked for first.
        Self {
            start,
            term_is_over,
            seen,
            woken: true,
            turns,
            status: found_by.as_ref().map(|found_by| found_by.status),
            due_day: found_by.and_then(|found_by| found_by.due_day),
            due_in_ms: None,
            details: String::new(),
            is_renewed: false,
        }
    }

    /// Runs until the server is gone.
    ///
    /// # Errors
    /// Ends when it is cancelled, or continues as new.
    #[run(name = "InstanceWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        if ctx.state(|s| s.start.lives) {
            return Self::live(ctx).await;
        }
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
    /// Looks, does what is to be done, and sleeps until something is due or asked for.
    async fn live(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let mut done = 0;
        loop {
            ctx.state_mut(|s| s.woken = false);
            next_version::step(ctx).await;
            let turn = Self::look(ctx).await?;
            if turn.turn.is_terminated {
                ctx.set_current_details("The server is gone.");
                return Ok(());
            }
            if let Some(work) = turn.turn.work {
                Self::act(ctx, work).await?;
                done += 1;
                continue;
            }
            let is_long = done >= ACTIONS_PER_RUN || ctx.continue_as_new_suggested();
            if ctx.state(|s| s.is_renewed) || is_long || Self::leaves_the_old_queue(ctx) {
                Self::begin_afresh_if_idle(ctx).await?;
            }
            Self::sleep(ctx).await?;
        }
    }

    async fn look(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<LifeTurn> {
        let look = ctx.state(|s| LifeLook { instance_id: s.start.instance_id, seen_turns: s.turns });
        let turn = record(ctx, LookAtLife, look, "See what is due").await?;
        let (status, due_day) = (Some(turn.status), turn.due_day());
        let changed = ctx.state(|s| s.status != status || s.due_day != due_day);
        ctx.state_mut(|s| {
            let ended = s.start.expires_at_ms;
            s.learn_term(turn.turn.expires_at_ms);
            s.is_renewed |= s.start.expires_at_ms != ended;
            s.turns = turn.turns;
            s.due_in_ms = turn.due_in_ms;
            s.details = turn.in_words();
        });
        // With the looks that end in sleep, so that each costs one event at most; a renewed server's next run says it. Looks
        // that were recorded before they knew of `changes_at_ms` said it all the same.
        let says_the_next_run = turn.changes_at_ms.is_some() && ctx.state(|s| s.is_renewed);
        if changed && turn.turn.work.is_none() && !turn.turn.is_terminated && !says_the_next_run {
            Self::be_found(ctx, turn.status, due_day);
        }
        Ok(turn)
    }

    /// What people search by.
    fn be_found(ctx: &mut WorkflowContext<Self>, status: InstanceStatus, due_day: Option<String>) {
        let mut attributes = vec![search::INSTANCE_STATUS.value_set(status.to_string())];
        attributes.extend(due_day.clone().map(|day| search::NEXT_DUE.value_set(day)));
        ctx.upsert_search_attributes(attributes);
        ctx.state_mut(|s| (s.status, s.due_day) = (Some(status), due_day));
    }

    /// Sleeps on an ordinary timer. What it was woken for since the last look is looked for first.
    async fn sleep(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let (due_in_ms, details) = ctx.state(|s| (s.due_in_ms, s.details.clone()));
        ctx.set_current_details(details);
        let Some(due_in_ms) = due_in_ms else {
            ctx.wait_condition(|s| s.woken).await?;
            return Ok(());
        };
        workflows::select! {
            woken = ctx.wait_condition(|s| s.woken) => woken?,
            _ = ctx.timer(Duration::from_millis(due_in_ms.max(1))) => {}
        }
        Ok(())
    }

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
            let options = if work.kind.is_never_given_up() {
                // Its owner paid for it, or it runs at our cost.
                steps::outside_until_done(&policy.steps, queue, format!("Carry out {}", work.kind))
            } else {
                at_provider(policy, queue, work.kind)
            };
            ctx.execute_activity(RunInstanceAction, run, options).await
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

    /// Whether it runs where servers were before they had a queue of their own, and may leave. What is replayed of before
    /// stayed, and a run remembers what it was answered: so each look asks under a name of its own.
    fn leaves_the_old_queue(ctx: &WorkflowContext<Self>) -> bool {
        WorkflowQueue::Lifecycle.is(ctx.task_queue())
            && ctx.patched(&format!("leave-the-old-queue-{}", ctx.state(|s| s.turns)))
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
            // A run of before goes on as one that looks after the server's life.
            start: InstanceStart { lives: true, found_by: None, ..s.start.clone() },
            term_is_over: s.term_is_over,
            seen: s.seen.clone(),
            turns: s.turns,
        });
        let queue = WorkflowQueue::Instances.beside(ctx.task_queue());
        ctx.continue_as_new(input, ContinueAsNewOptions::builder().task_queue(queue).build())?;
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
            lives: true,
            found_by: None,
        }
    }

    #[test]
    fn a_run_begins_with_what_the_dispatcher_or_an_earlier_run_gives() {
        let input = serde_json::from_value::<InstanceInput>(serde_json::to_value(start()).unwrap()).unwrap();
        let fresh = InstanceInput { start: start(), term_is_over: false, seen: VecDeque::new(), turns: 0 };
        assert_eq!(input, fresh);
        let carried =
            InstanceInput { term_is_over: true, seen: [Uuid::max().into()].into(), turns: 7, ..input };
        let read = serde_json::from_value(serde_json::to_value(&carried).unwrap());
        assert_eq!(read.ok(), Some(carried));
    }
}
