//! Sealing of secrets that are needed as they are (root passwords, second factors): AES-256-GCM under a key that never enters
//! the database.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Bytes of a key.
const KEY_LENGTH: usize = 32;

/// Why a root password can't be sealed or opened. Says nothing of keys or passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This process was given no keys.
    #[error("this process has no key for root passwords")]
    NoKeys,
    /// The text is not what a list of keys looks like. What reading it found would quote the key, so it is no cause of this.
    #[error("a key for root passwords is 32 bytes in base64; several are separated by commas")]
    Malformed,
    /// Sealed under a key that this process does not have.
    #[error("the key `{0}` that a root password was sealed under is not among this process's keys")]
    UnknownKey(String),
    /// The cipher did not take it.
    #[error("a root password can't be sealed")]
    NotSealed(#[source] Unspecified),
    /// Changed since it was sealed, or another server's.
    #[error("a sealed root password can't be opened: it was changed, or it is another server's")]
    Damaged(#[source] Option<Unspecified>),
}

/// A password as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Nonce, ciphertext and tag.
    pub bytes: Vec<u8>,
    /// Which key it is under.
    pub key_id: String,
}

/// The keys of root passwords: the first seals, every one opens. A key is replaced by putting the new one first and
/// keeping the old one until nothing is sealed under it any more.
pub struct CredentialsKeys {
    sealing: Key,
    opening: Vec<Key>,
}

struct Key {
    id: String,
    key: RandomizedNonceKey,
}

impl fmt::Debug for CredentialsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsKeys").field("sealing", &self.sealing.id).finish_non_exhaustive()
    }
}

impl CredentialsKeys {
    /// Reads one key or several separated by commas, each 32 bytes in base64.
    ///
    /// # Errors
    /// [`SealError::Malformed`].
    pub fn parse(text: &SecretString) -> Result<Self, SealError> {
        let mut keys = text.expose_secret().split(',').map(|one| Key::parse(one.trim()));
        let sealing = keys.next().ok_or(SealError::Malformed)??;
        Ok(Self { sealing, opening: keys.collect::<Result<_, _>>()? })
    }

    /// Seals the root password of a server, or the secret of an account, by its id. What is sealed for one can't be opened for
    /// another.
    pub(crate) fn seal(&self, instance: Uuid, password: &SecretString) -> Result<Sealed, SealError> {
        let mut text = password.expose_secret().as_bytes().to_vec();
        let nonce = self
            .sealing
            .key
            .seal_in_place_append_tag(Aad::from(instance.as_bytes()), &mut text)
            .map_err(SealError::NotSealed)?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut text);
        Ok(Sealed { bytes, key_id: self.sealing.id.clone() })
    }

    /// Opens what was sealed for this server.
    pub(crate) fn open(&self, instance: Uuid, sealed: &Sealed) -> Result<SecretString, SealError> {
        let key = std::iter::once(&self.sealing)
            .chain(&self.opening)
            .find(|key| key.id == sealed.key_id)
            .ok_or_else(|| SealError::UnknownKey(sealed.key_id.clone()))?;
        let (nonce, text) = sealed.bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged(None))?;
        let damaged = |error| SealError::Damaged(Some(error));
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(damaged)?;
        let mut text = text.to_vec();
        let opened =
            key.key.open_in_place(nonce, Aad::from(instance.as_bytes()), &mut text).map_err(damaged)?;
        // Text was sealed, and what opens is what was sealed.
        std::str::from_utf8(opened).map(SecretString::from).map_err(|_| SealError::Damaged(None))
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| SealError::Malformed)?;
        if bytes.len() != KEY_LENGTH {
            return Err(SealError::Malformed);
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::Malformed)?;
        Ok(Self { id: key_id(&bytes), key })
    }
}

/// A key's name: the beginning of a hash of it, which tells nothing of the key.
fn key_id(key: &[u8]) -> String {
    let digest = Sha256::new().chain_update("webrana credentials key").chain_update(key).finalize();
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> CredentialsKeys {
        let texts: Vec<String> = bytes.iter().map(|byte| BASE64_STANDARD.encode([*byte; 32])).collect();
        CredentialsKeys::parse(&texts.join(", ").into()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_again_and_never_looks_the_same() {
        let (keys, server) = (keys(&[1]), Uuid::now_v7());
        let password = SecretString::from("correct horse");
        let (one, two) = (keys.seal(server, &password).unwrap(), keys.seal(server, &password).unwrap());
        assert_ne!(one.bytes, two.bytes);
        assert_eq!(keys.open(server, &one).unwrap().expose_secret(), "correct horse");
        assert!(!one.bytes.windows(7).any(|part| part == b"correct"));
    }

    #[test]
    fn another_servers_or_a_changed_one_stays_shut() {
        let (keys, server) = (keys(&[1]), Uuid::now_v7());
        let sealed = keys.seal(server, &"pw".into()).unwrap();
        assert_eq!(keys.open(Uuid::now_v7(), &sealed).unwrap_err(), SealError::Damaged(Some(Unspecified)));
        for position in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[position] ^= 1;
            assert_eq!(
                keys.open(server, &changed).unwrap_err(),
                SealError::Damaged(Some(Unspecified)),
                "byte {position}"
            );
        }
        let short = Sealed { bytes: vec![0; 5], ..sealed };
        assert_eq!(keys.open(server, &short).unwrap_err(), SealError::Damaged(None));
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let server = Uuid::now_v7();
        let old = keys(&[1]).seal(server, &"old".into()).unwrap();
        let both = keys(&[2, 1]);
        assert_eq!(both.open(server, &old).unwrap().expose_secret(), "old");
        let new = both.seal(server, &"new".into()).unwrap();
        assert_ne!(new.key_id, old.key_id);
        assert_eq!(keys(&[2]).open(server, &old).unwrap_err(), SealError::UnknownKey(old.key_id));
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        let short = BASE64_STANDARD.encode([1; 31]);
        for text in ["", "x", "not base64!", short.as_str(), &format!("{},", BASE64_STANDARD.encode([1; 32]))]
        {
            assert_eq!(CredentialsKeys::parse(&text.into()).unwrap_err(), SealError::Malformed, "{text}");
        }
    }

    #[test]
    fn no_key_prints_itself() {
        let shown = format!("{:?}", keys(&[7]));
        assert!(!shown.contains(&BASE64_STANDARD.encode([7; 32])) && !shown.contains("7, 7"), "{shown}");
    }
}
