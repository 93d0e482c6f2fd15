//! Promo codes: what a code gives, and why it does not.
//!
//! A code of an `ORDER_*` kind takes something off an order, one of a `DEPOSIT_*` kind gives something on top of a
//! deposit. Its amount is a share or a fixed sum, at most the cap. A share is rounded once, half away from zero, to a
//! whole rupiah. The amount that a code is measured by is the price of the term less the term's own discount, before
//! tax; or the deposit.
//!
//! Whether a code applies is asked in this order, and the first "no" is the answer: is it for this, is it switched on,
//! has it begun, is it over, has this customer used it up, has everybody, is the amount large enough. A code that would
//! give nothing counts as below its minimum.

use chrono::{DateTime, Utc};

use crate::{
    money::{AmountOverflow, BasisPoints, Rupiah},
    pricing::{Discount, PromoDiscount},
    text_enum::text_enum,
};

/// Most rupiah that a fixed code may be worth, and most that a minimum or a cap may be.
pub const LARGEST_AMOUNT: i64 = 1_000_000_000;

/// Basis points in one percent.
const PERCENT: BasisPoints = 100;

text_enum! {
    /// What a code is for, and how it counts.
    PromoKind {
        /// So many percent off an order.
        OrderPercent = "ORDER_PERCENT",
        /// So many rupiah off an order.
        OrderFixed = "ORDER_FIXED",
        /// So many percent on top of a deposit.
        DepositPercent = "DEPOSIT_PERCENT",
        /// So many rupiah on top of a deposit.
        DepositFixed = "DEPOSIT_FIXED",
    }
}

impl PromoKind {
    /// What it is for.
    #[must_use]
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::OrderPercent | Self::OrderFixed => Purpose::Order,
            Self::DepositPercent | Self::DepositFixed => Purpose::Deposit,
        }
    }

    /// True when its value is percent, false when it is rupiah.
    #[must_use]
    pub const fn is_percent(self) -> bool {
        matches!(self, Self::OrderPercent | Self::DepositPercent)
    }
}

/// What somebody wants to use a code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Buying a server.
    Order,
    /// Putting money into the balance.
    Deposit,
}

text_enum! {
    /// Where one use of a code stands.
    RedemptionState {
        /// Taken for an order that does not run yet, or a deposit that is not paid yet. It counts.
        Reserved = "RESERVED",
        /// The order ran, or the bonus was credited. It counts, and is final.
        Redeemed = "REDEEMED",
        /// The order or deposit ended before. It does not count, and the customer can use the code again.
        Released = "RELEASED",
        /// An order came back by a late payment when the code was used up. Its price stands; it does not count.
        Honoured = "HONOURED",
    }
}

impl RedemptionState {
    /// Whether it counts towards the limits.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Reserved | Self::Redeemed)
    }

    /// Whether it may be followed by `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Reserved => matches!(next, Self::Redeemed | Self::Released),
            Self::Released => matches!(next, Self::Reserved | Self::Redeemed | Self::Honoured),
            Self::Honoured => matches!(next, Self::Released),
            Self::Redeemed => false,
        }
    }
}

/// A code as it is kept: 3 to 32 of `A-Z`, `0-9`, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct PromoCode(String);

/// A text that can't be a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a promo code has 3 to 32 letters, digits, dashes and underscores")]
pub struct InvalidPromoCode;

impl PromoCode {
    /// Reads a code as people write it: in any case, with blanks around it.
    ///
    /// # Errors
    /// [`InvalidPromoCode`] when it is too short, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, InvalidPromoCode> {
        let code = text.trim();
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (3..=32).contains(&code.len()) && code.bytes().all(known) {
            return Ok(Self(code.to_ascii_uppercase()));
        }
        Err(InvalidPromoCode)
    }

    /// The code in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PromoCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a code gives, to whom, when and how often. What is `None` does not restrict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromoTerms {
    /// What it is for, and how it counts.
    pub kind: PromoKind,
    /// Whole percent from 1 to 100, or whole rupiah.
    pub value: i64,
    /// Least amount it is given for.
    pub min_amount: Option<Rupiah>,
    /// Most that it takes off or gives.
    pub max_amount: Option<Rupiah>,
    /// How often one customer may use it.
    pub per_user_limit: Option<i64>,
    /// How often it may be used in all.
    pub global_limit: Option<i64>,
    /// From then on.
    pub starts_at: Option<DateTime<Utc>>,
    /// Only before then.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Terms that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermsFault {
    /// A share that is none.
    #[error("percent are from 1 to 100")]
    Percent,
    /// A fixed sum that is none.
    #[error("the amount is from 1 to {LARGEST_AMOUNT} whole rupiah")]
    Amount,
    /// A minimum that is none.
    #[error("the minimum is from 0 to {LARGEST_AMOUNT} whole rupiah")]
    Minimum,
    /// A cap that is none.
    #[error("the cap is from 1 to {LARGEST_AMOUNT} whole rupiah")]
    Cap,
    /// Nobody could use it.
    #[error("a limit is at least 1")]
    PerUserLimit,
    /// Nobody could use it.
    #[error("a limit is at least 1")]
    GlobalLimit,
    /// It would be over before it begins.
    #[error("the end must be after the beginning")]
    Window,
}

impl TermsFault {
    /// The field at fault.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Percent | Self::Amount => "value",
            Self::Minimum => "min_amount",
            Self::Cap => "max_amount",
            Self::PerUserLimit => "per_user_limit",
            Self::GlobalLimit => "global_limit",
            Self::Window => "ends_at",
        }
    }
}

impl PromoTerms {
    /// Finds what makes no sense.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), TermsFault> {
        let within = |amount: Option<Rupiah>, least| {
            amount.is_none_or(|a| (least..=LARGEST_AMOUNT).contains(&a.get()))
        };
        let some = |limit: Option<i64>| limit.is_none_or(|limit| limit >= 1);
        let window = self.starts_at.zip(self.ends_at);
        let (largest, fault) = if self.kind.is_percent() {
            (100, TermsFault::Percent)
        } else {
            (LARGEST_AMOUNT, TermsFault::Amount)
        };
        require((1..=largest).contains(&self.value), fault)?;
        require(within(self.min_amount, 0), TermsFault::Minimum)?;
        require(within(self.max_amount, 1), TermsFault::Cap)?;
        require(some(self.per_user_limit), TermsFault::PerUserLimit)?;
        require(some(self.global_limit), TermsFault::GlobalLimit)?;
        require(window.is_none_or(|(starts, ends)| starts < ends), TermsFault::Window)
    }
}

/// Why a code does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromoRefusal {
    /// Nobody made such a code.
    #[error("there is no such promo code")]
    Unknown,
    /// It was switched off.
    #[error("this promo code is not active")]
    Inactive,
    /// Too early.
    #[error("this promo code is not valid yet")]
    NotStarted,
    /// Too late.
    #[error("this promo code has expired")]
    Expired,
    /// As often as it may be used in all, it was.
    #[error("this promo code is used up")]
    UsedUp,
    /// As often as one customer may use it, this one did.
    #[error("you have used this promo code already")]
    AlreadyUsed,
    /// The price or the deposit is too small.
    #[error("this promo code is for amounts from {least}")]
    Minimum {
        /// The least amount.
        least: Rupiah,
    },
    /// It is for deposits.
    #[error("this promo code is for deposits, not for orders")]
    NotForOrders,
    /// It is for orders.
    #[error("this promo code is for orders, not for deposits")]
    NotForDeposits,
}

/// How often a code is used at the moment: by those whose use counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uses {
    /// By everybody.
    pub in_all: i64,
    /// By the customer who asks.
    pub by_customer: i64,
}

/// A code with its terms.
///
/// The first "no" is the answer: a code that is used up is not measured against the amount any more.
///
/// ```
/// use chrono::DateTime;
/// use domain::{Rupiah, promo::{Promo, PromoKind, PromoRefusal, PromoTerms, Purpose, Uses}};
///
/// let promo = Promo {
///     code: "HEMAT10".to_owned(),
///     terms: PromoTerms {
///         kind: PromoKind::OrderPercent,
///         value: 10,
///         min_amount: Some(Rupiah::new(100_000)),
///         max_amount: Some(Rupiah::new(50_000)),
///         per_user_limit: Some(1),
///         global_limit: None,
///         starts_at: None,
///         ends_at: None,
///     },
///     is_active: true,
/// };
/// let for_an_order = |amount, uses| promo.decide(Purpose::Order, Rupiah::new(amount), DateTime::UNIX_EPOCH, uses);
/// assert_eq!(for_an_order(900_000, Uses::default())?, Ok(Rupiah::new(50_000)), "at most the cap");
/// let least = Rupiah::new(100_000);
/// assert_eq!(for_an_order(99_999, Uses::default())?, Err(PromoRefusal::Minimum { least }));
/// let used = Uses { in_all: 7, by_customer: 1 };
/// assert_eq!(for_an_order(99_999, used)?, Err(PromoRefusal::AlreadyUsed));
/// # Ok::<(), domain::money::AmountOverflow>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promo {
    /// The code in upper case.
    pub code: String,
    /// Its terms.
    pub terms: PromoTerms,
    /// Whether it is switched on.
    pub is_active: bool,
}

impl Promo {
    /// What the code takes off or gives for `amount` at the time `at`, or why it does not. What it gives is more than
    /// nothing and at most the cap.
    ///
    /// # Errors
    /// [`AmountOverflow`] when a sum leaves the range of whole rupiah.
    pub fn decide(
        &self,
        purpose: Purpose,
        amount: Rupiah,
        at: DateTime<Utc>,
        uses: Uses,
    ) -> Result<Result<Rupiah, PromoRefusal>, AmountOverflow> {
        if let Err(refusal) = self.admit(purpose, at, uses) {
            return Ok(Err(refusal));
        }
        let least = self.terms.min_amount.unwrap_or_default().max(self.least_that_gives()?);
        let gives = self.gives(amount)?;
        if amount < least || gives <= Rupiah::ZERO {
            return Ok(Err(PromoRefusal::Minimum { least }));
        }
        Ok(Ok(gives))
    }

    /// Whether one more use is within the limits.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn has_room(&self, uses: Uses) -> Result<(), PromoRefusal> {
        let below = |uses, limit: Option<i64>| limit.is_none_or(|limit| uses < limit);
        require(below(uses.by_customer, self.terms.per_user_limit), PromoRefusal::AlreadyUsed)?;
        require(below(uses.in_all, self.terms.global_limit), PromoRefusal::UsedUp)
    }

    /// What it takes off a price, for [`crate::pricing::quote`].
    #[must_use]
    pub fn discount(&self) -> PromoDiscount {
        PromoDiscount { code: self.code.clone(), discount: self.worth(), cap: self.terms.max_amount }
    }

    fn admit(&self, purpose: Purpose, at: DateTime<Utc>, uses: Uses) -> Result<(), PromoRefusal> {
        let elsewhere = match purpose {
            Purpose::Order => PromoRefusal::NotForOrders,
            Purpose::Deposit => PromoRefusal::NotForDeposits,
        };
        require(self.terms.kind.purpose() == purpose, elsewhere)?;
        require(self.is_active, PromoRefusal::Inactive)?;
        require(self.terms.starts_at.is_none_or(|starts| at >= starts), PromoRefusal::NotStarted)?;
        require(self.terms.ends_at.is_none_or(|ends| at < ends), PromoRefusal::Expired)?;
        self.has_room(uses)
    }

    fn gives(&self, amount: Rupiah) -> Result<Rupiah, AmountOverflow> {
        let discount = self.discount();
        match self.terms.kind.purpose() {
            Purpose::Order => discount.off(amount),
            Purpose::Deposit => discount.wanted(amount),
        }
    }

    /// The least amount for which the code gives a rupiah.
    fn least_that_gives(&self) -> Result<Rupiah, AmountOverflow> {
        let left = match self.terms.kind.purpose() {
            Purpose::Order => crate::pricing::SMALLEST_NET,
            Purpose::Deposit => Rupiah::ZERO,
        };
        left.plus(Rupiah::new(1))
    }

    fn worth(&self) -> Discount {
        if self.terms.kind.is_percent() {
            let percent = BasisPoints::try_from(self.terms.value.clamp(0, 100)).unwrap_or_default();
            Discount::Share(percent * PERCENT)
        } else {
            Discount::Amount(Rupiah::new(self.terms.value))
        }
    }
}

fn require<E>(condition: bool, otherwise: E) -> Result<(), E> {
    if condition { Ok(()) } else { Err(otherwise) }
}

#[cfg(test)]
mod tests;
