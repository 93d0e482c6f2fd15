//! What is due without anybody asking: reading each provider's catalog, and comparing it with the database. Whoever
//! serves a provider's queue makes sure at its start that the provider's schedules are there and as they are set.

use std::time::Duration;

use domain::upkeep::{CatalogSyncStart, ReconcileSettings, ReconcileStart, UpkeepPolicy};
use temporalio_client::{
    Client, RpcOptions,
    schedules::{
        CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
        ScheduleUpdate,
    },
};
use tonic::Code;
use workflows::{CatalogSyncWorkflow, ReconcileWorkflow, queues};

/// How often a provider is asked for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// How often its catalog is read; also once when the schedule is made.
    pub catalog_sync_every: Duration,
    /// How often it is compared with the database.
    pub reconcile_every: Duration,
    /// What a comparison may do.
    pub reconcile: ReconcileSettings,
    /// How patient the runs are.
    pub policy: UpkeepPolicy,
}

impl Default for ScheduleSettings {
    /// A catalog a day, a comparison an hour.
    fn default() -> Self {
        Self {
            catalog_sync_every: Duration::from_secs(24 * 3600),
            reconcile_every: Duration::from_secs(3600),
            reconcile: ReconcileSettings::default(),
            policy: UpkeepPolicy::default(),
        }
    }
}

/// Makes the schedules of a provider, or sets them anew where they are there already: `catalog-sync/<slug>` and
/// `reconcile/<slug>`, behind the prefix of the queues. Several processes may do so at once.
///
/// # Errors
/// [`ScheduleError`] when the engine refuses or does not answer.
pub async fn ensure(
    client: &Client,
    queue_prefix: &str,
    provider: &str,
    settings: &ScheduleSettings,
) -> Result<(), ScheduleError> {
    let queue = queues::lifecycle(queue_prefix);
    let id = format!("{queue_prefix}catalog-sync/{provider}");
    let start = CatalogSyncStart { provider: provider.to_owned(), sync_id: None, policy: settings.policy };
    let sync = Schedule {
        action: ScheduleAction::start_workflow(CatalogSyncWorkflow::run, start, &queue, &id),
        every: settings.catalog_sync_every,
        at_once: true,
        id,
    };
    sync.ensure(client).await?;
    let id = format!("{queue_prefix}reconcile/{provider}");
    let start = ReconcileStart {
        provider: provider.to_owned(),
        reconciliation_id: None,
        settings: settings.reconcile,
        policy: settings.policy,
    };
    let reconcile = Schedule {
        action: ScheduleAction::start_workflow(ReconcileWorkflow::run, start, &queue, &id),
        every: settings.reconcile_every,
        at_once: false,
        id,
    };
    reconcile.ensure(client).await
}

struct Schedule {
    id: String,
    action: ScheduleAction,
    every: Duration,
    /// Whether it also runs when it is made.
    at_once: bool,
}

impl Schedule {
    async fn ensure(self, client: &Client) -> Result<(), ScheduleError> {
        // Up to a tenth later than due, so that not everything falls on the full hour.
        let mut spec = ScheduleSpec::from_interval(self.every);
        spec.jitter = Some(self.every / 10);
        let options = CreateScheduleOptions::builder()
            .action(self.action.clone())
            .spec(spec.clone())
            .trigger_immediately(self.at_once)
            .overlap_policy(ScheduleOverlapPolicy::Skip)
            .build();
        match client.create_schedule(self.id.clone(), options).await {
            Ok(_) => Ok(()),
            Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => {
                let action = self.action;
                let anew = move |update: &mut ScheduleUpdate| {
                    update.set_spec(spec).set_action(action);
                };
                client.get_schedule_handle(self.id).update(anew, RpcOptions::default()).await
            }
            Err(error) => Err(error),
        }
    }
}
