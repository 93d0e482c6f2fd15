//! Links that are mailed to prove an address: asked for here, and used here once. What a link proves itself by is made where
//! its mail is sent ([`crate::deliveries`]), so that it is nowhere before, and afterwards with its reader alone.
//!
//! Whoever changes an account's links holds the account, so that of several links at once one is the latest, and a link is
//! used once.

mod asking;
mod using;

use domain::{
    ids::{MailedLinkId, UserId},
    mailed_link::{MOST_PER_DAY, MOST_PER_HOUR, MailedLinkKind},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, opaque_token};

pub use asking::AskedAtLogin;
pub(crate) use asking::verify_new_account;
pub(crate) use token::generate;

/// What mailed links prove themselves by.
mod token {
    use super::{MailedLinkId, PgConnection, Result, opaque_token};

    /// What they begin with.
    const PREFIX: &str = "wbl_";

    /// A token of a link whose mail is about to be sent. Those of earlier attempts stay good: their mail may have arrived.
    pub(crate) async fn generate(tx: &mut PgConnection, link: MailedLinkId) -> Result<String> {
        let token = opaque_token::generate(PREFIX)?;
        sqlx::query!(
            "INSERT INTO mailed_link_tokens (token_hash, link_id) VALUES ($1, $2)",
            opaque_token::hash(token.as_bytes()),
            link.0,
        )
        .execute(tx)
        .await?;
        Ok(token)
    }
}

/// Whether an account may be mailed one more link of this kind. Both links of a change of address are one.
async fn is_within_bounds(tx: &mut PgConnection, user: UserId, kind: MailedLinkKind) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(DISTINCT coalesce(change_id, id)) < $4
                  AND count(DISTINCT coalesce(change_id, id)) FILTER (WHERE created_at > now() - interval '1 hour') < $3
                  AS "is_within!"
           FROM mailed_links WHERE user_id = $1 AND kind = $2 AND created_at > now() - interval '1 day'"#,
        user.0,
        kind.as_str(),
        MOST_PER_HOUR,
        MOST_PER_DAY,
    )
    .fetch_one(tx)
    .await?)
}

/// Ends an account's links that were not used: those of a kind, or all.
async fn void(tx: &mut PgConnection, user: UserId, kind: Option<MailedLinkKind>) -> Result<()> {
    sqlx::query!(
        "UPDATE mailed_links SET voided_at = now()
         WHERE user_id = $1 AND ($2::text IS NULL OR kind = $2) AND used_at IS NULL AND voided_at IS NULL",
        user.0,
        kind.map(MailedLinkKind::as_str),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A change of address that is asked for.
struct Change<'a> {
    id: Uuid,
    new_email: &'a str,
}
