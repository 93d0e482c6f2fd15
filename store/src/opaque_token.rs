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

/// The same with eight digits at the end that tell a mistyped one, and what only looks like one, without asking the database.
///
/// # Errors
/// [`crate::StoreError::Randomness`] when the system has none.
pub(crate) fn generate_checked(prefix: &str) -> Result<String> {
    let secret = generate(prefix)?;
    let check = check_digits(&secret);
    Ok(format!("{secret}{check}"))
}

/// Whether a secret may be one of [`generate_checked`].
pub(crate) fn is_checked(secret: &str) -> bool {
    let Some((secret, check)) = secret.len().checked_sub(8).and_then(|at| secret.split_at_checked(at)) else {
        return false;
    };
    check == check_digits(secret)
}

fn check_digits(secret: &str) -> String {
    Sha256::digest(secret).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored of a secret.
#[must_use]
pub fn hash(secret: &[u8]) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
