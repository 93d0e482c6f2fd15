//! Personal API tokens: what people's own programs prove themselves by. A token is shown when it is made, and kept as a hash.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    api_token::{MOST_TOKENS, TokenScope},
    event::{ApiTokenMade, ApiTokenRemoved},
    ids::{ApiTokenId, UserId},
    language::Language,
    locale::TimeZone,
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    Elapsed, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    locks::lock_account,
    new_id, opaque_token,
    page::{Page, PageRequest},
};

/// What tokens begin with, for people and for scanners of secrets.
pub const API_TOKEN_PREFIX: &str = "wbp_";

/// A token as its owner sees it.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// Identifies it.
    pub id: ApiTokenId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends, if it does.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// How long, if it ends.
    pub life: Option<Duration>,
}

/// Whose a token is, and what it may do.
#[derive(Debug, Clone)]
pub struct TokenHolder {
    /// The token.
    pub id: ApiTokenId,
    /// Its owner.
    pub user: UserId,
    /// What it may do.
    pub scopes: Vec<TokenScope>,
    /// Whether the owner's address is proven.
    pub email_verified: bool,
    /// What the owner reads.
    pub language: Language,
    /// By which clock.
    pub time_zone: TimeZone,
    /// The owner's account is suspended.
    pub suspended: bool,
    /// How long it is good, if it ends.
    pub left: Option<Elapsed>,
    is_use_noted: bool,
}

impl Store {
    /// Makes a token and answers with it and its plaintext. Its owner is told.
    ///
    /// # Errors
    /// [`StoreError::TooManyApiTokens`] when there are as many as may be.
    #[boxed]
    pub async fn make_api_token(
        &self,
        user: UserId,
        new: &NewApiToken,
        origin: &Origin,
    ) -> Result<(ApiToken, String)> {
        let mut tx = self.pool.begin().await?;
        lock_account(&mut tx, user).await?;
        let kept =
            sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM api_tokens WHERE user_id = $1"#, user.0)
                .fetch_one(&mut *tx)
                .await?;
        if kept >= MOST_TOKENS {
            return Err(StoreError::TooManyApiTokens);
        }
        let plaintext = opaque_token::generate_checked(API_TOKEN_PREFIX)?;
        let token = sqlx::query_as!(
            ApiToken,
            r#"INSERT INTO api_tokens (id, user_id, name, token_hash, scopes, expires_at)
               VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
               RETURNING id AS "id: ApiTokenId", name, scopes AS "scopes: Vec<TokenScope>", created_at, expires_at,
                         last_used_at"#,
            new_id::<ApiTokenId>().0,
            user.0,
            new.name,
            opaque_token::hash(plaintext.as_bytes()),
            &words(&new.scopes) as &[&str],
            new.life.map(|life| life.as_secs_f64()),
        )
        .fetch_one(&mut *tx)
        .await?;
        let about = json!({ "name": token.name, "scopes": token.scopes, "expires_at": token.expires_at });
        audit::record(&mut tx, origin, &AuditEntry { after: Some(about), ..on("api_token.made", token.id) })
            .await?;
        let made = ApiTokenMade { token_id: token.id, name: token.name.clone(), made_at: token.created_at };
        Entry::of(made).tell(&mut tx, user).await?;
        tx.commit().await?;
        Ok((token, plaintext))
    }

    /// A person's tokens, newest first; those that ended, too, until they are removed.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn api_tokens(&self, user: UserId, page: PageRequest) -> Result<Page<ApiToken>> {
        let rows = sqlx::query_as!(
            ApiToken,
            r#"SELECT id AS "id: ApiTokenId", name, scopes AS "scopes: Vec<TokenScope>", created_at, expires_at,
                      last_used_at
               FROM api_tokens WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"#,
            user.0,
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |token| token.id.0))
    }

    /// Ends a token. Its owner is told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the person has no such token.
    #[boxed]
    pub async fn remove_api_token(&self, user: UserId, id: ApiTokenId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let removed = sqlx::query!(
            r#"DELETE FROM api_tokens WHERE user_id = $1 AND id = $2
               RETURNING name, clock_timestamp() AS "removed_at!""#,
            user.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("API token"))?;
        let about = json!({ "name": removed.name });
        audit::record(&mut tx, origin, &AuditEntry { before: Some(about), ..on("api_token.removed", id) })
            .await?;
        let told = ApiTokenRemoved { token_id: id, name: removed.name, removed_at: removed.removed_at };
        Entry::of(told).tell(&mut tx, user).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whose a token is, unless it ended; that it is used is noted, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn use_api_token(&self, token: &str) -> Result<Option<TokenHolder>> {
        if !opaque_token::is_checked(token) {
            return Ok(None);
        }
        let holder = sqlx::query_as!(
            TokenHolder,
            r#"SELECT t.id AS "id: ApiTokenId", u.id AS "user: UserId", t.scopes AS "scopes: Vec<TokenScope>",
                      u.email_verified_at IS NOT NULL AS "email_verified!", u.language AS "language: Language",
                      u.time_zone AS "time_zone: TimeZone",
                      u.suspended_at IS NOT NULL AS "suspended!",
                      extract(epoch FROM t.expires_at - now())::float8 AS "left: Elapsed",
                      coalesce(t.last_used_at > now() - interval '1 minute', false) AS "is_use_noted!"
               FROM api_tokens t JOIN users u ON u.id = t.user_id
               WHERE t.token_hash = $1 AND (t.expires_at IS NULL OR t.expires_at > now())"#,
            opaque_token::hash(token.as_bytes()),
        )
        .fetch_optional(&self.pool)
        .await?;
        if let Some(holder) = holder.as_ref().filter(|holder| !holder.is_use_noted) {
            sqlx::query!(
                "UPDATE api_tokens SET last_used_at = date_trunc('minute', now())
                 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')",
                holder.id.0,
            )
            .execute(&self.pool)
            .await?;
        }
        Ok(holder)
    }
}

/// Ends all tokens of an account.
pub(crate) async fn remove_all(tx: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!("DELETE FROM api_tokens WHERE user_id = $1", user.0).execute(tx).await?;
    Ok(())
}

fn words(scopes: &[TokenScope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

fn on(action: &str, id: ApiTokenId) -> AuditEntry<'_> {
    AuditEntry { action, object_kind: "api_token", object_id: Some(id.0), before: None, after: None }
}
