//! An order from its placing to its closing.

use super::{
    example::{HOST, id},
    facts::{EventData, Facts, data},
};
use crate::{ids::OrderId, money::Rupiah, notification::NotificationKind};

data! {
    /// An order was placed.
    OrderPlaced {
        order_id: OrderId,
        hostname: String,
        /// Name of the plan.
        plan: String,
        total: Rupiah,
    }

    /// An unpaid order nears its deadline.
    PaymentReminder { order_id: OrderId, hostname: String }

    /// An unpaid order was closed.
    OrderExpired { order_id: OrderId, hostname: String }

    /// A customer called an order off.
    OrderCancelled { order_id: OrderId }

    /// Our team called an order off.
    OrderCancelledByStaff { order_id: OrderId, hostname: String, reason: String }
}

impl EventData for OrderPlaced {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/order_placed", self.order_id))
            .done(self.order_id, "order_placed")
            .told(NotificationKind::OrderCreated)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            hostname: HOST.to_owned(),
            plan: "Basic 1 GB".to_owned(),
            total: Rupiah::new(143_190),
        }
    }
}

impl EventData for PaymentReminder {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/payment_reminder", self.order_id))
            .waiting(self.order_id, "payment_reminder")
            .told(NotificationKind::PaymentReminder)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self { order_id: id(1), hostname: HOST.to_owned() }
    }
}

impl EventData for OrderExpired {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/order_expired", self.order_id))
            .done(self.order_id, "order_expired")
            .told(NotificationKind::OrderExpired)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self { order_id: id(1), hostname: HOST.to_owned() }
    }
}

impl EventData for OrderCancelled {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/order_cancelled", self.order_id)).done(self.order_id, "order_cancelled")
    }

    fn example() -> Self {
        Self { order_id: id(1) }
    }
}

impl EventData for OrderCancelledByStaff {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/order_cancelled_by_staff", self.order_id))
            .done(self.order_id, "order_cancelled")
            .told(NotificationKind::OrderCancelled)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            hostname: HOST.to_owned(),
            reason: "The region is closed for good.".to_owned(),
        }
    }
}
