//! The end of sessions: logged out here, everywhere, or by a new password.

use domain::{
    event::PasswordChanged,
    ids::{SessionId, UserId},
};
use sqlx::PgConnection;

use super::on_session;
use crate::{
    Result, Store, StoreError,
    audit::{self, Actor, Origin},
    boxed,
    events::Entry,
    opaque_token,
    throttles::{self, Attempt},
    users::about,
};

impl Store {
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

    /// Logs the session out that a refresh token is of, with an audit row that shows its user as the actor.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such session, or it is logged out already.
    #[boxed]
    pub async fn revoke_session_of(&self, refresh_token: &str, origin: &Origin) -> Result<()> {
        let session = sqlx::query!(
            r#"SELECT s.id AS "id: SessionId", s.user_id AS "user_id: UserId"
               FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = $1"#,
            opaque_token::hash(refresh_token.as_bytes()),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("session"))?;
        let origin = Origin { actor: Actor::User(session.user_id), ..origin.clone() };
        self.revoke_session(session.user_id, session.id, &origin).await
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
    /// with an audit row. The user is told.
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
        let changed_at = sqlx::query_scalar!(
            r#"UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1
               RETURNING clock_timestamp() AS "changed_at!""#,
            user.0,
            password_hash,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("user"))?;
        revoke_all_but(&mut tx, user, Some(keep)).await?;
        audit::record(&mut tx, origin, &about("auth.password_changed", user)).await?;
        Entry::of(PasswordChanged { user_id: user, changed_at }).tell(&mut tx, user).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Ends a user's sessions, all or all but one; a session is a family of refresh tokens. Logins that wait for a second factor
/// end, too. Returns how many sessions.
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
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM login_challenges WHERE user_id = $1", user.0).execute(tx).await?;
    Ok(ended.rows_affected())
}
