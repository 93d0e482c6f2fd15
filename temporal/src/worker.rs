//! Workers, one for each queue that a process serves: orders, servers, upkeep, each provider, payments. Each runs on a
//! thread of its own (the SDK's worker is not `Send`) and is started again when it ends with an error, since an engine
//! that is away for a while must not end the process.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use activities::{Channels, crash_point};
use adapters::{payments::Gateways, providers::Registry};
use store::Store;
use temporalio_client::{Client, schedules::ScheduleError};
use temporalio_common::telemetry::{
    TaskQueueLabelStrategy, TelemetryOptions,
    metrics::{CoreMeter, NewAttributes, TemporalMeter},
};
use temporalio_sdk::{
    Runtime, Worker, WorkerCreateError, WorkerRunError, WorkflowRegistrationError, runtime::RuntimeOptions,
};
use tokio::{sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use workflows::queues::WorkflowQueue;

use domain::{causes::in_full, delivery::DeliveryPolicy};
use engine::{ConnectError, TemporalConfig, connect_metered};

mod registered;
mod role;

use crate::{
    bootstrap::{self, BootstrapError},
    boxed,
    meter::Meter,
    pause::Pauses,
    roles::{Pulse, Roles},
    schedules::{
        Ensured, LedgerUpkeepSettings, PaymentCheckSettings, PurgeSettings, Schedule, ScheduleSettings,
        SweepSettings,
    },
    versions::{self, VersionSettings},
};
use role::Role;

/// Polls for tasks that a worker keeps open at once, of the kind that it is there for.
pub const POLLERS: usize = 10;
/// Activities that a provider's worker has under way at once.
pub const PROVIDER_ACTIVITIES: usize = 800;
/// Tasks of the kinds that a provider's worker does not have.
const TASKS: usize = 10;
/// Time a stopping worker gives its running activities.
const GRACE: Duration = Duration::from_secs(10);
/// Wait before a worker that failed is started again: twice as long after each failure, up to the longest.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_RESTART_PAUSE: Duration = Duration::from_secs(15);

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
    pub configured: Vec<String>,
    /// Queues of workflows that are served.
    pub workflows: Vec<WorkflowQueue>,
    /// Which version of the workflow code this process runs; none where the engine does not keep them apart.
    pub version: Option<VersionSettings>,
    /// What is due without anybody asking at the providers served here; nothing is without.
    pub schedules: Option<ScheduleSettings>,
    /// When this process has the books checked by itself, where it serves the upkeep; never without.
    pub ledger: Option<LedgerUpkeepSettings>,
    /// When this process has what serves nobody any more deleted, where it serves the upkeep; never without.
    pub purge: Option<PurgeSettings>,
    /// When this process has workflows started again that are missing, where it serves the upkeep; never without.
    pub sweep: Option<SweepSettings>,
    /// What this process asks payment gateways.
    pub payments: PaymentWork,
    /// By what this process tells people something outside of the app; nothing without.
    pub notifications: NotificationWork,
}

/// What a worker tells people, and how patiently; nothing without channels.
#[derive(Debug, Clone, Default)]
pub struct NotificationWork {
    /// By what.
    pub channels: Channels,
    /// How patiently.
    pub policy: DeliveryPolicy,
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
    #[error("opening the channels: {0}")]
    Channels(#[from] store::StoreError),
    #[error("setting schedules: {0}")]
    Schedule(#[from] ScheduleError),
    #[error("the SDK's options: {0}")]
    Telemetry(String),
    #[error("starting the SDK: {0}")]
    Runtime(#[from] temporalio_sdk::RuntimeError),
    #[error("registering workflows: {0}")]
    Registration(#[from] WorkflowRegistrationError),
    #[error("creating the worker: {0}")]
    Create(#[from] WorkerCreateError),
    #[error("running the worker: {0}")]
    Run(#[from] WorkerRunError),
}

/// The thread of a role ended in a panic: what it was there for is not done any more.
#[derive(Debug, thiserror::Error)]
#[error("the thread of {role} panicked")]
pub struct RoleDied {
    role: &'static str,
    source: Panic,
}

/// What a panic said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Panic(String);

impl Panic {
    fn of(payload: &(dyn Any + Send)) -> Self {
        let literal = payload.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = literal.or_else(|| payload.downcast_ref::<String>().cloned());
        Self(words.unwrap_or_else(|| "it said nothing in words".to_owned()))
    }
}

/// Runs the workers until `stop`, then lets running activities finish within ten seconds. How they are is told to `roles`.
///
/// # Errors
/// [`RoleDied`] as soon as one of them is gone for good: the process is then to end, and somebody to start it again.
#[boxed]
pub async fn run(settings: WorkerSettings, roles: Roles, stop: CancellationToken) -> Result<(), RoleDied> {
    let mut running = JoinSet::new();
    let all = Role::all(&settings);
    if let Some(version) = settings.version.clone().filter(|_| all.iter().any(|role| role.is_versioned())) {
        tokio::spawn(versions::settle(settings.temporal.clone(), version, stop.clone()));
    }
    for role in all {
        let (name, pulse) = (role.name(), roles.poller(role.name()));
        let ended = spawn(role, settings.clone(), pulse, stop.clone());
        running.spawn(async move {
            let ended = ended.await.unwrap_or_else(|error| Err(Panic(error.to_string())));
            ended.map_err(|source| RoleDied { role: name, source })
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap_or_else(|error| Err(RoleDied { role: "a worker", source: Panic(error.to_string()) }))?;
    }
    Ok(())
}

fn spawn(
    role: Role,
    settings: WorkerSettings,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
) -> oneshot::Receiver<Result<(), Panic>> {
    let runtime = tokio::runtime::Handle::current();
    let (finished, waiting) = oneshot::channel();
    std::thread::spawn(move || {
        // What it worked with is not looked at any more after a panic: the process is to end then.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(supervise(role, &settings, &pulse, &stop));
        }));
        let _ = finished.send(ended.map_err(|payload| Panic::of(&*payload)));
    });
    waiting
}

async fn supervise(role: Role, settings: &WorkerSettings, pulse: &Arc<Pulse>, stop: &CancellationToken) {
    crash_point("worker.role");
    let mut pauses = Pauses::between(RESTART_PAUSE, LONGEST_RESTART_PAUSE);
    while !stop.is_cancelled() {
        let started = Instant::now();
        let outcome = run_once(role, settings, pulse, stop).await;
        if stop.is_cancelled() {
            return;
        }
        if started.elapsed() > LONGEST_RESTART_PAUSE {
            pauses.begin_again();
        }
        let pause = pauses.next();
        let seconds = pause.as_secs_f32();
        match outcome {
            Ok(()) => {
                pulse.failed("it ended");
                tracing::warn!(
                    event = "worker.ended",
                    ?role,
                    seconds,
                    "a worker ended; starting it again after a pause"
                );
            }
            Err(error) => {
                pulse.failed(&error);
                tracing::warn!(
                    event = "worker.failed",
                    ?role,
                    error = in_full(&error),
                    seconds,
                    "a worker failed; starting it again after a pause"
                );
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn run_once(
    role: Role,
    settings: &WorkerSettings,
    pulse: &Arc<Pulse>,
    stop: &CancellationToken,
) -> Result<(), WorkerError> {
    let meter: Arc<dyn CoreMeter> = Arc::new(Meter(Arc::clone(pulse)));
    let of_client =
        TemporalMeter::new(Arc::clone(&meter), NewAttributes::default(), TaskQueueLabelStrategy::UseNormal);
    let client = connect_metered(&settings.temporal, Some(of_client)).await?;
    bootstrap::ensure(&client).await?;
    if settings.version.is_some() && role.is_versioned() {
        bootstrap::ensure_versions(&client, &versions::deployment(&settings.temporal.queue_prefix)).await?;
    }
    for schedule in role.due(settings) {
        ensure(schedule, &client).await?;
    }
    if matches!(role, Role::Workflows(WorkflowQueue::Notifications)) {
        settings.notifications.channels.open(&settings.store, &settings.notifications.policy).await?;
    }
    let telemetry = TelemetryOptions::builder().metrics(meter).attach_service_name(false).build();
    let runtime_options = RuntimeOptions::builder().telemetry_options(telemetry).build();
    let runtime = Runtime::from_current_tokio(runtime_options.map_err(WorkerError::Telemetry)?)?;
    let options = registered::options(role, settings, &client)?;
    let mut worker = Worker::new(&runtime, client, options)?;
    let shut_down = worker.shutdown_handle();
    let stopped = stop.clone();
    let watcher = tokio::spawn(async move {
        stopped.cancelled().await;
        shut_down();
    });
    pulse.working();
    let outcome = worker.run().await;
    watcher.abort();
    Ok(outcome?)
}

/// Sees to it that a schedule is there, or says that it is not.
async fn ensure(schedule: Schedule, client: &Client) -> Result<(), ScheduleError> {
    match schedule.ensure(client).await? {
        Ensured::Set | Ensured::Left => {}
        Ensured::Missing(id) => tracing::error!(
            alert = "schedule.missing",
            schedule = id,
            "a schedule is missing, and this client may not make it: what it would start is not done"
        ),
        Ensured::Unknown(id) => tracing::error!(
            alert = "schedule.unknown",
            schedule = id,
            "this client may neither make a schedule nor see whether it is there"
        ),
    }
    Ok(())
}
