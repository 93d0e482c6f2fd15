//! Recovery codes.

use domain::{event::RecoveryCodeUsed, ids::UserId};
use rand::{TryRngCore, rngs::OsRng};
use secrecy::SecretString;
use sqlx::PgConnection;

use crate::{
    Result,
    audit::{self, Origin},
    events::Entry,
    opaque_token,
    users::about,
};

/// As many an account has.
const CODES: usize = 10;
/// Bytes of a code: nobody tries so many, so that a plain hash is enough to keep them by.
const CODE_LENGTH: usize = 10;

/// New codes in place of those before.
pub(super) async fn replace(tx: &mut PgConnection, user: UserId) -> Result<Vec<SecretString>> {
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user.0).execute(&mut *tx).await?;
    let codes = (0..CODES).map(|_| generate()).collect::<Result<Vec<String>>>()?;
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash(user, code)).collect();
    sqlx::query!(
        "INSERT INTO recovery_codes (code_hash, user_id) SELECT hash, $1 FROM unnest($2::bytea[]) AS hash",
        user.0,
        &hashes,
    )
    .execute(tx)
    .await?;
    Ok(codes.into_iter().map(SecretString::from).collect())
}

/// Whether a code is one of an account's that was not used. It is used up by this, and its owner is told.
pub(super) async fn is_right(
    tx: &mut PgConnection,
    user: UserId,
    code: &str,
    origin: &Origin,
) -> Result<bool> {
    let used = sqlx::query_scalar!(
        r#"UPDATE recovery_codes SET used_at = now() WHERE code_hash = $1 AND user_id = $2 AND used_at IS NULL
           RETURNING clock_timestamp() AS "used_at!""#,
        hash(user, code),
        user.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(used_at) = used else { return Ok(false) };
    let left = sqlx::query_scalar!(
        r#"SELECT count(*) AS "left!" FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL"#,
        user.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    audit::record(tx, origin, &about("auth.recovery_code_used", user)).await?;
    Entry::of(RecoveryCodeUsed { user_id: user, used_at, left }).tell(tx, user).await?;
    Ok(true)
}

/// Digits in groups that can be copied by hand.
fn generate() -> Result<String> {
    let mut bytes = [0_u8; CODE_LENGTH];
    OsRng.try_fill_bytes(&mut bytes)?;
    let groups =
        bytes.chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    Ok(groups.collect::<Vec<_>>().join("-"))
}

/// However it was typed.
fn hash(user: UserId, code: &str) -> Vec<u8> {
    let digits: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    opaque_token::hash(format!("recovery\0{user}\0{}", digits.to_ascii_lowercase()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed_and_for_its_account_only() {
        let code = generate().unwrap();
        assert_eq!(code.len(), 24, "{code}");
        let (user, other) = (UserId(uuid::Uuid::from_u128(1)), UserId(uuid::Uuid::from_u128(2)));
        let typed = format!(" {} ", code.to_uppercase().replace('-', " "));
        assert_eq!(hash(user, &code), hash(user, &typed));
        assert_ne!(hash(user, &code), hash(other, &code));
    }
}
