//! Which of several installations on one vendor account a server belongs to. Every server carries its installation's tag;
//! what carries another's is none of our business, whatever our records say: they may be a copy of theirs.

use crate::provisioning::FLEET_TAG;

/// An installation: production, staging, somebody's machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    id: String,
    takes_unmarked: bool,
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
        Ok(Self { id: id.to_owned(), takes_unmarked: false })
    }

    /// The same, as the one installation of an account that servers of before there were ids belong to: they carry
    /// [`FLEET_TAG`] alone.
    #[must_use]
    pub fn taking_unmarked(mut self, takes: bool) -> Self {
        self.takes_unmarked = takes;
        self
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tag of its servers: letters, digits and dashes, 32 characters at most.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{FLEET_TAG}-{}", self.id)
    }

    /// The tags by which its servers are listed.
    #[must_use]
    pub fn listed_by(&self) -> Vec<String> {
        let unmarked = self.takes_unmarked.then(|| FLEET_TAG.to_owned());
        std::iter::once(self.tag()).chain(unmarked).collect()
    }

    /// Whether a server with these tags is its own, and not another's.
    #[must_use]
    pub fn owns<T: AsRef<str>>(&self, tags: &[T]) -> bool {
        let has = |wanted: &str| tags.iter().any(|tag| tag.as_ref() == wanted);
        has(&self.tag()) || self.takes_unmarked && has(FLEET_TAG) && other_than(None, tags).is_none()
    }

    /// The other installation that a server with these tags belongs to. One without any mark belongs to nobody else.
    #[must_use]
    pub fn other<'a, T: AsRef<str>>(&self, tags: &'a [T]) -> Option<&'a str> {
        other_than(Some(&self.id), tags)
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self { id: Self::UNNAMED.to_owned(), takes_unmarked: false }
    }
}

fn other_than<'a, T: AsRef<str>>(own: Option<&str>, tags: &'a [T]) -> Option<&'a str> {
    let mut ids = tags.iter().filter_map(|tag| tag.as_ref().strip_prefix(FLEET_TAG)?.strip_prefix('-'));
    if own.is_some_and(|own| ids.clone().any(|id| id == own)) {
        return None;
    }
    ids.next()
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
        let old = production.clone().taking_unmarked(true);
        for (tags, owns, old_owns, other) in [
            (vec!["webrana-production", "wb-1"], true, true, None),
            (vec!["webrana-staging", "wb-1"], false, false, Some("staging")),
            (vec!["webrana", "wb-1"], false, true, None),
            (vec!["webrana", "webrana-staging"], false, false, Some("staging")),
            (vec!["webrana", "webrana-production"], true, true, None),
            (vec!["webrana-production-2"], false, false, Some("production-2")),
            (vec!["somebody-elses"], false, false, None),
        ] {
            assert_eq!((production.owns(&tags), old.owns(&tags)), (owns, old_owns), "{tags:?}");
            assert_eq!(production.other(&tags), other, "{tags:?}");
        }
        assert_eq!(production.listed_by(), ["webrana-production"]);
        assert_eq!(old.listed_by(), ["webrana-production", "webrana"]);
    }
}
