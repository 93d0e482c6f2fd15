//! Reading a provider's catalog.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use adapters::providers::{CloudProvider, ProviderError, Registry};
use domain::{catalog::ProviderCatalog, rate_limit::Caller, upkeep::CatalogSyncStart};
use store::Store;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError, ActivityInfo};
use workflows::CatalogSynced;

use crate::{
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Implements the port at the providers.
#[derive(Debug, Clone)]
pub struct CatalogSyncActivities {
    /// The database.
    pub store: Store,
    /// The providers this worker may call.
    pub providers: Arc<Registry>,
}

#[activities]
impl CatalogSyncActivities {
    /// Idempotent: it only reads at the provider, and the record of the run takes what it told over once.
    #[activity(definition = workflows::SyncCatalog)]
    pub async fn sync_catalog(
        self: Arc<Self>,
        ctx: ActivityContext,
        start: CatalogSyncStart,
    ) -> Result<CatalogSynced, ActivityError> {
        let run_key = run_key(ctx.info());
        while_heartbeating(&ctx, self.sync(&start, &run_key)).await.map_err(failure)
    }
}

impl CatalogSyncActivities {
    /// Reads a provider's catalog and takes it over; what is in the way is kept with the run.
    async fn sync(&self, start: &CatalogSyncStart, run_key: &str) -> Result<CatalogSynced, StepError> {
        let provider = self.providers.get(&start.provider, Caller::Records)?;
        let sync = self.store.begin_catalog_sync(&start.provider, start.sync_id, run_key).await?;
        let told = async {
            let catalog = read(provider.as_ref()).await?;
            Ok(self.store.complete_catalog_sync(sync, &catalog).await?)
        };
        let done = match told.await {
            Ok(done) => done,
            Err(error) => {
                self.note_trouble(sync, &error).await;
                return Err(error);
            }
        };
        Ok(CatalogSynced {
            sync_id: sync,
            changes: done.added + done.removed + done.changed,
            flagged: done.flagged,
            restored: done.restored,
        })
    }

    /// Failing to note the trouble must not hide the trouble itself.
    async fn note_trouble(&self, sync: domain::ids::CatalogSyncId, error: &StepError) {
        if let Err(noting) = self.store.fail_catalog_sync(sync, &error.to_string()).await {
            tracing::warn!(
                event = "catalog_sync.trouble_not_noted",
                catalog_sync_id = %sync,
                error = %noting,
                "could not note a sync's trouble"
            );
        }
    }
}

/// Names one run of a workflow: retries of its step share it.
pub(crate) fn run_key(info: &ActivityInfo) -> String {
    let part = |id: &Option<String>| id.clone().unwrap_or_default();
    format!("{}/{}", part(&info.workflow_id), part(&info.workflow_run_id))
}

async fn read(provider: &dyn CloudProvider) -> Result<ProviderCatalog, ProviderError> {
    Ok(ProviderCatalog {
        regions: provider.list_regions().await?,
        sizes: provider.list_sizes().await?,
        images: provider.list_images().await?,
        capabilities: provider.capabilities().to_vec(),
    })
}

#[cfg(test)]
mod tests;
