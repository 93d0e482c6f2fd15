//! Text in the fonts that every PDF reader has: Helvetica in WinAnsi (PDF 32000-1, annex D.2), one byte a letter.

use pdf_writer::Name;

/// A cut of Helvetica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    Regular,
    Bold,
    Oblique,
}

impl Font {
    pub(super) const ALL: [Self; 3] = [Self::Regular, Self::Bold, Self::Oblique];

    /// What pages call it.
    pub(super) const fn name(self) -> Name<'static> {
        Name(match self {
            Self::Regular => b"R",
            Self::Bold => b"B",
            Self::Oblique => b"O",
        })
    }

    /// What readers call it.
    pub(super) const fn base(self) -> Name<'static> {
        Name(match self {
            Self::Regular => b"Helvetica",
            Self::Bold => b"Helvetica-Bold",
            Self::Oblique => b"Helvetica-Oblique",
        })
    }

    /// Widths from the space on, in thousandths of the size. The oblique cut is as wide as the upright one.
    const fn widths(self) -> &'static [u16; 224] {
        match self {
            Self::Regular | Self::Oblique => &REGULAR,
            Self::Bold => &BOLD,
        }
    }
}

/// `text` in WinAnsi. A letter that it lacks is written in Latin letters, or as a question mark; line ends and tabs become
/// spaces.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match win_ansi(letter) {
            Some(byte) => bytes.push(byte),
            None if letter.is_control() => bytes.push(b' '),
            None => bytes.extend(
                deunicode::deunicode_char(letter)
                    .unwrap_or("?")
                    .bytes()
                    .filter(|byte| matches!(byte, 0x20..=0x7e)),
            ),
        }
    }
    bytes
}

fn win_ansi(letter: char) -> Option<u8> {
    match letter {
        ' '..='~' => u8::try_from(letter).ok(),
        // The soft hyphen is not to be seen.
        '\u{ad}' => None,
        '\u{a0}'..='\u{ff}' => u8::try_from(letter).ok(),
        _ => SPECIALS.iter().find(|(special, _)| *special == letter).map(|(_, byte)| *byte),
    }
}

/// How wide `text` is in points.
pub(super) fn width(text: &[u8], font: Font, size: f32) -> f32 {
    let widths = font.widths();
    let of = |byte: &u8| {
        byte.checked_sub(b' ').and_then(|place| widths.get(usize::from(place))).copied().unwrap_or(0)
    };
    let thousandths: u32 = text.iter().map(|byte| u32::from(of(byte))).sum();
    thousandths as f32 * size / 1_000.0
}

/// `text` in lines that are not wider than `most` points, broken at spaces, and within a word only where it is wider
/// than a line. There is always one line.
pub(super) fn wrap(text: &str, font: Font, size: f32, most: f32) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let mut line: Vec<u8> = Vec::new();
    let bytes = encode(text);
    for word in bytes.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
        let longer = if line.is_empty() { word.to_vec() } else { [line.as_slice(), b" ", word].concat() };
        if width(&longer, font, size) <= most {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for byte in word {
            line.push(*byte);
            if line.len() > 1 && width(&line, font, size) > most {
                line.pop();
                lines.push(std::mem::replace(&mut line, vec![*byte]));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Where WinAnsi differs from Latin-1.
const SPECIALS: [(char, u8); 27] = [
    ('€', 0x80),
    ('‚', 0x82),
    ('ƒ', 0x83),
    ('„', 0x84),
    ('…', 0x85),
    ('†', 0x86),
    ('‡', 0x87),
    ('ˆ', 0x88),
    ('‰', 0x89),
    ('Š', 0x8a),
    ('‹', 0x8b),
    ('Œ', 0x8c),
    ('Ž', 0x8e),
    ('‘', 0x91),
    ('’', 0x92),
    ('“', 0x93),
    ('”', 0x94),
    ('•', 0x95),
    ('–', 0x96),
    ('—', 0x97),
    ('˜', 0x98),
    ('™', 0x99),
    ('š', 0x9a),
    ('›', 0x9b),
    ('œ', 0x9c),
    ('ž', 0x9e),
    ('Ÿ', 0x9f),
];

#[rustfmt::skip]
const REGULAR: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 0,
    556, 0, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 0, 611, 0,
    0, 222, 222, 333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944, 0, 500, 667,
    278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    667, 667, 667, 667, 667, 667, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];
#[rustfmt::skip]
const BOLD: [u16; 224] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584, 0,
    556, 0, 278, 556, 500, 1000, 556, 556, 333, 1000, 667, 333, 1000, 0, 611, 0,
    0, 278, 278, 500, 500, 350, 556, 1000, 333, 1000, 556, 333, 944, 0, 500, 667,
    278, 333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333,
    400, 584, 333, 333, 333, 611, 556, 278, 333, 333, 365, 556, 834, 834, 834, 611,
    722, 722, 722, 722, 722, 722, 1000, 722, 667, 667, 667, 667, 278, 278, 278, 278,
    722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667, 611,
    556, 556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278,
    611, 611, 611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
];
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_that_helvetica_lacks_are_transliterated() {
        assert_eq!(encode("Café “Ümit” – 5 €"), b"Caf\xe9 \x93\xdcmit\x94 \x96 5 \x80");
        assert_eq!(encode("Łukasz Đặng"), b"Lukasz Dang");
        assert_eq!(encode("北京"), b"Bei Jing ");
        assert_eq!(encode("a\nb\tc\0d"), b"a b c d");
        assert_eq!(encode("\u{e000}"), b"?");
    }

    #[test]
    fn widths_are_helveticas() {
        assert!((width(b"Hello", Font::Regular, 10.0) - 22.78).abs() < 0.01);
        assert!(width(b"Hello", Font::Bold, 10.0) > width(b"Hello", Font::Regular, 10.0));
    }

    #[test]
    fn lines_break_at_spaces_and_in_words_that_are_too_long() {
        let texts = |text: &str, most| -> Vec<String> {
            let lines = wrap(text, Font::Regular, 10.0, most);
            lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
        };
        assert_eq!(texts("one two three", 45.0), ["one two", "three"]);
        assert_eq!(texts("aaaaaaaaaa b", 30.0), ["aaaaa", "aaaaa", "b"]);
        assert_eq!(texts("", 30.0), [""]);
        assert_eq!(texts("ab", 0.0), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn whatever_is_wrapped_fits_and_is_whole(text in any::<String>(), most in 12.0_f32..500.0) {
            let lines = wrap(&text, Font::Bold, 10.0, most);
            for line in &lines {
                prop_assert!(line.len() <= 1 || width(line, Font::Bold, 10.0) <= most);
            }
            let letters = |bytes: Vec<u8>| bytes.into_iter().filter(|byte| *byte != b' ').collect::<Vec<u8>>();
            prop_assert_eq!(letters(lines.concat()), letters(encode(&text)));
        }
    }
}
