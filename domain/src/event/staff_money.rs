//! What administrators have to know about money.

use chrono::{DateTime, Utc};

use super::{
    example::{id, moment},
    facts::{EventData, Facts, data},
};
use crate::{
    billing::WebhookOutcome,
    dispute::{MisfitReason, ReversalKind},
    ids::{DisputeId, LedgerCheckId, OrderId, PaymentId, ProofId},
    money::Rupiah,
    notification::NotificationKind,
};

data! {
    /// A proof of a bank transfer waits to be looked at.
    ProofReceivedForStaff {
        order_id: Option<OrderId>,
        payment_id: PaymentId,
        proof_id: ProofId,
        amount: Rupiah,
        gateway_order_id: String,
    }

    /// The books are not sound.
    LedgerUnsound {
        ledger_check_id: LedgerCheckId,
        /// The rules that do not hold.
        broken: Vec<String>,
    }

    /// A gateway took money back.
    PaymentDisputed {
        dispute_id: DisputeId,
        payment_id: PaymentId,
        gateway: String,
        gateway_order_id: String,
        reversal: ReversalKind,
        amount: Rupiah,
        /// When it is nothing of the amount: what of the payer's fee.
        payer_fee: Rupiah,
    }

    /// A gateway tells of money that does not fit.
    PaymentMismatched {
        gateway: String,
        /// What it is about, in the gateway's words.
        subject: String,
        payment_id: Option<PaymentId>,
        outcome: WebhookOutcome,
        /// What does not fit.
        reason: MisfitReason,
        /// Names the fact itself, however it came to us.
        key: String,
    }

    /// A gateway does not accept our credentials.
    GatewayRefuses {
        gateway: String,
        since: DateTime<Utc>,
        /// In the gateway's words.
        reason: String,
    }
}

impl EventData for ProofReceivedForStaff {
    fn facts(&self) -> Facts {
        let page =
            self.order_id.map_or("/admin/payments".to_owned(), |order| format!("/admin/orders/{order}"));
        Facts::of(format!("payment/{}/proof/{}/for_staff", self.payment_id, self.proof_id))
            .told(NotificationKind::ProofUploaded)
            .at(page)
    }

    fn example() -> Self {
        Self {
            order_id: Some(id(1)),
            payment_id: id(2),
            proof_id: id(4),
            amount: Rupiah::new(143_190),
            gateway_order_id: "WB-0193e7d043627709b2624de100000001-1".to_owned(),
        }
    }
}

impl EventData for LedgerUnsound {
    fn facts(&self) -> Facts {
        Facts::of(format!("ledger-check/{}", self.ledger_check_id))
            .told(NotificationKind::LedgerUnsound)
            .at(format!("/admin/ledger/checks/{}", self.ledger_check_id))
    }

    fn example() -> Self {
        Self { ledger_check_id: id(19), broken: vec!["every balance equals its entries".to_owned()] }
    }
}

impl EventData for PaymentDisputed {
    fn facts(&self) -> Facts {
        Facts::of(format!("dispute/{}", self.dispute_id))
            .told(NotificationKind::PaymentDisputed)
            .at(format!("/admin/disputes/{}", self.dispute_id))
    }

    fn example() -> Self {
        Self {
            dispute_id: id(5),
            payment_id: id(2),
            gateway: "midtrans".to_owned(),
            gateway_order_id: "WB-0193e7d043627709b2624de100000001-1".to_owned(),
            reversal: ReversalKind::Chargeback,
            amount: Rupiah::new(143_190),
            payer_fee: Rupiah::ZERO,
        }
    }
}

impl EventData for PaymentMismatched {
    fn facts(&self) -> Facts {
        Facts::of(self.key.clone()).told(NotificationKind::PaymentAlert).at("/admin/webhooks")
    }

    fn example() -> Self {
        Self {
            gateway: "midtrans".to_owned(),
            subject: "WB-0193e7d043627709b2624de100000001-1".to_owned(),
            payment_id: Some(id(2)),
            outcome: WebhookOutcome::Mismatch,
            reason: MisfitReason::OtherAmount { told: "1.00 IDR".to_owned(), expected: Rupiah::new(143_190) },
            key: format!("payment/{}/mismatch/1.00", id::<PaymentId>(2)),
        }
    }
}

impl EventData for GatewayRefuses {
    fn facts(&self) -> Facts {
        Facts::of(format!("gateway/{}/credentials/{}", self.gateway, self.since.timestamp_millis()))
            .told(NotificationKind::GatewayAlert)
    }

    fn example() -> Self {
        Self { gateway: "xendit".to_owned(), since: moment(), reason: "API key is not valid".to_owned() }
    }
}
