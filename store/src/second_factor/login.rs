//! Logins in two steps: a right password is answered with a challenge, and the second factor with a session.

use std::time::Duration;

use domain::ids::UserId;
use secrecy::SecretString;
use sqlx::PgConnection;

use super::Factor;
use crate::{
    Result, Store,
    audit::{self, Actor, Origin},
    boxed, opaque_token,
    sessions::{self, NewSession, Opened},
    throttles::{self, Admission, Attempt},
    users::{User, about},
};

/// How long a challenge can be answered.
pub const CHALLENGE_LIFE: Duration = Duration::from_secs(300);

/// Answers to one challenge.
const ANSWERS_PER_CHALLENGE: i32 = 5;

const CHALLENGE_PREFIX: &str = "wbc_";

/// A login whose password was right.
#[derive(Debug)]
pub enum Challenge {
    /// Logins of the account ask for nothing more.
    None,
    /// The second factor is awaited, with this token.
    SecondFactor(SecretString),
}

/// What became of an answer to a challenge.
#[derive(Debug)]
pub enum ChallengeAnswer {
    /// It was right.
    LoggedIn(Box<Opened>),
    /// It was wrong, or used before.
    Wrong,
    /// Too many were wrong: not before so many seconds are over.
    Wait(u64),
    /// There is no such challenge (any more): the login begins anew.
    Invalid,
    /// The account is suspended.
    Suspended,
}

impl Store {
    /// After a password that was right: the challenge that is to be answered, if the account has a second factor. The
    /// failures before are forgiven then, as by a login.
    ///
    /// # Errors
    /// [`crate::StoreError::Randomness`] when the system has none.
    #[boxed]
    pub async fn challenge(&self, user: UserId, attempt: &Attempt, origin: &Origin) -> Result<Challenge> {
        let is_asked = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS "is_asked!""#,
            user.0,
        )
        .fetch_one(&self.pool)
        .await?;
        if !is_asked {
            return Ok(Challenge::None);
        }
        let token = opaque_token::generate(CHALLENGE_PREFIX)?;
        let mut tx = self.pool.begin().await?;
        throttles::give_back(&mut tx, attempt).await?;
        sqlx::query!(
            "INSERT INTO login_challenges (token_hash, user_id, expires_at) VALUES ($1, $2, now() + make_interval(secs => $3))",
            opaque_token::hash(token.as_bytes()),
            user.0,
            CHALLENGE_LIFE.as_secs_f64(),
        )
        .execute(&mut *tx)
        .await?;
        audit::record(&mut tx, origin, &about("auth.second_factor_asked", user)).await?;
        tx.commit().await?;
        Ok(Challenge::SecondFactor(token.into()))
    }

    /// Logs in who answers a challenge rightly. Answers are counted before they are checked, by challenge (five) and by account
    /// as passwords are, so that neither many challenges nor many networks help whoever guesses.
    ///
    /// # Errors
    /// [`crate::StoreError::Credentials`] when this process can't open the account's secret.
    #[boxed]
    pub async fn answer_challenge(
        &self,
        token: &str,
        factor: &Factor,
        session: &NewSession,
        origin: &Origin,
    ) -> Result<ChallengeAnswer> {
        let hash = opaque_token::hash(token.as_bytes());
        let mut tx = self.pool.begin().await?;
        let Some(user) = challenged_user(&mut tx, &hash).await? else { return Ok(ChallengeAnswer::Invalid) };
        if user.suspended_at.is_some() {
            return Ok(ChallengeAnswer::Suspended);
        }
        let attempt = match throttles::count_second_factor(&mut tx, user.id, &session.network).await? {
            Admission::Wait(seconds) => return Ok(ChallengeAnswer::Wait(seconds)),
            Admission::Admitted(attempt) => attempt,
        };
        if !count_answer(&mut tx, &hash).await? {
            return Ok(ChallengeAnswer::Invalid);
        }
        let origin = &Origin { actor: Actor::User(user.id), ..origin.clone() };
        if !self.is_right(&mut tx, user.id, factor, origin).await? {
            // What was counted stays.
            tx.commit().await?;
            return Ok(ChallengeAnswer::Wrong);
        }
        throttles::give_back(&mut tx, &attempt).await?;
        sqlx::query!("DELETE FROM login_challenges WHERE token_hash = $1", hash).execute(&mut *tx).await?;
        let opened = sessions::log_in(&mut tx, user, session, origin).await?;
        tx.commit().await?;
        Ok(ChallengeAnswer::LoggedIn(Box::new(opened)))
    }
}

/// Whose a challenge is that can still be answered. The account is held from now on.
async fn challenged_user(tx: &mut PgConnection, hash: &[u8]) -> Result<Option<User>> {
    Ok(sqlx::query_as!(
        User,
        r#"SELECT u.id AS "id: UserId", u.email, u.full_name, u.role AS "role: domain::role::Role", u.language,
                  u.time_zone AS "time_zone: domain::locale::TimeZone", u.email_verified_at, u.suspended_at, u.created_at
           FROM login_challenges c
           JOIN users u ON u.id = c.user_id
           JOIN second_factors f ON f.user_id = c.user_id AND f.confirmed_at IS NOT NULL
           WHERE c.token_hash = $1 AND c.expires_at > now() AND c.attempts < $2
           FOR NO KEY UPDATE OF u"#,
        hash,
        ANSWERS_PER_CHALLENGE,
    )
    .fetch_optional(tx)
    .await?)
}

/// Counts an answer, unless there were as many as may be while its account was waited for.
async fn count_answer(tx: &mut PgConnection, hash: &[u8]) -> Result<bool> {
    let counted = sqlx::query!(
        "UPDATE login_challenges SET attempts = attempts + 1 WHERE token_hash = $1 AND attempts < $2",
        hash,
        ANSWERS_PER_CHALLENGE,
    )
    .execute(tx)
    .await?;
    Ok(counted.rows_affected() > 0)
}
