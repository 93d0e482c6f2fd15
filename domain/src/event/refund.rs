//! Money that goes back to customers.

use serde::{Deserialize, Serialize};

use super::{
    example::{HOST, id},
    facts::{EventData, Facts, StepStatus, data},
};
use crate::{
    ids::{InvoiceId, OrderId, RefundId},
    money::Rupiah,
    notification::NotificationKind,
};

data! {
    /// An order was called off, and its money is on the balance.
    OrderMoneyReturned {
        order_id: OrderId,
        hostname: String,
        amount: Rupiah,
        /// Number of the credit note, if the bill was paid in full.
        credit_note: Option<String>,
        /// What it was called off by, such as `cancelled`.
        cause: String,
    }

    /// A refund: of an order, or of a bill that belongs to none.
    RefundOf {
        refund_id: RefundId,
        order_id: Option<OrderId>,
        invoice_id: InvoiceId,
        /// The order's server.
        hostname: Option<String>,
        /// Number of the bill.
        number: String,
        amount: Rupiah,
        /// Number of the credit note.
        credit_note: Option<String>,
    }
}

/// A refund went to the balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefundCredited(pub RefundOf);

/// A refund is on its way through the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefundSent(pub RefundOf);

/// The gateway gave a refund back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefundCompleted(pub RefundOf);

/// The gateway did not give a refund back, and it went to the balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RefundReturned(pub RefundOf);

impl EventData for OrderMoneyReturned {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/money_returned/{}", self.order_id, self.cause))
            .done(self.order_id, "money_returned")
            .told(NotificationKind::OrderRefunded)
            .at("/wallet")
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            hostname: HOST.to_owned(),
            amount: Rupiah::new(143_190),
            credit_note: Some("CN/2026/000007".to_owned()),
            cause: "cancelled".to_owned(),
        }
    }
}

impl RefundOf {
    /// A piece of news about it, of which `step` is the name on a timeline.
    fn news(&self, news: &str, step: &'static str) -> Facts {
        let kind = match self.order_id {
            Some(_) => NotificationKind::OrderRefunded,
            None => NotificationKind::InvoiceRefunded,
        };
        Facts::of(format!("refund/{}/{news}", self.refund_id))
            .step(self.order_id, step, StepStatus::Done)
            .told(kind)
    }

    fn example(n: u128) -> Self {
        Self {
            refund_id: id(10 + n),
            order_id: Some(id(1)),
            invoice_id: id(3),
            hostname: Some(HOST.to_owned()),
            number: "INV/2026/000123".to_owned(),
            amount: Rupiah::new(143_190),
            credit_note: Some("CN/2026/000007".to_owned()),
        }
    }
}

// A refund ends once, however that is: its ends share a key.
impl EventData for RefundCredited {
    fn facts(&self) -> Facts {
        self.0.news("ended", "money_returned").at("/wallet")
    }

    fn example() -> Self {
        Self(RefundOf::example(0))
    }
}

impl EventData for RefundSent {
    fn facts(&self) -> Facts {
        self.0.news("sent", "money_on_its_way")
    }

    fn example() -> Self {
        Self(RefundOf::example(1))
    }
}

impl EventData for RefundCompleted {
    fn facts(&self) -> Facts {
        self.0.news("ended", "money_returned")
    }

    fn example() -> Self {
        Self(RefundOf::example(2))
    }
}

impl EventData for RefundReturned {
    fn facts(&self) -> Facts {
        self.0.news("ended", "money_returned").at("/wallet")
    }

    fn example() -> Self {
        Self(RefundOf::example(3))
    }
}
