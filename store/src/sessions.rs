//! Logins: how they begin, who holds them, how their tokens rotate, and how they end.

mod ending;
mod rotation;

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    device::device,
    event::NewDeviceLogin,
    ids::{SessionId, UserId},
    language::Language,
    locale::TimeZone,
    permission::Permission,
    role::Role,
};
use sqlx::PgConnection;

use crate::{
    Result, Store,
    audit::{self, Actor, AuditEntry, Origin},
    boxed,
    events::Entry,
    new_id,
    page::{Page, PageRequest},
    throttles::{self, Attempt},
    users::User,
};

pub(crate) use ending::revoke_all_but;
pub use rotation::Rotation;
use rotation::add_token;

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

/// Whether a session may be used, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct SessionHolder {
    /// What the user may do.
    pub role: Role,
    /// Who of the staff uses it in the user's name; `None` of the user's own.
    pub impersonator: Option<UserId>,
    /// Whether the email address is proven.
    pub email_verified: bool,
    /// What they read.
    pub language: Language,
    /// By which clock.
    pub time_zone: TimeZone,
    /// The account is suspended.
    pub suspended: bool,
    /// The session was logged out. One of staff in the user's name also ends with the session it was opened from, with a
    /// suspension of whoever opened it, and when they may not open it any more.
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
    /// When our team's ends at the latest, which looks at the account in its owner's name; `None` of the owner's own.
    pub support_until: Option<DateTime<Utc>>,
}

impl Store {
    /// Logs a user in whose password was right, and forgives the failures before it, with an audit row that shows
    /// the user as the actor.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
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
        let opened = log_in(&mut tx, user, session, origin).await?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Whether `user` may use a session that lasts no longer than `longest`; `None` when there is no such session of that
    /// user.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn session_holder(
        &self,
        session: SessionId,
        user: UserId,
        longest: Duration,
    ) -> Result<Option<SessionHolder>> {
        let row = sqlx::query!(
            r#"SELECT u.role AS "role: Role", u.language AS "language: Language",
                      u.time_zone AS "time_zone: TimeZone", u.email_verified_at IS NOT NULL AS "email_verified!",
                      u.suspended_at IS NOT NULL AS "suspended!",
                      s.revoked_at IS NOT NULL OR staff.suspended_at IS NOT NULL OR origin.revoked_at IS NOT NULL
                          OR s.impersonated_by IS NOT NULL AND u.role <> 'customer' AS "revoked!",
                      s.created_at + make_interval(secs => $3) <= now()
                          OR coalesce(origin.created_at + make_interval(secs => $3) <= now() OR s.ends_at <= now(), false) AS "ended!",
                      s.impersonated_by AS "impersonator: UserId", staff.role AS "staff_role?: Role"
               FROM sessions s JOIN users u ON u.id = s.user_id
               LEFT JOIN users staff ON staff.id = s.impersonated_by
               LEFT JOIN sessions origin ON origin.id = s.impersonated_from
               WHERE s.id = $1 AND u.id = $2"#,
            session.0,
            user.0,
            longest.as_secs_f64(),
        )
        .fetch_optional(&self.pool)
        .await?;
        let lost = |role: Role| !role.may(Permission::AccountsImpersonate);
        Ok(row.map(|row| SessionHolder {
            role: row.role,
            impersonator: row.impersonator,
            email_verified: row.email_verified,
            language: row.language,
            time_zone: row.time_zone,
            suspended: row.suspended,
            revoked: row.revoked || row.staff_role.is_some_and(lost),
            ended: row.ended,
        }))
    }

    /// A user's sessions that can still be used and last no longer than `longest`, newest first.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
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
                      coalesce(max(t.created_at), s.created_at) AS "last_used_at!", s.ends_at AS support_until
               FROM sessions s LEFT JOIN refresh_tokens t ON t.session_id = s.id
               LEFT JOIN sessions origin ON origin.id = s.impersonated_from
               WHERE s.user_id = $1 AND s.revoked_at IS NULL AND ($2::uuid IS NULL OR s.id < $2)
                 AND s.created_at + make_interval(secs => $4) > now()
                 AND (s.ends_at IS NULL OR s.ends_at > now()) AND origin.revoked_at IS NULL
               GROUP BY s.id
               HAVING s.impersonated_by IS NOT NULL OR bool_or(t.used_at IS NULL AND t.expires_at > now())
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

/// Opens a session of somebody who logs in, with an audit row, and tells them if it is from a device or a network that the account
/// was not logged in from within 90 days. Of the first login there is nothing to be told.
pub(crate) async fn log_in(
    tx: &mut PgConnection,
    user: User,
    session: &NewSession,
    origin: &Origin,
) -> Result<Opened> {
    let opened = open(tx, user, session, origin).await?;
    audit::record(tx, origin, &on_session("auth.login", opened.session)).await?;
    tell_of_new_device(tx, &opened, origin).await?;
    Ok(opened)
}

/// Opens a session.
pub(crate) async fn open(
    tx: &mut PgConnection,
    user: User,
    new: &NewSession,
    origin: &Origin,
) -> Result<Opened> {
    let session: SessionId = new_id();
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, user_agent, ip, network, device) VALUES ($1, $2, $3, $4, $5, $6)",
        session.0,
        user.id.0,
        new.user_agent,
        origin.ip,
        new.network,
        new.user_agent.as_deref().and_then(device),
    )
    .execute(&mut *tx)
    .await?;
    let refresh_token = add_token(tx, session, &new.policy, None).await?;
    Ok(Opened { user, session, refresh_token })
}

async fn tell_of_new_device(tx: &mut PgConnection, opened: &Opened, origin: &Origin) -> Result<()> {
    // Sessions from before devices were kept say what the client called itself.
    let new = sqlx::query!(
        r#"SELECT s.device, clock_timestamp() AS "logged_in_at!"
           FROM sessions s
           WHERE s.id = $1
             AND EXISTS (SELECT FROM sessions o WHERE o.user_id = s.user_id AND o.id <> s.id AND o.impersonated_by IS NULL)
             AND NOT EXISTS (
                 SELECT FROM sessions o
                 WHERE o.user_id = s.user_id AND o.id <> s.id AND o.network IS NOT DISTINCT FROM s.network
                   AND o.impersonated_by IS NULL
                   AND (o.device IS NOT DISTINCT FROM s.device OR o.device IS NULL AND o.user_agent IS NOT DISTINCT FROM s.user_agent)
                   AND o.created_at > now() - interval '90 days')"#,
        opened.session.0,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(new) = new else { return Ok(()) };
    audit::record(tx, origin, &on_session("auth.login_from_new_device", opened.session)).await?;
    let login =
        NewDeviceLogin { session_id: opened.session, device: new.device, logged_in_at: new.logged_in_at };
    Entry::of(login).tell(tx, opened.user.id).await
}

pub(crate) fn on_session(action: &str, session: SessionId) -> AuditEntry<'_> {
    AuditEntry { action, object_kind: "session", object_id: Some(session.0), before: None, after: None }
}
