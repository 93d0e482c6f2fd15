//! What the lines of an invoice say, in the reader's language. They are stored in English, as [`crate::pricing`] words
//! them, because an issued invoice never changes.

use std::borrow::Cow;

use crate::language::Language;

/// A line's description in `language`. What is not of a known form, such as what staff wrote by hand, stays as it is.
#[must_use]
pub fn in_language(description: &str, language: Language) -> Cow<'_, str> {
    match language {
        Language::English => Cow::Borrowed(description),
        Language::Indonesian => indonesian(description).map_or(Cow::Borrowed(description), Cow::Owned),
    }
}

fn indonesian(description: &str) -> Option<String> {
    if let Some(term) = description.strip_prefix("Discount for ") {
        return Some(format!("Diskon untuk {} bulan", months(term)?));
    }
    if let Some(code) = description.strip_prefix("Promo ") {
        return (!code.contains(' ')).then(|| format!("Kode promo {code}"));
    }
    let (what, term) = description.rsplit_once(", ")?;
    let (renewal, what) = match what.strip_prefix("Renewal of ") {
        Some(what) => ("Perpanjangan ", what),
        None => ("", what),
    };
    Some(format!("{renewal}{what}, {} bulan", months(term)?))
}

/// The number in `1 month` or `3 months`.
fn months(term: &str) -> Option<u32> {
    let (number, unit) = term.split_once(' ')?;
    let number = number.parse().ok()?;
    (unit == if number == 1 { "month" } else { "months" }).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        money::Rupiah,
        pricing::{Discount, PriceInput, PromoDiscount, quote},
        tax::TaxRule,
    };

    fn id(description: &str) -> Cow<'_, str> {
        in_language(description, Language::Indonesian)
    }

    #[test]
    fn the_lines_of_an_order_are_translated() {
        let input = PriceInput {
            plan_name: "Basic 1 GB".to_owned(),
            price_monthly: Rupiah::new(129_000),
            term_months: 3,
            term_discount: 500,
            promo: Some(PromoDiscount {
                code: "HEMAT10".to_owned(),
                discount: Discount::Share(1_000),
                cap: None,
            }),
            tax: TaxRule::NONE,
        };
        let lines = quote(&input).unwrap().lines;
        let texts: Vec<Cow<'_, str>> = lines.iter().map(|line| id(&line.description)).collect();
        assert_eq!(texts, ["Basic 1 GB, 3 bulan", "Diskon untuk 3 bulan", "Kode promo HEMAT10"]);
        let single =
            quote(&PriceInput { term_months: 1, term_discount: 0, promo: None, ..input }).unwrap().lines;
        assert_eq!(id(&single[0].description), "Basic 1 GB, 1 bulan");
        assert_eq!(id("Renewal of web-1: Basic 1 GB, 3 months"), "Perpanjangan web-1: Basic 1 GB, 3 bulan");
    }

    #[test]
    fn other_texts_stay() {
        for text in [
            "",
            "Consulting, 2 hours",
            "Basic 1 GB, 1 months",
            "Discount for friends",
            "Promo for the whole family",
            "A, b, c",
        ] {
            assert_eq!(id(text), text);
        }
        assert_eq!(in_language("Basic 1 GB, 3 months", Language::English), "Basic 1 GB, 3 months");
    }
}
