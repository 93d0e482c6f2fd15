//! What there is to be worked on, a queue each.

use temporalio_common::worker::{VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion};
use workflows::queues::{self, WorkflowQueue};

use super::WorkerSettings;
use crate::{schedules::Schedule, versions};

/// A queue and what is done for it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    /// Workflows and their recording steps.
    Workflows(WorkflowQueue),
    /// Calls to one provider.
    Provider(&'static str),
    /// Calls to payment gateways.
    Payments,
}

impl Role {
    /// Those that a process has.
    pub(super) fn all(settings: &WorkerSettings) -> Vec<Self> {
        let is_of_use = |queue: &&WorkflowQueue| {
            **queue != WorkflowQueue::Notifications || !settings.notifications.channels.is_empty()
        };
        let workflows = settings.workflows.iter().filter(is_of_use).map(|queue| Self::Workflows(*queue));
        let providers = settings.providers.slugs().map(Self::Provider);
        let payments = (!settings.payments.gateways.is_empty()).then_some(Self::Payments);
        workflows.chain(providers).chain(payments).collect()
    }

    /// What it is called in metrics, in `/readyz` and on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Workflows(queue) => queue.as_str(),
            Self::Payments => "payments",
            Self::Provider(slug) => slug,
        }
    }

    /// Its queue in the engine.
    pub(super) fn queue(self, prefix: &str) -> String {
        match self {
            Self::Workflows(queue) => queue.name(prefix),
            Self::Payments => queues::payments(prefix),
            Self::Provider(slug) => queues::provider(prefix, slug),
        }
    }

    /// What is due without anybody asking, of the work that it is there for.
    pub(super) fn due(self, settings: &WorkerSettings) -> Vec<Schedule> {
        let prefix = &settings.temporal.queue_prefix;
        match self {
            Self::Workflows(WorkflowQueue::Upkeep) => {
                let books = settings.ledger.iter().map(|books| Schedule::of_ledger(prefix, books));
                let purge = settings.purge.iter().map(|purge| Schedule::of_purge(prefix, purge));
                let sweep = settings.sweep.iter().map(|sweep| Schedule::of_sweep(prefix, sweep));
                books.chain(purge).chain(sweep).collect()
            }
            Self::Workflows(_) => Vec::new(),
            Self::Payments => {
                settings.payments.checks.iter().map(|checks| Schedule::of_payments(prefix, checks)).collect()
            }
            Self::Provider(slug) => {
                settings.schedules.iter().flat_map(|due| Schedule::of_provider(prefix, slug, due)).collect()
            }
        }
    }

    /// How its workflows move from one version of the code to the next; `None` where the engine keeps none apart: calls to
    /// the outside are the same for all versions, and the old queue's workflows are of before there were any.
    const fn behavior(self) -> Option<VersioningBehavior> {
        match self {
            // An order ends on the code it began on.
            Self::Workflows(WorkflowQueue::Orders) => Some(VersioningBehavior::Pinned),
            // A server lives for years, a schedule waits for its last run, and a message for its receiver's mail server: these
            // go on with what is current.
            Self::Workflows(
                WorkflowQueue::Instances | WorkflowQueue::Upkeep | WorkflowQueue::Notifications,
            ) => Some(VersioningBehavior::AutoUpgrade),
            Self::Workflows(WorkflowQueue::Lifecycle) | Self::Payments | Self::Provider(_) => None,
        }
    }

    /// Whether the engine keeps the versions of its workers apart.
    pub(super) const fn is_versioned(self) -> bool {
        self.behavior().is_some()
    }

    /// What its worker tells the engine of its version.
    pub(super) fn deployment(self, settings: &WorkerSettings) -> Option<WorkerDeploymentOptions> {
        let (behavior, version) = (self.behavior()?, settings.version.as_ref()?);
        let version = WorkerDeploymentVersion::builder()
            .deployment_name(versions::deployment(&settings.temporal.queue_prefix))
            .build_id(version.build_id.clone())
            .build();
        let options = WorkerDeploymentOptions::new(version)
            .use_worker_versioning(true)
            .default_versioning_behavior(behavior);
        Some(options.build())
    }
}
