//! Invoices and payments: their states and how customers may pay.

use crate::{
    money::{AmountOverflow, Rupiah},
    text_enum::text_enum,
};

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
        /// It counts only if its gateway says the same when it is asked, which it could not be.
        Unanswered = "UNANSWERED",
        /// Its gateway took back what we had: there is a dispute about it.
        Disputed = "DISPUTED",
        /// Its origin is proven, and it can't be read.
        Unreadable = "UNREADABLE",
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

text_enum! {
    /// Where a deposit stands.
    DepositStatus {
        /// Waiting for money.
        Open = "OPEN",
        /// On the balance.
        Credited = "CREDITED",
    }
}

/// What is claimed for an order, an invoice or a deposit. It is the one answer to what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Whether it waits for money: nothing is due on what is paid, expired, called off or void.
    pub waits: bool,
    /// The whole price.
    pub total: Rupiah,
    /// What earlier transfers have brought of it, and is set aside.
    pub set_aside: Rupiah,
}

impl Claim {
    /// What an attempt by `method` has to bring to pay it in full, whether it waits or not. A gateway charges the whole
    /// price, whatever is set aside.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the difference leaves the range.
    pub fn price_by(&self, method: PaymentMethod) -> Result<Rupiah, AmountOverflow> {
        match method {
            PaymentMethod::Qris | PaymentMethod::VirtualAccount => Ok(self.total),
            PaymentMethod::ManualTransfer | PaymentMethod::Wallet => self.total.minus(self.set_aside),
        }
    }

    /// What is due by an attempt by `method` that stands at `status`; `None` when nobody waits for it.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the difference leaves the range.
    pub fn due_by(
        &self,
        method: PaymentMethod,
        status: PaymentStatus,
    ) -> Result<Option<Rupiah>, AmountOverflow> {
        if !self.waits || !status.is_open() {
            return Ok(None);
        }
        self.price_by(method).map(Some)
    }
}

impl InvoiceStatus {
    /// Whether an invoice may go from here to `next`; the database holds the same arrows. A void one is paid only when
    /// money that came late brings its expired order back.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft, Self::Open | Self::Void)
                | (Self::Open, Self::Paid | Self::Void)
                | (Self::Void, Self::Paid)
                | (Self::Paid, Self::Refunded)
        )
    }
}

impl DepositStatus {
    /// Whether a deposit may go from here to `next`; the database holds the same arrows.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!((self, next), (Self::Open, Self::Credited))
    }
}

impl PaymentStatus {
    /// Whether an attempt may go from here to `next`; the database holds the same arrows. Money wins over whatever was
    /// believed before, and nothing takes it back: that is a refund.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Unknown)
                | (Self::Unknown, Self::Pending)
                | (Self::Pending | Self::Unknown, Self::Denied | Self::Expired | Self::Cancelled)
                | (
                    Self::Pending | Self::Unknown | Self::Denied | Self::Expired | Self::Cancelled,
                    Self::Paid
                )
        )
    }

    /// True when a gateway's message may still change this attempt.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }

    /// What follows for an attempt in this status when the gateway reports `reported`, by what stands behind the report.
    /// A signature does for an attempt that is open. What would pay a closed one, or take back what is paid, contradicts
    /// something we were told before, so it counts only when the gateway says so on being asked. Money wins over any order of
    /// arrival: a settlement counts even after an expiry or a denial.
    ///
    /// ```
    /// use domain::billing::{Consequence, Evidence, PaymentStatus};
    ///
    /// let paid = |status: PaymentStatus, evidence| status.after_report(PaymentStatus::Paid, evidence);
    /// assert_eq!(paid(PaymentStatus::Pending, Evidence::Signed), Consequence::Moves(PaymentStatus::Paid));
    /// // That it would be paid after all contradicts what was told before.
    /// assert_eq!(paid(PaymentStatus::Expired, Evidence::Signed), Consequence::AskFirst);
    /// assert_eq!(paid(PaymentStatus::Expired, Evidence::Asked), Consequence::Moves(PaymentStatus::Paid));
    /// ```
    #[must_use]
    pub const fn after_report(self, reported: Self, evidence: Evidence) -> Consequence {
        match (self, reported) {
            (Self::Paid, Self::Denied | Self::Expired | Self::Cancelled) => {
                evidence.suffices_for(Consequence::TakesBack)
            }
            (Self::Denied | Self::Expired | Self::Cancelled, Self::Paid) => {
                evidence.suffices_for(Consequence::Moves(reported))
            }
            (Self::Pending | Self::Unknown, Self::Paid | Self::Denied | Self::Expired | Self::Cancelled)
            | (Self::Unknown, Self::Pending) => Consequence::Moves(reported),
            _ => Consequence::Nothing,
        }
    }
}

/// What a gateway took in for an attempt that it charged: all of it, less the fee that it made the payer pay on top. `None`
/// when it names no amount of ours.
#[must_use]
pub fn charged(gross: Option<Rupiah>, payer_fee: Option<Rupiah>) -> Option<Rupiah> {
    gross?.minus(payer_fee.unwrap_or_default()).ok()
}

/// What stands behind a report of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It came to us and is signed. A signature need not cover all that it says, and may have been seen by others.
    Signed,
    /// The gateway said it when we asked.
    Asked,
}

impl Evidence {
    /// Whether it stands behind a fee that the payer is said to have paid: no signature covers what a gateway took in is made
    /// up of.
    #[must_use]
    pub const fn covers_payer_fee(self) -> bool {
        matches!(self, Self::Asked)
    }

    const fn suffices_for(self, consequence: Consequence) -> Consequence {
        match self {
            Self::Asked => consequence,
            Self::Signed => Consequence::AskFirst,
        }
    }
}

/// What follows from a report of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Nothing: it is so already, or was overtaken.
    Nothing,
    /// The attempt stands there now.
    Moves(PaymentStatus),
    /// The gateway is to be asked first.
    AskFirst,
    /// What is paid is not paid any more.
    TakesBack,
}

/// Whether a gateway's name for an attempt is of the kind that we give: `WB-`, `WI-` or `WD-`, 32 hexadecimal digits, and a
/// number. Dashboards try an address out with names of their own.
#[must_use]
pub fn is_name_of_attempt(name: &str) -> bool {
    let ours = ["WB-", "WI-", "WD-"].iter().find_map(|prefix| name.strip_prefix(prefix));
    ours.and_then(|rest| rest.split_once('-')).is_some_and(|(id, number)| {
        id.len() == 32
            && id.bytes().all(|b| b.is_ascii_hexdigit())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::{
        Claim, Consequence as C, Evidence as E, PaymentMethod as M, PaymentStatus as P, Rupiah, charged,
        is_name_of_attempt,
    };

    const CLOSED: [P; 3] = [P::Denied, P::Expired, P::Cancelled];

    #[test]
    fn what_is_due_is_what_is_missing_while_somebody_waits() {
        let claim = Claim { waits: true, total: Rupiah::new(143_190), set_aside: Rupiah::new(133_190) };
        let due = |claim: Claim, method, status| claim.due_by(method, status).unwrap().map(Rupiah::get);
        assert_eq!(due(claim, M::ManualTransfer, P::Pending), Some(10_000));
        assert_eq!(due(claim, M::Wallet, P::Pending), Some(10_000));
        assert_eq!(due(claim, M::Qris, P::Unknown), Some(143_190));
        for closed in [P::Paid, P::Denied, P::Expired, P::Cancelled] {
            assert_eq!(due(claim, M::ManualTransfer, closed), None);
        }
        for method in M::ALL {
            assert_eq!(due(Claim { waits: false, ..claim }, *method, P::Pending), None);
        }
    }

    #[test]
    fn reports_move_along_the_arrows_only() {
        for from in P::ALL {
            for told in P::ALL {
                if let C::Moves(to) = from.after_report(*told, E::Asked) {
                    assert!(from.may_become(to), "{from} to {to}");
                }
            }
            assert!(!P::Paid.may_become(*from) && !from.may_become(*from));
        }
    }

    #[test]
    fn money_wins_over_the_order_of_arrival() {
        for earlier in [P::Pending, P::Unknown, P::Denied, P::Expired, P::Cancelled] {
            assert_eq!(earlier.after_report(P::Paid, E::Asked), C::Moves(P::Paid));
        }
        for nothing_new in [P::Pending, P::Unknown, P::Paid] {
            assert_eq!(P::Paid.after_report(nothing_new, E::Asked), C::Nothing);
        }
    }

    #[test]
    fn what_contradicts_what_was_told_before_is_asked_about() {
        for closed in CLOSED {
            assert_eq!(closed.after_report(P::Paid, E::Signed), C::AskFirst);
            assert_eq!(P::Paid.after_report(closed, E::Signed), C::AskFirst);
            assert_eq!(P::Paid.after_report(closed, E::Asked), C::TakesBack);
        }
        for open in [P::Pending, P::Unknown] {
            assert_eq!(open.after_report(P::Paid, E::Signed), C::Moves(P::Paid), "proof enough");
        }
    }

    #[test]
    fn the_payers_fee_is_not_what_we_charged() {
        let (gross, fee) = (Some(Rupiah::new(10_071)), Some(Rupiah::new(71)));
        assert_eq!(charged(gross, fee), Some(Rupiah::new(10_000)));
        assert_eq!(charged(gross, None), gross);
        assert_eq!(charged(None, fee), None);
        assert!(E::Asked.covers_payer_fee() && !E::Signed.covers_payer_fee());
    }

    #[test]
    fn a_closed_attempt_is_not_reopened() {
        for closed in CLOSED {
            assert_eq!(closed.after_report(P::Pending, E::Asked), C::Nothing);
            assert_eq!(closed.after_report(P::Expired, E::Asked), C::Nothing);
        }
        assert_eq!(P::Pending.after_report(P::Expired, E::Signed), C::Moves(P::Expired));
    }

    #[test]
    fn our_names_are_told_from_others() {
        for ours in ["WB-0193e7d043627709b2624de1f9ad2f5e-1", "WD-0193e7d043627709b2624de1f9ad2f5e-12"] {
            assert!(is_name_of_attempt(ours), "{ours}");
        }
        for other in ["", "WB-1", "payment_notif_test_G1_2", "WB-0193e7d043627709b2624de1f9ad2f5e-", "pr-1"] {
            assert!(!is_name_of_attempt(other), "{other}");
        }
    }
}
