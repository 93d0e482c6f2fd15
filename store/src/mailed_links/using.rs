//! Using links: each does one thing, once.

use domain::{
    event::{EmailChanged, PasswordReset},
    ids::UserId,
    mailed_link::MailedLinkKind,
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::void;
use crate::{
    Result, Store, StoreError, api_tokens,
    audit::{self, Actor, Origin},
    boxed,
    events::Entry,
    locks::lock_account,
    opaque_token,
    sessions::revoke_all_but,
    throttles,
    users::{self, about},
};

/// A link that was used just now, under the lock of its account.
struct Used {
    user: UserId,
    change: Option<Uuid>,
    new_email: Option<String>,
}

impl Store {
    /// Verifies the address that a link was mailed to.
    ///
    /// # Errors
    /// [`StoreError::LinkInvalid`] of a link that is none, was used, expired or was replaced.
    #[boxed]
    pub async fn verify_email(&self, token: &str, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let link = use_link(&mut tx, token, MailedLinkKind::VerifyEmail).await?;
        verified(&mut tx, link.user).await?;
        audit::record(&mut tx, &by(link.user, origin), &about("auth.email_verified", link.user)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The address of the account whose password a link replaces.
    ///
    /// # Errors
    /// [`StoreError::LinkInvalid`] as for its use.
    #[boxed]
    pub async fn password_reset_email(&self, token: &str) -> Result<String> {
        sqlx::query_scalar!(
            "SELECT u.email FROM mailed_link_tokens t JOIN mailed_links l ON l.id = t.link_id JOIN users u ON u.id = l.user_id
             WHERE t.token_hash = $1 AND l.kind = 'RESET_PASSWORD' AND l.used_at IS NULL AND l.voided_at IS NULL
               AND l.expires_at > now()",
            opaque_token::hash(token.as_bytes()),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::LinkInvalid)
    }

    /// Replaces a forgotten password. Whoever knew the old one is shut out: all sessions and API tokens end, and every other link that was
    /// mailed, and codes that would link a chat. Failed logins are forgiven, the address is verified by this, and the owner
    /// is told.
    ///
    /// # Errors
    /// [`StoreError::LinkInvalid`] of a link that is none, was used, expired or was replaced.
    #[boxed]
    pub async fn reset_password(&self, token: &str, password_hash: &str, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let Used { user, .. } = use_link(&mut tx, token, MailedLinkKind::ResetPassword).await?;
        let origin = &by(user, origin);
        let reset_at = sqlx::query_scalar!(
            r#"UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1
               RETURNING clock_timestamp() AS "reset_at!""#,
            user.0,
            password_hash,
        )
        .fetch_one(&mut *tx)
        .await?;
        verified(&mut tx, user).await?;
        void(&mut tx, user, None).await?;
        revoke_all_but(&mut tx, user, None).await?;
        api_tokens::remove_all(&mut tx, user).await?;
        sqlx::query!("DELETE FROM telegram_link_codes WHERE user_id = $1", user.0).execute(&mut *tx).await?;
        throttles::unlock(&mut tx, user, origin).await?;
        audit::record(&mut tx, origin, &about("auth.password_reset", user)).await?;
        Entry::of(PasswordReset { user_id: user, reset_at }).tell(&mut tx, user).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Confirms a change of address from one of the two. Once both are, the account has the new one, which is verified by
    /// this; every other link that was mailed to the old one is void, and the owner is told. Says whether it has it now.
    ///
    /// # Errors
    /// [`StoreError::LinkInvalid`] of a link that is none, was used, expired or was replaced; [`StoreError::Taken`] with
    /// [`users::EMAIL_CONSTRAINT`] when the new address got an account meanwhile.
    #[boxed]
    pub async fn confirm_email_change(&self, token: &str, origin: &Origin) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let Used { user, change, new_email } = use_link(&mut tx, token, MailedLinkKind::ChangeEmail).await?;
        let origin = &by(user, origin);
        audit::record(&mut tx, origin, &about("auth.email_change_confirmed", user)).await?;
        let is_confirmed = sqlx::query_scalar!(
            r#"SELECT bool_and(used_at IS NOT NULL) AS "is_confirmed!" FROM mailed_links WHERE change_id = $1"#,
            change,
        )
        .fetch_one(&mut *tx)
        .await?;
        if let Some(new_email) = new_email.filter(|_| is_confirmed) {
            change_email(&mut tx, user, &new_email, origin).await?;
        }
        tx.commit().await?;
        Ok(is_confirmed)
    }
}

async fn change_email(tx: &mut PgConnection, user: UserId, new_email: &str, origin: &Origin) -> Result<()> {
    users::ensure_free(tx, &domain::email::EmailKey::of(new_email)).await?;
    let changed_at = sqlx::query_scalar!(
        r#"UPDATE users SET email = $2, email_verified_at = now(), updated_at = now() WHERE id = $1
           RETURNING clock_timestamp() AS "changed_at!""#,
        user.0,
        new_email,
    )
    .fetch_one(&mut *tx)
    .await?;
    void(tx, user, None).await?;
    audit::record(tx, origin, &about("auth.email_changed", user)).await?;
    Entry::of(EmailChanged { user_id: user, changed_at }).tell(tx, user).await
}

/// Uses a link, and holds its account.
async fn use_link(tx: &mut PgConnection, token: &str, kind: MailedLinkKind) -> Result<Used> {
    let hash = opaque_token::hash(token.as_bytes());
    let user = sqlx::query_scalar!(
        r#"SELECT l.user_id AS "user_id: UserId" FROM mailed_link_tokens t JOIN mailed_links l ON l.id = t.link_id
           WHERE t.token_hash = $1"#,
        hash,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(StoreError::LinkInvalid)?;
    lock_account(tx, user).await?;
    sqlx::query_as!(
        Used,
        r#"UPDATE mailed_links l SET used_at = now() FROM mailed_link_tokens t
           WHERE t.token_hash = $1 AND l.id = t.link_id AND l.kind = $2 AND l.used_at IS NULL AND l.voided_at IS NULL
             AND l.expires_at > now()
           RETURNING l.user_id AS "user: UserId", l.change_id AS change, l.new_email"#,
        hash,
        kind.as_str(),
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::LinkInvalid)
}

/// The present address is verified. Links to an earlier one are void since it changed.
async fn verified(tx: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!(
        "UPDATE users SET email_verified_at = now(), updated_at = now() WHERE id = $1 AND email_verified_at IS NULL",
        user.0,
    )
    .execute(&mut *tx)
    .await?;
    void(tx, user, Some(MailedLinkKind::VerifyEmail)).await
}

/// Whoever uses a link acts as the account's owner.
fn by(user: UserId, origin: &Origin) -> Origin {
    Origin { actor: Actor::User(user), ..origin.clone() }
}
