//! Secrets that keep nothing secret: those that stand in this repository, where anybody reads them, and those that are
//! guessed.

use super::{auth, credentials};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::label::is_visible;
use std::borrow::Cow;

/// Secrets that stand in this repository, besides what the simulators accept: defaults of settings, constants of tests and
/// examples. `webrana/tests/published.rs` reads the repository and fails when one is missing here.
const PUBLISHED: &[&str] = &[
    // Defaults.
    "development-only-secret-never-use-in-production",
    "ZGV2ZWxvcG1lbnQgb25seSwgbmV2ZXIgYSBzZWNyZXQ=",
    "webrana",
    // docker-compose.yml of earlier versions.
    "local-compose-secret-never-use-in-production",
    "bG9jYWwgY29tcG9zZSBvbmx5LCBub3QgYSBzZWNyZXQ=",
    // Tests and examples.
    "9d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f29d7a3c51e80b46f2",
    "0123456789abcdef0123456789abcdef",
    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4=",
    "a secret of at least 32 bytes....",
    "another secret, also 32 bytes....",
    "a secret of at least thirty-two bytes",
    "the-contracts-secret-key",
    "the-contracts-callback-token",
    "contract-token",
    "wrong-token",
    "digitalocean-token",
    "vultr-api-key",
    "linode-api-token",
    "not.a.token",
    "wbk_not-a-key-of-ours",
    "SB-Mid-server-api",
    "SB-Mid-server-test",
    "VT-server-HJMpl9HLr_ntOKt5mRONdmKj",
    "xendits-callback-token",
    "callback-token-of-the-test",
    "the-engines-api-key-of-the-tests",
    "kuda-hitam-lari-7",
    "gajah-biru-tidur-9",
    "gajah-biru-9",
    "a-long-enough-password",
    "correct-horse-battery",
    "some-password",
    "wrong-password",
    "password1234",
    "Correct-horse-9",
    "Correct-horse-9-battery",
    "another-Password-7",
    "thisIsYourRootPassword",
];

/// Vendors' keys have 32 characters and more.
pub const SHORTEST_CREDENTIAL: usize = 16;

/// A setting that nobody may know.
pub struct Guarded<'a> {
    /// Its variable.
    pub name: &'static str,
    /// Whether it guards what this process serves.
    pub is_ours: bool,
    value: Cow<'a, str>,
    kind: Kind,
}

enum Kind {
    /// Text of so many characters at least.
    Text(usize),
    /// Bytes in base64.
    Key,
}

impl<'a> Guarded<'a> {
    /// A secret of `shortest` characters or more.
    pub fn text(name: &'static str, value: &'a str, shortest: usize) -> Self {
        Self { name, is_ours: true, value: value.into(), kind: Kind::Text(shortest) }
    }

    /// A key of random bytes in base64.
    pub fn key(name: &'static str, value: &'a str) -> Self {
        Self { name, is_ours: true, value: value.into(), kind: Kind::Key }
    }

    /// A secret that guards what another process serves.
    pub fn elsewhere(name: &'static str, value: String, shortest: usize) -> Self {
        Self { name, is_ours: false, value: value.into(), kind: Kind::Text(shortest) }
    }

    /// Whether it stands in this repository.
    pub fn is_published(&self) -> bool {
        is_published(&self.value)
    }

    /// Why it can't be the secret that somebody meant to set, in a sentence without it, or `None`: characters that nobody
    /// sees came along when it was copied, and no vendor or key knows them.
    pub fn garbled(&self) -> Option<String> {
        let unseen = self.value.chars().find(|c| *c != ' ' && !is_visible(*c))?;
        Some(format!(
            "{} has the invisible character U+{:04X} inside: copy it anew, in one line",
            self.name,
            u32::from(unseen)
        ))
    }

    /// Why it is no secret, in a sentence without it, or `None`.
    pub fn weakness(&self) -> Option<String> {
        let name = self.name;
        if [auth::DEVELOPMENT_SECRET, credentials::DEVELOPMENT_KEY].contains(&&*self.value) {
            return Some(format!("{name} is missing: its default is for development only"));
        }
        let why = match self.kind {
            Kind::Text(shortest) => weakness(&self.value, shortest),
            Kind::Key => weak_key(&self.value),
        };
        why.map(|why| format!("{name} {why}"))
    }
}

/// Random characters need not be more different than this to be random.
const FEWEST_CHARACTERS: usize = 8;

/// Every secret that stands in this repository.
pub fn published() -> impl Iterator<Item = &'static str> {
    let of_providers = simulators::PROVIDERS.iter().map(|simulator| simulator.credential);
    let of_gateways = simulators::GATEWAYS.iter().flat_map(|simulator| simulator.credentials);
    let of_messengers = [simulators::telegram::TOKEN];
    PUBLISHED
        .iter()
        .copied()
        .chain(of_providers)
        .chain(of_gateways.map(|credential| credential.usual))
        .chain(of_messengers)
}

/// Whether a secret stands in this repository.
pub fn is_published(secret: &str) -> bool {
    published().any(|known| known == secret.trim())
}

/// Why a secret is no secret, or `None`. `shortest` is in characters.
pub fn weakness(secret: &str, shortest: usize) -> Option<String> {
    let characters: Vec<char> = secret.trim().chars().collect();
    let reason = if is_published(secret) {
        "stands in the public repository"
    } else if characters.len() < shortest {
        return Some(format!("is too short: it needs {shortest} characters or more"));
    } else if distinct(&characters) < FEWEST_CHARACTERS {
        "has too few different characters"
    } else if repeats(&characters) {
        "repeats itself"
    } else if is_sequence(&characters) {
        "is a sequence"
    } else if is_placeholder(secret) {
        "is a placeholder"
    } else {
        return None;
    };
    Some(format!("{reason}: make a random one"))
}

/// Why a key of 32 bytes in base64 is none that was made at random, or `None`.
pub fn weak_key(key: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(key.trim()).unwrap_or_default();
    // Of random keys one in 10^13 is text.
    let text = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let few = bytes.iter().collect::<std::collections::BTreeSet<_>>().len() < FEWEST_CHARACTERS;
    if text || few {
        return Some("is not random: make one by `openssl rand -base64 32`".to_owned());
    }
    weakness(key, 0)
}

fn distinct(characters: &[char]) -> usize {
    characters.iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// One part over and over.
fn repeats(characters: &[char]) -> bool {
    let length = characters.len();
    (1..=length / 2)
        .any(|period| characters.iter().zip(characters.iter().skip(period)).all(|(one, later)| one == later))
}

/// Mostly neighbours, such as `abcdefgh12345678`.
fn is_sequence(characters: &[char]) -> bool {
    let steps = characters.windows(2).filter(|pair| {
        let (one, next) = (pair[0] as u32, pair[1] as u32);
        one.abs_diff(next) <= 1
    });
    2 * steps.count() > characters.len()
}

fn is_placeholder(secret: &str) -> bool {
    const WORDS: [&str; 9] = [
        "changeme",
        "change-me",
        "change_me",
        "placeholder",
        "example",
        "simulator",
        "never-use",
        "your-secret",
        "your_secret",
    ];
    let secret = secret.to_ascii_lowercase();
    WORDS.iter().any(|word| secret.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn what_is_easily_guessed_is_told_apart() {
        for (secret, why) in [
            ("hunter2", "too short"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "few"),
            ("abababababababababababababababab", "few"),
            ("Zq8#Lw2!Zq8#Lw2!Zq8#Lw2!Zq8#Lw2!", "repeats"),
            ("abcdefghijklmnopqrstuvwxyz012345", "sequence"),
            ("changeme-8w2hHd82bVz0qLm4xTnQk7sR", "placeholder"),
            ("0123456789abcdef0123456789abcdef", "repository"),
            (" 0123456789abcdef0123456789abcdef\n", "repository"),
        ] {
            let told = weakness(secret, 32).unwrap();
            assert!(told.contains(why), "{secret}: {told}");
            assert!(!told.contains(secret.trim()), "{told}");
        }
    }

    #[test]
    fn what_is_random_is_taken() {
        for _ in 0..1000 {
            assert_eq!(weakness(&crate::random::random_token(), 32), None);
            let bytes = rand::rng().random::<[u8; 32]>();
            assert_eq!(weak_key(&BASE64_STANDARD.encode(bytes)), None);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(weakness(&hex, 32), None, "{hex}");
        }
    }

    #[test]
    fn a_key_that_is_text_or_monotonous_is_told_apart() {
        for bytes in [b"a sentence is not a random key..", &[7; 32]] {
            assert!(weak_key(&BASE64_STANDARD.encode(bytes)).unwrap().contains("not random"));
        }
    }
}
