//! Email addresses: which are accepted, and when two are one.

/// An address that mail can be sent to: RFC 5321 without its curiosities (quoted local parts, IP literals, hosts without
/// a domain). ASCII only: an international domain is written as `xn--…`, and a local part in another script could look
/// like somebody else's.
///
/// Two spellings of one address are one account; each is shown as it was written.
///
/// ```
/// use domain::email::EmailAddress;
///
/// let (written, again) = (EmailAddress::parse(" Siti@Example.com ")?, EmailAddress::parse("siti@example.com")?);
/// assert_eq!(written.as_str(), "Siti@Example.com");
/// assert_eq!(written.key(), again.key());
/// # Ok::<(), domain::email::InvalidEmail>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// Why a text is not an address that mail can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// Not one `@` with something on both sides.
    #[error("an email address looks like name@example.com")]
    Shape,
    /// More than 254 characters, or more than 64 before the `@`.
    #[error("an email address has at most 254 characters, 64 of them before the @")]
    Length,
    /// Something other than ASCII.
    #[error("an email address has no letters beyond a to z; write an international domain as xn--…")]
    Script,
    /// A character or dot before the `@` that mail servers don't take.
    #[error("the part before the @ has letters, digits and !#$%&'*+-/=?^_`{{|}}~, with single dots inside")]
    Local,
    /// What follows the `@` is no domain of the Internet.
    #[error("the part after the @ is a domain name such as example.com")]
    Domain,
}

const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;
const LONGEST_LABEL: usize = 63;

impl EmailAddress {
    /// Reads an address, with blanks around it if need be. Its case stays as it was written.
    ///
    /// # Errors
    /// [`InvalidEmail`] says which rule was broken.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(InvalidEmail::Length);
        }
        if !text.is_ascii() {
            return Err(InvalidEmail::Script);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::Shape)?;
        if local.is_empty() || domain.is_empty() || domain.contains('@') {
            return Err(InvalidEmail::Shape);
        }
        if local.len() > LONGEST_LOCAL {
            return Err(InvalidEmail::Length);
        }
        if !local.split('.').all(is_atom) {
            return Err(InvalidEmail::Local);
        }
        if !is_domain(domain) {
            return Err(InvalidEmail::Domain);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is known by.
    #[must_use]
    pub fn key(&self) -> EmailKey {
        EmailKey::of(&self.0)
    }
}

fn is_atom(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(known)
}

/// A name below a top-level domain. No top-level domain has a digit first, so addresses of hosts are none.
fn is_domain(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let well_formed = labels.iter().all(|label| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    });
    let top = labels.last().copied().unwrap_or_default();
    let top_level = top.len() >= 2 && top.starts_with(|first: char| first.is_ascii_alphabetic());
    labels.len() >= 2 && well_formed && top_level
}

/// What an address is looked up, counted and kept unique by. Two addresses are one when they differ in the case of ASCII
/// letters only: nothing depends on a locale, and `users.email_key` folds the same way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmailKey(String);

impl EmailKey {
    /// The key of whatever somebody entered, an address or not.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.trim().to_ascii_lowercase())
    }

    /// In lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_mail_reaches_are_taken_as_written() {
        for text in [
            "siti@example.com",
            "Siti.Aminah+vps@Mail.Example.co.id",
            "o'neil@xn--bcher-kva.example",
            "a@b.co",
            "1@2.id",
        ] {
            assert_eq!(EmailAddress::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(EmailAddress::parse(" siti@example.com\n").unwrap().as_str(), "siti@example.com");
    }

    #[test]
    fn what_no_mail_reaches_is_refused_with_the_reason() {
        let long_local = format!("{}@example.com", "x".repeat(65));
        let long = format!("siti@{}com", "example.".repeat(32));
        let long_label = format!("siti@{}.com", "x".repeat(64));
        for (text, why) in [
            ("", InvalidEmail::Shape),
            ("siti", InvalidEmail::Shape),
            ("@example.com", InvalidEmail::Shape),
            ("siti@", InvalidEmail::Shape),
            ("siti@budi@example.com", InvalidEmail::Shape),
            (&long_local, InvalidEmail::Length),
            (&long, InvalidEmail::Length),
            ("sİti@example.com", InvalidEmail::Script),
            ("siti@müller.de", InvalidEmail::Script),
            (".siti@example.com", InvalidEmail::Local),
            ("siti.@example.com", InvalidEmail::Local),
            ("siti..a@example.com", InvalidEmail::Local),
            ("siti a@example.com", InvalidEmail::Local),
            ("\"siti a\"@example.com", InvalidEmail::Local),
            ("siti\r\nBcc: x@example.com", InvalidEmail::Local),
            ("a@b", InvalidEmail::Domain),
            ("siti@localhost", InvalidEmail::Domain),
            ("siti@example.com.", InvalidEmail::Domain),
            ("siti@.example.com", InvalidEmail::Domain),
            ("siti@example..com", InvalidEmail::Domain),
            ("siti@-example.com", InvalidEmail::Domain),
            ("siti@example-.com", InvalidEmail::Domain),
            ("siti@exa_mple.com", InvalidEmail::Domain),
            ("siti@example.c", InvalidEmail::Domain),
            ("siti@192.0.2.1", InvalidEmail::Domain),
            ("siti@[192.0.2.1]", InvalidEmail::Domain),
            ("siti@[IPv6:2001:db8::1]", InvalidEmail::Domain),
            (&long_label, InvalidEmail::Domain),
        ] {
            assert_eq!(EmailAddress::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn one_key_for_one_address_in_any_case_and_no_other_letter_passes_for_ascii() {
        assert_eq!(EmailKey::of("SITI@Example.COM"), EmailKey::of(" siti@example.com "));
        // Turkish dotted I, Kelvin sign, long s: lower case of another locale makes ASCII letters of them.
        for other in ["sİti@example.com", "\u{212a}siti@example.com", "\u{17f}iti@example.com"] {
            assert!(!EmailKey::of(other).as_str().is_ascii(), "{other}");
        }
    }
}
