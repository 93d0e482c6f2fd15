//! Amounts in words, as invoices have them in Indonesia (*terbilang*).

use crate::{language::Language, money::Rupiah};

const INDONESIAN: [&str; 12] = [
    "nol", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan", "sepuluh",
    "sebelas",
];
const INDONESIAN_SCALES: [&str; 7] = ["", "ribu", "juta", "miliar", "triliun", "kuadriliun", "kuintiliun"];

const ENGLISH: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const ENGLISH_TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ENGLISH_SCALES: [&str; 7] =
    ["", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion"];

/// An amount in words, with its currency and a capital at the start: `Seratus tiga puluh tiga ribu dua ratus rupiah`.
#[must_use]
pub fn in_words(amount: Rupiah, language: Language) -> String {
    let mut words = Vec::new();
    if amount.is_negative() {
        words.push("minus".to_owned());
    }
    match (amount.get().unsigned_abs(), language) {
        (0, Language::Indonesian) => words.push(INDONESIAN[0].to_owned()),
        (0, Language::English) => words.push(ENGLISH[0].to_owned()),
        (number, _) => spell(number, language, &mut words),
    }
    words.push("rupiah".to_owned());
    capitalised(&words.join(" "))
}

/// The groups of three digits, the highest first, each with the name of its scale.
fn spell(number: u64, language: Language, words: &mut Vec<String>) {
    let groups: Vec<usize> =
        std::iter::successors(Some(number), |rest| (*rest >= 1_000).then_some(rest / 1_000))
            .map(|rest| usize::try_from(rest % 1_000).unwrap_or_default())
            .collect();
    for (scale, group) in groups.iter().copied().enumerate().rev().filter(|(_, group)| *group > 0) {
        match language {
            Language::Indonesian if scale == 1 && group == 1 => words.push("seribu".to_owned()),
            Language::Indonesian => {
                indonesian(group, words);
                words.push(INDONESIAN_SCALES[scale].to_owned());
            }
            Language::English => {
                english(group, words);
                words.push(ENGLISH_SCALES[scale].to_owned());
            }
        }
    }
    words.retain(|word| !word.is_empty());
}

/// A number below 1000; nothing for 0.
fn indonesian(number: usize, words: &mut Vec<String>) {
    match number {
        0 => {}
        1..=11 => words.push(INDONESIAN[number].to_owned()),
        12..=19 => words.extend([INDONESIAN[number - 10].to_owned(), "belas".to_owned()]),
        20..=99 => {
            words.extend([INDONESIAN[number / 10].to_owned(), "puluh".to_owned()]);
            indonesian(number % 10, words);
        }
        _ => {
            match number / 100 {
                1 => words.push("seratus".to_owned()),
                hundreds => words.extend([INDONESIAN[hundreds].to_owned(), "ratus".to_owned()]),
            }
            indonesian(number % 100, words);
        }
    }
}

/// A number below 1000; nothing for 0.
fn english(number: usize, words: &mut Vec<String>) {
    match number {
        0 => {}
        1..=19 => words.push(ENGLISH[number].to_owned()),
        20..=99 if number.is_multiple_of(10) => words.push(ENGLISH_TENS[number / 10].to_owned()),
        20..=99 => words.push(format!("{}-{}", ENGLISH_TENS[number / 10], ENGLISH[number % 10])),
        _ => {
            words.extend([ENGLISH[number / 100].to_owned(), "hundred".to_owned()]);
            english(number % 100, words);
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(amount: i64) -> String {
        in_words(Rupiah::new(amount), Language::Indonesian)
    }

    fn en(amount: i64) -> String {
        in_words(Rupiah::new(amount), Language::English)
    }

    #[test]
    fn indonesian_has_words_of_its_own_for_one_of_a_kind() {
        for (amount, words) in [
            (0, "Nol rupiah"),
            (1, "Satu rupiah"),
            (10, "Sepuluh rupiah"),
            (11, "Sebelas rupiah"),
            (12, "Dua belas rupiah"),
            (19, "Sembilan belas rupiah"),
            (20, "Dua puluh rupiah"),
            (21, "Dua puluh satu rupiah"),
            (100, "Seratus rupiah"),
            (111, "Seratus sebelas rupiah"),
            (1_000, "Seribu rupiah"),
            (1_100, "Seribu seratus rupiah"),
            (2_000, "Dua ribu rupiah"),
            (11_000, "Sebelas ribu rupiah"),
            (21_000, "Dua puluh satu ribu rupiah"),
            (100_000, "Seratus ribu rupiah"),
            (101_000, "Seratus satu ribu rupiah"),
            (143_190, "Seratus empat puluh tiga ribu seratus sembilan puluh rupiah"),
            (1_000_000, "Satu juta rupiah"),
            (1_001_001, "Satu juta seribu satu rupiah"),
            (2_500_000_000, "Dua miliar lima ratus juta rupiah"),
            (1_000_000_000_000, "Satu triliun rupiah"),
            (-25_000, "Minus dua puluh lima ribu rupiah"),
        ] {
            assert_eq!(id(amount), words);
        }
    }

    #[test]
    fn english_has_hyphens_and_no_and() {
        for (amount, words) in [
            (0, "Zero rupiah"),
            (13, "Thirteen rupiah"),
            (40, "Forty rupiah"),
            (99, "Ninety-nine rupiah"),
            (100, "One hundred rupiah"),
            (1_000, "One thousand rupiah"),
            (143_190, "One hundred forty-three thousand one hundred ninety rupiah"),
            (1_000_001, "One million one rupiah"),
            (-999, "Minus nine hundred ninety-nine rupiah"),
        ] {
            assert_eq!(en(amount), words);
        }
    }

    #[test]
    fn the_largest_amounts_have_words() {
        assert!(id(i64::MAX).starts_with("Sembilan kuintiliun dua ratus dua puluh tiga kuadriliun"));
        assert!(en(i64::MIN).starts_with("Minus nine quintillion two hundred twenty-three quadrillion"));
    }

    /// Reads the words back, so that the tests need no second list of all numbers.
    fn read_back(words: &str, units: &[&str], tens: &[&str], scales: &[&str]) -> i128 {
        let words = words.to_lowercase().replace('-', " ");
        let words = [("seribu", "satu ribu"), ("seratus", "satu ratus")]
            .iter()
            .fold(words, |text, (short, long)| text.replace(short, long));
        let place = |list: &[&str], word: &str| list.iter().position(|known| *known == word);
        let (mut total, mut group, mut last, mut sign) = (0_i128, 0_i128, 0_i128, 1);
        for word in words.split(' ') {
            match word {
                "rupiah" => {}
                "minus" => sign = -1,
                "belas" => last += 10,
                "puluh" => (group, last) = (group + last * 10, 0),
                "ratus" | "hundred" => (group, last) = (group + last * 100, 0),
                word => {
                    if let Some(unit) = place(units, word) {
                        last += unit as i128;
                    } else if let Some(ten) = place(tens, word) {
                        last += ten as i128 * 10;
                    } else {
                        let scale = place(scales, word).unwrap_or_else(|| panic!("{word} in {words}"));
                        total += (group + last) * 1_000_i128.pow(u32::try_from(scale).unwrap());
                        (group, last) = (0, 0);
                    }
                }
            }
        }
        sign * (total + group + last)
    }

    fn assert_reads_back(amount: i64) {
        assert_eq!(
            read_back(&id(amount), &INDONESIAN, &[], &INDONESIAN_SCALES),
            amount.into(),
            "{}",
            id(amount)
        );
        assert_eq!(
            read_back(&en(amount), &ENGLISH, &ENGLISH_TENS, &ENGLISH_SCALES),
            amount.into(),
            "{}",
            en(amount)
        );
    }

    #[test]
    fn every_amount_of_six_digits_is_read_back() {
        for amount in (0..10_000).chain((10_000..1_000_000).step_by(37)) {
            assert_reads_back(amount);
        }
    }

    proptest! {
        #[test]
        fn any_amount_is_read_back(amount in any::<i64>(), digits in 1_u32..19) {
            assert_reads_back(amount);
            assert_reads_back(amount % 10_i64.pow(digits));
        }

        #[test]
        fn words_are_single_spaced(amount in any::<i64>()) {
            for words in [id(amount), en(amount)] {
                prop_assert!(!words.contains("  ") && words.trim() == words, "{words}");
            }
        }
    }
}
