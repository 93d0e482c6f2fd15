//! What an order costs: plan × term − term discount − promo + PPN. Rounding happens once per line, half away from
//! zero, and the total is the sum of the lines, so an invoice always adds up.

use crate::money::{AmountOverflow, BasisPoints, Rupiah};

/// Everything the price depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceInput {
    /// The plan's name, for the line's text.
    pub plan_name: String,
    /// Rupiah a month.
    pub price_monthly: Rupiah,
    /// Months bought.
    pub term_months: u32,
    /// Discount for that term.
    pub term_discount: BasisPoints,
    /// PPN rate (value added tax) on the discounted amount.
    pub tax_rate: BasisPoints,
}

/// One line of an invoice. Discounts are negative; tax is not a line but the invoice's own field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PriceLine {
    /// What it is for.
    pub description: String,
    /// How many.
    pub quantity: u32,
    /// Rupiah each.
    pub unit_price: Rupiah,
    /// `quantity × unit_price`.
    pub total: Rupiah,
}

/// A computed price. `subtotal − discount + tax = total`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Lines before tax, discounts as negative lines.
    pub lines: Vec<PriceLine>,
    /// Sum of the positive lines.
    pub subtotal: Rupiah,
    /// Sum of what was taken off, as a positive amount.
    pub discount: Rupiah,
    /// PPN on `subtotal − discount`.
    pub tax: Rupiah,
    /// What the customer pays.
    pub total: Rupiah,
}

/// Computes the price of an order.
///
/// # Errors
/// [`AmountOverflow`] when a sum leaves the range of whole rupiah.
pub fn quote(input: &PriceInput) -> Result<Quote, AmountOverflow> {
    let subtotal = input.price_monthly.times(input.term_months)?;
    let mut lines = vec![PriceLine {
        description: format!("{}, {}", input.plan_name, months(input.term_months)),
        quantity: input.term_months,
        unit_price: input.price_monthly,
        total: subtotal,
    }];
    let discount = subtotal.share(input.term_discount)?;
    if discount > Rupiah::ZERO {
        let negative = Rupiah::ZERO.minus(discount)?;
        lines.push(PriceLine {
            description: format!("Discount for {}", months(input.term_months)),
            quantity: 1,
            unit_price: negative,
            total: negative,
        });
    }
    let base = subtotal.minus(discount)?;
    let tax = base.share(input.tax_rate)?;
    Ok(Quote { lines, subtotal, discount, tax, total: base.plus(tax)? })
}

fn months(count: u32) -> String {
    if count == 1 { "1 month".to_owned() } else { format!("{count} months") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn input(price: i64, months: u32, discount: u32, tax: u32) -> PriceInput {
        PriceInput {
            plan_name: "Basic 1 GB".into(),
            price_monthly: Rupiah::new(price),
            term_months: months,
            term_discount: discount,
            tax_rate: tax,
        }
    }

    #[test]
    fn a_quarter_with_discount_and_tax() {
        let q = quote(&input(100_000, 3, 500, 1_100)).unwrap();
        assert_eq!(q.subtotal, Rupiah::new(300_000));
        assert_eq!(q.discount, Rupiah::new(15_000));
        assert_eq!(q.tax, Rupiah::new(31_350));
        assert_eq!(q.total, Rupiah::new(316_350));
        let texts: Vec<&str> = q.lines.iter().map(|line| line.description.as_str()).collect();
        assert_eq!(texts, ["Basic 1 GB, 3 months", "Discount for 3 months"]);
    }

    #[test]
    fn no_discount_no_line() {
        let q = quote(&input(100_000, 1, 0, 1_100)).unwrap();
        assert_eq!(q.lines.len(), 1);
        assert_eq!(q.lines[0].description, "Basic 1 GB, 1 month");
    }

    proptest! {
        #[test]
        fn the_total_always_equals_its_lines(
            price in 0_i64..100_000_000, months in 1_u32..=12, discount in 0_u32..=10_000, tax in 0_u32..=5_000,
        ) {
            let q = quote(&input(price, months, discount, tax)).unwrap();
            let lines: Rupiah = q.lines.iter().map(|l| l.total).sum();
            prop_assert_eq!(lines.plus(q.tax).unwrap(), q.total);
            prop_assert_eq!(q.subtotal.minus(q.discount).unwrap().plus(q.tax).unwrap(), q.total);
            prop_assert!(!q.total.is_negative());
        }
    }
}
