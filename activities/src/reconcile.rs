//! Comparing a provider with the database. The rules are `domain::reconciliation`'s; here is when one looks and what one
//! does. Every step may be done twice: what is powered off, deleted or corrected is so for good, and the record of the
//! run is written once, at its end.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

mod apply;
mod observe;
mod watch;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use adapters::providers::Registry;
use domain::{
    ids::ReconciliationId, rate_limit::Caller, reconciliation::FindingKind, upkeep::ReconcileStart,
};
use store::{Store, reconciliation::NewFinding};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::Reconciled;

use crate::{
    catalog_sync::run_key,
    failure::{StepError, failure},
    final_snapshot::delete_expired,
    heartbeat::while_heartbeating,
    private_network::remove_empty,
};
use observe::Observation;

pub use watch::CreateWatchActivities;

/// Implements the port at the providers.
#[derive(Debug, Clone)]
pub struct ReconcileActivities {
    /// The database.
    pub store: Store,
    /// The providers this worker may call.
    pub providers: Arc<Registry>,
}

#[activities]
impl ReconcileActivities {
    /// Idempotent: each act looks first whether it is wanted still, and the record of the run is completed once.
    #[activity(definition = workflows::ReconcileProvider)]
    pub async fn reconcile_provider(
        self: Arc<Self>,
        ctx: ActivityContext,
        start: ReconcileStart,
    ) -> Result<Reconciled, ActivityError> {
        let run_key = run_key(ctx.info());
        while_heartbeating(&ctx, self.reconcile(&start, &run_key)).await.map_err(failure)
    }
}

impl ReconcileActivities {
    /// One comparison, named by `run_key`; what is in the way is kept with it.
    async fn reconcile(&self, start: &ReconcileStart, run_key: &str) -> Result<Reconciled, StepError> {
        let provider = self.providers.get(&start.provider, Caller::Records)?;
        let servers = self.providers.get(&start.provider, Caller::Servers)?;
        let begun = self
            .store
            .begin_reconciliation(&start.provider, start.reconciliation_id, run_key, start.settings.dry_run)
            .await?;
        let observation =
            Observation::new(&self.store, [provider.as_ref(), servers.as_ref()], start.settings, begun);
        match self.carry_out(&observation).await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.note_trouble(begun.id, &error).await;
                Err(error)
            }
        }
    }

    async fn carry_out(&self, observation: &Observation<'_>) -> Result<Reconciled, StepError> {
        let seen = observation.list().await?;
        observation.settle_quarantine(&seen).await?;
        remove_empty(&self.store, observation.provider, None).await?;
        delete_expired(&self.store, observation.provider).await?;
        let mut findings = observation.unwanted(&seen).await?;
        findings.extend(observation.drifted(&seen).await);
        findings.extend(observation.missing(&seen).await?);
        let usd_idr = observation.settings.usd_idr;
        self.store
            .complete_reconciliation(observation.run.id, usd_idr, seen.servers.len(), &findings)
            .await?;
        show(observation.provider.slug(), &findings);
        let count = |kind| findings.iter().filter(|finding: &&NewFinding| finding.kind == kind).count();
        Ok(Reconciled {
            reconciliation_id: observation.run.id,
            listed: seen.servers.len(),
            orphans: count(FindingKind::Orphan),
            ghosts: count(FindingKind::Ghost),
            duplicates: count(FindingKind::Duplicate),
            drifted: count(FindingKind::Drifted),
            failed: observation.failed(),
        })
    }

    /// Failing to note the trouble must not hide the trouble itself.
    async fn note_trouble(&self, run: ReconciliationId, error: &StepError) {
        if let Err(noting) = self.store.fail_reconciliation(run, &error.to_string()).await {
            tracing::warn!(
                event = "reconcile.trouble_not_noted",
                reconciliation_id = %run,
                error = %noting,
                "could not note a comparison's trouble"
            );
        }
    }
}

/// What a comparison found, for metrics; kinds that it did not find are 0 again.
#[expect(
    clippy::disallowed_methods,
    reason = "who reads metrics compares it with the present of machines, not of the database"
)]
fn show(provider: &str, findings: &[NewFinding]) {
    for kind in FindingKind::ALL {
        let found = findings.iter().filter(|finding| finding.kind == *kind).count();
        metrics::gauge!("reconciliation_findings", "provider" => provider.to_owned(), "kind" => kind.to_string())
            .set(u32::try_from(found).map_or(f64::from(u32::MAX), f64::from));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    metrics::gauge!("reconciliation_completed_timestamp_seconds", "provider" => provider.to_owned())
        .set(now.as_secs_f64());
}

#[cfg(test)]
mod tests;
