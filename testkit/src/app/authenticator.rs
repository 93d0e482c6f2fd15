//! An authenticator app.

use totp_rs::{Builder, Secret};

/// The code that an app shows for a secret in base32 at a moment, in seconds since 1970.
///
/// # Panics
/// When it is no secret.
#[must_use]
pub fn app_code(secret: &str, at: i64) -> String {
    let secret = Secret::try_from_base32(secret).expect("a secret in base32");
    let app = Builder::new().with_secret(secret).build().expect("a generator");
    app.generate(u64::try_from(at).expect("a moment after 1970")).to_string()
}
