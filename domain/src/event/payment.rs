//! Money that comes in, does not come, or is taken back.

use super::{
    example::{HOST, id},
    facts::{EventData, Facts, StepStatus, data},
};
use crate::{
    billing::{Bank, PaymentMethod, PaymentStatus},
    ids::{DepositId, DisputeId, InvoiceId, OrderId, PaymentId, ProofId},
    money::Rupiah,
    notification::NotificationKind,
};

data! {
    /// An order is paid.
    PaymentConfirmed {
        order_id: OrderId,
        payment_id: PaymentId,
        hostname: String,
        method: PaymentMethod,
        bank: Option<Bank>,
        /// What came in.
        arrived: Rupiah,
        /// Whether it came after the deadline.
        late: bool,
        /// What of it was more than was due, and went to the balance.
        surplus: Option<Rupiah>,
    }

    /// A gateway refused an attempt: another way to pay is to be chosen. It was for an order, a bill or a deposit.
    PaymentRefused {
        payment_id: PaymentId,
        order_id: Option<OrderId>,
        invoice_id: Option<InvoiceId>,
        deposit_id: Option<DepositId>,
        hostname: Option<String>,
        /// Number of the bill.
        number: Option<String>,
        method: PaymentMethod,
        bank: Option<Bank>,
        amount: Rupiah,
    }

    /// An attempt to pay an order will bring no money any more.
    PaymentClosed {
        order_id: OrderId,
        payment_id: PaymentId,
        method: PaymentMethod,
        bank: Option<Bank>,
        /// `EXPIRED` or `CANCELLED`.
        status: PaymentStatus,
    }

    /// A transfer was less than is due.
    PaymentIncomplete {
        order_id: OrderId,
        payment_id: PaymentId,
        hostname: String,
        /// What came in this time.
        arrived: Rupiah,
        /// What came in with this transfer in all.
        received: Rupiah,
        /// What is still due.
        missing: Rupiah,
    }

    /// Money that an order could not take went to the balance.
    PaymentCredited { order_id: OrderId, payment_id: PaymentId, hostname: String, arrived: Rupiah }

    /// A bill that belongs to no order is paid.
    InvoicePaid { invoice_id: InvoiceId, payment_id: PaymentId, number: String, amount: Rupiah }

    /// Money that such a bill could not take went to the balance.
    InvoicePaymentCredited { invoice_id: InvoiceId, payment_id: PaymentId, number: String, amount: Rupiah }

    /// What was set aside for an order went to the balance.
    MoneyReleased {
        order_id: OrderId,
        hostname: String,
        amount: Rupiah,
        /// What released it, such as `expired`.
        cause: String,
    }

    /// Our team did not accept a payment.
    PaymentRejected { order_id: OrderId, payment_id: PaymentId, hostname: String, reason: String }

    /// A proof of a bank transfer for an order arrived.
    ProofReceived { order_id: OrderId, payment_id: PaymentId, proof_id: ProofId }

    /// Money of a payment was taken back.
    PaymentTakenBack { payment_id: PaymentId, order_id: Option<OrderId>, dispute_id: DisputeId, amount: Rupiah }
}

impl EventData for PaymentConfirmed {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/payment_confirmed", self.order_id))
            .done(self.order_id, "payment_confirmed")
            .told(NotificationKind::PaymentConfirmed)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            payment_id: id(2),
            hostname: HOST.to_owned(),
            method: PaymentMethod::VirtualAccount,
            bank: Some(Bank::Bca),
            arrived: Rupiah::new(143_190),
            late: true,
            surplus: Some(Rupiah::new(6_810)),
        }
    }
}

impl EventData for PaymentRefused {
    fn facts(&self) -> Facts {
        let facts = Facts::of(format!("payment/{}/refused", self.payment_id))
            .step(self.order_id, "payment_closed", StepStatus::Failed)
            .told(NotificationKind::PaymentFailed);
        match (self.order_id, self.invoice_id) {
            (Some(order), _) => facts.at_order(order),
            (None, Some(invoice)) => facts.at(format!("/invoices/{invoice}")),
            (None, None) => facts.at("/wallet"),
        }
    }

    fn example() -> Self {
        Self {
            payment_id: id(2),
            order_id: Some(id(1)),
            invoice_id: Some(id(3)),
            deposit_id: None,
            hostname: Some(HOST.to_owned()),
            number: Some("INV/2026/000123".to_owned()),
            method: PaymentMethod::Qris,
            bank: None,
            amount: Rupiah::new(143_190),
        }
    }
}

impl EventData for PaymentClosed {
    fn facts(&self) -> Facts {
        let status = self.status.as_str().to_ascii_lowercase();
        Facts::of(format!("payment/{}/{status}", self.payment_id)).failed(self.order_id, "payment_closed")
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            payment_id: id(2),
            method: PaymentMethod::VirtualAccount,
            bank: Some(Bank::Mandiri),
            status: PaymentStatus::Expired,
        }
    }
}

impl EventData for PaymentIncomplete {
    fn facts(&self) -> Facts {
        Facts::of(format!("payment/{}/part/{}", self.payment_id, self.received.get()))
            .waiting(self.order_id, "payment_incomplete")
            .told(NotificationKind::PaymentIncomplete)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            payment_id: id(2),
            hostname: HOST.to_owned(),
            arrived: Rupiah::new(100_000),
            received: Rupiah::new(100_000),
            missing: Rupiah::new(43_190),
        }
    }
}

impl EventData for PaymentCredited {
    fn facts(&self) -> Facts {
        Facts::of(format!("payment/{}/credited", self.payment_id))
            .done(self.order_id, "payment_credited")
            .told(NotificationKind::WalletCredited)
            .at("/wallet")
    }

    fn example() -> Self {
        Self { order_id: id(1), payment_id: id(2), hostname: HOST.to_owned(), arrived: Rupiah::new(143_190) }
    }
}

impl EventData for InvoicePaid {
    fn facts(&self) -> Facts {
        Facts::of(format!("invoice/{}/payment_confirmed", self.invoice_id))
            .told(NotificationKind::PaymentConfirmed)
            .at(format!("/invoices/{}", self.invoice_id))
    }

    fn example() -> Self {
        Self {
            invoice_id: id(3),
            payment_id: id(2),
            number: "INV/2026/000123".to_owned(),
            amount: Rupiah::new(143_190),
        }
    }
}

impl EventData for InvoicePaymentCredited {
    fn facts(&self) -> Facts {
        Facts::of(format!("payment/{}/credited_for_invoice", self.payment_id))
            .told(NotificationKind::WalletCredited)
            .at("/wallet")
    }

    fn example() -> Self {
        Self {
            invoice_id: id(3),
            payment_id: id(2),
            number: "INV/2026/000123".to_owned(),
            amount: Rupiah::new(143_190),
        }
    }
}

impl EventData for MoneyReleased {
    fn facts(&self) -> Facts {
        Facts::of(format!("order/{}/released/{}", self.order_id, self.cause))
            .done(self.order_id, "money_released")
            .told(NotificationKind::WalletCredited)
            .at("/wallet")
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            hostname: HOST.to_owned(),
            amount: Rupiah::new(100_000),
            cause: "expired".to_owned(),
        }
    }
}

impl EventData for PaymentRejected {
    fn facts(&self) -> Facts {
        Facts::of(format!("payment/{}/rejected", self.payment_id))
            .failed(self.order_id, "payment_rejected")
            .told(NotificationKind::PaymentRejected)
            .at_order(self.order_id)
    }

    fn example() -> Self {
        Self {
            order_id: id(1),
            payment_id: id(2),
            hostname: HOST.to_owned(),
            reason: "No such transfer".to_owned(),
        }
    }
}

impl EventData for ProofReceived {
    fn facts(&self) -> Facts {
        Facts::of(format!("payment/{}/proof/{}", self.payment_id, self.proof_id))
            .waiting(self.order_id, "proof_uploaded")
    }

    fn example() -> Self {
        Self { order_id: id(1), payment_id: id(2), proof_id: id(4) }
    }
}

impl EventData for PaymentTakenBack {
    fn facts(&self) -> Facts {
        Facts::of(format!("dispute/{}/accepted", self.dispute_id))
            .step(self.order_id, "payment_taken_back", StepStatus::Done)
            .told(NotificationKind::PaymentTakenBack)
    }

    fn example() -> Self {
        Self { payment_id: id(2), order_id: Some(id(1)), dispute_id: id(5), amount: Rupiah::new(143_190) }
    }
}
