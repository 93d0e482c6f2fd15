//! Values as gateways write them: amounts as text or as numbers, and nulls for what they don't say.

use domain::{Rupiah, money::CURRENCY};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// Text, also where the vendor writes a number; a null is nothing.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Option::deserialize(deserializer)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(D::Error::custom("neither text nor a number")),
    }
}

/// The value, or nothing of its kind where the vendor writes null.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

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

    #[derive(Debug, PartialEq, Deserialize)]
    struct Said {
        #[serde(default, deserialize_with = "text")]
        amount: Option<String>,
        #[serde(default, deserialize_with = "or_default")]
        parts: Vec<u8>,
    }

    #[test]
    fn text_numbers_and_nulls_are_read() {
        let read =
            |json: &str| serde_json::from_str::<Said>(json).map(|said| (said.amount, said.parts.len()));
        let amount = |text: &str| Some(text.to_owned());
        assert_eq!(read(r#"{"amount":"5539.00","parts":[1]}"#).unwrap(), (amount("5539.00"), 1));
        assert_eq!(read(r#"{"amount":5539}"#).unwrap(), (amount("5539"), 0));
        assert_eq!(read(r#"{"amount":5539.0}"#).unwrap(), (amount("5539.0"), 0));
        assert_eq!(read(r#"{"amount":null,"parts":null}"#).unwrap(), (None, 0));
        assert!(read(r#"{"amount":{}}"#).is_err());
    }

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
