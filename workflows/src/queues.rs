//! Names of task queues and signals: what a client outside this crate must spell the same way.

const LIFECYCLE: &str = "lifecycle";

/// Queue of order and instance workflows and of their recording steps. `prefix` keeps installations that share a
/// Temporal namespace apart; usually it is empty.
#[must_use]
pub fn lifecycle(prefix: &str) -> String {
    format!("{prefix}{LIFECYCLE}")
}

/// Queue of the calls to one provider, so that one provider's trouble never blocks another's orders.
#[must_use]
pub fn provider(prefix: &str, slug: &str) -> String {
    format!("{prefix}provider-{slug}")
}

/// The provider's queue that belongs to the same installation as a lifecycle queue.
#[must_use]
pub fn provider_beside(lifecycle_queue: &str, slug: &str) -> String {
    provider(lifecycle_queue.strip_suffix(LIFECYCLE).unwrap_or_default(), slug)
}

/// Queue of the calls to payment gateways.
#[must_use]
pub fn payments(prefix: &str) -> String {
    format!("{prefix}payments")
}

/// The payments' queue that belongs to the same installation as a lifecycle queue.
#[must_use]
pub fn payments_beside(lifecycle_queue: &str) -> String {
    payments(lifecycle_queue.strip_suffix(LIFECYCLE).unwrap_or_default())
}

/// Workflow type of [`crate::PaymentCheckWorkflow`].
pub const PAYMENT_CHECK_WORKFLOW: &str = "PaymentCheckWorkflow";
/// Workflow type of [`crate::RefundWorkflow`].
pub const REFUND_WORKFLOW: &str = "RefundWorkflow";
/// Workflow type of [`crate::OrderWorkflow`].
pub const ORDER_WORKFLOW: &str = "OrderWorkflow";
/// Workflow type of [`crate::InstanceWorkflow`].
pub const INSTANCE_WORKFLOW: &str = "InstanceWorkflow";

/// Workflow type of [`crate::CatalogSyncWorkflow`].
pub const CATALOG_SYNC_WORKFLOW: &str = "CatalogSyncWorkflow";
/// Workflow type of [`crate::ReconcileWorkflow`].
pub const RECONCILE_WORKFLOW: &str = "ReconcileWorkflow";
/// Workflow type of [`crate::LedgerUpkeepWorkflow`].
pub const LEDGER_UPKEEP_WORKFLOW: &str = "LedgerUpkeepWorkflow";
/// Workflow type of [`crate::PurgeWorkflow`].
pub const PURGE_WORKFLOW: &str = "PurgeWorkflow";
/// Workflow type of [`crate::SweepWorkflow`].
pub const SWEEP_WORKFLOW: &str = "SweepWorkflow";

/// Signals the workflows take; the argument is the outbox id that caused them.
pub mod signals {
    /// The order was paid.
    pub const PAYMENT_CONFIRMED: &str = "payment_confirmed";
    /// An admin asked for another try.
    pub const RETRY_PROVISIONING: &str = "retry_provisioning";
    /// The order was cancelled or refunded.
    pub const ORDER_CLOSED: &str = "order_closed";
    /// Something is to be done to a server.
    pub const ACTION_REQUESTED: &str = "action_requested";
}
