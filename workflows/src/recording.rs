//! Recording steps: transactions of ours, made for as long as the database needs.

use std::time::Duration;

use temporalio_common::{ActivityDefinition, error::ActivityExecutionError};
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
