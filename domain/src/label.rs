//! Short texts of one line that people give themselves and their things, and that others read.

/// A text in which there is something to see, and which shows what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

/// Why a text is not a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    /// Nothing at all, or too much.
    #[error("it has 1 to {0} characters")]
    Length(usize),
    /// Blanks and invisible characters only.
    #[error("it has at least one visible character")]
    Invisible,
    /// A control character or an end of line.
    #[error("it has no control characters")]
    Control,
    /// A character that turns the direction of what follows, so that a text shows something else than it says.
    #[error("it has no characters that override the direction of text")]
    Direction,
}

impl Label {
    /// Reads a text of at most `longest` characters, without the blanks around it.
    ///
    /// # Errors
    /// [`InvalidLabel`] says which rule was broken.
    pub fn parse(text: &str, longest: usize) -> Result<Self, InvalidLabel> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > longest {
            return Err(InvalidLabel::Length(longest));
        }
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(InvalidLabel::Control);
        }
        if text.chars().any(overrides_direction) {
            return Err(InvalidLabel::Direction);
        }
        if !text.chars().any(is_visible) {
            return Err(InvalidLabel::Invisible);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Embeddings, overrides and isolates. The plain marks (U+200E, U+200F, U+061C) move neighbours only, and names in Arabic
/// or Hebrew need them.
const fn overrides_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Not a blank, and not one of the characters that Unicode has no glyph for (default ignorables, fillers, the empty
/// Braille cell).
#[must_use]
pub fn is_visible(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    !hidden && !c.is_whitespace() && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_are_taken_without_the_blanks_around_them() {
        for text in [
            "Siti Aminah",
            "Bj\u{f6}rk",
            "\u{674e}\u{5c0f}\u{9f99}",
            "O'Neil-\u{160}",
            "X",
            "\u{646}\u{648}\u{631}\u{200f}",
            "\u{1f600}",
        ] {
            assert_eq!(Label::parse(&format!("  {text} "), 200).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_shows_nothing_or_something_else_is_refused() {
        for (text, why) in [
            ("", InvalidLabel::Length(10)),
            ("   ", InvalidLabel::Length(10)),
            ("12345678901", InvalidLabel::Length(10)),
            ("\u{200b}\u{200d}", InvalidLabel::Invisible),
            ("\u{3164}", InvalidLabel::Invisible),
            ("\u{2800} \u{ad}", InvalidLabel::Invisible),
            ("\u{feff}\u{e0041}", InvalidLabel::Invisible),
            ("Siti\u{7}", InvalidLabel::Control),
            ("Si\nti", InvalidLabel::Control),
            ("Si\u{2028}ti", InvalidLabel::Control),
            ("\u{202e}itiS", InvalidLabel::Direction),
            ("S\u{2067}iti", InvalidLabel::Direction),
        ] {
            assert_eq!(Label::parse(text, 10), Err(why), "{text:?}");
        }
    }
}
