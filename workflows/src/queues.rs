//! Names of task queues: what a client outside this crate must spell the same way.

use domain::outbox::WorkflowType;

const PAYMENTS: &str = "payments";
const PROVIDER: &str = "provider-";

/// A queue of workflows and of their recording steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkflowQueue {
    /// Orders on their way to a server.
    Orders,
    /// Servers' lives.
    Instances,
    /// What nobody in particular waits for: sweeps, books, purges, comparisons, catalogs, janitors, and refunds.
    Upkeep,
    /// What people are told outside of the app: however much that is, no order waits for it.
    Notifications,
    /// All but what people are told, of before each had a queue. Nothing is started on it; what was, ends or leaves.
    Lifecycle,
}

impl WorkflowQueue {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Orders, Self::Instances, Self::Upkeep, Self::Notifications, Self::Lifecycle];

    /// The queue that a workflow is started on.
    #[must_use]
    pub const fn of(workflow: WorkflowType) -> Self {
        match workflow {
            WorkflowType::Order => Self::Orders,
            WorkflowType::Instance => Self::Instances,
            WorkflowType::Refund
            | WorkflowType::CatalogSync
            | WorkflowType::Reconcile
            | WorkflowType::LedgerUpkeep => Self::Upkeep,
            WorkflowType::Delivery => Self::Notifications,
        }
    }

    /// What it is called, also as a worker's role.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Instances => "instances",
            Self::Upkeep => "upkeep",
            Self::Notifications => "notifications",
            Self::Lifecycle => "lifecycle",
        }
    }

    /// Its name in the engine. `prefix` keeps installations that share a Temporal namespace apart; usually it is empty.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.as_str())
    }

    /// The queue of the same installation as another one of workflows.
    #[must_use]
    pub fn beside(self, queue: &str) -> String {
        self.name(prefix_of(queue))
    }

    /// Whether this is the queue of that name.
    #[must_use]
    pub fn is(self, queue: &str) -> bool {
        queue.ends_with(self.as_str())
    }
}

/// Queue of the calls to one provider, so that one provider's trouble never blocks another's orders.
#[must_use]
pub fn provider(prefix: &str, slug: &str) -> String {
    format!("{prefix}{PROVIDER}{slug}")
}

/// The provider's queue that belongs to the same installation as a queue of workflows.
#[must_use]
pub fn provider_beside(queue: &str, slug: &str) -> String {
    provider(prefix_of(queue), slug)
}

/// Queue of the calls to payment gateways.
#[must_use]
pub fn payments(prefix: &str) -> String {
    format!("{prefix}{PAYMENTS}")
}

/// The payments' queue that belongs to the same installation as a queue of workflows.
#[must_use]
pub fn payments_beside(queue: &str) -> String {
    payments(prefix_of(queue))
}

/// What stands before the name of an installation's queues. No queue's name ends with another's.
fn prefix_of(queue: &str) -> &str {
    WorkflowQueue::ALL.iter().find_map(|known| queue.strip_suffix(known.as_str())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_finds_the_queues_of_its_own_installation() {
        for queue in WorkflowQueue::ALL {
            assert_eq!(provider_beside(&queue.name(""), "vultr"), "provider-vultr");
            assert_eq!(provider_beside(&queue.name("t1-"), "vultr"), "t1-provider-vultr");
            assert_eq!(payments_beside(&queue.name("t1-")), "t1-payments");
            assert_eq!(WorkflowQueue::Instances.beside(&queue.name("t1-")), "t1-instances");
            for other in WorkflowQueue::ALL {
                assert_eq!(queue.is(&other.name("t1-")), queue == other);
            }
        }
    }
}
