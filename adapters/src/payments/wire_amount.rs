//! Amounts as gateways write them.

use domain::{Rupiah, money::CURRENCY};

/// `5539.00`, `5539.0` or `5539` in rupiah; anything else is no amount of ours.
pub(super) fn rupiah(amount: &str, currency: Option<&str>) -> Option<Rupiah> {
    if currency.is_some_and(|c| c != CURRENCY) {
        return None;
    }
    let whole = amount.strip_suffix(".00").or_else(|| amount.strip_suffix(".0")).unwrap_or(amount);
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    whole.parse().ok().map(Rupiah::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_strictly() {
        for (text, amount) in [("5539.00", 5_539), ("5539.0", 5_539), ("5539", 5_539), ("0.00", 0)] {
            assert_eq!(rupiah(text, None), Some(Rupiah::new(amount)));
            assert_eq!(rupiah(text, Some("IDR")), Some(Rupiah::new(amount)));
        }
        for text in [
            "",
            ".00",
            "5539.01",
            "5539.",
            "5539.000",
            "-5539.00",
            "+5539",
            "5,539.00",
            "5.539e3",
            " 5539",
            "9223372036854775808",
        ] {
            assert_eq!(rupiah(text, None), None, "{text}");
        }
        assert_eq!(rupiah("5539.00", Some("USD")), None);
    }
}
