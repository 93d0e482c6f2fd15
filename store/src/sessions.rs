//! Logins and their rotating refresh tokens.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::{
    ids::{SessionId, UserId},
    language::Language,
    role::Role,
};
use sqlx::PgConnection;

use crate::{
    Result, Store, StoreError,
    audit::{self, Actor, AuditEntry, Origin},
    boxed, new_id, opaque_token,
    page::{Page, PageRequest},
    throttles::{self, Attempt},
    users::{self, NewUser, User, about},
};

/// How long logins last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Life of each refresh token, and so of a session that is not used.
    pub refresh_ttl: Duration,
    /// Life of a session however much it is used.
    pub longest: Duration,
    /// How long an exchanged refresh token may be exchanged once more while none of those that came of it is used: a
    /// second tab asked at the same time, or the answer was lost.
    pub grace: Duration,
}

/// Where a login comes from and how long it lasts.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The network it comes from, as [`Store::admit_login`] counts it.
    pub network: String,
    /// How long it lasts.
    pub policy: SessionPolicy,
}

/// A session as its holder gets it.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Who.
    pub user: User,
    /// The session.
    pub session: SessionId,
    /// Plaintext of the one refresh token that is good now.
    pub refresh_token: String,
}

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

/// Whether a session may be used, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct SessionHolder {
    /// What the user may do.
    pub role: Role,
    /// Whether the email address is proven.
    pub email_verified: bool,
    /// What they read.
    pub language: Language,
    /// The account is suspended.
    pub suspended: bool,
    /// The session was logged out.
    pub revoked: bool,
    /// The session reached its longest life.
    pub ended: bool,
}

/// A session as listed.
#[derive(Debug, Clone)]
pub struct Session {
    /// Identifies it.
    pub id: SessionId,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Where it logged in from.
    pub ip: Option<String>,
    /// When it logged in.
    pub created_at: DateTime<Utc>,
    /// When its refresh token was last exchanged.
    pub last_used_at: DateTime<Utc>,
}

impl Store {
    /// Makes an account and logs it in. The audit log shows the new user as the actor.
    ///
    /// # Errors
    /// [`StoreError::Taken`] with [`users::EMAIL_CONSTRAINT`] when the address has an account.
    #[boxed]
    pub async fn register(&self, new: &NewUser, session: &NewSession, origin: &Origin) -> Result<Opened> {
        let mut tx = self.pool.begin().await?;
        let id: UserId = new_id();
        let origin = &Origin { actor: Actor::User(id), ..origin.clone() };
        let user = users::insert(&mut tx, id, new, origin).await?;
        let opened = open(&mut tx, user, session, origin).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Logs a user in whose password was right, and forgives the failures before it, with an audit row that shows
    /// the user as the actor.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn login(
        &self,
        user: User,
        attempt: &Attempt,
        session: &NewSession,
        origin: &Origin,
    ) -> Result<Opened> {
        let mut tx = self.pool.begin().await?;
        throttles::give_back(&mut tx, attempt).await?;
        let origin = &Origin { actor: Actor::User(user.id), ..origin.clone() };
        let opened = open(&mut tx, user, session, origin).await?;
        audit::record(&mut tx, origin, &on_session("auth.login", opened.session)).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Whether `user` may use a session that lasts no longer than `longest`; `None` when there is no such session of that
    /// user.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn session_holder(
        &self,
        session: SessionId,
        user: UserId,
        longest: Duration,
    ) -> Result<Option<SessionHolder>> {
        Ok(sqlx::query_as!(
            SessionHolder,
            r#"SELECT u.role AS "role: Role", u.language AS "language: Language", u.email_verified_at IS NOT NULL AS "email_verified!",
                      u.suspended_at IS NOT NULL AS "suspended!", s.revoked_at IS NOT NULL AS "revoked!",
                      s.created_at + make_interval(secs => $3) <= now() AS "ended!"
               FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND u.id = $2"#,
            session.0,
            user.0,
            longest.as_secs_f64(),
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Exchanges a refresh token for a new one. An exchanged token works once more only within the grace and while
    /// nothing that came of it was used; each exchange then gives a token of the same session, and all of them are good:
    /// two tabs hold one each. Shown later, it revokes the session, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
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
            revoke(&mut tx, shown.session).await?;
            let origin = Origin { actor: Actor::User(shown.user), ..origin.clone() };
            audit::record(&mut tx, &origin, &on_session("auth.refresh_token_reused", shown.session)).await?;
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

    /// Logs one session of a user out, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the user has no such session, or it is logged out already.
    #[boxed]
    pub async fn revoke_session(&self, user: UserId, session: SessionId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let revoked = sqlx::query!(
            "UPDATE sessions SET revoked_at = now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL",
            session.0,
            user.0,
        )
        .execute(&mut *tx)
        .await?;
        if revoked.rows_affected() == 0 {
            return Err(StoreError::NotFound("session"));
        }
        audit::record(&mut tx, origin, &on_session("auth.session_revoked", session)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Logs a user out everywhere, with an audit row. Returns how many sessions ended.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn revoke_all_sessions(&self, user: UserId, origin: &Origin) -> Result<u64> {
        let mut tx = self.pool.begin().await?;
        let ended = revoke_all_but(&mut tx, user, None).await?;
        audit::record(&mut tx, origin, &about("auth.logout_all", user)).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Sets a new password after an attempt to prove the present one that was right, and logs all other sessions out,
    /// with an audit row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such account.
    #[boxed]
    pub async fn change_password(
        &self,
        user: UserId,
        attempt: &Attempt,
        password_hash: &str,
        keep: SessionId,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        throttles::give_back(&mut tx, attempt).await?;
        let changed = sqlx::query!(
            "UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1",
            user.0,
            password_hash,
        )
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(StoreError::NotFound("user"));
        }
        revoke_all_but(&mut tx, user, Some(keep)).await?;
        audit::record(&mut tx, origin, &about("auth.password_changed", user)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A user's sessions that can still be used and last no longer than `longest`, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn sessions(
        &self,
        user: UserId,
        longest: Duration,
        page: PageRequest,
    ) -> Result<Page<Session>> {
        let rows = sqlx::query_as!(
            Session,
            r#"SELECT s.id AS "id: SessionId", s.user_agent, s.ip, s.created_at,
                      max(t.created_at) AS "last_used_at!"
               FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id
               WHERE s.user_id = $1 AND s.revoked_at IS NULL AND ($2::uuid IS NULL OR s.id < $2)
                 AND s.created_at + make_interval(secs => $4) > now()
               GROUP BY s.id HAVING bool_or(t.used_at IS NULL AND t.expires_at > now())
               ORDER BY s.id DESC LIMIT $3"#,
            user.0,
            page.before,
            page.fetch(),
            longest.as_secs_f64(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |session| session.id.0))
    }
}

const REFRESH_TOKEN_PREFIX: &str = "wbr_";

async fn open(tx: &mut PgConnection, user: User, new: &NewSession, origin: &Origin) -> Result<Opened> {
    let session: SessionId = new_id();
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, user_agent, ip, network) VALUES ($1, $2, $3, $4, $5)",
        session.0,
        user.id.0,
        new.user_agent,
        origin.ip,
        new.network,
    )
    .execute(&mut *tx)
    .await?;
    let refresh_token = add_token(tx, session, &new.policy, None).await?;
    Ok(Opened { user, session, refresh_token })
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

async fn add_token(
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
        r#"SELECT id AS "id: UserId", email, full_name, role AS "role: Role", language, email_verified_at,
                  suspended_at, created_at
           FROM users WHERE id = $1"#,
        id.0,
    )
    .fetch_one(tx)
    .await?)
}

async fn revoke(tx: &mut PgConnection, session: SessionId) -> Result<()> {
    sqlx::query!("UPDATE sessions SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", session.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends a user's sessions, all or all but one; a session is a family of refresh tokens. Returns how many.
pub(crate) async fn revoke_all_but(
    tx: &mut PgConnection,
    user: UserId,
    keep: Option<SessionId>,
) -> Result<u64> {
    let ended = sqlx::query!(
        "UPDATE sessions SET revoked_at = now()
         WHERE user_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id <> $2)",
        user.0,
        keep.map(|session| session.0),
    )
    .execute(tx)
    .await?;
    Ok(ended.rows_affected())
}

fn on_session(action: &str, session: SessionId) -> AuditEntry<'_> {
    AuditEntry { action, object_kind: "session", object_id: Some(session.0), before: None, after: None }
}
