//! How little and how much can be paid at once: gateways bound what they take, by method and bank.

use std::collections::BTreeMap;

use crate::{
    billing::{Bank, PaymentMethod},
    money::Rupiah,
    text_enum::text_enum,
};

text_enum! {
    /// What money is paid for. Not every method pays everything.
    Payable {
        /// An order and its invoice.
        Order = "ORDER",
        /// A deposit.
        Deposit = "DEPOSIT",
        /// An invoice that belongs to no order: a further term of a server, or what staff billed.
        Invoice = "INVOICE",
    }
}

impl Payable {
    /// Whether this can be paid so. Administrators check transfers for orders only, and a balance is not filled from
    /// itself.
    #[must_use]
    pub const fn takes(self, method: PaymentMethod) -> bool {
        match method {
            PaymentMethod::Qris | PaymentMethod::VirtualAccount => true,
            PaymentMethod::ManualTransfer => matches!(self, Self::Order),
            PaymentMethod::Wallet => !matches!(self, Self::Deposit),
        }
    }
}

/// One way to pay: a method, with the bank of a virtual account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The method.
    pub method: PaymentMethod,
    /// The bank, if the method needs one.
    pub bank: Option<Bank>,
}

impl Way {
    /// Every way there is by a method.
    #[must_use]
    pub fn all_by(method: PaymentMethod) -> Vec<Self> {
        match method {
            PaymentMethod::VirtualAccount => {
                Bank::ALL.iter().map(|bank| Self { method, bank: Some(*bank) }).collect()
            }
            method => vec![Self { method, bank: None }],
        }
    }
}

impl std::fmt::Display for Way {
    /// `QRIS`, `VIRTUAL_ACCOUNT of BCA`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bank {
            Some(bank) => write!(f, "{} of {bank}", self.method),
            None => write!(f, "{}", self.method),
        }
    }
}

/// From how much to how much can be paid at once, both included, in whole rupiah.
///
/// ```
/// use domain::{Rupiah, billing::PaymentMethod, payment_limits::{AmountLimits, Way}};
///
/// let limits = AmountLimits { minimum: Rupiah::new(1_500), maximum: Some(Rupiah::new(10_000_000)) };
/// let qris = Way { method: PaymentMethod::Qris, bank: None };
/// assert!(limits.check(qris, Rupiah::new(10_000_000)).is_ok(), "both ends are included");
/// let refused = limits.check(qris, Rupiah::new(10_000_001)).unwrap_err();
/// assert_eq!(refused.to_string(), "QRIS takes at most Rp10.000.000 at once; this is Rp10.000.001");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountLimits {
    /// The least.
    pub minimum: Rupiah,
    /// The most; `None` when nothing bounds it.
    pub maximum: Option<Rupiah>,
}

impl AmountLimits {
    /// Nothing bounds it.
    pub const NONE: Self = Self { minimum: Rupiah::new(1), maximum: None };

    /// The one decision: can so much be paid at once?
    ///
    /// # Errors
    /// [`OutsideLimits`] when it can't.
    pub fn check(self, way: Way, amount: Rupiah) -> Result<(), OutsideLimits> {
        if amount < self.minimum || self.maximum.is_some_and(|most| amount > most) {
            return Err(OutsideLimits { way, amount, limits: self });
        }
        Ok(())
    }
}

/// An amount that can't be paid in a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideLimits {
    /// The way.
    pub way: Way,
    /// The amount.
    pub amount: Rupiah,
    /// What bounds it.
    pub limits: AmountLimits,
}

impl std::fmt::Display for OutsideLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { way, amount, limits } = self;
        match limits.maximum {
            Some(most) if *amount > most => write!(f, "{way} takes at most {most} at once; this is {amount}"),
            _ => write!(f, "{way} takes at least {} at once; this is {amount}", limits.minimum),
        }
    }
}

impl std::error::Error for OutsideLimits {}

/// What bounds payments through the gateways that are set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentLimits(BTreeMap<(String, Way), AmountLimits>);

impl PaymentLimits {
    /// The same with a bound, in place of what bounded that way before.
    #[must_use]
    pub fn with(mut self, gateway: &str, way: Way, limits: AmountLimits) -> Self {
        self.0.insert((gateway.to_owned(), way), limits);
        self
    }

    /// What bounds a way to pay through a gateway; nothing does without one.
    #[must_use]
    pub fn of(&self, gateway: Option<&str>, way: Way) -> AmountLimits {
        gateway
            .and_then(|gateway| self.0.get(&(gateway.to_owned(), way)))
            .copied()
            .unwrap_or(AmountLimits::NONE)
    }

    /// Whether an amount can be paid so.
    ///
    /// # Errors
    /// [`OutsideLimits`] when it can't.
    pub fn check(&self, gateway: Option<&str>, way: Way, amount: Rupiah) -> Result<(), OutsideLimits> {
        self.of(gateway, way).check(way, amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QRIS: Way = Way { method: PaymentMethod::Qris, bank: None };

    fn limits() -> PaymentLimits {
        let most = Some(Rupiah::new(10_000_000));
        PaymentLimits::default().with(
            "midtrans",
            QRIS,
            AmountLimits { minimum: Rupiah::new(1_500), maximum: most },
        )
    }

    #[test]
    fn both_ends_are_included() {
        let check = |amount| limits().check(Some("midtrans"), QRIS, Rupiah::new(amount));
        for fits in [1_500, 10_000_000] {
            assert_eq!(check(fits), Ok(()), "{fits}");
        }
        let small = check(1_499).unwrap_err().to_string();
        assert!(small.starts_with("QRIS takes at least") && small.contains("1.500"), "{small}");
        let large = check(10_000_001).unwrap_err().to_string();
        assert!(large.starts_with("QRIS takes at most") && large.contains("10.000.001"), "{large}");
    }

    #[test]
    fn only_the_gateway_bounds_what_it_takes() {
        let much = Rupiah::new(i64::MAX);
        let bca = Way { method: PaymentMethod::VirtualAccount, bank: Some(Bank::Bca) };
        assert_eq!(limits().check(Some("xendit"), QRIS, much), Ok(()));
        assert_eq!(limits().check(Some("midtrans"), bca, much), Ok(()));
        assert_eq!(limits().check(None, QRIS, much), Ok(()));
    }

    #[test]
    fn not_every_method_pays_everything() {
        let by =
            |payable: Payable| PaymentMethod::ALL.iter().filter(|method| payable.takes(**method)).count();
        assert_eq!((by(Payable::Order), by(Payable::Deposit), by(Payable::Invoice)), (4, 2, 3));
    }

    #[test]
    fn a_virtual_account_is_one_way_for_each_bank() {
        assert_eq!(Way::all_by(PaymentMethod::VirtualAccount).len(), Bank::ALL.len());
        assert_eq!(Way::all_by(PaymentMethod::Qris), [QRIS]);
    }
}
