//! Whole rupiah. There are no floats and no cents anywhere in the product.

use std::{fmt, iter::Sum};

/// An amount in whole Indonesian rupiah. May be negative (a discount line, a debit).
///
/// A share is rounded once, half away from zero; a sum that does not fit is refused, never wrapped.
///
/// ```
/// use domain::{Rupiah, money::AmountOverflow};
///
/// assert_eq!(Rupiah::new(1_250_000).to_string(), "Rp1.250.000");
/// assert_eq!(Rupiah::new(50).share(1_100), Ok(Rupiah::new(6)), "11 % of Rp50 is Rp5,5");
/// assert_eq!(Rupiah::new(-50).share(1_100), Ok(Rupiah::new(-6)));
/// assert_eq!(Rupiah::new(i64::MAX).plus(Rupiah::new(1)), Err(AmountOverflow));
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(
        description = "An amount in whole Indonesian rupiah. May be negative (a discount line, a debit)."
    )
)]
pub struct Rupiah(i64);

/// A sum that does not fit: no real order comes near it, so it is refused rather than wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount does not fit into the range of whole rupiah")]
pub struct AmountOverflow;

/// Hundredths of a percent: 11 % is 1100.
pub type BasisPoints = u32;

/// The one currency of the product (ISO 4217).
pub const CURRENCY: &str = "IDR";

impl Rupiah {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `amount` whole rupiah.
    #[must_use]
    pub const fn new(amount: i64) -> Self {
        Self(amount)
    }

    /// The number of whole rupiah.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the sum leaves the range.
    pub fn plus(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountOverflow)
    }

    /// `self - other`.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the difference leaves the range.
    pub fn minus(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountOverflow)
    }

    /// `self × n`.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the product leaves the range.
    pub fn times(self, n: u32) -> Result<Self, AmountOverflow> {
        self.0.checked_mul(i64::from(n)).map(Self).ok_or(AmountOverflow)
    }

    /// The given share of this amount, rounded half away from zero to a whole rupiah.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the result leaves the range.
    pub fn share(self, of: BasisPoints) -> Result<Self, AmountOverflow> {
        let product = i128::from(self.0) * i128::from(of);
        let half = if product < 0 { -5_000 } else { 5_000 };
        i64::try_from((product + half) / 10_000).map(Self).map_err(|_| AmountOverflow)
    }

    /// True for amounts below nothing.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl From<i64> for Rupiah {
    fn from(value: i64) -> Self {
        Self(value)
    }
}

impl Sum for Rupiah {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        Self(iter.fold(0_i64, |sum, amount| sum.saturating_add(amount.0)))
    }
}

/// As Indonesian is written (PUEBI, EYD V), without a space: `Rp1.250.000`. Whatever people read, on paper, in messages or
/// errors, is written by this.
impl fmt::Display for Rupiah {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.unsigned_abs().to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push('.');
            }
            grouped.push(digit);
        }
        write!(f, "{}Rp{grouped}", if self.0 < 0 { "-" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shows_indonesian_grouping() {
        assert_eq!(Rupiah::new(1_250_000).to_string(), "Rp1.250.000");
        assert_eq!(Rupiah::new(-999).to_string(), "-Rp999");
        assert_eq!(Rupiah::ZERO.to_string(), "Rp0");
    }

    #[test]
    fn share_rounds_half_away_from_zero() {
        assert_eq!(Rupiah::new(50).share(1_100), Ok(Rupiah::new(6)));
        assert_eq!(Rupiah::new(-50).share(1_100), Ok(Rupiah::new(-6)));
        assert_eq!(Rupiah::new(40).share(1_100), Ok(Rupiah::new(4)));
    }

    #[test]
    fn refuses_to_wrap() {
        assert_eq!(Rupiah::new(i64::MAX).plus(Rupiah::new(1)), Err(AmountOverflow));
        assert_eq!(Rupiah::new(i64::MIN).minus(Rupiah::new(1)), Err(AmountOverflow));
        assert_eq!(Rupiah::new(i64::MAX).times(2), Err(AmountOverflow));
        assert_eq!(Rupiah::new(i64::MAX).share(20_000), Err(AmountOverflow));
    }

    proptest! {
        #[test]
        fn share_is_within_half_a_rupiah(amount in -1_000_000_000_000_i64..1_000_000_000_000, bp in 0_u32..=10_000) {
            let share = Rupiah::new(amount).share(bp).unwrap().get();
            let exact = i128::from(amount) * i128::from(bp);
            prop_assert!((i128::from(share) * 10_000 - exact).abs() <= 5_000);
        }
    }
}
