//! Host names as RFC 1123 section 2.1 allows them, and as long as a Linux machine can have.

/// Longest name: Linux takes 64 characters, of which what sets it at the first boot fails with the last one.
const LONGEST: usize = 63;

/// A valid host name: labels of letters, digits and inner dashes, 63 characters in all.
///
/// ```
/// use domain::hostname::{Hostname, InvalidHostname};
///
/// assert_eq!(Hostname::parse("Web-1.Toko.id").map(|name| name.as_str().to_owned()), Ok("web-1.toko.id".to_owned()));
/// assert_eq!(Hostname::parse("web_1"), Err(InvalidHostname::Character));
/// assert_eq!(Hostname::parse("10.0.0.1"), Err(InvalidHostname::Address));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Hostname(String);

/// Why a string is not a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHostname {
    /// Nothing, or more than 63 characters.
    #[error("a host name has 1 to 63 characters, dots included")]
    Length,
    /// An empty label.
    #[error("each part of a host name between dots has a character at least")]
    EmptyLabel,
    /// A character outside letters, digits and dashes.
    #[error("a host name has only letters, digits, dashes and dots")]
    Character,
    /// A label with a dash at either end.
    #[error("no part of a host name begins or ends with a dash")]
    Dash,
    /// Four numbers are an address, not a name.
    #[error("a host name is not an IP address")]
    Address,
}

impl Hostname {
    /// Checks and lower-cases a host name.
    ///
    /// # Errors
    /// [`InvalidHostname`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, InvalidHostname> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(InvalidHostname::Length);
        }
        for label in text.split('.') {
            if label.is_empty() {
                return Err(InvalidHostname::EmptyLabel);
            }
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err(InvalidHostname::Character);
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(InvalidHostname::Dash);
            }
        }
        if text.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(InvalidHostname::Address);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_rfc_1123_allows() {
        for good in ["web-1", "a", "3com", "Web.Example.co.id", &"x".repeat(63)] {
            assert_eq!(Hostname::parse(good).unwrap().as_str(), good.to_ascii_lowercase());
        }
    }

    #[test]
    fn names_the_broken_rule() {
        assert_eq!(Hostname::parse(""), Err(InvalidHostname::Length));
        assert_eq!(Hostname::parse(&"x".repeat(64)), Err(InvalidHostname::Length));
        assert_eq!(Hostname::parse(&format!("{}.example.com", "x".repeat(60))), Err(InvalidHostname::Length));
        assert_eq!(Hostname::parse("a..b"), Err(InvalidHostname::EmptyLabel));
        assert_eq!(Hostname::parse("web_1"), Err(InvalidHostname::Character));
        assert_eq!(Hostname::parse("situs-é"), Err(InvalidHostname::Character));
        assert_eq!(Hostname::parse("-web"), Err(InvalidHostname::Dash));
        assert_eq!(Hostname::parse("10.0.0.1"), Err(InvalidHostname::Address));
    }
}
