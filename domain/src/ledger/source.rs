//! Where a payment's money comes from: decided by its method, once, and carried by a type. What brings money into the
//! books wants [`Incoming`], and no payment from the balance has one: money out of nowhere can't be written down.

use super::AccountKind;
use crate::{billing::PaymentMethod, ids::PaymentId};

/// Where a payment's money comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneySource {
    /// From outside: it is ours anew.
    Outside(Incoming),
    /// The customer's balance: we have had it all along, and it can only be set aside.
    Wallet(FromWallet),
}

impl MoneySource {
    /// Where the money of `payment`, which is paid by `method`, comes from.
    #[must_use]
    pub const fn of(payment: PaymentId, method: PaymentMethod) -> Self {
        match method {
            PaymentMethod::Qris | PaymentMethod::VirtualAccount => {
                Self::Outside(Incoming { payment, account: AccountKind::GatewayClearing })
            }
            PaymentMethod::ManualTransfer => Self::Outside(Incoming { payment, account: AccountKind::Bank }),
            PaymentMethod::Wallet => Self::Wallet(FromWallet { payment }),
        }
    }

    /// The money, if it comes from outside.
    #[must_use]
    pub const fn incoming(self) -> Option<Incoming> {
        match self {
            Self::Outside(incoming) => Some(incoming),
            Self::Wallet(_) => None,
        }
    }

    /// The money, if it comes from the balance.
    #[must_use]
    pub const fn from_wallet(self) -> Option<FromWallet> {
        match self {
            Self::Outside(_) => None,
            Self::Wallet(from_wallet) => Some(from_wallet),
        }
    }
}

/// Money of a payment that comes from outside, to our bank account or to a gateway that holds it for us. Only
/// [`MoneySource::of`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    payment: PaymentId,
    account: AccountKind,
}

impl Incoming {
    /// The payment that brings it.
    #[must_use]
    pub const fn payment(self) -> PaymentId {
        self.payment
    }

    /// Whether a gateway holds it for us: then it is what the gateway was asked to charge, neither more nor less.
    #[must_use]
    pub const fn is_at_gateway(self) -> bool {
        matches!(self.account, AccountKind::GatewayClearing)
    }

    /// The account it arrives on.
    pub(super) const fn account(self) -> AccountKind {
        self.account
    }
}

/// Money of a payment that comes from the customer's balance. Only [`MoneySource::of`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FromWallet {
    payment: PaymentId,
}

impl FromWallet {
    /// The payment that takes it.
    #[must_use]
    pub const fn payment(self) -> PaymentId {
        self.payment
    }
}
