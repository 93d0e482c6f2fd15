//! Comparing a provider with the database. The rules are `domain::reconciliation`'s; here is when one looks and what one
//! does. Every step may be done twice: what is powered off, deleted or corrected is so for good, and the record of the
//! run is written once, at its end.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

mod act;
mod look;

use std::sync::Arc;

use adapters::providers::Registry;
use domain::{ids::ReconciliationId, reconciliation::FindingKind, upkeep::ReconcileStart};
use store::{Store, reconciliation::NewFinding};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::Reconciled;

use crate::{
    catalog_sync::run_key,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};
use look::Look;

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
        let provider = self.providers.get(&start.provider)?;
        let begun = self
            .store
            .begin_reconciliation(&start.provider, start.reconciliation_id, run_key, start.settings.dry_run)
            .await?;
        let is_asked_for = start.reconciliation_id.is_some();
        let look = Look::new(&self.store, provider.as_ref(), start.settings, begun, is_asked_for);
        match self.carry_out(&look).await {
            Ok(done) => Ok(done),
            Err(error) => {
                self.note_trouble(begun.id, &error).await;
                Err(error)
            }
        }
    }

    async fn carry_out(&self, look: &Look<'_>) -> Result<Reconciled, StepError> {
        let seen = look.list().await?;
        look.settle_quarantine(&seen).await?;
        let mut findings = look.unwanted(&seen).await?;
        findings.extend(look.drifted(&seen).await);
        findings.extend(look.missing(&seen).await?);
        let usd_idr = look.settings.usd_idr;
        self.store.complete_reconciliation(look.run.id, usd_idr, seen.servers.len(), &findings).await?;
        let count = |kind| findings.iter().filter(|finding: &&NewFinding| finding.kind == kind).count();
        Ok(Reconciled {
            reconciliation_id: look.run.id,
            listed: seen.servers.len(),
            orphans: count(FindingKind::Orphan),
            ghosts: count(FindingKind::Ghost),
            duplicates: count(FindingKind::Duplicate),
            drifted: count(FindingKind::Drifted),
            failed: look.failed(),
        })
    }

    /// Failing to note the trouble must not hide the trouble itself.
    async fn note_trouble(&self, run: ReconciliationId, error: &StepError) {
        if let Err(noting) = self.store.fail_reconciliation(run, &error.to_string()).await {
            tracing::warn!(reconciliation_id = %run, error = %noting, "could not note a comparison's trouble");
        }
    }
}

#[cfg(test)]
mod tests;
