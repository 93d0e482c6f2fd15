//! Invoices and payments: their states and how customers may pay.

use crate::{money::Rupiah, text_enum::text_enum};

/// Least that can be put into the balance at once.
pub const SMALLEST_DEPOSIT: Rupiah = Rupiah::new(10_000);
/// Most that can be put into the balance at once.
pub const LARGEST_DEPOSIT: Rupiah = Rupiah::new(100_000_000);

text_enum! {
    /// Where an invoice stands. Once `OPEN` its lines never change.
    InvoiceStatus {
        /// Being put together.
        Draft = "DRAFT",
        /// Waiting for payment.
        Open = "OPEN",
        /// Paid in full.
        Paid = "PAID",
        /// Withdrawn before payment.
        Void = "VOID",
        /// Paid, then paid back.
        Refunded = "REFUNDED",
    }
}

text_enum! {
    /// Where one attempt to pay stands. Only an explicit answer makes it final; everything else stays pending.
    PaymentStatus {
        /// Waiting for the customer's money.
        Pending = "PENDING",
        /// The gateway did not say what became of the charge.
        Unknown = "UNKNOWN",
        /// The money is ours.
        Paid = "PAID",
        /// The gateway refused it.
        Denied = "DENIED",
        /// Not paid in the gateway's time.
        Expired = "EXPIRED",
        /// Called off, or replaced by a later attempt.
        Cancelled = "CANCELLED",
    }
}

text_enum! {
    /// What became of a payment's money. Money pays an order at most once.
    PaymentOutcome {
        /// It paid an order that was waiting for it.
        Applied = "APPLIED",
        /// It came after the deadline and brought the order back.
        Revived = "REVIVED",
        /// It went to the customer's balance: a deposit, or money that its order could not take any more.
        Credited = "CREDITED",
        /// Taken in by a version without balances, for an order that could not take it any more.
        Unapplied = "UNAPPLIED",
    }
}

text_enum! {
    /// What was done with a notification of a payment gateway.
    WebhookOutcome {
        /// It moved its payment.
        Applied = "APPLIED",
        /// It told nothing new.
        Ignored = "IGNORED",
        /// It is about another amount than its payment's.
        Mismatch = "MISMATCH",
        /// It was not made by who knows our key.
        BadSignature = "BAD_SIGNATURE",
        /// No payment of ours has its name.
        UnknownPayment = "UNKNOWN_PAYMENT",
        /// The gateway knows nothing of it when it is asked.
        Unconfirmed = "UNCONFIRMED",
    }
}

text_enum! {
    /// How a customer pays.
    PaymentMethod {
        /// Any Indonesian QR wallet or bank app.
        Qris = "QRIS",
        /// A bank account number made for this payment.
        VirtualAccount = "VIRTUAL_ACCOUNT",
        /// A bank transfer that an admin checks.
        ManualTransfer = "MANUAL_TRANSFER",
        /// The customer's own balance with us.
        Wallet = "WALLET",
    }
}

text_enum! {
    /// Banks that offer virtual accounts.
    Bank {
        /// Bank Central Asia.
        Bca = "BCA",
        /// Bank Negara Indonesia.
        Bni = "BNI",
        /// Bank Rakyat Indonesia.
        Bri = "BRI",
        /// Bank Mandiri (a bill key and a biller code instead of an account number).
        Mandiri = "MANDIRI",
        /// Bank Permata.
        Permata = "PERMATA",
    }
}

impl InvoiceStatus {
    /// Whether an invoice may go from here to `next`; the database holds the same arrows.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft, Self::Open | Self::Void)
                | (Self::Open, Self::Paid | Self::Void)
                | (Self::Paid, Self::Refunded)
        )
    }
}

impl PaymentStatus {
    /// True when a gateway's message may still change this attempt.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }

    /// What becomes of an attempt in this status when the gateway reports `reported`, or `None` when the report
    /// changes nothing. Money wins over any order of arrival: a settlement counts even after an expiry or a denial
    /// was reported, and nothing takes a settlement back here (that is a refund).
    #[must_use]
    pub const fn after_report(self, reported: Self) -> Option<Self> {
        match (self, reported) {
            (Self::Paid, _) => None,
            (_, Self::Paid) => Some(Self::Paid),
            (Self::Pending | Self::Unknown, Self::Denied | Self::Expired | Self::Cancelled) => Some(reported),
            (Self::Unknown, Self::Pending) => Some(Self::Pending),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PaymentStatus as P;

    #[test]
    fn money_wins_over_the_order_of_arrival() {
        for earlier in [P::Pending, P::Unknown, P::Denied, P::Expired, P::Cancelled] {
            assert_eq!(earlier.after_report(P::Paid), Some(P::Paid));
        }
        for late in P::ALL {
            assert_eq!(P::Paid.after_report(*late), None);
        }
    }

    #[test]
    fn a_closed_attempt_is_not_reopened() {
        for closed in [P::Denied, P::Expired, P::Cancelled] {
            assert_eq!(closed.after_report(P::Pending), None);
            assert_eq!(closed.after_report(P::Expired), None);
        }
        assert_eq!(P::Pending.after_report(P::Expired), Some(P::Expired));
    }
}
