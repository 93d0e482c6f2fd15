//! What a server costs: plan × term − term discount − promo + PPN.
//!
//! # Rounding
//! All amounts are whole rupiah. Each line is rounded once, half away from zero, from exact numbers: the term's
//! discount from the price of the term, the promo's from what that leaves, PPN ([`crate::tax`]) from what is left after
//! both. Nothing is computed from a rounded tax base. The total is the sum of the lines and the tax, so an invoice
//! always adds up.

mod description;

use crate::{
    money::{AmountOverflow, BasisPoints, Rupiah},
    tax::TaxRule,
};

pub use description::{LineDescription, StoredDescription};

/// Everything the price depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceInput {
    /// The plan's name, for the line's description.
    pub plan_name: String,
    /// The server's name, when it is a further term of one.
    pub renewed: Option<String>,
    /// Rupiah a month.
    pub price_monthly: Rupiah,
    /// Months bought.
    pub term_months: u32,
    /// Discount for that term.
    pub term_discount: BasisPoints,
    /// What a promo code takes off, if one is used.
    pub promo: Option<PromoDiscount>,
    /// PPN (value added tax) on the discounted amount.
    pub tax: TaxRule,
}

/// What a promo code takes off the price of a term, after the term's own discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromoDiscount {
    /// The code, for the line's description.
    pub code: String,
    /// How much.
    pub discount: Discount,
    /// Most that it takes off.
    pub cap: Option<Rupiah>,
}

/// A share or an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discount {
    /// So much of the price.
    Share(BasisPoints),
    /// So many rupiah.
    Amount(Rupiah),
}

/// A discount leaves at least this to be paid before tax: less can't be charged by every gateway.
pub const SMALLEST_NET: Rupiah = Rupiah::new(1_000);

impl PromoDiscount {
    /// What is taken off `net`: never more than leaves [`SMALLEST_NET`].
    pub(crate) fn off(&self, net: Rupiah) -> Result<Rupiah, AmountOverflow> {
        Ok(self.wanted(net)?.min(net.minus(SMALLEST_NET)?).max(Rupiah::ZERO))
    }

    /// The share or sum itself, up to the cap.
    pub(crate) fn wanted(&self, of: Rupiah) -> Result<Rupiah, AmountOverflow> {
        let wanted = match self.discount {
            Discount::Share(share) => of.share(share)?,
            Discount::Amount(amount) => amount,
        };
        Ok(self.cap.map_or(wanted, |cap| wanted.min(cap)))
    }
}

/// One line of an invoice. Discounts are negative; tax is not a line but the invoice's own field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceLine {
    /// What it is for.
    pub description: LineDescription,
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
    /// What PPN is computed on, rounded for the eye.
    pub tax_base: Rupiah,
    /// PPN on `subtotal − discount`.
    pub tax: Rupiah,
    /// What the customer pays.
    pub total: Rupiah,
}

/// Computes the price of an order.
///
/// # Errors
/// [`AmountOverflow`] when a sum leaves the range of whole rupiah.
///
/// # Examples
/// The promo takes its share of what the term's discount leaves; tax is on what is left after both.
///
/// ```
/// use domain::{Rupiah, pricing::{Discount, PriceInput, PromoDiscount, quote}, tax::TaxRule};
///
/// let quote = quote(&PriceInput {
///     plan_name: "Basic 1 GB".to_owned(),
///     renewed: None,
///     price_monthly: Rupiah::new(129_000),
///     term_months: 3,
///     term_discount: 500,
///     promo: Some(PromoDiscount { code: "HEMAT10".to_owned(), discount: Discount::Share(1_000), cap: None }),
///     tax: TaxRule::on_everything(1_100),
/// })?;
/// assert_eq!((quote.subtotal, quote.discount), (Rupiah::new(387_000), Rupiah::new(19_350 + 36_765)));
/// assert_eq!((quote.tax, quote.total), (Rupiah::new(36_397), Rupiah::new(367_282)));
/// # Ok::<(), domain::money::AmountOverflow>(())
/// ```
pub fn quote(input: &PriceInput) -> Result<Quote, AmountOverflow> {
    let subtotal = input.price_monthly.times(input.term_months)?;
    let mut lines = vec![PriceLine {
        description: LineDescription::of_term(&input.plan_name, input.term_months, input.renewed.as_deref()),
        quantity: input.term_months,
        unit_price: input.price_monthly,
        total: subtotal,
    }];
    let by_term = subtotal.share(input.term_discount)?;
    lines.extend(discount_line(LineDescription::TermDiscount { months: input.term_months }, by_term)?);
    let by_promo = match &input.promo {
        Some(promo) => promo.off(subtotal.minus(by_term)?)?,
        None => Rupiah::ZERO,
    };
    if let Some(promo) = &input.promo {
        lines.extend(discount_line(LineDescription::Promo { code: promo.code.clone() }, by_promo)?);
    }
    let discount = by_term.plus(by_promo)?;
    let net = subtotal.minus(discount)?;
    let tax = input.tax.on(net)?;
    Ok(Quote { lines, subtotal, discount, tax_base: input.tax.base_of(net)?, tax, total: net.plus(tax)? })
}

/// Something that is billed by hand.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BilledItem {
    /// What it is for.
    pub description: LineDescription,
    /// How many.
    pub quantity: u32,
    /// Rupiah each, before tax.
    pub unit_price: Rupiah,
}

/// Computes a bill over items that somebody wrote down.
///
/// # Errors
/// [`AmountOverflow`] when a sum leaves the range of whole rupiah.
pub fn bill(items: &[BilledItem], tax: TaxRule) -> Result<Quote, AmountOverflow> {
    let mut subtotal = Rupiah::ZERO;
    let mut lines = Vec::with_capacity(items.len());
    for item in items {
        let total = item.unit_price.times(item.quantity)?;
        subtotal = subtotal.plus(total)?;
        lines.push(PriceLine {
            description: item.description.clone(),
            quantity: item.quantity,
            unit_price: item.unit_price,
            total,
        });
    }
    let owed = tax.on(subtotal)?;
    Ok(Quote {
        lines,
        subtotal,
        discount: Rupiah::ZERO,
        tax_base: tax.base_of(subtotal)?,
        tax: owed,
        total: subtotal.plus(owed)?,
    })
}

fn discount_line(
    description: LineDescription,
    discount: Rupiah,
) -> Result<Option<PriceLine>, AmountOverflow> {
    if discount == Rupiah::ZERO {
        return Ok(None);
    }
    let negative = Rupiah::ZERO.minus(discount)?;
    Ok(Some(PriceLine { description, quantity: 1, unit_price: negative, total: negative }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn input(price: i64, months: u32, discount: u32, tax: u32) -> PriceInput {
        PriceInput {
            plan_name: "Basic 1 GB".into(),
            renewed: None,
            price_monthly: Rupiah::new(price),
            term_months: months,
            term_discount: discount,
            promo: None,
            tax: TaxRule::on_everything(tax),
        }
    }

    fn promo(discount: Discount, cap: Option<i64>) -> PromoDiscount {
        PromoDiscount { code: "HEMAT".into(), discount, cap: cap.map(Rupiah::new) }
    }

    #[test]
    fn a_quarter_with_discount_and_tax() {
        let q = quote(&input(100_000, 3, 500, 1_100)).unwrap();
        assert_eq!(q.subtotal, Rupiah::new(300_000));
        assert_eq!(q.discount, Rupiah::new(15_000));
        assert_eq!(q.tax, Rupiah::new(31_350));
        assert_eq!(q.total, Rupiah::new(316_350));
        let descriptions: Vec<&LineDescription> = q.lines.iter().map(|line| &line.description).collect();
        let plan = LineDescription::Plan { plan: "Basic 1 GB".into(), months: 3 };
        assert_eq!(descriptions, [&plan, &LineDescription::TermDiscount { months: 3 }]);
    }

    #[test]
    fn no_discount_no_line() {
        let q = quote(&input(100_000, 1, 0, 1_100)).unwrap();
        assert_eq!(q.lines.len(), 1);
        assert_eq!(q.lines[0].description, LineDescription::Plan { plan: "Basic 1 GB".into(), months: 1 });
    }

    #[test]
    fn a_promo_comes_after_the_terms_discount_and_before_tax() {
        let with = |discount, cap| {
            let q = quote(&PriceInput { promo: Some(promo(discount, cap)), ..input(100_000, 3, 500, 1_100) });
            let q = q.unwrap();
            (q.lines.last().unwrap().total.get(), q.discount.get(), q.tax.get(), q.total.get())
        };
        assert_eq!(with(Discount::Share(1_000), None), (-28_500, 43_500, 28_215, 284_715));
        assert_eq!(with(Discount::Share(1_000), Some(20_000)).0, -20_000);
        assert_eq!(with(Discount::Amount(Rupiah::new(50_000)), None).0, -50_000);
        // What is left can still be charged.
        assert_eq!(with(Discount::Share(10_000), None), (-284_000, 299_000, 110, 1_110));
    }

    #[test]
    fn the_tax_base_is_shown_and_not_computed_with() {
        let rule = TaxRule { rate: 1_200, base_numerator: 11, base_denominator: 12 };
        let q = quote(&PriceInput { tax: rule, ..input(129_001, 1, 0, 0) }).unwrap();
        assert_eq!((q.tax_base.get(), q.tax.get(), q.total.get()), (118_251, 14_190, 143_191));
    }

    #[test]
    fn what_is_billed_by_hand_adds_up() {
        let item = |quantity, price| BilledItem {
            description: LineDescription::Written("Migration by our team, hours".into()),
            quantity,
            unit_price: Rupiah::new(price),
        };
        let q = bill(&[item(3, 250_000), item(1, 99_999)], TaxRule::on_everything(1_100)).unwrap();
        assert_eq!((q.subtotal.get(), q.tax.get(), q.total.get()), (849_999, 93_500, 943_499));
        assert_eq!(bill(&[item(2, i64::MAX)], TaxRule::NONE), Err(AmountOverflow));
    }

    proptest! {
        #[test]
        fn the_total_always_equals_its_lines(
            price in 0_i64..100_000_000, months in 1_u32..=12, discount in 0_u32..=10_000, tax in 0_u32..=5_000,
            off in prop::option::of(prop_oneof![
                (0_u32..=10_000).prop_map(Discount::Share),
                (0_i64..200_000_000).prop_map(|amount| Discount::Amount(Rupiah::new(amount))),
            ]),
            cap in prop::option::of(0_i64..1_000_000),
        ) {
            let promo = off.map(|discount| promo(discount, cap));
            let q = quote(&PriceInput { promo, ..input(price, months, discount, tax) }).unwrap();
            let lines: Rupiah = q.lines.iter().map(|l| l.total).sum();
            prop_assert_eq!(lines.plus(q.tax).unwrap(), q.total);
            prop_assert_eq!(q.subtotal.minus(q.discount).unwrap().plus(q.tax).unwrap(), q.total);
            prop_assert!(!q.total.is_negative());
        }
    }
}
