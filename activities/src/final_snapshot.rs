//! What is to be done about a server's snapshots before it is deleted: where its plan includes a last one, that is taken, and
//! nothing is deleted until it is complete; all others go, since their owner can't reach them any more and they cost money
//! for ever. A last snapshot whose days are over goes when its provider is compared with the database.

use adapters::providers::CloudProvider;
use domain::{
    ids::{ActionId, InstanceId},
    instance::InstanceAction,
    provisioning::FailureClass,
};
use store::{Store, instance_actions::DeletionJob};
use workflows::ActionRun;

use crate::{
    crash_point, failure::StepError, instance_server::ServerActivities, instance_snapshot::delete_when_free,
    turn::in_turn,
};

/// A provider that is busy with the server or a snapshot is asked again for so long; then the delete's next try goes on.
const BUSY_PATIENCE_MS: u64 = 60_000;

impl ServerActivities {
    /// Leaves of a server's snapshots the last one, if its plan includes one, and none otherwise.
    pub(crate) async fn settle_snapshots(
        &self,
        provider: &dyn CloudProvider,
        action: ActionId,
        job: &DeletionJob,
        server: &str,
    ) -> Result<(), StepError> {
        let is_lost = match in_turn(|| provider.get_server(server)).await {
            Err(error) if error.class == FailureClass::NotFound => true,
            seen => seen.map(|_| false)?,
        };
        let mut kept = job.final_snapshot.clone();
        if job.wants_final_snapshot {
            if is_lost {
                self.store.note_nothing_to_snapshot(job.instance_id).await?;
            } else {
                kept = Some(self.take_final_snapshot(provider, action, job.instance_id).await?);
            }
            crash_point("delete_server.snapshot_taken");
        }
        forget_snapshots(provider, server, kept.as_deref()).await
    }

    /// Takes it as any snapshot is taken, noted with the delete that it comes before. What failed for certain is forgotten, so
    /// that the next try takes another.
    async fn take_final_snapshot(
        &self,
        provider: &dyn CloudProvider,
        action: ActionId,
        instance: InstanceId,
    ) -> Result<String, StepError> {
        let mut job = self.store.action_job(action).await?;
        job.action = InstanceAction::Snapshot { name: format!("final-{instance}") };
        let run = ActionRun { action_id: action, busy_patience_ms: BUSY_PATIENCE_MS };
        let made = match self.make_snapshot(provider, &job, run).await {
            Err(error @ StepError::ActionRefused { .. }) => {
                self.store.ask_anew(action).await?;
                return Err(error);
            }
            outcome => outcome?,
        };
        let Some(snapshot) = made else {
            // Its provider says that it is made, and does not list it yet.
            return Err(StepError::OutcomePending(provider.listing_lag()));
        };
        self.store.keep_final_snapshot(instance, &snapshot).await?;
        Ok(snapshot)
    }
}

/// Deletes a server's snapshots but the one that is kept.
async fn forget_snapshots(
    provider: &dyn CloudProvider,
    server: &str,
    kept: Option<&str>,
) -> Result<(), StepError> {
    let own = match in_turn(|| provider.list_snapshots(server)).await {
        // Of a server that is gone, one of the vendors lists none.
        Err(error) if error.class == FailureClass::NotFound => return Ok(()),
        own => own?,
    };
    for snapshot in own.iter().filter(|own| kept != Some(own.id.as_str())) {
        delete_when_free(provider, &snapshot.id, std::time::Duration::from_millis(BUSY_PATIENCE_MS)).await?;
    }
    Ok(())
}

/// Deletes last snapshots at a provider whose days are over. What fails is tried again at the next comparison.
pub(crate) async fn delete_expired(store: &Store, provider: &dyn CloudProvider) -> Result<(), StepError> {
    for expired in store.expired_final_snapshots(provider.slug()).await? {
        in_turn(|| provider.delete_snapshot(&expired.provider_snapshot_id)).await?;
        store.note_final_snapshot_deleted(expired.instance_id).await?;
        tracing::info!(
            event = "final_snapshot.deleted",
            instance_id = %expired.instance_id,
            "the days of a last snapshot are over"
        );
    }
    Ok(())
}
