//! Keeping the engine sure that a long step is alive.

use std::time::Duration;

use temporalio_sdk::activities::ActivityContext;

use crate::failure::StepError;

/// Runs `work` while heartbeating at every third of the activity's time-out; a cancellation ends it, and a database that
/// does not answer. Work that is done sooner costs the engine no heartbeat.
pub(crate) async fn while_heartbeating<T>(
    ctx: &ActivityContext,
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    let timeout = ctx.info().heartbeat_timeout.unwrap_or(Duration::from_secs(30));
    let pause = timeout / 3;
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + pause, pause);
    let work = store::time_limit::bounded(work);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done?,
            () = ctx.cancelled() => return Err(StepError::Cancelled),
            _ = beat.tick() => {
                // Only fails when the empty detail can't be encoded, which it can.
                let _ = ctx.record_heartbeat(()).await;
            }
        }
    }
}
