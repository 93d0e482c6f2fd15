//! The books: double entry over a fixed set of accounts, and the rules by which money moves between them. A
//! [`Movement`] can only be made by one of the named rules ([`rules`]), so what each business event does to the books
//! is written down once. [`Books`] is the whole ledger as a plain value: what `store` keeps in the database must
//! behave like it.
//!
//! Amounts are signed: a positive entry is a credit, a negative one a debit, and the entries of a movement sum to
//! zero. What we owe a customer is a credit balance, so balances of [`AccountKind::CustomerWallet`] and
//! [`AccountKind::CustomerHolds`] are never negative; money that is ours (bank, clearing) shows as a debit.

mod books;
mod position;
mod recognition;
mod refund_split;
mod rules;
mod source;
mod taken_back;

pub use books::Books;
pub use position::Position;
pub use recognition::earned;
pub use refund_split::Share;
pub use rules::{Parties, Price, Service};
pub use source::{FromWallet, Incoming, MoneySource};
pub use taken_back::TakenBack;

use crate::{
    ids::{PaymentId, UserId},
    money::{AmountOverflow, Rupiah},
    text_enum::text_enum,
};

text_enum! {
    /// An account of the books. The first two exist per customer, the others once.
    AccountKind {
        /// What a customer can spend.
        CustomerWallet = "CUSTOMER_WALLET",
        /// What is set aside for a customer's orders that do not run yet.
        CustomerHolds = "CUSTOMER_HOLDS",
        /// Our bank account.
        Bank = "BANK",
        /// What gateways took in for us and have not paid out.
        GatewayClearing = "GATEWAY_CLEARING",
        /// What gateways keep, less what they made payers pay on top for it.
        GatewayFees = "GATEWAY_FEES",
        /// Paid, and not yet served.
        DeferredRevenue = "DEFERRED_REVENUE",
        /// Paid and served.
        Revenue = "REVENUE",
        /// PPN that we owe the state.
        TaxPayable = "TAX_PAYABLE",
        /// What we gave away.
        PromoExpense = "PROMO_EXPENSE",
        /// Revenue that was given back.
        Refunds = "REFUNDS",
        /// What is on its way back to customers through gateways.
        RefundsPayable = "REFUNDS_PAYABLE",
        /// What customers owe us: spent already, and taken back by a gateway since. One account for all of them; its
        /// movements name the customer.
        CustomerReceivable = "CUSTOMER_RECEIVABLE",
        /// Corrections by hand.
        Adjustments = "ADJUSTMENTS",
    }
}

impl AccountKind {
    /// Whether each customer has one; its balance is never negative.
    #[must_use]
    pub const fn is_customers(self) -> bool {
        matches!(self, Self::CustomerWallet | Self::CustomerHolds)
    }
}

text_enum! {
    /// Which rule made a movement.
    MovementKind {
        /// The customer put money into the balance.
        Deposit = "DEPOSIT",
        /// Money from outside paid an order.
        Payment = "PAYMENT",
        /// A transfer smaller than its order: it is set aside until the rest arrives.
        PartPayment = "PART_PAYMENT",
        /// Money for an order that could not take it any more went to the balance.
        LatePayment = "LATE_PAYMENT",
        /// What a transfer had too much went to the balance.
        Surplus = "SURPLUS",
        /// Money of the balance was set aside for an order.
        Hold = "HOLD",
        /// Money set aside was taken, since the order runs.
        Capture = "CAPTURE",
        /// Money set aside went back to the balance.
        Release = "RELEASE",
        /// Money of an order or invoice went back to the balance.
        Refund = "REFUND",
        /// Money of an order or invoice is to go back through its gateway.
        RefundOwed = "REFUND_OWED",
        /// The gateway gave it back.
        RefundSettled = "REFUND_SETTLED",
        /// The gateway did not, so it went to the balance.
        RefundReturned = "REFUND_RETURNED",
        /// An administrator corrected the balance.
        Adjustment = "ADJUSTMENT",
        /// A part of a term was served.
        Revenue = "REVENUE",
        /// A gateway paid out what it had taken in, less its fees.
        GatewayPayout = "GATEWAY_PAYOUT",
        /// We gave something on top of a deposit.
        PromoBonus = "PROMO_BONUS",
        /// A gateway took money back, and it was accepted that it did.
        Dispute = "DISPUTE",
        /// What a gateway made the payer pay on top of what we charged.
        PayerFee = "PAYER_FEE",
    }
}

/// Why a movement can't be made or posted. Nothing moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A movement moves more than nothing, and each of its parts at least nothing.
    #[error("an amount to be moved must be more than nothing")]
    NotPositive,
    /// The parts do not make up the whole.
    #[error("the entries of a movement must sum to zero")]
    Unbalanced,
    /// A customer has less than that.
    #[error("the balance does not suffice")]
    Insufficient,
    /// A movement of customers' money that names no customer.
    #[error("whose money it is was not said")]
    NoCustomer,
    /// A sum left the range.
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}

/// One side of a movement on one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The account; a customer's is that of the movement's customer.
    pub account: AccountKind,
    /// Positive: a credit; negative: a debit. Never zero.
    pub amount: Rupiah,
}

/// Money on its way between accounts, with what brought it about. Its entries sum to zero and name each account once.
///
/// ```
/// use domain::{Rupiah, billing::PaymentMethod, ledger::{AccountKind, Books, MoneySource, Movement}};
/// use uuid::Uuid;
///
/// let (customer, payment) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
/// let money = MoneySource::of(payment, PaymentMethod::Qris).incoming().ok_or("it comes from outside")?;
/// let deposit = Movement::deposit(customer, money, Rupiah::new(50_000))?;
/// // The gateway owes us what we owe the customer.
/// assert_eq!(deposit.amount_on(AccountKind::GatewayClearing), Rupiah::new(-50_000));
/// assert_eq!(deposit.amount_on(AccountKind::CustomerWallet), Rupiah::new(50_000));
///
/// let mut books = Books::default();
/// assert!(books.post(&deposit)?);
/// assert!(!books.post(&deposit)?, "one cause moves money once");
/// assert_eq!(books.balance(AccountKind::CustomerWallet, Some(customer)), Rupiah::new(50_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    kind: MovementKind,
    cause: String,
    customer: Option<UserId>,
    service: Option<Service>,
    payment: Option<PaymentId>,
    entries: Vec<Entry>,
}

impl Movement {
    /// The rule that made it.
    #[must_use]
    pub const fn kind(&self) -> MovementKind {
        self.kind
    }

    /// Identifies what brought it about: of two movements with the same cause only the first takes place.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Whose money is concerned.
    #[must_use]
    pub const fn customer(&self) -> Option<UserId> {
        self.customer
    }

    /// What it is about.
    #[must_use]
    pub const fn service(&self) -> Option<Service> {
        self.service
    }

    /// The payment it is about.
    #[must_use]
    pub const fn payment(&self) -> Option<PaymentId> {
        self.payment
    }

    /// What it does to each account.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What it does to one account.
    #[must_use]
    pub fn amount_on(&self, account: AccountKind) -> Rupiah {
        self.entries.iter().find(|entry| entry.account == account).map_or(Rupiah::ZERO, |entry| entry.amount)
    }
}
