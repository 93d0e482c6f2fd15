//! Words that customers give their servers, to find them by.

use std::collections::BTreeSet;

/// Most tags that one server has.
pub const MOST_TAGS: usize = 20;
/// Longest tag, in characters.
pub const LONGEST_TAG: usize = 64;
/// What a tag looks like, as a regular expression. The database has the same rule (`instances_tags_are_words`).
pub const TAG_PATTERN: &str = "^[a-z0-9:_-]{1,64}$";

/// The tags of one server: each once, in the order of the alphabet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(Vec<String>);

/// Why words are no tags of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTags {
    /// There are too many.
    #[error("a server has at most 20 tags")]
    TooMany,
    /// One is not written as tags are.
    #[error("a tag has 1 to 64 lower-case letters, digits, colons, dashes and underscores")]
    NoTag {
        /// Which of them, counted from nothing.
        place: usize,
    },
}

impl Tags {
    /// Tags of these words. A word that comes twice counts once.
    ///
    /// # Errors
    /// [`InvalidTags`] for the first word that is no tag, or when there are too many.
    pub fn new(words: impl IntoIterator<Item = String>) -> Result<Self, InvalidTags> {
        let mut tags = BTreeSet::new();
        for (place, word) in words.into_iter().enumerate() {
            if !is_tag(&word) {
                return Err(InvalidTags::NoTag { place });
            }
            tags.insert(word);
        }
        match tags.len() > MOST_TAGS {
            true => Err(InvalidTags::TooMany),
            false => Ok(Self(tags.into_iter().collect())),
        }
    }

    /// The tags, sorted.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

fn is_tag(word: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b":_-".contains(&byte);
    (1..=LONGEST_TAG).contains(&word.len()) && word.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(words: &[&str]) -> Result<Tags, InvalidTags> {
        Tags::new(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn each_tag_counts_once_and_has_its_place() {
        assert_eq!(tags(&["web", "env:prod", "web"]).unwrap().as_slice(), ["env:prod", "web"]);
        assert_eq!(tags(&[]).unwrap(), Tags::default());
    }

    #[test]
    fn what_is_no_tag_is_named_by_its_place() {
        let long = "a".repeat(LONGEST_TAG + 1);
        for word in ["", "Web", "a b", "a,b", "é", &long] {
            assert_eq!(tags(&["ok", word]), Err(InvalidTags::NoTag { place: 1 }), "{word}");
        }
        assert!(tags(&[&long[1..]]).is_ok());
    }

    #[test]
    fn there_are_twenty_at_most() {
        let words: Vec<String> = (0..=MOST_TAGS).map(|n| format!("t{n}")).collect();
        assert_eq!(Tags::new(words.clone()), Err(InvalidTags::TooMany));
        assert!(Tags::new(words.into_iter().skip(1)).is_ok());
    }
}
