//! What every attempt at a step has in common: an end where nothing else bounds it, and a word when it fails.

use std::time::Duration;

use store::Store;
use temporalio_sdk::{
    ApplicationFailure,
    activities::{ActivityError, ActivityInfo},
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
};
use tracing::Instrument;

use crate::failure;

/// Longest run of an attempt that has no heartbeats: a recording step. The database's own bounds end it sooner, unless its
/// answer never arrives; the engine gives it up after 10 s, which by itself would not end it here.
const RECORDING: Duration = Duration::from_secs(9);
/// Longest wait for the database to take a note.
const NOTE: Duration = Duration::from_secs(5);

/// Bounds attempts at steps, logs and counts those that fail, and tells staff of those that fail by a bug of ours.
#[derive(Debug, Clone)]
pub struct AttemptWatch {
    /// The database.
    pub store: Store,
}

/// What an attempt is of.
struct Attempt {
    step: String,
    workflow_id: String,
    number: u32,
    is_bounded: bool,
}

impl Attempt {
    fn of(info: &ActivityInfo) -> Self {
        Self {
            step: info.activity_type.clone(),
            workflow_id: info.workflow_id.clone().unwrap_or_default(),
            number: info.attempt,
            is_bounded: info.heartbeat_timeout.is_some_and(|timeout| !timeout.is_zero()),
        }
    }

    /// What everything that is logged during the attempt is marked with. The workflow's id names what it is about.
    fn span(&self) -> tracing::Span {
        tracing::info_span!("step", step = self.step, workflow_id = self.workflow_id, attempt = self.number)
    }
}

impl ActivityInboundInterceptor for AttemptWatch {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        let attempt = Attempt::of(input.activity_info());
        let span = attempt.span();
        let watched = async move {
            let work = next.run(input);
            let outcome = if attempt.is_bounded {
                work.await
            } else {
                tokio::time::timeout(RECORDING, work)
                    .await
                    .unwrap_or_else(|_| Err(failure::silent(RECORDING)))
            };
            if let Err(ActivityError::Application(failed)) = &outcome {
                self.note(&attempt, failed).await;
            }
            outcome
        };
        Box::pin(watched.instrument(span))
    }
}

impl AttemptWatch {
    async fn note(&self, attempt: &Attempt, failed: &ApplicationFailure) {
        let Attempt { step, workflow_id, .. } = attempt;
        let class = failed.type_name().unwrap_or("UNKNOWN").to_owned();
        if class == failure::PAUSED {
            return;
        }
        metrics::counter!("step_failures_total", "step" => step.clone(), "class" => class.clone())
            .increment(1);
        if class != failure::BUG {
            tracing::warn!(event = "step.failed", class, error = %failed, "an attempt at a step failed");
            return;
        }
        tracing::error!(alert = "step.refused", class, error = %failed,
                        "the database refuses a step: a bug of ours, or of its schema");
        let error = failed.to_string();
        let told = self.store.note_refused_step(workflow_id, step, &error);
        match tokio::time::timeout(NOTE, told).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(
                    event = "step.staff_not_told",
                    %error,
                    "staff could not be told; the next attempt does"
                )
            }
            Err(_) => tracing::warn!(
                event = "step.staff_not_told_in_time",
                "staff could not be told in time; the next attempt does"
            ),
        }
    }
}
