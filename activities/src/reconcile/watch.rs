//! Looking for servers that surfaced after their create was made again: a comparison of a few orders' servers only, a
//! few minutes later, that switches off what is one too many.

use std::collections::BTreeSet;

use domain::{
    ids::OrderId,
    provisioning::{cohort_tag, order_tag},
    rate_limit::Caller,
    upkeep::{CreateWatchStart, ReconcileSettings},
};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::CreatesWatched;

use super::{
    ReconcileActivities,
    observe::{Observation, Observed},
};
use crate::{
    catalog_sync::run_key,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Implements the port at the providers.
#[derive(Debug, Clone)]
pub struct CreateWatchActivities(pub ReconcileActivities);

#[activities]
impl CreateWatchActivities {
    /// Idempotent: what is switched off is so for good, and a look that was not noted is made once more.
    #[activity(definition = workflows::WatchCreates)]
    pub async fn watch_creates(
        self: std::sync::Arc<Self>,
        ctx: ActivityContext,
        start: CreateWatchStart,
    ) -> Result<CreatesWatched, ActivityError> {
        let run_key = run_key(ctx.info());
        while_heartbeating(&ctx, self.0.watch_creates(&start, &run_key)).await.map_err(failure)
    }
}

impl ReconcileActivities {
    async fn watch_creates(
        &self,
        start: &CreateWatchStart,
        run_key: &str,
    ) -> Result<CreatesWatched, StepError> {
        let orders = self.store.due_create_watches(&start.provider).await?;
        if orders.is_empty() {
            return Ok(CreatesWatched::default());
        }
        // A server that we made twice a moment ago is no surprise of the kind that a dry run is for.
        let settings = ReconcileSettings { dry_run: false, ..start.settings };
        let provider = self.providers.get(&start.provider, Caller::Records)?;
        let servers = self.providers.get(&start.provider, Caller::Servers)?;
        let begun = self.store.begin_reconciliation(&start.provider, None, run_key, false).await?;
        let observation =
            Observation::new(&self.store, [provider.as_ref(), servers.as_ref()], settings, begun);
        match self.look_at(&observation, &orders).await {
            Ok(watched) => Ok(watched),
            Err(error) => {
                self.note_trouble(begun.id, &error).await;
                Err(error)
            }
        }
    }

    pub(super) async fn look_at(
        &self,
        observation: &Observation<'_>,
        orders: &[OrderId],
    ) -> Result<CreatesWatched, StepError> {
        let seen = observation.list_of(orders).await?;
        let findings = observation.unwanted(&seen).await?;
        let listed = seen.servers.len();
        self.store
            .complete_reconciliation(observation.run.id, observation.settings.usd_idr, listed, &findings)
            .await?;
        if !findings.is_empty() {
            let provider = observation.provider.slug();
            metrics::counter!("creates_surfaced_late_total", "provider" => provider)
                .increment(u64::try_from(findings.len()).unwrap_or(u64::MAX));
            tracing::error!(
                alert = "create.surfaced_late",
                provider,
                servers = findings.len(),
                "servers surfaced after their orders had got others"
            );
        }
        // What there was trouble with, or is too young to be judged, the next look is for; so is one that comes later.
        self.store.note_create_looks(observation.provider.slug(), orders).await?;
        Ok(CreatesWatched { orders: orders.len(), unwanted: findings.len() })
    }
}

impl Observation<'_> {
    /// The servers of these orders, judged. Their cohorts' lists show them, which orders that wait use as well.
    async fn list_of(&self, orders: &[OrderId]) -> Result<Observed, StepError> {
        let cohorts: BTreeSet<String> = orders.iter().map(|order| cohort_tag(*order)).collect();
        let tags: BTreeSet<String> = orders.iter().map(|order| order_tag(*order)).collect();
        let installation = self.store.installation();
        let mut found = Vec::new();
        for cohort in cohorts {
            let listed = self.provider.find_by_tag(&cohort).await?;
            found.extend(listed.into_iter().filter(|server| {
                installation.owns(&server.tags) && server.tags.iter().any(|tag| tags.contains(tag))
            }));
        }
        found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        found.dedup_by(|a, b| a.id == b.id);
        self.judge_all(&found).await
    }
}
