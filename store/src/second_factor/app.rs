//! Codes of an app.

use domain::ids::UserId;
use rand::{TryRngCore, rngs::OsRng};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use totp_rs::{Builder, Secret, Totp};

use super::NewSecret;
use crate::{
    Result, StoreError,
    credentials::{CredentialsKeys, Sealed},
};

/// Bytes of a secret: as many as RFC 4226 recommends.
const SECRET_LENGTH: usize = 20;

/// Who asks for the code, as apps show it.
const ISSUER: &str = "WeBrana Cloud";

/// A new secret in base32, and as it is kept.
pub(super) fn new_secret(keys: &CredentialsKeys, user: UserId) -> Result<(SecretString, Sealed)> {
    let mut bytes = [0_u8; SECRET_LENGTH];
    OsRng.try_fill_bytes(&mut bytes)?;
    let secret = SecretString::from(Secret::new(Box::new(bytes)).to_base32());
    let sealed = keys.seal(user.0, &secret)?;
    Ok((secret, sealed))
}

/// A secret as its owner sees it, once.
pub(super) fn shown(secret: &SecretString, email: &str) -> Result<NewSecret> {
    let uri = generator(secret, email)?.to_url().map_err(|_| StoreError::SecretUnreadable)?;
    Ok(NewSecret { secret: secret.clone(), uri: uri.into() })
}

/// Whether a code is right now, by the database's clock, and was not used. Its step, and those before it, are used up by this.
pub(super) async fn is_right(
    tx: &mut PgConnection,
    keys: &CredentialsKeys,
    user: UserId,
    code: &SecretString,
) -> Result<bool> {
    let kept = sqlx::query!(
        r#"SELECT sealed_secret, key_id, extract(epoch FROM clock_timestamp())::bigint AS "now!"
           FROM second_factors WHERE user_id = $1 FOR NO KEY UPDATE"#,
        user.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let secret = keys.open(user.0, &Sealed { bytes: kept.sealed_secret, key_id: kept.key_id })?;
    let now = u64::try_from(kept.now).unwrap_or_default();
    let Some(step) = generator(&secret, "")?.check(code.expose_secret().trim(), now) else {
        return Ok(false);
    };
    let used = sqlx::query!(
        "UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND last_step < $2",
        user.0,
        i64::try_from(step).unwrap_or(i64::MAX),
    )
    .execute(tx)
    .await?;
    Ok(used.rows_affected() > 0)
}

/// What apps do by themselves: SHA-1, six digits, thirty seconds. One step either side makes up for clocks.
fn generator(secret: &SecretString, email: &str) -> Result<Totp> {
    let secret = Secret::try_from_base32(secret.expose_secret()).map_err(|_| StoreError::SecretUnreadable)?;
    Builder::new()
        .with_secret(secret)
        .with_skew(1)
        .with_issuer(Some(ISSUER))
        .with_account_name(email.replace(':', ""))
        .build()
        .map_err(|_| StoreError::SecretUnreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, in six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = Secret::new(Box::from(*b"12345678901234567890")).to_base32().into();
        let generator = generator(&secret, "siti@example.com").unwrap();
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(generator.generate(time).to_string(), code);
            assert_eq!(generator.check(code, time), Some(time / 30));
            assert_eq!(generator.check(code, time + 30), Some(time / 30), "one step either side");
            assert_eq!(generator.check(code, time - 30), Some(time / 30));
            assert_eq!(generator.check(code, time + 60), None);
            assert!(time < 60 || generator.check(code, time - 60).is_none());
        }
        let uri = generator.to_url().unwrap();
        assert!(uri.starts_with("otpauth://totp/WeBrana%20Cloud:siti"), "{uri}");
        assert!(uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") && uri.contains("issuer="), "{uri}");
    }
}
