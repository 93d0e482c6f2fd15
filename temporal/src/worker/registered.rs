//! What each queue's worker can run: one table, from which a process takes the rows of its queues.

use std::sync::Arc;

use activities::{
    AttemptWatch, CatalogSyncActivities, CreateWatchActivities, DeliveryActivities, InstanceActivities,
    LedgerActivities, OrderActivities, PaymentActivities, ProviderActivities, PurgeActivities,
    ReconcileActivities, RefundActivities, RefundGatewayActivities, ServerActivities, SweepActivities,
};
use temporalio_client::Client;
use temporalio_common::worker::WorkerDeploymentOptions;
use temporalio_sdk::{
    WorkerOptions, WorkerOptionsBuilder, WorkflowRegistrationError,
    runtime::{
        PollerBehavior,
        worker_tuner::{FixedSizeSlotSupplier, TunerHolder},
    },
};
use workflows::{
    CatalogSyncWorkflow, CreateWatchWorkflow, DeliveryWorkflow, InstanceWorkflow, LedgerUpkeepWorkflow,
    OrderWorkflow, PaymentCheckWorkflow, PurgeWorkflow, ReconcileWorkflow, RefundWorkflow, SweepWorkflow,
    queues::WorkflowQueue,
};

use super::{GRACE, POLLERS, PROVIDER_ACTIVITIES, TASKS, WorkerSettings, role::Role};
use crate::{running, versions};

type Registered = Result<WorkerOptionsBuilder, WorkflowRegistrationError>;

/// The SDK's options of a role's worker.
pub(super) fn options(
    role: Role,
    settings: &WorkerSettings,
    client: &Client,
) -> Result<WorkerOptions, WorkflowRegistrationError> {
    let named = WorkerOptions::new(role.queue(&settings.temporal.queue_prefix));
    let options = match role {
        Role::Workflows(WorkflowQueue::Orders) => orders(named, settings)?,
        Role::Workflows(WorkflowQueue::Instances) => instances(named, settings)?,
        Role::Workflows(WorkflowQueue::Upkeep) => upkeep(named, settings, client)?,
        Role::Workflows(WorkflowQueue::Notifications) => notifications(named, settings)?,
        Role::Workflows(WorkflowQueue::Lifecycle) => {
            upkeep(instances(orders(named, settings)?, settings)?, settings, client)?
        }
        Role::Payments => payments(named, settings),
        Role::Provider(_) => provider(named, settings),
    };
    let options = options
        .activity_inbound_interceptor(AttemptWatch { store: settings.store.clone() })
        .graceful_shutdown_period(GRACE)
        .deployment_options(role.deployment(settings).unwrap_or_else(unversioned));
    Ok(match role {
        Role::Workflows(WorkflowQueue::Orders | WorkflowQueue::Instances) => {
            options.workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS)).build()
        }
        Role::Workflows(_) | Role::Payments => options.build(),
        Role::Provider(_) => options
            .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(POLLERS))
            .tuner(waiting_activities())
            .build(),
    })
}

/// The name of the build where the engine keeps no versions apart. Without one the SDK reads the whole program from the disk to make
/// one up, in each process at its start.
fn unversioned() -> WorkerDeploymentOptions {
    WorkerDeploymentOptions::from_build_id(versions::build_id())
}

fn orders(options: WorkerOptionsBuilder, settings: &WorkerSettings) -> Registered {
    let (store, configured) = (settings.store.clone(), settings.configured.clone());
    Ok(options
        .register_workflow::<OrderWorkflow>()?
        .register_activities(OrderActivities { store, configured }))
}

fn instances(options: WorkerOptionsBuilder, settings: &WorkerSettings) -> Registered {
    Ok(options
        .register_workflow::<InstanceWorkflow>()?
        .register_activities(InstanceActivities { store: settings.store.clone() }))
}

fn upkeep(options: WorkerOptionsBuilder, settings: &WorkerSettings, client: &Client) -> Registered {
    let store = settings.store.clone();
    let (namespace, prefix) = (&settings.temporal.namespace, &settings.temporal.queue_prefix);
    let engine = Arc::new(running::Engine::new(client.clone(), namespace, prefix));
    Ok(options
        .register_workflow::<CatalogSyncWorkflow>()?
        .register_workflow::<ReconcileWorkflow>()?
        .register_workflow::<CreateWatchWorkflow>()?
        .register_workflow::<PaymentCheckWorkflow>()?
        .register_workflow::<LedgerUpkeepWorkflow>()?
        .register_workflow::<PurgeWorkflow>()?
        .register_workflow::<RefundWorkflow>()?
        .register_workflow::<SweepWorkflow>()?
        .register_activities(LedgerActivities { store: store.clone() })
        .register_activities(PurgeActivities { store: store.clone() })
        .register_activities(SweepActivities { store: store.clone(), engine })
        .register_activities(RefundActivities { store }))
}

fn notifications(options: WorkerOptionsBuilder, settings: &WorkerSettings) -> Registered {
    let (store, channels) = (settings.store.clone(), settings.notifications.channels.clone());
    Ok(options
        .register_workflow::<DeliveryWorkflow>()?
        .register_activities(DeliveryActivities { store, channels }))
}

fn payments(options: WorkerOptionsBuilder, settings: &WorkerSettings) -> WorkerOptionsBuilder {
    let (store, gateways) = (settings.store.clone(), settings.payments.gateways.clone());
    options
        .register_activities(PaymentActivities { store: store.clone(), gateways: gateways.clone() })
        .register_activities(RefundGatewayActivities { store, gateways })
}

fn provider(options: WorkerOptionsBuilder, settings: &WorkerSettings) -> WorkerOptionsBuilder {
    let (store, providers) = (settings.store.clone(), Arc::clone(&settings.providers));
    let reconcile = ReconcileActivities { store: store.clone(), providers: Arc::clone(&providers) };
    options
        .register_activities(ProviderActivities::new(store.clone(), Arc::clone(&providers)))
        .register_activities(ServerActivities { store: store.clone(), providers: Arc::clone(&providers) })
        .register_activities(CatalogSyncActivities { store, providers })
        .register_activities(CreateWatchActivities(reconcile.clone()))
        .register_activities(reconcile)
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
