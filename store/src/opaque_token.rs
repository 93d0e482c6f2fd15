//! Secrets that we hand out and recognise later: refresh tokens and API keys. 256 random bits, so a plain SHA-256 is
//! enough to store them by; the plaintext is never kept.

use rand::{TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};

use crate::Result;

/// A new secret: `prefix` (which tells people and scanners what they found) and 64 hex digits.
///
/// # Errors
/// [`crate::StoreError::Randomness`] when the system has none.
pub(crate) fn generate(prefix: &str) -> Result<String> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{prefix}{digits}"))
}

/// What is stored of a secret.
#[must_use]
pub fn hash(secret: &[u8]) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
