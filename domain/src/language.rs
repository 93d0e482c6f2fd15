//! The languages that people read.

use crate::text_enum::text_enum;

text_enum! {
    /// A language, by its code (ISO 639-1).
    Language {
        /// Bahasa Indonesia.
        Indonesian = "id",
        /// English.
        English = "en",
    }
}

impl Language {
    /// What somebody reads: the language that was asked for, if any, else their own.
    #[must_use]
    pub fn of_reader(asked: Option<Self>, own: Self) -> Self {
        asked.unwrap_or(own)
    }

    /// The language that an `Accept-Language` header (RFC 9110, 12.5.4) prefers, of those we have. `None` when it names
    /// none of them.
    ///
    /// ```
    /// use domain::language::Language;
    ///
    /// assert_eq!(Language::accepted("fr, en-GB;q=0.8, id;q=0.5"), Some(Language::English));
    /// assert_eq!(Language::accepted("fr, *"), None);
    /// ```
    #[must_use]
    pub fn accepted(header: &str) -> Option<Self> {
        let mut best = None;
        for range in header.split(',') {
            let Some((language, weight)) = weighed(range) else { continue };
            // Of two that are wanted as much, the first.
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }
}

/// A language range with its weight in thousandths: `en-US;q=0.9`.
fn weighed(range: &str) -> Option<(Language, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next()?.split('-').next()?.to_ascii_lowercase();
    let language = tag.parse().ok()?;
    let weight = match parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))) {
        None => 1_000,
        Some(weight) => thousandths(weight)?,
    };
    Some((language, weight))
}

/// The thousandths in `0.8` or `1`, as the header's grammar writes them.
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse::<u32>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_is_preferred_most_is_taken() {
        for (header, language) in [
            ("en", Some(Language::English)),
            ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", Some(Language::Indonesian)),
            ("en-US,en;q=0.9,id;q=0.8", Some(Language::English)),
            ("EN;Q=0.1, ID;q=0.05", Some(Language::English)),
            ("id;q=0, en;q=0.001", Some(Language::English)),
            ("id;q=0", None),
            ("fr-FR, de", None),
            ("*", None),
            ("en;q=much", None),
            ("", None),
            ("indonesian", None),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }

    #[test]
    fn what_is_asked_for_goes_before_ones_own() {
        assert_eq!(Language::of_reader(Some(Language::English), Language::Indonesian), Language::English);
        assert_eq!(Language::of_reader(None, Language::Indonesian), Language::Indonesian);
    }
}
