//! Deleting a server. A provider's promise to delete is not the end: a server that is still there costs money. It is
//! gone only when a read answers 404 *and* the list by its order's tag is without it, both after the provider's
//! listing lag, since a fresh server may be missing from either.

use std::time::Duration;

use adapters::providers::{CloudProvider, ProviderError};
use domain::{
    ids::{ActionId, OrderId},
    instance::ActionStatus,
    provisioning::{FailureClass, cohort_tag, order_tag},
    rate_limit::Caller,
};
use store::instance_actions::DeletionJob;
use tokio::time::{Instant, sleep};

use crate::{
    crash_point, failure::StepError, instance_server::ServerActivities, private_network::remove_empty,
};

/// First and longest wait between two looks whether a server is still there.
const GONE_POLL: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// So long after an order was placed, others of its hour may still be waiting for their servers.
const COHORT_IN_USE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A server that is still read this long after its delete was accepted is deleted again.
const GONE_PATIENCE: Duration = Duration::from_secs(120);

impl ServerActivities {
    pub(crate) async fn delete(&self, action: ActionId) -> Result<(), StepError> {
        let job = self.store.deletion_job(action).await?;
        if job.status != ActionStatus::InProgress {
            return Ok(());
        }
        let provider = self.providers.get(&job.provider, Caller::Servers)?;
        let provider = provider.as_ref();
        let servers = servers(provider, &job).await?;
        for server in &servers {
            self.refuse_foreign(provider, server).await?;
        }
        if let Some(known) = &job.provider_instance_id {
            self.settle_snapshots(provider, action, &job, known).await?;
        }
        for server in &servers {
            request_delete(provider, server).await?;
        }
        crash_point("delete_server.asked");
        confirm_gone(provider, job.order_id, job.provider_instance_id.as_deref(), &servers).await?;
        forget_tags(provider, &job).await;
        crash_point("delete_server.gone");
        self.store.terminate_instance(action).await?;
        // The server is gone either way: what does not work out now is done by the next comparison.
        if let Err(error) = remove_empty(&self.store, provider, Some(job.instance_id)).await {
            tracing::warn!(
                event = "network.left_over",
                instance_id = %job.instance_id,
                %error,
                "a customer's network may be left over"
            );
        }
        Ok(())
    }
}

/// What is to be deleted: the server we know, or all that carry the order's tag when its create's outcome was lost.
async fn servers(provider: &dyn CloudProvider, job: &DeletionJob) -> Result<Vec<String>, StepError> {
    if let Some(known) = &job.provider_instance_id {
        return Ok(vec![known.clone()]);
    }
    if let Some(sent) = job.create_sent_ago {
        let settled = provider.request_timeout() + provider.listing_lag();
        if let Some(left) = sent.left_of(settled) {
            return Err(StepError::OutcomePending(left));
        }
    }
    let found = provider.find_by_tag(&order_tag(job.order_id)).await?;
    Ok(found.into_iter().map(|server| server.id).collect())
}

/// A provider that is busy with the server (locked, pending) is asked again by the next try.
pub(crate) async fn request_delete(provider: &dyn CloudProvider, server: &str) -> Result<(), StepError> {
    match provider.delete_server(server).await {
        Err(error) if error.class == FailureClass::Conflict => {
            Err(StepError::NotDeleted(Box::new(error.into())))
        }
        outcome => Ok(outcome?),
    }
}

/// The order's own tag serves nobody now, nor does its hour's once that is long past and its last server gone. Tags pile
/// up in some vendors' accounts; one that is left does no harm, so trouble with it stops nothing.
async fn forget_tags(provider: &dyn CloudProvider, job: &DeletionJob) {
    let (order, cohort) = (order_tag(job.order_id), cohort_tag(job.order_id));
    let forgotten = async {
        provider.forget_tag(&order).await?;
        let is_past = job.placed_ago.left_of(COHORT_IN_USE).is_none();
        if is_past && provider.find_by_tag(&cohort).await?.is_empty() {
            provider.forget_tag(&cohort).await?;
        }
        Ok::<(), ProviderError>(())
    };
    if let Err(error) = forgotten.await {
        tracing::warn!(
            event = "tag.not_deleted",
            order_id = %job.order_id,
            %error,
            "a tag could not be forgotten"
        );
    }
}

/// Waits until the servers neither read nor listed by their order's tag, of which one is `known`, or all.
pub(crate) async fn confirm_gone(
    provider: &dyn CloudProvider,
    order: OrderId,
    known: Option<&str>,
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
    let listed = provider.find_by_tag(&order_tag(order)).await?;
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
        match provider.get_server(server).await {
            Ok(_) => return Ok(Some(server)),
            Err(error) if error.class == FailureClass::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
