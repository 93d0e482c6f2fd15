//! Deleting a server. A provider's promise to delete is not the end: a server that is still there costs money. It is
//! gone only when a read answers 404 *and* the list by its order's tag is without it, both after the provider's
//! listing lag, since a fresh server may be missing from either.

use std::time::Duration;

use adapters::providers::{CloudProvider, ProviderError};
use chrono::Utc;
use domain::{
    ids::ActionId,
    instance::ActionStatus,
    provisioning::{FailureClass, order_tag},
};
use store::instance_actions::DeletionJob;
use tokio::time::{Instant, sleep};

use crate::{crash_point, failure::StepError, instance_server::ServerActivities};

/// First and longest wait between two looks whether a server is still there.
const GONE_POLL: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// A server that is still read this long after its delete was accepted is deleted again.
const GONE_PATIENCE: Duration = Duration::from_secs(120);

impl ServerActivities {
    pub(crate) async fn delete(&self, action: ActionId) -> Result<(), StepError> {
        let job = self.store.deletion_job(action).await?;
        if job.status != ActionStatus::InProgress {
            return Ok(());
        }
        let provider = self.providers.for_customers(&job.provider)?;
        let provider = provider.as_ref();
        let servers = servers(provider, &job).await?;
        for server in &servers {
            request_delete(provider, server).await?;
        }
        crash_point("delete_server.asked");
        confirm_gone(provider, &job, &servers).await?;
        crash_point("delete_server.gone");
        Ok(self.store.terminate_instance(action).await?)
    }
}

/// What is to be deleted: the server we know, or all that carry the order's tag when its create's outcome was lost.
async fn servers(provider: &dyn CloudProvider, job: &DeletionJob) -> Result<Vec<String>, StepError> {
    if let Some(known) = &job.provider_instance_id {
        return Ok(vec![known.clone()]);
    }
    if let Some(sent) = job.create_sent_at {
        let settled = provider.request_timeout() + provider.listing_lag();
        let since = (Utc::now() - sent).to_std().unwrap_or_default();
        if let Some(left) = settled.checked_sub(since).filter(|left| !left.is_zero()) {
            return Err(StepError::OutcomePending(left));
        }
    }
    let found = provider.find_by_tag(&order_tag(job.order_id)).await?;
    Ok(found.into_iter().map(|server| server.id).collect())
}

/// A provider that is busy with the server (locked, pending) is asked again by the next try.
async fn request_delete(provider: &dyn CloudProvider, server: &str) -> Result<(), StepError> {
    match provider.delete_instance(server).await {
        Err(error) if error.class == FailureClass::Conflict => Err(StepError::NotGone(error.to_string())),
        outcome => Ok(outcome?),
    }
}

async fn confirm_gone(
    provider: &dyn CloudProvider,
    job: &DeletionJob,
    servers: &[String],
) -> Result<(), StepError> {
    let accepted = Instant::now();
    let (mut wait, longest) = GONE_POLL;
    while let Some(server) = first_read(provider, servers).await? {
        if accepted.elapsed() >= GONE_PATIENCE {
            return Err(StepError::NotGone(format!("{server} is still read after its delete")));
        }
        sleep(wait).await;
        wait = (wait * 2).min(longest);
    }
    sleep(provider.listing_lag().saturating_sub(accepted.elapsed())).await;
    if let Some(server) = first_read(provider, servers).await? {
        return Err(StepError::NotGone(format!("{server} is read again")));
    }
    let listed = provider.find_by_tag(&order_tag(job.order_id)).await?;
    let known = job.provider_instance_id.as_deref();
    match listed.iter().find(|server| known.is_none_or(|known| known == server.id)) {
        Some(server) => Err(StepError::NotGone(format!("{} is still listed", server.id))),
        None => Ok(()),
    }
}

/// The first of these servers that a read finds.
async fn first_read<'a>(
    provider: &dyn CloudProvider,
    servers: &'a [String],
) -> Result<Option<&'a str>, ProviderError> {
    for server in servers {
        match provider.get_instance(server).await {
            Ok(_) => return Ok(Some(server)),
            Err(error) if error.class == FailureClass::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
