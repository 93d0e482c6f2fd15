//! Passwords that are tried first: the ten thousand most common ones, first names, and what people make of them.

use std::{collections::HashSet, sync::LazyLock};

/// Lower case, most common first; lines with `# ` are about the list.
static LIST: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("common.txt").lines();
    lines.filter(|line| !line.starts_with("# ") && *line != "#").chain(OURS.iter().copied()).collect()
});

/// What the list, which comes from English-speaking sites, does not know.
const OURS: &[&str] = &[
    "alhamdulillah",
    "anjing",
    "bandung",
    "bismillah",
    "bojonegoro",
    "cinta",
    "cintaku",
    "doraemon",
    "garuda",
    "garudaku",
    "ganteng",
    "indonesia",
    "indonesiaraya",
    "jakarta",
    "kampret",
    "katasandi",
    "kucing",
    "makassar",
    "merdeka",
    "palembang",
    "pancasila",
    "persib",
    "persija",
    "rahasia",
    "sandi",
    "sayang",
    "sayangku",
    "semangat",
    "semarang",
    "subhanallah",
    "surabaya",
    "terserah",
    "webrana",
    "yogyakarta",
];

/// More digits and signs around a word are a part of the secret.
const LONGEST_DECORATION: usize = 6;

/// Whether a password is among the first that are tried for an account, `own` being the owner's word for it.
pub(super) fn is_common(password: &str, own: &str) -> bool {
    let password = password.to_lowercase();
    let known = |text: &str| !text.is_empty() && (LIST.contains(text) || text == own.to_lowercase());
    let plain = without_substitutes(&password);
    known(&password)
        || known(&plain)
        || undecorated(&password).is_some_and(|word| known(word) || known(&without_substitutes(word)))
        || unit(&password).is_some_and(|unit| unit.chars().count() <= 4 || known(unit))
        || is_sequence(&password)
}

/// The word in `123word!`, if there is little around it.
fn undecorated(text: &str) -> Option<&str> {
    let word = text.trim_matches(|c: char| !c.is_alphabetic());
    let decoration = text.chars().count() - word.chars().count();
    (1..=LONGEST_DECORATION).contains(&decoration).then_some(word)
}

/// `p4$$w0rd` as it is meant.
fn without_substitutes(text: &str) -> String {
    let meant = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    text.chars().map(meant).collect()
}

/// What a text says over and over.
fn unit(text: &str) -> Option<&str> {
    let periods = text.char_indices().map(|(at, _)| at).filter(|at| *at > 0 && *at <= text.len() / 2);
    periods.map(|period| &text[..period]).find(|unit| {
        let mut rest = text;
        while let Some(shorter) = rest.strip_prefix(unit) {
            rest = shorter;
        }
        unit.starts_with(rest)
    })
}

/// Neighbours in the alphabet or among the digits, up or down, from one end to the other.
fn is_sequence(text: &str) -> bool {
    let characters: Vec<u32> = text.chars().map(u32::from).collect();
    characters.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > 1).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_there_and_lower_case() {
        assert!(LIST.len() > 10_900, "{}", LIST.len());
        assert!(LIST.contains("qwertyuiop") && !LIST.iter().any(|entry| entry.starts_with('#')));
        assert!(LIST.iter().all(|entry| entry.to_lowercase() == **entry));
    }

    #[test]
    fn what_is_tried_first_is_common() {
        for common in [
            "1234567890",
            "9876543210",
            "qwertyuiop",
            "QwertyUiop",
            "password123",
            "Password123!",
            "p4$$w0rd!!",
            "iloveyou123",
            "123iloveyou",
            "aaaaaaaaaa",
            "abcabcabcabca",
            "abcdefghij",
            "abcdef123456",
            "passwordpassword",
            "rahasia123",
            "Indonesia1945",
            "michael2024",
            "webrana1234",
            "siti.aminah1",
        ] {
            assert!(is_common(common, "siti.aminah"), "{common}");
        }
        for good in [
            "kuda-hitam-lari-7",
            "gajah-biru-9",
            "correct horse battery staple",
            "Tr0ub4dor&3xyz",
            "dragon-58213907",
            "\u{674e}\u{5c0f}\u{9f99}\u{7684}\u{5bc6}\u{7801}\u{5f88}\u{957f}\u{5f88}\u{957f}",
        ] {
            assert!(!is_common(good, "siti.aminah"), "{good}");
        }
        assert!(!is_common("gajah-biru-9", ""), "nobody's own word");
    }
}
