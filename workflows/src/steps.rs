//! The steps of all workflows: recording steps, which are transactions of ours and made for as long as the database needs,
//! and steps outside, which ask a provider, a gateway or the database about very much. And what the failure of one means.

use std::time::Duration;

use domain::{policy::StepPolicy, provisioning::FailureClass};
use temporalio_common::{
    ActivityDefinition,
    error::{ActivityExecutionError, IncomingError},
};
use temporalio_workflow::{ActivityOptions, LocalActivityOptions, RetryPolicy, WorkflowContext};

/// Tries within the workflow's own task: some seconds when the database refuses at once, a minute when every try runs
/// into its bound.
const LOCAL_TRIES: u32 = 6;
/// Longest run of a try.
const LONGEST_TRY: Duration = Duration::from_secs(10);

/// Makes a recording step. At first it is tried within the workflow's task, which costs the engine nothing and shows
/// nothing. What still fails then becomes a step of the engine's: people see it in its web UI with the last failure, no
/// event is written for a try, and it goes through once somebody mended the cause.
///
/// # Errors
/// The step's own, where trying again can't heal it, and the workflow's cancellation.
pub(crate) async fn record<W, A>(
    ctx: &WorkflowContext<W>,
    step: A,
    input: A::Input,
    summary: &str,
) -> Result<A::Output, ActivityExecutionError>
where
    A: ActivityDefinition,
    A::Input: Clone,
{
    match ctx.execute_local_activity(By(&step), input.clone(), at_first(summary)).await {
        // Why it failed is not told of the last try, so that what can't be healed is found out by one try more.
        Err(ActivityExecutionError::Failed(_)) => {
            ctx.execute_activity(By(&step), input, later(summary)).await
        }
        outcome => outcome,
    }
}

/// An activity by reference: its declaration is needed twice.
struct By<'a, A>(&'a A);

impl<A: ActivityDefinition> ActivityDefinition for By<'_, A> {
    type Input = A::Input;
    type Output = A::Output;

    fn name(&self) -> &str {
        self.0.name()
    }
}

fn at_first(summary: &str) -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(LONGEST_TRY)
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(200))
                .maximum_interval(Duration::from_secs(10))
                .maximum_attempts(LOCAL_TRIES)
                .build(),
        )
        .summary(summary.to_owned())
        .build()
}

fn later(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(LONGEST_TRY)
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_secs(1))
                .maximum_interval(Duration::from_secs(30))
                .build(),
        )
        .summary(summary.to_owned())
        .build()
}

/// Options of a step outside on a queue: retried under the policy, taken over when its worker falls silent.
pub(crate) fn outside(policy: &StepPolicy, queue: String, summary: impl Into<String>) -> ActivityOptions {
    ActivityOptions::with_schedule_to_close_timeout(Duration::from_millis(policy.give_up_after_ms))
        .task_queue(queue)
        .heartbeat_timeout(Duration::from_millis(policy.heartbeat_timeout_ms))
        .retry_policy(retries(policy))
        .summary(summary)
        .build()
}

/// The same without an end: only each try is bounded.
pub(crate) fn outside_until_done(
    policy: &StepPolicy,
    queue: String,
    summary: impl Into<String>,
) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(Duration::from_millis(policy.give_up_after_ms))
        .task_queue(queue)
        .heartbeat_timeout(Duration::from_millis(policy.heartbeat_timeout_ms))
        .retry_policy(retries(policy))
        .summary(summary)
        .build()
}

fn retries(policy: &StepPolicy) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(Duration::from_millis(policy.retry_initial_ms))
        .maximum_interval(Duration::from_millis(policy.retry_max_ms))
        .build()
}

/// Why a step outside ended: the failure's type is the class that an adapter gave it. Running out of time, which
/// `out_of_time` says in words, is the class of the trouble that used it up.
pub(crate) fn reason(error: &ActivityExecutionError, out_of_time: &str) -> (FailureClass, String) {
    match error.cause() {
        Some(IncomingError::Application(failure)) => {
            let class =
                failure.type_name().and_then(|name| name.parse().ok()).unwrap_or(FailureClass::Permanent);
            (class, failure.to_string())
        }
        Some(IncomingError::Timeout(_)) => (FailureClass::Retryable, out_of_time.to_owned()),
        _ => (FailureClass::Permanent, error.to_string()),
    }
}
