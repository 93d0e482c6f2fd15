//! What administrators have to know about orders, servers and what runs them.

use chrono::{DateTime, Utc};

use super::{
    example::{HOST, hour, id, moment},
    facts::{EventData, Facts, data},
};
use crate::{
    circuit::CircuitScope,
    delivery::{DeliveryChannel, DeliveryTrouble},
    ids::{ActionId, CatalogSyncId, DeliveryId, InstanceId, OrderId, OutboxId, ReconciliationId},
    money::Rupiah,
    notification::NotificationKind,
    provisioning::FailureClass,
};

data! {
    /// A server could not be set up.
    ProvisioningFailedForStaff {
        order_id: OrderId,
        try_number: i64,
        class: FailureClass,
        /// In the provider's words.
        failure: String,
    }

    /// A server does not come up.
    ServerNotReadyForStaff { order_id: OrderId, provider_instance_id: String }

    /// Failed orders wait for a person.
    OrdersWait {
        /// How many.
        orders: usize,
        /// Some of them.
        order_ids: Vec<OrderId>,
        /// For how long, and as the how-manieth reminder: 1 after an hour, 2 after a day.
        step: i32,
    }

    /// Workflows were gone and were started again.
    WorkflowsRestarted {
        orders: usize,
        instances: usize,
        refunds: usize,
        /// Id of the first.
        first: String,
        /// The hour of which it is told.
        hour: String,
    }

    /// Servers at a provider are not as we believe.
    ServersDiffer {
        reconciliation_id: ReconciliationId,
        provider: String,
        findings: usize,
        orphaned: usize,
        duplicate: usize,
        missing: usize,
        drifted: usize,
        /// A month, for servers nobody uses.
        wasted: Rupiah,
        dry_run: bool,
    }

    /// What we can offer changed.
    CatalogChanged { catalog_sync_id: CatalogSyncId, provider: String, flagged: usize, restored: usize }

    /// A server that is to be deleted is still there.
    ServerNotDeleted {
        instance_id: InstanceId,
        action_id: ActionId,
        name: String,
        provider: String,
        provider_instance_id: Option<String>,
        class: FailureClass,
        /// In the provider's words.
        trouble: String,
        /// The day in Jakarta of which it is told.
        day: String,
    }

    /// A cloud turns our account away.
    ProviderRefuses {
        provider: String,
        scope: CircuitScope,
        since: DateTime<Utc>,
        /// In the provider's words.
        reason: String,
    }

    /// A message to Temporal could not be delivered.
    MessageUndelivered {
        outbox_id: OutboxId,
        workflow_id: String,
        kind: String,
        failures: i32,
        /// The hour of which it is told.
        hour: String,
    }

    /// Messages to people could not be delivered.
    DeliveriesFailed {
        /// The first of them in that hour.
        delivery_id: DeliveryId,
        channel: DeliveryChannel,
        trouble: DeliveryTrouble,
        /// The hour of which it is told.
        hour: String,
    }

    /// The database refuses a step of a workflow.
    StepRefused {
        workflow_id: String,
        step: String,
        order_id: Option<OrderId>,
        error: String,
        /// The hour of which it is told.
        hour: String,
    }
}

impl EventData for ProvisioningFailedForStaff {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/provisioning_failed/{}/for_staff", self.order_id, self.try_number))
            .told(NotificationKind::ProvisioningFailed)
            .at(format!("/admin/orders/{}", self.order_id))
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            try_number: 1,
            class: FailureClass::Configuration,
            failure: "The image specified is not available.".to_owned(),
        }
    }
}

impl EventData for ServerNotReadyForStaff {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/server_not_ready/{}/for_staff", self.order_id, self.provider_instance_id))
            .told(NotificationKind::ServerNotReady)
            .at(format!("/admin/orders/{}", self.order_id))
    }

    fn example() -> Self {
        Self { order_id: id(1), provider_instance_id: "487654321".to_owned() }
    }
}

impl EventData for OrdersWait {
    fn facts(&self) -> Facts {
        let first = self.order_ids.first().map(ToString::to_string).unwrap_or_default();
        Facts::of(format!("orders-wait/{first}/{}/{}", self.step, self.orders))
            .told(NotificationKind::OrderWaits)
            .at("/admin/orders?status=PROVISIONING_FAILED")
    }

    fn example() -> Self {
        Self { orders: 2, order_ids: vec![id(1), id(15)], step: 1 }
    }
}

impl EventData for WorkflowsRestarted {
    fn facts(&self) -> Facts {
        Facts::of(format!("sweep/{}", self.hour))
            .told(NotificationKind::WorkflowsRestarted)
            .at("/admin/audit-log")
    }

    fn example() -> Self {
        Self {
            orders: 3,
            instances: 2,
            refunds: 1,
            first: format!("order/{}", id::<OrderId>(1)),
            hour: hour(),
        }
    }
}

impl EventData for ServersDiffer {
    fn facts(&self) -> Facts {
        Facts::of(format!("reconciliation/{}", self.reconciliation_id))
            .told(NotificationKind::ReconciliationReport)
            .at(format!("/admin/reconciliations/{}", self.reconciliation_id))
    }

    fn example() -> Self {
        Self {
            reconciliation_id: id(16),
            provider: "digitalocean".to_owned(),
            findings: 4,
            orphaned: 1,
            duplicate: 1,
            missing: 1,
            drifted: 1,
            wasted: Rupiah::new(192_000),
            dry_run: true,
        }
    }
}

impl EventData for CatalogChanged {
    fn facts(&self) -> Facts {
        Facts::of(format!("catalog-sync/{}", self.catalog_sync_id))
            .told(NotificationKind::CatalogChanged)
            .at(format!("/admin/catalog-syncs/{}", self.catalog_sync_id))
    }

    fn example() -> Self {
        Self { catalog_sync_id: id(17), provider: "vultr".to_owned(), flagged: 2, restored: 1 }
    }
}

impl EventData for ServerNotDeleted {
    fn facts(&self) -> Facts {
        Facts::of(format!("instance/{}/not-deleted/{}", self.instance_id, self.day))
            .told(NotificationKind::VpsNotDeleted)
            .at(format!("/admin/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self {
            instance_id: id(6),
            action_id: id(18),
            name: HOST.to_owned(),
            provider: "Linode".to_owned(),
            provider_instance_id: Some("487654321".to_owned()),
            class: FailureClass::Conflict,
            trouble: "Linode busy.".to_owned(),
            day: "2026-11-28".to_owned(),
        }
    }
}

impl EventData for ProviderRefuses {
    fn facts(&self) -> Facts {
        let Self { provider, scope, since, .. } = self;
        Facts::of(format!("provider/{provider}/{scope}/refused/{}", since.timestamp_millis()))
            .told(NotificationKind::ProviderAlert)
    }

    fn example() -> Self {
        Self {
            provider: "digitalocean".to_owned(),
            scope: CircuitScope::Account,
            since: moment(),
            reason: "Unable to authenticate you".to_owned(),
        }
    }
}

impl EventData for MessageUndelivered {
    fn facts(&self) -> Facts {
        Facts::of(format!("outbox/dead/{}/{}", self.kind, self.hour))
            .told(NotificationKind::MessageUndelivered)
            .at("/admin/outbox")
    }

    fn example() -> Self {
        Self {
            outbox_id: id(20),
            workflow_id: format!("order/{}", id::<OrderId>(1)),
            kind: "payment_confirmed".to_owned(),
            failures: 12,
            hour: hour(),
        }
    }
}

impl EventData for DeliveriesFailed {
    fn facts(&self) -> Facts {
        let Self { channel, hour, .. } = self;
        Facts::of(format!("deliveries/failed/{channel}/{hour}"))
            .told(NotificationKind::DeliveriesFailed)
            .at(format!("/admin/deliveries?channel={channel}"))
    }

    fn example() -> Self {
        Self {
            delivery_id: id(21),
            channel: DeliveryChannel::Email,
            trouble: DeliveryTrouble::TooLate,
            hour: hour(),
        }
    }
}

impl EventData for StepRefused {
    fn facts(&self) -> Facts {
        let facts = Facts::of(format!("step_refused/{}/{}", self.step, self.hour))
            .told(NotificationKind::StepRefused);
        match self.order_id {
            Some(order) => facts.at(format!("/admin/orders/{order}")),
            None => facts,
        }
    }

    fn example() -> Self {
        Self {
            workflow_id: format!("order/{}", id::<OrderId>(1)),
            step: "activate_order".to_owned(),
            order_id: Some(id(1)),
            error: "new row violates check constraint".to_owned(),
            hour: hour(),
        }
    }
}
