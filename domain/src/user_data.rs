//! What a new server is told at its first boot, as far as its owner decides, and how much that can be.

use std::{collections::BTreeMap, fmt};

/// Bytes of text that every vendor takes: 64 KiB, after base64 has made four bytes of three.
const EVERYWHERE: usize = 64 * 1024 * 3 / 4;

/// Most bytes that we tell a server beside its keys: host name, hash of the root password, and what a message of several
/// parts adds around them.
pub const OURS: usize = 1024;

/// Most bytes of SSH keys, as they stand in the text a server is told.
const MOST_KEY_BYTES: usize = EVERYWHERE - OURS;

/// How many bytes of text a new server can be told at each provider, by its slug.
///
/// ```
/// use domain::user_data::FirstBootLimits;
///
/// let limits = FirstBootLimits::from_iter([("linode", 65_535)]);
/// assert_eq!((limits.of("linode"), limits.of("vultr")), (65_535, 49_152));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirstBootLimits(BTreeMap<String, usize>);

impl FirstBootLimits {
    /// That of one provider; what every vendor takes, where it said nothing.
    #[must_use]
    pub fn of(&self, provider: &str) -> usize {
        self.0.get(provider).copied().unwrap_or(EVERYWHERE)
    }
}

impl<'a> FromIterator<(&'a str, usize)> for FirstBootLimits {
    fn from_iter<I: IntoIterator<Item = (&'a str, usize)>>(limits: I) -> Self {
        Self(limits.into_iter().map(|(slug, most)| (slug.to_owned(), most)).collect())
    }
}

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
#[error(
    "user data begins with `#cloud-config`, `#!`, `#cloud-boothook` or `#include`, and has no NUL characters"
)]
pub struct InvalidUserData;

/// User data and keys are more than a server can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the user data is {over} bytes too long: beside these SSH keys and what we tell a server ourselves, its provider takes {most}, \
     and of text that is not ASCII four for every three"
)]
pub struct UserDataTooLong {
    /// So much could be told.
    pub most: usize,
    /// It is more by so much.
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
    /// [`InvalidUserData`] when it is nothing, or no text.
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
        let known = KINDS.iter().find(is_kind).map(|(_, kind)| *kind);
        known.filter(|_| !self.0.contains('\0')).ok_or(InvalidUserData)
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

/// Whether a server whose provider takes `limit` bytes can be told these public keys and this user data together.
///
/// # Errors
/// [`UserDataTooLong`]. Keys that are too long by themselves are [`check_keys`]'.
pub fn check_together(
    public_keys: &[String],
    user_data: &UserData,
    limit: usize,
) -> Result<(), UserDataTooLong> {
    let most = limit.saturating_sub(told(public_keys) + OURS);
    match user_data.told().saturating_sub(most) {
        0 => Ok(()),
        over => Err(UserDataTooLong { most, over }),
    }
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
            "#!/bin/sh\necho \0",
        ] {
            assert_eq!(data(text).content_type(), Err(InvalidUserData), "{text}");
        }
    }

    #[test]
    fn keys_and_user_data_fit_together_or_are_refused() {
        let script = |length: usize| data(&format!("#!{}", "x".repeat(length - 2)));
        let limit = 64 * 1024;
        let most = limit - OURS;
        assert_eq!(check_together(&[], &script(most), limit), Ok(()));
        assert_eq!(check_together(&[], &script(most + 7), limit), Err(UserDataTooLong { most, over: 7 }));
        let keys = vec!["k".repeat(97)];
        let with_keys = Err(UserDataTooLong { most: most - 100, over: 100 });
        assert_eq!(check_together(&keys, &script(most), limit), with_keys);
        // What is not ASCII takes a third more.
        assert!(check_together(&[], &data(&format!("#!{}", "é".repeat(most / 2))), limit).is_err());
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
