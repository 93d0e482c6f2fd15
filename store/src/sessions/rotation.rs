//! The exchange of refresh tokens.

use std::time::{Duration, Instant};

use domain::{
    event::SessionsRevoked,
    ids::{SessionId, UserId},
    role::Role,
};
use sqlx::PgConnection;

use super::{Opened, SessionPolicy, on_session};
use crate::{
    Result, Store,
    audit::{self, Actor, Origin},
    boxed,
    events::Entry,
    opaque_token,
    users::User,
};

const REFRESH_TOKEN_PREFIX: &str = "wbr_";

/// What became of a refresh.
#[derive(Debug)]
pub enum Rotation {
    /// The token was exchanged for a new one.
    Rotated(Box<Opened>),
    /// We never gave out this token, or its session was logged out.
    Invalid,
    /// It was not used in time.
    Expired,
    /// Its session reached its longest life.
    Ended,
    /// It was used before, and longer ago than the grace or what came of it was used too. Its session is revoked now: one
    /// of the two users is a thief.
    Reused,
    /// The account is suspended.
    Suspended,
}

impl Store {
    /// Exchanges a refresh token for a new one. An exchanged token works once more only within the grace and while
    /// nothing that came of it was used; each exchange then gives a token of the same session, and all of them are good:
    /// two tabs hold one each. Shown later, it revokes the session, with an audit row, and its owner is told.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn rotate_refresh_token(
        &self,
        token: &str,
        policy: &SessionPolicy,
        origin: &Origin,
    ) -> Result<Rotation> {
        let arrived = Instant::now();
        let hash = opaque_token::hash(token.as_bytes());
        let mut tx = self.pool.begin().await?;
        // One exchange of a session at a time; what the one before did is seen by the next statement only.
        sqlx::query!(
            "SELECT s.id FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id WHERE t.token_hash = $1
             FOR UPDATE OF s",
            hash,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(shown) = shown(&mut tx, &hash, policy, arrived.elapsed()).await? else {
            return Ok(Rotation::Invalid);
        };
        // A suspension ends all sessions, so it is said first.
        let user = user_in(&mut tx, shown.user).await?;
        if user.suspended_at.is_some() {
            return Ok(Rotation::Suspended);
        }
        if shown.revoked {
            return Ok(Rotation::Invalid);
        }
        if shown.ended {
            return Ok(Rotation::Ended);
        }
        if shown.used && !shown.in_grace {
            end_family(&mut tx, &shown, origin).await?;
            tx.commit().await?;
            return Ok(Rotation::Reused);
        }
        if shown.expired {
            return Ok(Rotation::Expired);
        }
        // The grace runs from the first exchange, however often it is used.
        sqlx::query!(
            "UPDATE refresh_tokens SET used_at = COALESCE(used_at, clock_timestamp()) WHERE token_hash = $1",
            hash
        )
        .execute(&mut *tx)
        .await?;
        let refresh_token = add_token(&mut tx, shown.session, policy, Some(&hash)).await?;
        tx.commit().await?;
        Ok(Rotation::Rotated(Box::new(Opened { user, session: shown.session, refresh_token })))
    }
}

/// A refresh token as it stands when it is shown.
struct Shown {
    session: SessionId,
    user: UserId,
    used: bool,
    in_grace: bool,
    expired: bool,
    ended: bool,
    revoked: bool,
}

/// `waited` is how long ago the token was shown: `now()` is the transaction's begin, which may have waited for a
/// connection.
async fn shown(
    tx: &mut PgConnection,
    hash: &[u8],
    policy: &SessionPolicy,
    waited: Duration,
) -> Result<Option<Shown>> {
    Ok(sqlx::query_as!(
        Shown,
        r#"SELECT t.session_id AS "session: SessionId", s.user_id AS "user: UserId", t.used_at IS NOT NULL AS "used!",
                  COALESCE(t.used_at >= now() - make_interval(secs => $2), false) AND NOT EXISTS (
                      SELECT FROM refresh_tokens n WHERE n.predecessor = t.token_hash AND n.used_at IS NOT NULL
                  ) AS "in_grace!",
                  t.expires_at <= now() AS "expired!", s.revoked_at IS NOT NULL AS "revoked!",
                  s.created_at + make_interval(secs => $3) <= now() AS "ended!"
           FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = $1"#,
        hash,
        (policy.grace + waited).as_secs_f64(),
        policy.longest.as_secs_f64(),
    )
    .fetch_optional(tx)
    .await?)
}

/// Gives out one more token of a session.
pub(super) async fn add_token(
    tx: &mut PgConnection,
    session: SessionId,
    policy: &SessionPolicy,
    predecessor: Option<&[u8]>,
) -> Result<String> {
    let token = opaque_token::generate(REFRESH_TOKEN_PREFIX)?;
    sqlx::query!(
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at, predecessor)
         SELECT $1, id, LEAST(now() + make_interval(secs => $3), created_at + make_interval(secs => $4)), $5
         FROM sessions WHERE id = $2",
        opaque_token::hash(token.as_bytes()),
        session.0,
        policy.refresh_ttl.as_secs_f64(),
        policy.longest.as_secs_f64(),
        predecessor,
    )
    .execute(tx)
    .await?;
    Ok(token)
}

async fn user_in(tx: &mut PgConnection, id: UserId) -> Result<User> {
    Ok(sqlx::query_as!(
        User,
        r#"SELECT id AS "id: UserId", email, full_name, role AS "role: Role", language,
                  time_zone AS "time_zone: domain::locale::TimeZone", email_verified_at,
                  suspended_at, created_at
           FROM users WHERE id = $1"#,
        id.0,
    )
    .fetch_one(tx)
    .await?)
}

/// Ends all that came of a token which was shown again, and has the owner told.
async fn end_family(tx: &mut PgConnection, shown: &Shown, origin: &Origin) -> Result<()> {
    let revoked_at = sqlx::query_scalar!(
        r#"UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING revoked_at AS "revoked_at!""#,
        shown.session.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let origin = Origin { actor: Actor::User(shown.user), ..origin.clone() };
    audit::record(tx, &origin, &on_session("auth.refresh_token_reused", shown.session)).await?;
    Entry::of(SessionsRevoked { session_id: shown.session, revoked_at }).tell(tx, shown.user).await
}
