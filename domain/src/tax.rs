//! PPN, the Indonesian value added tax: a rate on a base, both by date. The base may be a part of the price: PMK 131 of
//! 2024 keeps 11 % on ordinary services as 12 % of 11/12 of the price.

use crate::money::{AmountOverflow, BasisPoints, Rupiah};

/// How PPN is computed on a day.
///
/// ```
/// use domain::{Rupiah, tax::TaxRule};
///
/// // 12 % of 11/12 of the price is 11 % of it, to the rupiah.
/// let now = TaxRule { rate: 1_200, base_numerator: 11, base_denominator: 12 };
/// assert_eq!(now.on(Rupiah::new(129_000)), Ok(Rupiah::new(14_190)));
/// assert_eq!(now.base_of(Rupiah::new(129_000)), Ok(Rupiah::new(118_250)), "as the invoice shows it");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxRule {
    /// The rate on the base.
    pub rate: BasisPoints,
    /// The base is this many parts of the price ...
    pub base_numerator: u32,
    /// ... out of so many; never zero.
    pub base_denominator: u32,
}

impl TaxRule {
    /// No tax.
    pub const NONE: Self = Self::on_everything(0);

    /// `rate` on the whole price.
    #[must_use]
    pub const fn on_everything(rate: BasisPoints) -> Self {
        Self { rate, base_numerator: 1, base_denominator: 1 }
    }

    /// The tax on a price: computed from the exact base and rounded once, half away from zero.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the result leaves the range.
    pub fn on(self, price: Rupiah) -> Result<Rupiah, AmountOverflow> {
        fraction(
            price,
            i128::from(self.base_numerator) * i128::from(self.rate),
            i128::from(self.base_denominator) * 10_000,
        )
    }

    /// The base that the tax on a price is computed on, rounded for showing it.
    ///
    /// # Errors
    /// [`AmountOverflow`] when the result leaves the range.
    pub fn base_of(self, price: Rupiah) -> Result<Rupiah, AmountOverflow> {
        fraction(price, self.base_numerator.into(), self.base_denominator.into())
    }
}

/// `amount × numerator / denominator`, rounded half away from zero.
fn fraction(amount: Rupiah, numerator: i128, denominator: i128) -> Result<Rupiah, AmountOverflow> {
    let product = i128::from(amount.get()).checked_mul(numerator).ok_or(AmountOverflow)?;
    let half = denominator / 2;
    let rounded = (product + if product < 0 { -half } else { half }).checked_div(denominator);
    rounded.and_then(|whole| i64::try_from(whole).ok()).map(Rupiah::new).ok_or(AmountOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: TaxRule = TaxRule { rate: 1_200, base_numerator: 11, base_denominator: 12 };

    #[test]
    fn twelve_percent_of_eleven_twelfths_is_eleven_percent() {
        assert_eq!(NOW.on(Rupiah::new(129_000)), Ok(Rupiah::new(14_190)));
        assert_eq!(NOW.base_of(Rupiah::new(129_000)), Ok(Rupiah::new(118_250)));
        assert_eq!(TaxRule::NONE.on(Rupiah::new(129_000)), Ok(Rupiah::ZERO));
    }

    #[test]
    fn a_rule_without_a_base_is_refused() {
        let broken = TaxRule { base_denominator: 0, ..NOW };
        assert_eq!(broken.on(Rupiah::new(1)), Err(AmountOverflow));
        assert_eq!(NOW.on(Rupiah::new(i64::MAX)).map(Rupiah::is_negative), Ok(false));
    }

    proptest! {
        #[test]
        fn the_detour_by_the_base_changes_no_rupiah(price in -1_000_000_000_000_i64..1_000_000_000_000) {
            let price = Rupiah::new(price);
            prop_assert_eq!(NOW.on(price), price.share(1_100));
        }
    }
}
