//! Secrets out of the system's randomness.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand::Rng;
use rand::distr::Alphanumeric;

const LENGTH: usize = 40;

/// A random token of letters and digits, 238 bits strong.
pub fn random_token() -> String {
    rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from).collect()
}

/// A random key of 32 bytes, in base64.
pub fn random_key() -> String {
    BASE64_STANDARD.encode(rand::rng().random::<[u8; 32]>())
}
