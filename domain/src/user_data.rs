//! What a new server is told at its first boot, as far as its owner decides, and how much that can be.

use std::fmt;

/// Most bytes of SSH keys, as they stand in the text a server is told. Vendors take 64 KiB of it, some counted after base64
/// has made four bytes of three; a kilobyte is left for the rest.
const MOST_KEY_BYTES: usize = 64 * 1024 * 3 / 4 - 1024;

/// Most bytes of the parts that a message adds around what it is made of.
const ENVELOPE: usize = 512;

/// The keys are more than a server can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "these SSH keys are too long to be put on one server together: name fewer, or Ed25519 keys, which are short"
)]
pub struct KeysTooLong;

/// Whether these public keys can be put on one server.
///
/// # Errors
/// [`KeysTooLong`].
pub fn check_keys(public_keys: &[String]) -> Result<(), KeysTooLong> {
    if told(public_keys) <= MOST_KEY_BYTES { Ok(()) } else { Err(KeysTooLong) }
}

/// Bytes of keys within the text a server is told.
fn told(public_keys: &[String]) -> usize {
    // As JSON strings, with quotes, comma and what has to be escaped.
    let escapes = |key: &str| key.chars().filter(|c| matches!(c, '"' | '\\')).count();
    public_keys.iter().map(|key| key.len() + escapes(key) + 3).sum()
}

/// What an owner wants a new server told at its first boot, for cloud-init: a `#cloud-config`, a script (`#!`), a boot hook, or
/// a list of addresses. It may hold secrets, so its `Debug` says nothing of it.
///
/// ```
/// use domain::user_data::UserData;
///
/// let script = UserData::from("#!/bin/sh\napt-get install -y nginx\n".to_owned());
/// assert_eq!(script.content_type()?, "text/x-shellscript");
/// assert!(!format!("{script:?}").contains("nginx"));
/// assert!(UserData::from("apt-get install -y nginx".to_owned()).content_type().is_err());
/// # Ok::<(), domain::user_data::InvalidUserData>(())
/// ```
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UserData(String);

/// cloud-init would not know what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("user data begins with `#cloud-config`, `#!`, `#cloud-boothook` or `#include`")]
pub struct InvalidUserData;

/// User data and keys are more than a server can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the user data is {over} bytes too long: with what we tell a server ourselves it has to fit into what every provider takes"
)]
pub struct UserDataTooLong {
    /// By so much.
    pub over: usize,
}

impl From<String> for UserData {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserData(..)")
    }
}

impl UserData {
    /// The text, for whoever tells it to a server or seals it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What it is to cloud-init, by its beginning.
    ///
    /// # Errors
    /// [`InvalidUserData`] when it is nothing.
    pub fn content_type(&self) -> Result<&'static str, InvalidUserData> {
        const KINDS: [(&str, &str); 4] = [
            ("#cloud-config", "text/cloud-config"),
            ("#!", "text/x-shellscript"),
            ("#cloud-boothook", "text/cloud-boothook"),
            ("#include", "text/x-include-url"),
        ];
        let is_kind = |(beginning, _): &&(&str, &str)| match self.0.strip_prefix(beginning) {
            Some(rest) => *beginning == "#!" || rest.is_empty() || rest.starts_with(char::is_whitespace),
            None => false,
        };
        KINDS.iter().find(is_kind).map(|(_, kind)| *kind).ok_or(InvalidUserData)
    }

    /// Whether it is told as it stands; else in base64.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.is_ascii()
    }

    /// Bytes of it within the text a server is told.
    fn told(&self) -> usize {
        if self.is_plain() { self.0.len() } else { self.0.len().div_ceil(3) * 4 }
    }
}

/// Whether a server can be told these public keys and this user data together.
///
/// # Errors
/// [`UserDataTooLong`]. Keys that are too long by themselves are [`check_keys`]'.
pub fn check_together(public_keys: &[String], user_data: &UserData) -> Result<(), UserDataTooLong> {
    let over = (told(public_keys) + user_data.told() + ENVELOPE).saturating_sub(MOST_KEY_BYTES);
    if over == 0 { Ok(()) } else { Err(UserDataTooLong { over }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> UserData {
        UserData::from(text.to_owned())
    }

    #[test]
    fn what_cloud_init_would_not_know_is_refused() {
        for (text, kind) in [
            ("#cloud-config\npackages: [nginx]\n", "text/cloud-config"),
            ("#cloud-config", "text/cloud-config"),
            ("#!/bin/bash\nid", "text/x-shellscript"),
            ("#cloud-boothook\nid", "text/cloud-boothook"),
            ("#include\nhttps://example.com/a", "text/x-include-url"),
        ] {
            assert_eq!(data(text).content_type(), Ok(kind), "{text}");
        }
        for text in [
            "",
            "id",
            " #cloud-config\n",
            "#cloud-configs\n",
            "# a remark",
            "Content-Type: multipart/mixed\n\n",
        ] {
            assert_eq!(data(text).content_type(), Err(InvalidUserData), "{text}");
        }
    }

    #[test]
    fn keys_and_user_data_fit_together_or_are_refused() {
        let script = |length: usize| data(&format!("#!{}", "x".repeat(length - 2)));
        let most = MOST_KEY_BYTES - ENVELOPE;
        assert_eq!(check_together(&[], &script(most)), Ok(()));
        assert_eq!(check_together(&[], &script(most + 7)), Err(UserDataTooLong { over: 7 }));
        let keys = vec!["k".repeat(97)];
        assert_eq!(check_together(&keys, &script(most)), Err(UserDataTooLong { over: 100 }));
        // What is not ASCII takes a third more.
        assert!(check_together(&[], &data(&format!("#!{}", "é".repeat(most / 2)))).is_err());
    }

    #[test]
    fn ten_keys_of_any_usual_length_are_taken_and_ten_huge_ones_are_not() {
        let keys = |length: usize, count: usize| vec!["k".repeat(length); count];
        assert_eq!(check_keys(&[]), Ok(()));
        // RSA of 16,384 bits, the longest that ssh-keygen makes.
        assert_eq!(check_keys(&keys(2_900, 10)), Ok(()));
        assert_eq!(check_keys(&keys(8_192, 5)), Ok(()));
        assert_eq!(check_keys(&keys(8_192, 10)), Err(KeysTooLong));
        assert_eq!(check_keys(&vec!["\\".repeat(4_000); 7]), Err(KeysTooLong));
    }
}
