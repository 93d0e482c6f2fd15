//! Which of several installations on one vendor account a server belongs to. Every server carries its installation's tag;
//! what carries another's is none of our business, whatever our records say: they may be a copy of theirs.

use crate::provisioning::FLEET_TAG;

/// An installation: production, staging, somebody's machine.
///
/// ```
/// use domain::installation::Installation;
///
/// let staging = Installation::parse("staging")?;
/// assert!(staging.owns(&["webrana-staging", "wb-7"]));
/// assert_eq!(staging.other(&["webrana-production"]), Some("production"), "hands off");
/// # Ok::<(), domain::installation::InvalidInstallation>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    id: String,
}

/// Why a word names no installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an installation's id has 1 to 24 lower-case letters, digits and inner dashes, such as production")]
pub struct InvalidInstallation;

impl Installation {
    /// What an installation is called that nobody named.
    pub const UNNAMED: &str = "development";

    /// Reads an installation's id.
    ///
    /// # Errors
    /// [`InvalidInstallation`] when it can't be part of a tag at every vendor.
    pub fn parse(id: &str) -> Result<Self, InvalidInstallation> {
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let dashed = id.starts_with('-') || id.ends_with('-');
        if id.is_empty() || id.len() > 24 || dashed || !id.bytes().all(is_plain) {
            return Err(InvalidInstallation);
        }
        Ok(Self { id: id.to_owned() })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tag of its servers, by which they are listed: letters, digits and dashes, 32 characters at most.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{FLEET_TAG}-{}", self.id)
    }

    /// Whether a server with these tags is its own.
    #[must_use]
    pub fn owns<T: AsRef<str>>(&self, tags: &[T]) -> bool {
        let own = self.tag();
        tags.iter().any(|tag| tag.as_ref() == own)
    }

    /// The other installation that a server with these tags belongs to. One without any mark belongs to nobody else.
    #[must_use]
    pub fn other<'a, T: AsRef<str>>(&self, tags: &'a [T]) -> Option<&'a str> {
        let mut ids = tags.iter().filter_map(|tag| tag.as_ref().strip_prefix(FLEET_TAG)?.strip_prefix('-'));
        if ids.clone().any(|id| id == self.id) {
            return None;
        }
        ids.next()
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self { id: Self::UNNAMED.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_into_every_vendors_tags() {
        for id in ["production", "staging-2", "a", &"x".repeat(24)] {
            assert!(Installation::parse(id).unwrap().tag().len() <= 32);
        }
        for id in ["", "-a", "a-", "Prod", "a b", "a_b", "a.b", &"x".repeat(25)] {
            assert_eq!(Installation::parse(id), Err(InvalidInstallation), "{id}");
        }
    }

    #[test]
    fn an_installation_owns_what_carries_its_tag_and_nothing_of_anothers() {
        let production = Installation::parse("production").unwrap();
        for (tags, owns, other) in [
            (vec!["webrana-production", "wb-1"], true, None),
            (vec!["webrana-staging", "wb-1"], false, Some("staging")),
            (vec!["webrana", "wb-1"], false, None),
            (vec!["webrana", "webrana-staging"], false, Some("staging")),
            (vec!["webrana", "webrana-production"], true, None),
            (vec!["webrana-production-2"], false, Some("production-2")),
            (vec!["somebody-elses"], false, None),
        ] {
            assert_eq!(production.owns(&tags), owns, "{tags:?}");
            assert_eq!(production.other(&tags), other, "{tags:?}");
        }
    }
}
