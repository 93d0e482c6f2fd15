//! How a message reaches its workflow: which one, by a start or a signal, and with what. A new message says it here; the
//! dispatcher only carries it out.

use super::{InstanceStart, Message, OrderStart, instance_workflow_id, order_workflow_id};
use crate::{
    delivery::DeliveryStart,
    ids::{InstanceId, OrderId},
    order::OrderStatus,
    policy::StepPolicy,
    refund::RefundStart,
    text_enum::text_enum,
    upkeep::{CatalogSyncStart, LedgerUpkeepStart, ReconcileStart},
};

text_enum! {
    /// The workflows that messages are for, as the engine calls them.
    WorkflowType {
        /// An order's way to its server.
        Order = "OrderWorkflow",
        /// A server's life.
        Instance = "InstanceWorkflow",
        /// A refund's way through its gateway.
        Refund = "RefundWorkflow",
        /// The reading of a provider's catalog.
        CatalogSync = "CatalogSyncWorkflow",
        /// The comparison of a provider's servers with ours.
        Reconcile = "ReconcileWorkflow",
        /// The upkeep of the books.
        LedgerUpkeep = "LedgerUpkeepWorkflow",
        /// The telling of an event to a person.
        Delivery = "DeliveryWorkflow",
    }
}

text_enum! {
    /// What a workflow may be told. Its argument is the id of the message, so that a second delivery is recognised.
    Signal {
        /// The order was paid.
        PaymentConfirmed = "payment_confirmed",
        /// Another try is wanted; it ends every wait of the workflow, which then looks where the order stands.
        RetryProvisioning = "retry_provisioning",
        /// The order was cancelled or refunded.
        OrderClosed = "order_closed",
        /// Something is to be done to a server.
        ActionRequested = "action_requested",
    }
}

text_enum! {
    /// What workflows can be searched by. Never encrypted, so: ids and words only; each is a keyword.
    SearchAttribute {
        /// Where the order stands, in the words of [`OrderStatus`].
        OrderStatus = "OrderStatus",
        /// Slug of the provider.
        Provider = "Provider",
        /// Slug of the plan.
        PlanSlug = "PlanSlug",
        /// Id of the customer.
        CustomerId = "CustomerId",
        /// Id of the server.
        InstanceId = "InstanceId",
        /// Why provisioning failed, in the words of [`crate::provisioning::FailureClass`].
        FailureClass = "FailureClass",
        /// Where the server stands, in the words of [`crate::instance::InstanceStatus`].
        InstanceStatus = "InstanceStatus",
        /// The day, in Jakarta, on which more than a reminder is due in a server's life.
        NextDue = "NextDue",
    }
}

/// What a workflow is started with.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Input {
    /// Of an order.
    Order(OrderStart),
    /// Of a server.
    Instance(InstanceStart),
    /// Of a refund.
    Refund(RefundStart),
    /// Of the reading of a catalog.
    CatalogSync(CatalogSyncStart),
    /// Of a comparison.
    Reconcile(ReconcileStart),
    /// Of the upkeep of the books.
    LedgerUpkeep(LedgerUpkeepStart),
    /// Of the telling of an event.
    Delivery(DeliveryStart),
}

impl Input {
    /// The workflow that takes it.
    #[must_use]
    pub const fn workflow(&self) -> WorkflowType {
        match self {
            Self::Order(_) => WorkflowType::Order,
            Self::Instance(_) => WorkflowType::Instance,
            Self::Refund(_) => WorkflowType::Refund,
            Self::CatalogSync(_) => WorkflowType::CatalogSync,
            Self::Reconcile(_) => WorkflowType::Reconcile,
            Self::LedgerUpkeep(_) => WorkflowType::LedgerUpkeep,
            Self::Delivery(_) => WorkflowType::Delivery,
        }
    }
}

/// By what a workflow is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a start. One that runs under the id is left alone.
    Start {
        /// Whether it is started also when one under the id has ended.
        again: bool,
        /// The first task waits until then, milliseconds since the Unix epoch: waiting for money costs the engine nothing,
        /// and a signal ends the wait.
        not_before_ms: Option<u64>,
    },
    /// By a signal; it is started with it when it has ended or never began. A plain signal would not end a start's delay.
    Signal(Signal),
}

/// A message as it is delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Id of the workflow: the same for the same thing, so that a second start finds the first.
    pub workflow_id: String,
    /// By what it is reached.
    pub how: How,
    /// What it is started with.
    pub input: Input,
    /// What it can be searched by from its start on.
    pub attributes: Vec<(SearchAttribute, String)>,
    /// What people read of it in a list.
    pub summary: String,
    /// What they read of it besides.
    pub details: Option<String>,
}

/// What there is to be known before a message can be delivered.
pub enum Plan {
    /// Nothing.
    Now(Box<Delivery>),
    /// Where the order stands; `None` when there is nothing to deliver any more.
    OfOrder(OrderId, fn(OrderStatus, OrderStart) -> Option<Delivery>),
    /// What the server's workflow is started with.
    OfInstance(InstanceId, fn(InstanceStart) -> Delivery),
}

impl Message {
    /// How it is delivered.
    ///
    /// ```
    /// use domain::{
    ///     ids::OrderId,
    ///     order::OrderStatus,
    ///     outbox::{How, Message, OrderStart, Plan, Signal},
    ///     policy::OrderPolicy,
    /// };
    /// use uuid::Uuid;
    ///
    /// let order_id = OrderId(Uuid::nil());
    /// let start = OrderStart {
    ///     order_id,
    ///     customer_id: Uuid::nil().into(),
    ///     provider: "vultr".to_owned(),
    ///     plan_slug: "vc2-1c-1gb".to_owned(),
    ///     placed_at_ms: 0,
    ///     policy: OrderPolicy::default(),
    /// };
    /// // Who paid is told of at once, whether the workflow still waits or never began.
    /// let Plan::Now(delivery) = Message::PaymentConfirmed(start).plan() else { panic!("all is known") };
    /// assert_eq!(delivery.workflow_id, format!("order/{order_id}"));
    /// assert_eq!(delivery.how, How::Signal(Signal::PaymentConfirmed));
    /// // What is to be tried again depends on what the order has become by the time of delivery.
    /// assert!(matches!(Message::RetryProvisioning { order_id }.plan(), Plan::OfOrder(..)));
    /// ```
    #[must_use]
    pub fn plan(&self) -> Plan {
        match self {
            Self::StartOrder(start) => {
                now(order(start.clone(), OrderStatus::PendingPayment, unpaid(start, false)))
            }
            Self::PaymentConfirmed(start) => {
                now(order(start.clone(), OrderStatus::Paid, How::Signal(Signal::PaymentConfirmed)))
            }
            Self::RetryProvisioning { order_id } => Plan::OfOrder(*order_id, |_, start| {
                Some(order(start, OrderStatus::Provisioning, How::Signal(Signal::RetryProvisioning)))
            }),
            Self::OrderClosed { order_id } => Plan::OfOrder(*order_id, |_, start| {
                Some(order(start, OrderStatus::Cancelled, How::Signal(Signal::OrderClosed)))
            }),
            Self::WakeOrder { order_id, .. } => Plan::OfOrder(*order_id, wake),
            Self::StartInstance(start) => {
                now(instance(start.clone(), How::Start { again: false, not_before_ms: None }))
            }
            Self::ActionRequested { instance_id } => {
                Plan::OfInstance(*instance_id, |start| instance(start, How::Signal(Signal::ActionRequested)))
            }
            Self::StartRefund(start) => {
                now(self.start(Input::Refund(*start), true, "Give money back through its gateway".to_owned()))
            }
            Self::StartDelivery(start) => {
                let summary = format!("Tell somebody by {}", start.channel);
                now(self.start(Input::Delivery(*start), true, summary))
            }
            Self::SyncCatalog { sync_id, provider } => {
                let (provider, sync_id) = (provider.clone(), Some(*sync_id));
                let summary = format!("Read the catalog of {provider}");
                let start = CatalogSyncStart { provider, sync_id, policy: StepPolicy::OF_UPKEEP };
                now(self.start(Input::CatalogSync(start), false, summary))
            }
            Self::Reconcile { reconciliation_id, provider, settings } => {
                let summary = format!("Compare {provider} with the database");
                let start = ReconcileStart {
                    provider: provider.clone(),
                    reconciliation_id: Some(*reconciliation_id),
                    settings: *settings,
                    policy: StepPolicy::OF_UPKEEP,
                };
                now(self.start(Input::Reconcile(start), false, summary))
            }
            Self::CheckLedger { check_id } => {
                let start = LedgerUpkeepStart { check_id: Some(*check_id), policy: StepPolicy::OF_THE_BOOKS };
                now(self.start(Input::LedgerUpkeep(start), false, "Check the books".to_owned()))
            }
        }
    }

    fn start(&self, input: Input, again: bool, summary: String) -> Delivery {
        Delivery {
            workflow_id: self.workflow_id(),
            how: How::Start { again, not_before_ms: None },
            input,
            attributes: Vec::new(),
            summary,
            details: None,
        }
    }
}

fn now(delivery: Delivery) -> Plan {
    Plan::Now(Box::new(delivery))
}

/// A start that waits until the reminder, or the deadline, is due.
fn unpaid(start: &OrderStart, again: bool) -> How {
    let policy = start.policy;
    let due = start.placed_at_ms + policy.remind_after_ms.min(policy.payment_window_ms);
    How::Start { again, not_before_ms: Some(due) }
}

fn wake(status: OrderStatus, start: OrderStart) -> Option<Delivery> {
    let how = match status {
        OrderStatus::PendingPayment => unpaid(&start, true),
        OrderStatus::Paid | OrderStatus::Provisioning | OrderStatus::ProvisioningFailed => {
            How::Signal(Signal::RetryProvisioning)
        }
        // It came to its end meanwhile.
        OrderStatus::Active | OrderStatus::Expired | OrderStatus::Cancelled | OrderStatus::Refunded => {
            return None;
        }
    };
    Some(order(start, status, how))
}

fn order(start: OrderStart, status: OrderStatus, how: How) -> Delivery {
    Delivery {
        workflow_id: order_workflow_id(start.order_id),
        how,
        attributes: vec![
            (SearchAttribute::OrderStatus, status.to_string()),
            (SearchAttribute::Provider, start.provider.clone()),
            (SearchAttribute::PlanSlug, start.plan_slug.clone()),
            (SearchAttribute::CustomerId, start.customer_id.to_string()),
        ],
        summary: format!("Order of a {} server at {}", start.plan_slug, start.provider),
        details: Some(format!("Customer {}.", start.customer_id)),
        input: Input::Order(start),
    }
}

/// A server's workflow waits on timers of its own: the engine would hold every run that continues it back for what is left
/// of a start's delay, and more than that in versions since.
fn instance(start: InstanceStart, how: How) -> Delivery {
    let mut attributes = vec![
        (SearchAttribute::Provider, start.provider.clone()),
        (SearchAttribute::PlanSlug, start.plan_slug.clone()),
        (SearchAttribute::CustomerId, start.customer_id.to_string()),
        (SearchAttribute::InstanceId, start.instance_id.to_string()),
    ];
    if let Some(found_by) = &start.found_by {
        attributes.push((SearchAttribute::InstanceStatus, found_by.status.to_string()));
        attributes.extend(found_by.due_day.clone().map(|day| (SearchAttribute::NextDue, day)));
    }
    Delivery {
        workflow_id: instance_workflow_id(start.instance_id),
        how,
        attributes,
        summary: format!("{} server at {}", start.plan_slug, start.provider),
        details: Some(format!("Bought with order {}.", start.order_id)),
        input: Input::Instance(start),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::policy::OrderPolicy;

    fn start() -> OrderStart {
        OrderStart {
            order_id: Uuid::nil().into(),
            customer_id: Uuid::max().into(),
            provider: "vultr".to_owned(),
            plan_slug: "vultr-1gb".to_owned(),
            placed_at_ms: 1_000,
            policy: OrderPolicy { remind_after_ms: 20, payment_window_ms: 10, ..OrderPolicy::default() },
        }
    }

    fn planned(message: &Message) -> Delivery {
        match message.plan() {
            Plan::Now(delivery) => *delivery,
            Plan::OfOrder(..) | Plan::OfInstance(..) => panic!("{message:?} asks first"),
        }
    }

    #[test]
    fn an_unpaid_orders_workflow_sleeps_until_the_earlier_of_reminder_and_deadline() {
        let placed = planned(&Message::StartOrder(start()));
        assert_eq!(placed.how, How::Start { again: false, not_before_ms: Some(1_010) });
        assert_eq!(
            (placed.workflow_id, placed.input.workflow()),
            (order_workflow_id(start().order_id), WorkflowType::Order)
        );
        assert_eq!(placed.attributes[0], (SearchAttribute::OrderStatus, "PENDING_PAYMENT".to_owned()));
        let paid = planned(&Message::PaymentConfirmed(start()));
        assert_eq!(paid.how, How::Signal(Signal::PaymentConfirmed));
        assert_eq!(paid.attributes[0].1, "PAID");
    }

    #[test]
    fn an_order_is_woken_by_what_its_standing_asks_for() {
        let how = |status| {
            let Plan::OfOrder(_, plan) =
                (Message::WakeOrder { order_id: start().order_id, is_paid: true }).plan()
            else {
                panic!("it asks where the order stands");
            };
            plan(status, start()).map(|delivery| delivery.how)
        };
        assert_eq!(
            how(OrderStatus::PendingPayment),
            Some(How::Start { again: true, not_before_ms: Some(1_010) })
        );
        for status in [OrderStatus::Paid, OrderStatus::Provisioning, OrderStatus::ProvisioningFailed] {
            assert_eq!(how(status), Some(How::Signal(Signal::RetryProvisioning)));
        }
        for status in
            [OrderStatus::Active, OrderStatus::Expired, OrderStatus::Cancelled, OrderStatus::Refunded]
        {
            assert_eq!(how(status), None);
        }
    }

    #[test]
    fn input_is_what_the_workflow_takes_and_nothing_around_it() {
        let delivery = planned(&Message::StartOrder(start()));
        let sent = serde_json::to_value(&delivery.input).unwrap();
        assert_eq!(sent, serde_json::to_value(start()).unwrap());
        assert!(sent["policy"]["give_up_after_ms"].is_u64(), "{sent}");
    }
}
