//! The second factor of a login: codes of an app (RFC 6238: SHA-1, six digits, thirty seconds, one step either side), and ten
//! recovery codes in their place. A code is checked by the database's clock, under the lock of its account, and no step of time
//! is accepted twice.

mod app;
mod login;
mod recovery;

use chrono::{DateTime, Utc};
use domain::{
    event::{TwoFactorDisabled, TwoFactorEnabled},
    ids::UserId,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, Origin},
    boxed,
    events::Entry,
    locks::lock_account,
    throttles::{self, Attempt},
    users::about,
};

pub use login::{CHALLENGE_LIFE, Challenge, ChallengeAnswer};

/// How whoever logs in, or changes the second factor, proves it.
#[derive(Debug)]
pub enum Factor {
    /// By the app's present code.
    Code(SecretString),
    /// By a recovery code.
    RecoveryCode(SecretString),
}

/// A secret for an app, shown once.
#[derive(Debug)]
pub struct NewSecret {
    /// In base32, to be typed.
    pub secret: SecretString,
    /// The same as an `otpauth` URI, to be shown as a QR code.
    pub uri: SecretString,
}

/// How an account's second factor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactor {
    /// Since when logins ask for it; `None`: they don't.
    pub enabled_at: Option<DateTime<Utc>>,
    /// Recovery codes that were not used.
    pub recovery_codes_left: i64,
}

impl Store {
    /// How an account's second factor stands.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn second_factor(&self, user: UserId) -> Result<SecondFactor> {
        let found = sqlx::query_as!(
            SecondFactor,
            r#"SELECT confirmed_at AS enabled_at,
                      (SELECT count(*) FROM recovery_codes c WHERE c.user_id = f.user_id AND c.used_at IS NULL)
                          AS "recovery_codes_left!"
               FROM second_factors f WHERE user_id = $1"#,
            user.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(found.unwrap_or(SecondFactor { enabled_at: None, recovery_codes_left: 0 }))
    }

    /// A new secret for an account's app, after an attempt to prove the password that was right. Logins ask for its codes once
    /// one was shown ([`Store::confirm_second_factor`]); one that was not confirmed is replaced.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when logins ask for one already, [`StoreError::Credentials`] when this process can't seal it.
    #[boxed]
    pub async fn set_up_second_factor(
        &self,
        user: UserId,
        attempt: &Attempt,
        origin: &Origin,
    ) -> Result<NewSecret> {
        let (secret, sealed) = app::new_secret(self.keys()?, user)?;
        let mut tx = self.pool.begin().await?;
        lock_account(&mut tx, user).await?;
        throttles::give_back(&mut tx, attempt).await?;
        let email = sqlx::query_scalar!(
            "WITH kept AS (
                 INSERT INTO second_factors (user_id, sealed_secret, key_id) VALUES ($1, $2, $3)
                 ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, key_id = excluded.key_id,
                     last_step = 0, created_at = now()
                 WHERE second_factors.confirmed_at IS NULL RETURNING user_id)
             SELECT u.email FROM users u JOIN kept ON kept.user_id = u.id",
            user.0,
            sealed.bytes,
            sealed.key_id,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| conflict("on"))?;
        audit::record(&mut tx, origin, &about("auth.two_factor_set_up", user)).await?;
        tx.commit().await?;
        app::shown(&secret, &email)
    }

    /// From now on logins ask for the second factor that was set up, of which `code` is the app's present code. Answers with
    /// recovery codes, shown once. The user is told.
    ///
    /// # Errors
    /// [`StoreError::WrongCode`], which leaves the attempt counted; [`StoreError::Conflict`] when none is set up, or logins ask
    /// for it already.
    #[boxed]
    pub async fn confirm_second_factor(
        &self,
        user: UserId,
        attempt: &Attempt,
        code: &SecretString,
        origin: &Origin,
    ) -> Result<Vec<SecretString>> {
        let mut tx = self.pool.begin().await?;
        lock_account(&mut tx, user).await?;
        if standing(&mut tx, user).await? != Standing::SetUp {
            return Err(conflict("not set up, or on already"));
        }
        if !app::is_right(&mut tx, self.keys()?, user, code).await? {
            return Err(StoreError::WrongCode);
        }
        throttles::give_back(&mut tx, attempt).await?;
        let enabled_at = sqlx::query_scalar!(
            r#"UPDATE second_factors SET confirmed_at = now() WHERE user_id = $1
               RETURNING clock_timestamp() AS "enabled_at!""#,
            user.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        let codes = recovery::replace(&mut tx, user).await?;
        audit::record(&mut tx, origin, &about("auth.two_factor_enabled", user)).await?;
        Entry::of(TwoFactorEnabled { user_id: user, enabled_at }).tell(&mut tx, user).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Logins ask for no second factor any more, after an attempt to prove the password that was right and with the factor
    /// itself. The user is told.
    ///
    /// # Errors
    /// [`StoreError::WrongCode`], which leaves the attempt counted; [`StoreError::Conflict`] when logins don't ask for it.
    #[boxed]
    pub async fn disable_second_factor(
        &self,
        user: UserId,
        attempt: &Attempt,
        factor: &Factor,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        self.prove(&mut tx, user, factor, origin).await?;
        throttles::give_back(&mut tx, attempt).await?;
        remove(&mut tx, user, origin).await?;
        tx.commit().await?;
        Ok(())
    }

    /// New recovery codes in place of those before, after an attempt to prove the password that was right and with the app's
    /// present code.
    ///
    /// # Errors
    /// [`StoreError::WrongCode`], which leaves the attempt counted; [`StoreError::Conflict`] when logins ask for no second
    /// factor.
    #[boxed]
    pub async fn replace_recovery_codes(
        &self,
        user: UserId,
        attempt: &Attempt,
        code: SecretString,
        origin: &Origin,
    ) -> Result<Vec<SecretString>> {
        let mut tx = self.pool.begin().await?;
        self.prove(&mut tx, user, &Factor::Code(code), origin).await?;
        throttles::give_back(&mut tx, attempt).await?;
        let codes = recovery::replace(&mut tx, user).await?;
        audit::record(&mut tx, origin, &about("auth.recovery_codes_replaced", user)).await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// Proves that whoever asks has the second factor of an account, which is held from now on.
    async fn prove(
        &self,
        tx: &mut PgConnection,
        user: UserId,
        factor: &Factor,
        origin: &Origin,
    ) -> Result<()> {
        lock_account(tx, user).await?;
        if standing(tx, user).await? != Standing::On {
            return Err(conflict("off"));
        }
        if self.is_right(tx, user, factor, origin).await? { Ok(()) } else { Err(StoreError::WrongCode) }
    }

    /// Whether a factor is right. It is used up by this.
    async fn is_right(
        &self,
        tx: &mut PgConnection,
        user: UserId,
        factor: &Factor,
        origin: &Origin,
    ) -> Result<bool> {
        match factor {
            Factor::Code(code) => app::is_right(tx, self.keys()?, user, code).await,
            Factor::RecoveryCode(code) => recovery::is_right(tx, user, code.expose_secret(), origin).await,
        }
    }
}

/// Takes an account's second factor away, and tells its owner.
pub(crate) async fn remove(tx: &mut PgConnection, user: UserId, origin: &Origin) -> Result<()> {
    let disabled_at = sqlx::query_scalar!(
        r#"DELETE FROM second_factors WHERE user_id = $1 RETURNING clock_timestamp() AS "disabled_at!""#,
        user.0,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| conflict("off"))?;
    sqlx::query!("DELETE FROM login_challenges WHERE user_id = $1", user.0).execute(&mut *tx).await?;
    audit::record(tx, origin, &about("auth.two_factor_disabled", user)).await?;
    Entry::of(TwoFactorDisabled { user_id: user, disabled_at }).tell(tx, user).await
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Off,
    SetUp,
    On,
}

async fn standing(tx: &mut PgConnection, user: UserId) -> Result<Standing> {
    let confirmed = sqlx::query_scalar!(
        r#"SELECT confirmed_at IS NOT NULL AS "confirmed!" FROM second_factors WHERE user_id = $1"#,
        user.0,
    )
    .fetch_optional(tx)
    .await?;
    Ok(match confirmed {
        None => Standing::Off,
        Some(false) => Standing::SetUp,
        Some(true) => Standing::On,
    })
}

fn conflict(state: &str) -> StoreError {
    StoreError::Conflict { object: Object::SecondFactor, state: state.to_owned() }
}
