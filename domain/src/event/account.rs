//! A customer's balance and bills, and news for everybody.

use uuid::Uuid;

use super::{
    example::id,
    facts::{EventData, Facts, data},
};
use crate::{
    ids::{DepositId, InvoiceId, MovementId, PaymentId},
    money::Rupiah,
    notification::NotificationKind,
};

data! {
    /// What a promo code does to a deposit.
    DepositBonus {
        code: String,
        /// What was promised.
        amount: Rupiah,
        /// Whether it was given: not when the money came so late that the code was used up or switched off by then.
        given: bool,
    }

    /// A deposit arrived.
    DepositReceived {
        deposit_id: DepositId,
        payment_id: PaymentId,
        amount: Rupiah,
        bonus: Option<DepositBonus>,
    }

    /// Our team corrected a balance.
    BalanceCorrected {
        movement_id: MovementId,
        /// What it is more by, or, below nothing, less.
        amount: Rupiah,
        reason: String,
    }

    /// A bill that our team made was issued.
    InvoiceIssued { invoice_id: InvoiceId, number: String, total: Rupiah }

    /// A bill was withdrawn before it was paid.
    InvoiceVoided { invoice_id: InvoiceId, number: String, reason: String }

    /// News from us to all, in our own words: they are told as they were written.
    Announcement {
        announcement_id: Uuid,
        title: String,
        message: String,
        /// Its readers are told part by part, of which each is an event.
        part: Option<i32>,
    }
}

impl EventData for DepositReceived {
    fn facts(&self) -> Facts {
        Facts::of(format!("deposit/{}/received", self.deposit_id))
            .told(NotificationKind::DepositReceived)
            .at("/wallet")
    }

    fn example() -> Self {
        let bonus = DepositBonus { code: "HEMAT10".to_owned(), amount: Rupiah::new(40_000), given: true };
        Self { deposit_id: id(8), payment_id: id(2), amount: Rupiah::new(500_000), bonus: Some(bonus) }
    }
}

impl EventData for BalanceCorrected {
    fn facts(&self) -> Facts {
        let kind = match self.amount.is_negative() {
            true => NotificationKind::WalletDebited,
            false => NotificationKind::WalletCredited,
        };
        Facts::of(format!("movement/{}", self.movement_id)).told(kind).at("/wallet")
    }

    fn example() -> Self {
        Self {
            movement_id: id(9),
            amount: Rupiah::new(-25_000),
            reason: "A deposit was booked twice.".to_owned(),
        }
    }
}

impl EventData for InvoiceIssued {
    fn facts(&self) -> Facts {
        Facts::of(format!("invoice/{}/issued", self.invoice_id))
            .told(NotificationKind::InvoiceIssued)
            .at(format!("/invoices/{}", self.invoice_id))
    }

    fn example() -> Self {
        Self { invoice_id: id(3), number: "INV/2026/000123".to_owned(), total: Rupiah::new(555_000) }
    }
}

impl EventData for InvoiceVoided {
    fn facts(&self) -> Facts {
        Facts::of(format!("invoice/{}/voided", self.invoice_id))
            .told(NotificationKind::InvoiceVoided)
            .at(format!("/invoices/{}", self.invoice_id))
    }

    fn example() -> Self {
        Self {
            invoice_id: id(3),
            number: "INV/2026/000123".to_owned(),
            reason: "It was made twice.".to_owned(),
        }
    }
}

impl EventData for Announcement {
    fn facts(&self) -> Facts {
        let part = self.part.unwrap_or_default();
        Facts::of(format!("announcement/{}/{part}", self.announcement_id))
            .told(NotificationKind::SystemAnnouncement)
    }

    fn example() -> Self {
        Self {
            announcement_id: id(14),
            title: "Servers in Jakarta".to_owned(),
            message: "From December on you can have servers in Jakarta.".to_owned(),
            part: Some(1),
        }
    }
}
