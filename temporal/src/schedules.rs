//! What is due without anybody asking. Whoever serves a queue makes sure at its start that the schedules of its work are
//! there and as they are set: a provider's worker those of the provider, the payments' worker the janitor's, the
//! upkeep's worker those of the books, of the purge and of the sweep.

use std::time::Duration;

use domain::{
    payment_check::{PaymentCheckPolicy, PaymentCheckStart},
    policy::StepPolicy,
    purge::PurgeStart,
    refund::RefundPolicy,
    sweep::SweepStart,
    upkeep::{CatalogSyncStart, CreateWatchStart, LedgerUpkeepStart, ReconcileSettings, ReconcileStart},
};
use temporalio_client::{
    Client, RpcOptions,
    schedules::{
        CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleOverlapPolicy, ScheduleSpec,
        ScheduleUpdate,
    },
};
use tonic::Code;
use workflows::{
    CatalogSyncWorkflow, CreateWatchWorkflow, LedgerUpkeepWorkflow, PaymentCheckWorkflow, PurgeWorkflow,
    ReconcileWorkflow, SweepWorkflow, queues::WorkflowQueue,
};

use crate::boxed;
use engine::is_not_ours;

/// How often it is looked whether a server may have surfaced late. Without an order to look for nothing is called.
const CREATE_WATCH: Duration = Duration::from_secs(60);

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
    pub policy: StepPolicy,
}

impl Default for ScheduleSettings {
    /// A catalog a day, a comparison an hour.
    fn default() -> Self {
        Self {
            catalog_sync_every: Duration::from_secs(24 * 3600),
            reconcile_every: Duration::from_secs(3600),
            reconcile: ReconcileSettings::default(),
            policy: StepPolicy::OF_UPKEEP,
        }
    }
}

/// How often waiting payments are looked at, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentCheckSettings {
    /// How often.
    pub every: Duration,
    /// Which, and how patient the runs are.
    pub policy: PaymentCheckPolicy,
}

impl Default for PaymentCheckSettings {
    /// Every minute.
    fn default() -> Self {
        Self { every: Duration::from_secs(60), policy: PaymentCheckPolicy::default() }
    }
}

/// How often revenue is recognised and the books are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerUpkeepSettings {
    /// How often; also once when the schedule is made.
    pub every: Duration,
    /// How patient the runs are.
    pub policy: StepPolicy,
}

impl Default for LedgerUpkeepSettings {
    /// Once a day.
    fn default() -> Self {
        Self { every: Duration::from_secs(24 * 3600), policy: StepPolicy::OF_THE_BOOKS }
    }
}

/// How often what serves nobody any more is deleted, and what that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeSettings {
    /// How often.
    pub every: Duration,
    /// What goes, and how patient the runs are.
    pub start: PurgeStart,
}

impl Default for PurgeSettings {
    /// Once a day.
    fn default() -> Self {
        Self { every: Duration::from_secs(24 * 3600), start: PurgeStart::default() }
    }
}

/// How often what is open in the database is compared with the engine, and by which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepSettings {
    /// How often; also once when the schedule is made.
    pub every: Duration,
    /// What counts as lost, and how patient the runs are.
    pub start: SweepStart,
}

impl Default for SweepSettings {
    /// Every minute.
    fn default() -> Self {
        Self { every: Duration::from_secs(60), start: SweepStart::of(RefundPolicy::default()) }
    }
}

/// A workflow that is started again and again. A run that takes longer than the interval is not joined by a second one.
#[derive(Debug, Clone)]
pub struct Schedule {
    id: String,
    action: ScheduleAction,
    every: Duration,
    /// Whether it also runs when it is made.
    at_once: bool,
}

impl Schedule {
    /// `catalog-sync/<slug>`, `reconcile/<slug>` and `create-watch/<slug>`, behind the prefix of the queues.
    #[must_use]
    pub fn of_provider(queue_prefix: &str, provider: &str, settings: &ScheduleSettings) -> [Self; 3] {
        let queue = WorkflowQueue::Upkeep.name(queue_prefix);
        let sync_id = format!("{queue_prefix}catalog-sync/{provider}");
        let sync = CatalogSyncStart { provider: provider.to_owned(), sync_id: None, policy: settings.policy };
        let reconcile_id = format!("{queue_prefix}reconcile/{provider}");
        let reconcile = ReconcileStart {
            provider: provider.to_owned(),
            reconciliation_id: None,
            settings: settings.reconcile,
            policy: settings.policy,
        };
        let watch_id = format!("{queue_prefix}create-watch/{provider}");
        let watch = CreateWatchStart {
            provider: provider.to_owned(),
            settings: settings.reconcile,
            policy: settings.policy,
        };
        [
            Self {
                action: ScheduleAction::start_workflow(CreateWatchWorkflow::run, watch, &queue, &watch_id),
                every: CREATE_WATCH,
                at_once: false,
                id: watch_id,
            },
            Self {
                action: ScheduleAction::start_workflow(CatalogSyncWorkflow::run, sync, &queue, &sync_id),
                every: settings.catalog_sync_every,
                at_once: true,
                id: sync_id,
            },
            Self {
                action: ScheduleAction::start_workflow(
                    ReconcileWorkflow::run,
                    reconcile,
                    &queue,
                    &reconcile_id,
                ),
                every: settings.reconcile_every,
                at_once: false,
                id: reconcile_id,
            },
        ]
    }

    /// `payment-check`, behind the prefix of the queues.
    #[must_use]
    pub fn of_payments(queue_prefix: &str, settings: &PaymentCheckSettings) -> Self {
        let id = format!("{queue_prefix}payment-check");
        let start = PaymentCheckStart { policy: settings.policy };
        let queue = WorkflowQueue::Upkeep.name(queue_prefix);
        Self {
            action: ScheduleAction::start_workflow(PaymentCheckWorkflow::run, start, &queue, &id),
            every: settings.every,
            at_once: false,
            id,
        }
    }

    /// `ledger-upkeep`, behind the prefix of the queues.
    #[must_use]
    pub fn of_ledger(queue_prefix: &str, settings: &LedgerUpkeepSettings) -> Self {
        let id = format!("{queue_prefix}ledger-upkeep");
        let start = LedgerUpkeepStart { check_id: None, policy: settings.policy };
        let queue = WorkflowQueue::Upkeep.name(queue_prefix);
        Self {
            action: ScheduleAction::start_workflow(LedgerUpkeepWorkflow::run, start, &queue, &id),
            every: settings.every,
            at_once: true,
            id,
        }
    }

    /// `purge`, behind the prefix of the queues.
    #[must_use]
    pub fn of_purge(queue_prefix: &str, settings: &PurgeSettings) -> Self {
        let id = format!("{queue_prefix}purge");
        let (queue, start) = (WorkflowQueue::Upkeep.name(queue_prefix), settings.start.clone());
        Self {
            action: ScheduleAction::start_workflow(PurgeWorkflow::run, start, &queue, &id),
            every: settings.every,
            at_once: false,
            id,
        }
    }

    /// `workflow-sweep`, behind the prefix of the queues.
    #[must_use]
    pub fn of_sweep(queue_prefix: &str, settings: &SweepSettings) -> Self {
        let id = format!("{queue_prefix}workflow-sweep");
        let queue = WorkflowQueue::Upkeep.name(queue_prefix);
        Self {
            action: ScheduleAction::start_workflow(SweepWorkflow::run, settings.start, &queue, &id),
            every: settings.every,
            at_once: true,
            id,
        }
    }

    /// Makes the schedule, or sets it anew where it is there already. Several processes may do so at once. Where schedules
    /// are not ours to make, it is left as it is.
    ///
    /// # Errors
    /// [`ScheduleError`] when the engine refuses for another reason or does not answer.
    #[boxed]
    pub async fn ensure(self, client: &Client) -> Result<Ensured, ScheduleError> {
        let outcome = match self.create(client).await {
            Err(error) if is_refused(&error, Code::AlreadyExists) => self.set_anew(client).await,
            outcome => outcome,
        };
        match outcome {
            Ok(()) => Ok(Ensured::Set),
            Err(ScheduleError::Rpc(status)) if is_not_ours(&status) => {
                match client.get_schedule_handle(self.id.clone()).describe(Default::default()).await {
                    Ok(_) => Ok(Ensured::Left),
                    Err(error) if is_refused(&error, Code::NotFound) => Ok(Ensured::Missing(self.id)),
                    Err(ScheduleError::Rpc(status)) if is_not_ours(&status) => Ok(Ensured::Unknown(self.id)),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn create(&self, client: &Client) -> Result<(), ScheduleError> {
        let options = CreateScheduleOptions::builder()
            .action(self.action.clone())
            .spec(self.spec())
            .trigger_immediately(self.at_once)
            .overlap_policy(ScheduleOverlapPolicy::Skip)
            .build();
        client.create_schedule(self.id.clone(), options).await.map(drop)
    }

    async fn set_anew(&self, client: &Client) -> Result<(), ScheduleError> {
        let (spec, action) = (self.spec(), self.action.clone());
        let anew = move |update: &mut ScheduleUpdate| {
            update.set_spec(spec).set_action(action);
        };
        client.get_schedule_handle(self.id.clone()).update(anew, RpcOptions::default()).await
    }

    /// Up to a tenth later than due, so that not everything falls on the full hour.
    fn spec(&self) -> ScheduleSpec {
        let mut spec = ScheduleSpec::from_interval(self.every);
        spec.jitter = Some(self.every / 10);
        spec
    }
}

/// What became of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ensured {
    /// It is there and as it is set.
    Set,
    /// It is there, and changing it is not ours.
    Left,
    /// It is not there, and making it is not ours.
    Missing(String),
    /// Even looking is not ours.
    Unknown(String),
}

fn is_refused(error: &ScheduleError, code: Code) -> bool {
    matches!(error, ScheduleError::Rpc(status) if status.code() == code)
}
