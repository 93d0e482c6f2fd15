//! Deleting one of a server's snapshots. Only what is in the list of the server's own is deleted; one that is not there any
//! more after it was to be deleted is as wanted.

use std::time::Duration;

use adapters::providers::CloudProvider;
use domain::provisioning::FailureClass;
use store::instance_actions::ActionJob;
use tokio::time::{Instant, sleep};
use workflows::ActionRun;

use crate::{crash_point, failure::StepError, instance_server::ServerActivities, turn::in_turn};

/// First and longest wait before a provider is asked again that is busy with the snapshot.
const BUSY_POLL: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

impl ServerActivities {
    pub(crate) async fn delete_snapshot(
        &self,
        provider: &dyn CloudProvider,
        job: &ActionJob,
        run: ActionRun,
        snapshot: &str,
    ) -> Result<(), StepError> {
        self.prove_ours(provider, job).await?;
        let own = in_turn(|| provider.list_snapshots(&job.provider_instance_id)).await?;
        if own.iter().any(|own| own.id == snapshot) {
            if !self.store.mark_action_sent(run.action_id).await? {
                return Ok(());
            }
            crash_point("run_instance_action.before_sending");
            delete_when_free(provider, snapshot, Duration::from_millis(run.busy_patience_ms)).await?;
            crash_point("run_instance_action.after_sending");
        } else if job.sent_at.is_none() {
            // Ids are guessable, and an account's snapshots lie together.
            let message = format!("the server has no snapshot {snapshot}");
            return Err(StepError::ActionRefused { class: FailureClass::NotFound, message });
        }
        let seen = in_turn(|| provider.get_server(&job.provider_instance_id)).await?.state();
        Ok(self.store.complete_action(run.action_id, None, &seen).await?)
    }
}

/// Deletes it, asking again while the provider is busy with it.
pub(crate) async fn delete_when_free(
    provider: &dyn CloudProvider,
    snapshot: &str,
    patience: Duration,
) -> Result<(), StepError> {
    let (begun, (mut wait, longest)) = (Instant::now(), BUSY_POLL);
    loop {
        match in_turn(|| provider.delete_snapshot(snapshot)).await {
            Err(error) if error.class == FailureClass::Conflict && begun.elapsed() < patience => {
                sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
            outcome => return Ok(outcome?),
        }
    }
}
