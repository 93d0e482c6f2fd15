//! Asking for links: each is an event that is told by mail alone.

use chrono::{DateTime, Utc};
use domain::{
    email::{EmailAddress, EmailKey},
    event::{EmailChangeAsked, EmailToVerify, Event, PasswordResetAsked},
    ids::{MailedLinkId, UserId},
    mailed_link::MailedLinkKind,
};
use sqlx::PgConnection;

use super::{Change, is_within_bounds, void};
use crate::{
    Result, Store, StoreError,
    audit::{self, Origin},
    boxed,
    events::Entry,
    locks::lock_account,
    new_id,
    throttles::{self, Attempt},
    users::{self, User, about},
};

/// What somebody who is not logged in may have mailed to an account's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedAtLogin {
    /// A link that verifies the address, if it is not verified.
    Verification,
    /// A link that sets a new password.
    PasswordReset,
}

impl AskedAtLogin {
    const fn kind(self) -> MailedLinkKind {
        match self {
            Self::Verification => MailedLinkKind::VerifyEmail,
            Self::PasswordReset => MailedLinkKind::ResetPassword,
        }
    }

    const fn audited(self) -> &'static str {
        match self {
            Self::Verification => "auth.verification_asked",
            Self::PasswordReset => "auth.password_reset_asked",
        }
    }
}

impl Store {
    /// Mails a link to the account of an address; earlier ones of its kind are good no more. Answers nothing: whether there
    /// is such an account, whether its address is verified, and whether it was mailed too many already is not for whoever
    /// asks to know.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn mail_link(&self, email: &EmailKey, asked: AskedAtLogin, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let holder = sqlx::query!(
            r#"SELECT id AS "id: UserId", email FROM users
               WHERE email_key = $1 AND suspended_at IS NULL AND NOT ($2 AND email_verified_at IS NOT NULL)
               FOR NO KEY UPDATE"#,
            email.as_str(),
            asked == AskedAtLogin::Verification,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(holder) = holder else { return Ok(()) };
        if !is_within_bounds(&mut tx, holder.id, asked.kind()).await? {
            return Ok(());
        }
        mail(&mut tx, &Addressee { user: holder.id, email: &holder.email }, asked.kind(), None).await?;
        audit::record(&mut tx, origin, &about(asked.audited(), holder.id)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Asks for another address for an account, after an attempt to prove its password that was right: a link goes to the
    /// present address and one to the new one. An earlier change that was not confirmed is void.
    ///
    /// # Errors
    /// [`StoreError::Taken`] with [`users::EMAIL_CONSTRAINT`] when the address has an account, this one included, and
    /// [`StoreError::TooManyLinks`] when it was asked for too often.
    #[boxed]
    pub async fn ask_email_change(
        &self,
        user: UserId,
        attempt: &Attempt,
        new: &EmailAddress,
        origin: &Origin,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        lock_account(&mut tx, user).await?;
        throttles::give_back(&mut tx, attempt).await?;
        if !is_within_bounds(&mut tx, user, MailedLinkKind::ChangeEmail).await? {
            return Err(StoreError::TooManyLinks);
        }
        users::ensure_free(&mut tx, &new.key()).await?;
        let present =
            sqlx::query_scalar!("SELECT email FROM users WHERE id = $1", user.0).fetch_one(&mut *tx).await?;
        let change = Change { id: uuid::Uuid::now_v7(), new_email: new.as_str() };
        void(&mut tx, user, Some(MailedLinkKind::ChangeEmail)).await?;
        for email in [present.as_str(), new.as_str()] {
            mail(&mut tx, &Addressee { user, email }, MailedLinkKind::ChangeEmail, Some(&change)).await?;
        }
        audit::record(&mut tx, origin, &about("auth.email_change_asked", user)).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Mails somebody who has just registered the link that verifies the address, unless it counts as verified.
pub(crate) async fn verify_new_account(tx: &mut PgConnection, user: &User) -> Result<()> {
    if user.email_verified_at.is_some() {
        return Ok(());
    }
    mail(tx, &Addressee { user: user.id, email: &user.email }, MailedLinkKind::VerifyEmail, None).await
}

/// To whom a link goes.
struct Addressee<'a> {
    user: UserId,
    email: &'a str,
}

/// Mails a link. Earlier ones of its kind are good no more, except the other one of the same change of address.
async fn mail(
    tx: &mut PgConnection,
    to: &Addressee<'_>,
    kind: MailedLinkKind,
    change: Option<&Change<'_>>,
) -> Result<()> {
    if change.is_none() {
        void(tx, to.user, Some(kind)).await?;
    }
    let link_id: MailedLinkId = new_id();
    let expires_at = sqlx::query_scalar!(
        r#"SELECT now() + make_interval(secs => $1) AS "expires_at!""#,
        kind.life().as_secs_f64(),
    )
    .fetch_one(&mut *tx)
    .await?;
    let is_new_address = change.is_some_and(|change| change.new_email == to.email);
    let event = event(kind, link_id, expires_at, is_new_address);
    let delivery = Entry::of(event).mail(tx, to.user).await?;
    sqlx::query!(
        "INSERT INTO mailed_links (id, user_id, kind, email, delivery_id, change_id, new_email, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        link_id.0,
        to.user.0,
        kind.as_str(),
        to.email,
        delivery.map(|delivery| delivery.0),
        change.map(|change| change.id),
        change.map(|change| change.new_email),
        expires_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn event(
    kind: MailedLinkKind,
    link_id: MailedLinkId,
    expires_at: DateTime<Utc>,
    is_new_address: bool,
) -> Event {
    match kind {
        MailedLinkKind::VerifyEmail => EmailToVerify { link_id, expires_at }.into(),
        MailedLinkKind::ResetPassword => PasswordResetAsked { link_id, expires_at }.into(),
        MailedLinkKind::ChangeEmail => EmailChangeAsked { link_id, expires_at, is_new_address }.into(),
    }
}
