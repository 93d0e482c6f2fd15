//! Whom invoices bill, where a customer says more than their name: a person or a company, with what its books need.

use crate::text_enum::text_enum;

text_enum! {
    /// What kind of buyer an invoice bills.
    BuyerKind {
        /// A person.
        Person = "PERSON",
        /// A company or another body.
        Company = "COMPANY",
    }
}

/// A taxpayer's number of 16 digits: an NPWP, or the NIK that is the NPWP of whoever lives in Indonesia (PMK 112/PMK.03/2022,
/// article 2). Personal data: it is shown to its owner and on their invoices, and written nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct TaxId(String);

/// Why a text is no taxpayer's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTaxId {
    /// Too few or too many digits, or something else than digits.
    #[error("an NPWP or NIK has 16 digits; put a 0 before an NPWP of 15 digits")]
    Digits,
    /// A person's number that is no NIK: no such day of birth, or no such province.
    #[error("this is no NIK: it has no place and day of birth in it")]
    NotBorn,
    /// The same digit throughout, or all of the serial zero.
    #[error("nobody has this number")]
    Nobodys,
}

impl TaxId {
    /// Reads a number as people write it, with points, hyphens and spaces between its digits, or without.
    ///
    /// A company's begins with a 0 if its NPWP had 15 digits. A person's that does not begin with a 0 is a NIK: six digits of
    /// the place, from province 11 on, then the day of birth, by 40 more for women, month and year, then a serial number.
    ///
    /// # Errors
    /// [`InvalidTaxId`] says which rule was broken.
    ///
    /// ```
    /// use domain::billing_profile::{BuyerKind, InvalidTaxId, TaxId};
    ///
    /// let company = TaxId::parse("0013.1234.5605.1000", BuyerKind::Company).unwrap();
    /// assert_eq!(company.as_str(), "0013123456051000");
    /// assert!(TaxId::parse("3171 0157 0890 0003", BuyerKind::Person).is_ok(), "a woman, born on the 17th");
    /// assert_eq!(TaxId::parse("3171013913900003", BuyerKind::Person), Err(InvalidTaxId::NotBorn));
    /// ```
    pub fn parse(text: &str, of: BuyerKind) -> Result<Self, InvalidTaxId> {
        let digits: String = text.chars().filter(|letter| !matches!(letter, '.' | '-' | ' ')).collect();
        if digits.len() != 16 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(InvalidTaxId::Digits);
        }
        let mut different = digits.bytes();
        let first = different.next();
        if different.all(|digit| Some(digit) == first) {
            return Err(InvalidTaxId::Nobodys);
        }
        if of == BuyerKind::Person && !digits.starts_with('0') {
            could_be_nik(&digits)?;
        }
        Ok(Self(digits))
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for TaxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TaxId(…)")
    }
}

fn could_be_nik(digits: &str) -> Result<(), InvalidTaxId> {
    let number =
        |from: usize| digits.get(from..from + 2).and_then(|two| two.parse::<u32>().ok()).unwrap_or(0);
    let (province, day, month) = (number(0), number(6), number(8));
    let day = if day > 40 { day - 40 } else { day };
    let longest = match month {
        // The year has two digits only, so every February may have its 29th.
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    if !(11..=96).contains(&province) || !(1..=longest).contains(&day) {
        return Err(InvalidTaxId::NotBorn);
    }
    if digits.get(12..) == Some("0000") { Err(InvalidTaxId::Nobodys) } else { Ok(()) }
}

/// An Indonesian postal code: five digits.
///
/// ```
/// use domain::billing_profile::is_postal_code;
///
/// assert!(is_postal_code("10110"));
/// assert!(!is_postal_code("1011"));
/// ```
#[must_use]
pub fn is_postal_code(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|digit| digit.is_ascii_digit()) && !text.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_sixteen_digits_however_it_is_written() {
        for text in ["0013123456051000", "0013.1234.5605.1000", " 0013 1234 5605 1000 ", "00-131234560510-00"]
        {
            assert_eq!(
                TaxId::parse(text, BuyerKind::Company).unwrap().as_str(),
                "0013123456051000",
                "{text}"
            );
        }
        for text in ["", "013123456051000", "00131234560510000", "001312345605100O", "٠٠١٣١٢٣٤٥٦٠٥١٠٠٠"]
        {
            assert_eq!(TaxId::parse(text, BuyerKind::Company), Err(InvalidTaxId::Digits), "{text}");
        }
    }

    #[test]
    fn a_persons_number_is_a_nik_unless_it_is_an_older_npwp() {
        for good in ["3171011708900001", "3171015708900001", "9605012902000012", "0823456789012000"] {
            assert!(TaxId::parse(good, BuyerKind::Person).is_ok(), "{good}");
        }
        for bad in [
            "1071011708900001",
            "3171013002900001",
            "3171010001900001",
            "3171011713900001",
            "3171017201900001",
        ] {
            assert_eq!(TaxId::parse(bad, BuyerKind::Person), Err(InvalidTaxId::NotBorn), "{bad}");
            assert!(TaxId::parse(bad, BuyerKind::Company).is_ok(), "a company is not born: {bad}");
        }
    }

    #[test]
    fn nobody_has_one_digit_sixteen_times() {
        for text in ["0000000000000000", "1111111111111111"] {
            assert_eq!(TaxId::parse(text, BuyerKind::Company), Err(InvalidTaxId::Nobodys));
        }
        assert_eq!(TaxId::parse("3171011708900000", BuyerKind::Person), Err(InvalidTaxId::Nobodys));
    }

    #[test]
    fn it_is_not_shown_where_things_are_printed_for_us() {
        let id = TaxId::parse("3171011708900001", BuyerKind::Person).unwrap();
        assert_eq!(format!("{id:?}"), "TaxId(…)");
    }
}
