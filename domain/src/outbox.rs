//! What the database tells Temporal. A message is written in the transaction that changed the business, and
//! delivered afterwards, at least once; workflow ids and the outbox id make a second delivery harmless.

use crate::{
    delivery::DeliveryStart,
    ids::{CatalogSyncId, InstanceId, LedgerCheckId, OrderId, ReconciliationId, UserId},
    instance::{InstancePolicy, InstanceStatus},
    policy::OrderPolicy,
    refund::{RefundStart, refund_workflow_id},
    text_enum::text_enum,
    upkeep::{ReconcileSettings, catalog_sync_workflow_id, ledger_upkeep_workflow_id, reconcile_workflow_id},
};

mod delivery;

pub use delivery::{Delivery, How, Input, Plan, SearchAttribute, Signal, WorkflowType};

/// What an order's workflow is started with. Ids and policy only: no personal data, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderStart {
    /// The order.
    pub order_id: OrderId,
    /// Its customer.
    pub customer_id: UserId,
    /// Slug of the provider; also names the task queue.
    pub provider: String,
    /// Slug of the plan.
    pub plan_slug: String,
    /// When it was placed, milliseconds since the Unix epoch.
    pub placed_at_ms: u64,
    /// The rules it was placed under.
    pub policy: OrderPolicy,
}

/// What a server's workflow is started with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InstanceStart {
    /// The server.
    pub instance_id: InstanceId,
    /// The order it was bought with.
    pub order_id: OrderId,
    /// Its customer.
    pub customer_id: UserId,
    /// Slug of the provider.
    pub provider: String,
    /// Slug of the plan.
    pub plan_slug: String,
    /// End of the paid term, milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// How patiently its provider is asked.
    #[serde(default)]
    pub policy: InstancePolicy,
    /// Whether its workflow looks after its life. What was started before there was one notes the end of its term only.
    #[serde(default)]
    pub lives: bool,
    /// What it can be found by from its start on, so that its first look has nothing to add; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_by: Option<InstanceFoundBy>,
}

/// What a server's workflow can be found by besides what never changes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InstanceFoundBy {
    /// Where the server stands.
    pub status: InstanceStatus,
    /// The day, in Jakarta, on which more than a reminder is due in its life.
    pub due_day: Option<String>,
}

text_enum! {
    /// Who waits for a message. It is delivered after all of the classes before its own, in the order of declaration,
    /// which is the words' alphabetical order, too: the database sorts by them.
    MessageClass {
        /// Somebody who paid.
        Paid = "PAID",
        /// Nobody in particular: something ends, or is looked after.
        Routine = "ROUTINE",
        /// Nobody who paid for it: an order that may come to nothing, or somebody who is to read something.
        Unpaid = "UNPAID",
    }
}

impl MessageClass {
    /// Wait after the first failure, in seconds.
    const FIRST_PAUSE: f64 = 5.0;
    /// Longest wait, in seconds.
    const LONGEST_PAUSE: f64 = 300.0;

    /// How often a message may fail by its own fault; then it is dead and waits for staff.
    #[must_use]
    pub const fn most_failures(self) -> i32 {
        match self {
            Self::Paid => 12,
            Self::Routine | Self::Unpaid => 8,
        }
    }

    /// How long a message is left alone after its `failures`-th failure, in seconds; `None` when it is dead.
    #[must_use]
    pub fn pause_after(self, failures: i32) -> Option<f64> {
        let doubled = Self::FIRST_PAUSE * f64::from(failures - 1).exp2();
        (failures < self.most_failures()).then_some(doubled.min(Self::LONGEST_PAUSE))
    }
}

/// A message to a workflow.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Message {
    /// An order was placed.
    StartOrder(OrderStart),
    /// An order was paid, perhaps after its workflow had ended with the deadline: hence the whole start.
    PaymentConfirmed(OrderStart),
    /// An admin asked for another try.
    RetryProvisioning {
        /// The order.
        order_id: OrderId,
    },
    /// The order's workflow may be lost, or asleep where it should not be: it is started, or woken. Where the order stands
    /// is asked of the database.
    WakeOrder {
        /// The order.
        order_id: OrderId,
        /// Whether somebody paid for it.
        is_paid: bool,
    },
    /// The order was called off or refunded.
    OrderClosed {
        /// The order.
        order_id: OrderId,
    },
    /// A server became active.
    StartInstance(InstanceStart),
    /// Something is to be done to a server.
    ActionRequested {
        /// The server. What is to be done is asked of the database, in the order it was asked for.
        instance_id: InstanceId,
    },
    /// Somebody wants a provider's catalog read now.
    SyncCatalog {
        /// The record of the run.
        sync_id: CatalogSyncId,
        /// Slug of the provider.
        provider: String,
    },
    /// Somebody wants a provider compared with the database now.
    Reconcile {
        /// The record of the run.
        reconciliation_id: ReconciliationId,
        /// Slug of the provider.
        provider: String,
        /// What it may do.
        settings: ReconcileSettings,
    },
    /// Somebody wants the books checked now.
    CheckLedger {
        /// The record of the check.
        check_id: LedgerCheckId,
    },
    /// Money is to go back through its gateway; also said again when staff want another try.
    StartRefund(RefundStart),
    /// Somebody is to be told something outside of the app; also said again when staff want it sent once more.
    StartDelivery(DeliveryStart),
}

impl Message {
    /// The id of the workflow it is for, such as `order/<uuid>` or `instance/<uuid>`.
    #[must_use]
    pub fn workflow_id(&self) -> String {
        match self {
            Self::StartOrder(start) | Self::PaymentConfirmed(start) => order_workflow_id(start.order_id),
            Self::RetryProvisioning { order_id }
            | Self::WakeOrder { order_id, .. }
            | Self::OrderClosed { order_id } => order_workflow_id(*order_id),
            Self::StartInstance(start) => instance_workflow_id(start.instance_id),
            Self::ActionRequested { instance_id } => instance_workflow_id(*instance_id),
            Self::SyncCatalog { sync_id, provider } => catalog_sync_workflow_id(provider, *sync_id),
            Self::Reconcile { reconciliation_id, provider, .. } => {
                reconcile_workflow_id(provider, *reconciliation_id)
            }
            Self::CheckLedger { check_id } => ledger_upkeep_workflow_id(*check_id),
            Self::StartRefund(start) => refund_workflow_id(start.refund_id),
            Self::StartDelivery(start) => start.run().workflow_id(),
        }
    }

    /// Who waits for it.
    #[must_use]
    pub const fn class(&self) -> MessageClass {
        match self {
            Self::PaymentConfirmed(_)
            | Self::RetryProvisioning { .. }
            | Self::WakeOrder { is_paid: true, .. }
            | Self::StartInstance(_)
            | Self::ActionRequested { .. }
            | Self::StartRefund(_) => MessageClass::Paid,
            Self::OrderClosed { .. }
            | Self::SyncCatalog { .. }
            | Self::Reconcile { .. }
            | Self::CheckLedger { .. } => MessageClass::Routine,
            Self::StartOrder(_) | Self::WakeOrder { is_paid: false, .. } | Self::StartDelivery(_) => {
                MessageClass::Unpaid
            }
        }
    }

    /// The word that names the kind of message in logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::StartOrder(_) => "start_order",
            Self::PaymentConfirmed(_) => "payment_confirmed",
            Self::RetryProvisioning { .. } => "retry_provisioning",
            Self::WakeOrder { .. } => "wake_order",
            Self::OrderClosed { .. } => "order_closed",
            Self::StartInstance(_) => "start_instance",
            Self::ActionRequested { .. } => "action_requested",
            Self::SyncCatalog { .. } => "sync_catalog",
            Self::Reconcile { .. } => "reconcile",
            Self::CheckLedger { .. } => "check_ledger",
            Self::StartRefund(_) => "start_refund",
            Self::StartDelivery(_) => "start_delivery",
        }
    }
}

/// Workflow id of an order.
#[must_use]
pub fn order_workflow_id(order: OrderId) -> String {
    format!("order/{order}")
}

/// Workflow id of a server.
#[must_use]
pub fn instance_workflow_id(instance: InstanceId) -> String {
    format!("instance/{instance}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_sorts_classes_as_they_are_declared() {
        let words: Vec<&str> = MessageClass::ALL.iter().map(|class| class.as_str()).collect();
        assert!(words.is_sorted(), "{words:?}");
    }

    #[test]
    fn a_message_that_fails_is_given_up_within_the_hour_and_a_paid_one_last() {
        let patience = |class: MessageClass| (1..).map_while(|n| class.pause_after(n)).sum::<f64>();
        assert_eq!(patience(MessageClass::Paid), 5.0 + 10.0 + 20.0 + 40.0 + 80.0 + 160.0 + 5.0 * 300.0);
        assert_eq!(patience(MessageClass::Unpaid), 5.0 + 10.0 + 20.0 + 40.0 + 80.0 + 160.0 + 300.0);
        assert_eq!(patience(MessageClass::Routine), patience(MessageClass::Unpaid));
    }
}
