//! A server from its making to its end.

use chrono::{DateTime, Utc};

use super::{
    example::{HOST, id, moment},
    facts::{EventData, Facts, data},
};
use crate::{
    ids::{ActionId, CancellationId, InstanceId, InvoiceId, OrderId, RenewalId, ResizeId},
    money::Rupiah,
    notification::NotificationKind,
    provisioning::FailureClass,
};

data! {
    /// A place where a server is made, by the names that customers know.
    ServerPlace { provider: String, region: String, plan: String }

    /// A server is being set up.
    ProvisioningStarted { order_id: OrderId }

    /// The provider made the server.
    ServerCreated { order_id: OrderId, provider_instance_id: String }

    /// The server is gone before it was the customer's.
    ServerLost { order_id: OrderId, provider_instance_id: String }

    /// The server takes long to come up.
    ServerNotReady { order_id: OrderId, provider_instance_id: String }

    /// Our team has the server replaced.
    ServerReplaced { order_id: OrderId, provider_instance_id: String }

    /// The server runs.
    ServerActive { order_id: OrderId, instance_id: InstanceId, name: String }

    /// The server could not be set up.
    ProvisioningFailed { order_id: OrderId, try_number: i64, class: FailureClass }

    /// The server is set up at another provider than the one ordered from, which had no room.
    ProvisioningMoved {
        order_id: OrderId,
        try_number: i64,
        /// Name of the provider that had no room.
        from: String,
        to: ServerPlace,
    }

    /// Our team has it tried again.
    ProvisioningRetried {
        order_id: OrderId,
        /// Which retry of this order it is; the first is 1.
        retry: i64,
    }

    /// Our team has it tried again in another place.
    ProvisioningRetriedElsewhere { order_id: OrderId, retry: i64, to: ServerPlace }

    /// A further term of a server is paid.
    ServerRenewed {
        instance_id: InstanceId,
        invoice_id: InvoiceId,
        renewal_id: RenewalId,
        name: String,
        expires_at: DateTime<Utc>,
    }

    /// A server has another plan.
    ServerResized {
        resize_id: ResizeId,
        instance_id: InstanceId,
        name: String,
        /// Name of the plan.
        plan: String,
        /// What went to the balance; none unless it costs less.
        credited: Option<Rupiah>,
    }

    /// A server could not have another plan.
    ServerResizeFailed {
        resize_id: ResizeId,
        instance_id: InstanceId,
        action_id: ActionId,
        name: String,
        /// Name of the plan.
        plan: String,
        /// What was paid for it and is on the balance; none where nothing was.
        returned: Option<Rupiah>,
    }

    /// A server goes when its paid term ends.
    ServerCancellationPlanned {
        cancellation_id: CancellationId,
        instance_id: InstanceId,
        name: String,
        ends_at: DateTime<Utc>,
    }

    /// It stays after all.
    ServerCancellationRevoked {
        cancellation_id: CancellationId,
        instance_id: InstanceId,
        name: String,
        ends_at: DateTime<Utc>,
        /// Whether its term is renewed by itself again.
        auto_renew: bool,
    }

    /// A server was called off at once.
    ServerCancelled {
        cancellation_id: CancellationId,
        instance_id: InstanceId,
        name: String,
        /// What went to the balance; none when everything that was paid is served.
        credited: Option<Rupiah>,
    }

    /// A server is gone.
    ServerTerminated {
        instance_id: InstanceId,
        name: String,
        /// Until when its last snapshot is kept, if one was taken.
        #[serde(default)]
        snapshot_kept_until: Option<DateTime<Utc>>,
    }
}

impl EventData for ProvisioningStarted {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/provisioning_started", self.order_id))
            .done(self.order_id, "provisioning_started")
    }

    fn example() -> Self {
        Self { order_id: id(1) }
    }
}

impl EventData for ServerCreated {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/server_created/{}", self.order_id, self.provider_instance_id))
            .done(self.order_id, "server_created")
    }

    fn example() -> Self {
        Self { order_id: id(1), provider_instance_id: "487654321".to_owned() }
    }
}

impl EventData for ServerLost {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/server_lost/{}", self.order_id, self.provider_instance_id))
            .failed(self.order_id, "server_lost")
    }

    fn example() -> Self {
        Self { order_id: id(1), provider_instance_id: "487654321".to_owned() }
    }
}

impl EventData for ServerNotReady {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/server_not_ready/{}", self.order_id, self.provider_instance_id))
            .waiting(self.order_id, "server_not_ready")
    }

    fn example() -> Self {
        Self { order_id: id(1), provider_instance_id: "487654321".to_owned() }
    }
}

impl EventData for ServerReplaced {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/server_replaced/{}", self.order_id, self.provider_instance_id))
            .done(self.order_id, "server_replaced")
    }

    fn example() -> Self {
        Self { order_id: id(1), provider_instance_id: "487654321".to_owned() }
    }
}

impl EventData for ServerActive {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/server_active", self.order_id))
            .done(self.order_id, "server_active")
            .told(NotificationKind::VpsActive)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self { order_id: id(1), instance_id: id(6), name: HOST.to_owned() }
    }
}

impl EventData for ProvisioningFailed {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/provisioning_failed/{}", self.order_id, self.try_number))
            .failed(self.order_id, "provisioning_failed")
            .told(NotificationKind::ProvisioningFailed)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self { order_id: id(1), try_number: 1, class: FailureClass::Capacity }
    }
}

impl ProvisioningMoved {
    /// The key of an order's move after its `try_number`-th try.
    #[must_use]
    pub fn key(order: OrderId, try_number: i64) -> String {
        format!("order/{order}/provisioning_moved/{try_number}")
    }
}

impl EventData for ProvisioningMoved {
    fn facts(&self) -> Facts {
        Facts::of(Self::key(self.order_id, self.try_number))
            .done(self.order_id, "provisioning_moved")
            .told(NotificationKind::ProvisioningMoved)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self { order_id: id(1), try_number: 1, from: "DigitalOcean".to_owned(), to: place() }
    }
}

impl EventData for ProvisioningRetried {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/retry/{}", self.order_id, self.retry))
            .done(self.order_id, "provisioning_retried")
    }

    fn example() -> Self {
        Self { order_id: id(1), retry: 1 }
    }
}

impl EventData for ProvisioningRetriedElsewhere {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/retry/{}", self.order_id, self.retry))
            .done(self.order_id, "provisioning_retried")
            .told(NotificationKind::ProvisioningMoved)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self { order_id: id(1), retry: 2, to: place() }
    }
}

impl EventData for ServerRenewed {
    fn facts(&self) -> Facts {
        Facts::of(format!("renewal/{}/paid", self.renewal_id))
            .told(NotificationKind::VpsRenewed)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self {
            instance_id: id(6),
            invoice_id: id(3),
            renewal_id: id(7),
            name: HOST.to_owned(),
            expires_at: moment(),
        }
    }
}

impl EventData for ServerResized {
    fn facts(&self) -> Facts {
        Facts::of(format!("resize/{}/completed", self.resize_id))
            .told(NotificationKind::VpsResized)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self {
            resize_id: id(9),
            instance_id: id(6),
            name: HOST.to_owned(),
            plan: "Basic 2 GB".to_owned(),
            credited: None,
        }
    }
}

impl EventData for ServerResizeFailed {
    fn facts(&self) -> Facts {
        Facts::of(format!("resize/{}/failed", self.resize_id))
            .told(NotificationKind::VpsResized)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self {
            resize_id: id(9),
            instance_id: id(6),
            action_id: id(10),
            name: HOST.to_owned(),
            plan: "Basic 2 GB".to_owned(),
            returned: Some(Rupiah::new(66_600)),
        }
    }
}

impl EventData for ServerCancellationPlanned {
    fn facts(&self) -> Facts {
        Facts::of(format!("cancellation/{}/planned", self.cancellation_id))
            .told(NotificationKind::VpsCancelled)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self { cancellation_id: id(8), instance_id: id(6), name: HOST.to_owned(), ends_at: moment() }
    }
}

impl EventData for ServerCancellationRevoked {
    fn facts(&self) -> Facts {
        Facts::of(format!("cancellation/{}/revoked", self.cancellation_id))
            .told(NotificationKind::VpsCancelled)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self {
            cancellation_id: id(8),
            instance_id: id(6),
            name: HOST.to_owned(),
            ends_at: moment(),
            auto_renew: true,
        }
    }
}

impl EventData for ServerCancelled {
    fn facts(&self) -> Facts {
        Facts::of(format!("cancellation/{}/now", self.cancellation_id))
            .told(NotificationKind::VpsCancelled)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self {
            cancellation_id: id(8),
            instance_id: id(6),
            name: HOST.to_owned(),
            credited: Some(Rupiah::new(71_595)),
        }
    }
}

impl EventData for ServerTerminated {
    fn facts(&self) -> Facts {
        Facts::of(format!("instance/{}/terminated", self.instance_id))
            .told(NotificationKind::VpsTerminated)
            .at(format!("/instances/{}", self.instance_id))
    }

    fn example() -> Self {
        Self { instance_id: id(6), name: HOST.to_owned(), snapshot_kept_until: Some(moment()) }
    }
}

fn place() -> ServerPlace {
    ServerPlace {
        provider: "Vultr".to_owned(),
        region: "Singapore".to_owned(),
        plan: "Regular 1 GB".to_owned(),
    }
}
