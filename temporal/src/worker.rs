//! Workers: the lifecycle worker runs every workflow and its recording steps, a provider's worker the calls to that
//! provider. Each runs on a thread of its own (the SDK's worker is not `Send`) and is started again when it ends with
//! an error, since an engine that is away for a while must not end the process.

use std::{sync::Arc, time::Duration};

use activities::{
    CatalogSyncActivities, InstanceActivities, LedgerActivities, OrderActivities, PaymentActivities,
    ProviderActivities, PurgeActivities, ReconcileActivities, RefundActivities, RefundGatewayActivities,
    ServerActivities,
};
use adapters::{payments::Gateways, providers::Registry};
use store::Store;
use temporalio_client::schedules::ScheduleError;
use temporalio_sdk::{
    Runtime, Worker, WorkerCreateError, WorkerOptions, WorkerRunError, WorkflowRegistrationError,
    runtime::{
        PollerBehavior,
        worker_tuner::{FixedSizeSlotSupplier, TunerHolder},
    },
};
use tokio_util::sync::CancellationToken;
use workflows::{
    CatalogSyncWorkflow, InstanceWorkflow, LedgerUpkeepWorkflow, OrderWorkflow, PaymentCheckWorkflow,
    PurgeWorkflow, ReconcileWorkflow, RefundWorkflow, queues,
};

use crate::{
    bootstrap::{self, BootstrapError},
    connect::{ConnectError, TemporalConfig, connect},
    schedules::{LedgerUpkeepSettings, PaymentCheckSettings, PurgeSettings, Schedule, ScheduleSettings},
};

/// Polls for tasks that a worker keeps open at once, of the kind that it is there for.
pub const POLLERS: usize = 10;
/// Activities that a provider's worker has under way at once.
pub const PROVIDER_ACTIVITIES: usize = 800;
/// Tasks of the kinds that a provider's worker does not have.
const TASKS: usize = 10;
/// Time a stopping worker gives its running activities.
const GRACE: Duration = Duration::from_secs(10);
/// Wait before a worker that failed is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// What a worker needs.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Where the engine is.
    pub temporal: TemporalConfig,
    /// The database.
    pub store: Store,
    /// Providers whose queues are served.
    pub providers: Arc<Registry>,
    /// Slugs of the providers that are set up in this installation, also of those that other processes serve: where
    /// orders may go by failover.
    pub set_up: Vec<String>,
    /// Whether this process runs workflows and recording steps.
    pub lifecycle: bool,
    /// What is due without anybody asking at the providers served here; nothing is without.
    pub schedules: Option<ScheduleSettings>,
    /// When this process has the books checked by itself, where it runs workflows; never without.
    pub ledger: Option<LedgerUpkeepSettings>,
    /// When this process has what serves nobody any more deleted, where it runs workflows; never without.
    pub purge: Option<PurgeSettings>,
    /// What this process asks payment gateways.
    pub payments: PaymentWork,
}

/// What a worker does about payments; nothing without gateways.
#[derive(Debug, Clone, Default)]
pub struct PaymentWork {
    /// The gateways that it asks.
    pub gateways: Gateways,
    /// When it asks by itself; never without.
    pub checks: Option<PaymentCheckSettings>,
}

/// A worker could not run.
#[derive(Debug, thiserror::Error)]
enum WorkerError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    #[error("setting schedules: {0}")]
    Schedule(#[from] ScheduleError),
    #[error("starting the SDK: {0}")]
    Runtime(#[from] temporalio_sdk::RuntimeError),
    #[error("registering workflows: {0}")]
    Registration(#[from] WorkflowRegistrationError),
    #[error("creating the worker: {0}")]
    Create(#[from] WorkerCreateError),
    #[error("running the worker: {0}")]
    Run(#[from] WorkerRunError),
}

#[derive(Debug, Clone)]
enum Role {
    Lifecycle,
    Provider(&'static str),
    Payments,
}

/// Runs the workers until `stop`, then lets running activities finish within ten seconds.
pub async fn run(settings: WorkerSettings, stop: CancellationToken) {
    let mut roles: Vec<Role> = settings.providers.slugs().map(Role::Provider).collect();
    if settings.lifecycle {
        roles.push(Role::Lifecycle);
    }
    if !settings.payments.gateways.is_empty() {
        roles.push(Role::Payments);
    }
    let running: Vec<_> = roles.into_iter().map(|role| spawn(role, settings.clone(), stop.clone())).collect();
    for worker in running {
        // An error here means the worker's thread panicked, which it has logged.
        let _ = worker.await;
    }
}

fn spawn(
    role: Role,
    settings: WorkerSettings,
    stop: CancellationToken,
) -> tokio::sync::oneshot::Receiver<()> {
    let runtime = tokio::runtime::Handle::current();
    let (finished, waiting) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        runtime.block_on(supervise(&role, &settings, &stop));
        let _ = finished.send(());
    });
    waiting
}

async fn supervise(role: &Role, settings: &WorkerSettings, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match run_once(role, settings, stop).await {
            Ok(()) if stop.is_cancelled() => {}
            Ok(()) => tracing::warn!(?role, "a worker ended; starting it again"),
            Err(error) => tracing::warn!(?role, %error, "a worker failed; starting it again"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RESTART_PAUSE) => {}
        }
    }
}

async fn run_once(
    role: &Role,
    settings: &WorkerSettings,
    stop: &CancellationToken,
) -> Result<(), WorkerError> {
    let client = connect(&settings.temporal).await?;
    bootstrap::ensure(&client).await?;
    for schedule in due(role, settings) {
        schedule.ensure(&client).await?;
    }
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let mut worker = Worker::new(&runtime, client, options(role, settings)?)?;
    let shut_down = worker.shutdown_handle();
    let stopped = stop.clone();
    let watcher = tokio::spawn(async move {
        stopped.cancelled().await;
        shut_down();
    });
    let outcome = worker.run().await;
    watcher.abort();
    Ok(outcome?)
}

/// What is due without anybody asking, of the work that `role` is there for.
fn due(role: &Role, settings: &WorkerSettings) -> Vec<Schedule> {
    let prefix = &settings.temporal.queue_prefix;
    match role {
        Role::Lifecycle => {
            let books = settings.ledger.iter().map(|books| Schedule::of_ledger(prefix, books));
            books.chain(settings.purge.iter().map(|purge| Schedule::of_purge(prefix, purge))).collect()
        }
        Role::Payments => {
            settings.payments.checks.iter().map(|checks| Schedule::of_payments(prefix, checks)).collect()
        }
        Role::Provider(slug) => {
            settings.schedules.iter().flat_map(|due| Schedule::of_provider(prefix, slug, due)).collect()
        }
    }
}

fn options(role: &Role, settings: &WorkerSettings) -> Result<WorkerOptions, WorkerError> {
    let prefix = &settings.temporal.queue_prefix;
    let store = settings.store.clone();
    Ok(match role {
        Role::Lifecycle => WorkerOptions::new(queues::lifecycle(prefix))
            .register_workflow::<OrderWorkflow>()?
            .register_workflow::<InstanceWorkflow>()?
            .register_workflow::<CatalogSyncWorkflow>()?
            .register_workflow::<ReconcileWorkflow>()?
            .register_workflow::<PaymentCheckWorkflow>()?
            .register_workflow::<LedgerUpkeepWorkflow>()?
            .register_workflow::<PurgeWorkflow>()?
            .register_workflow::<RefundWorkflow>()?
            .register_activities(OrderActivities { store: store.clone(), set_up: settings.set_up.clone() })
            .register_activities(InstanceActivities { store: store.clone() })
            .register_activities(LedgerActivities { store: store.clone() })
            .register_activities(PurgeActivities { store: store.clone() })
            .register_activities(RefundActivities { store })
            .graceful_shutdown_period(GRACE)
            .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
            .build(),
        Role::Payments => WorkerOptions::new(queues::payments(prefix))
            .register_activities(PaymentActivities {
                store: store.clone(),
                gateways: settings.payments.gateways.clone(),
            })
            .register_activities(RefundGatewayActivities {
                store,
                gateways: settings.payments.gateways.clone(),
            })
            .graceful_shutdown_period(GRACE)
            .build(),
        Role::Provider(slug) => WorkerOptions::new(queues::provider(prefix, slug))
            .register_activities(ProviderActivities::new(store.clone(), Arc::clone(&settings.providers)))
            .register_activities(ServerActivities {
                store: store.clone(),
                providers: Arc::clone(&settings.providers),
            })
            .register_activities(CatalogSyncActivities {
                store: store.clone(),
                providers: Arc::clone(&settings.providers),
            })
            .register_activities(ReconcileActivities { store, providers: Arc::clone(&settings.providers) })
            .graceful_shutdown_period(GRACE)
            .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
            .tuner(waiting_activities())
            .build(),
    })
}

/// Most of a provider's activities wait for their turn at the vendor or for a server to boot.
fn waiting_activities() -> TunerHolder {
    let few = FixedSizeSlotSupplier::new(TASKS);
    TunerHolder::builder()
        .activity_task_slot_supplier(FixedSizeSlotSupplier::new(PROVIDER_ACTIVITIES))
        .workflow_task_slot_supplier(few)
        .local_activity_task_slot_supplier(few)
        .nexus_task_slot_supplier(few)
        .build()
}
