//! Keys of programs for the internal endpoints: named, stored as SHA-256, rotatable, for named rights and a time, last
//! use shown.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{api_key::Scope, ids::ApiKeyId};
use serde_json::json;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id, opaque_token,
};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey<'a> {
    /// Whose key it is; unique.
    pub name: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// How long it works; without it until it is revoked.
    pub life: Option<Duration>,
}

/// A key as listed.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Identifies it, also in the audit log.
    pub id: ApiKeyId,
    /// Whose key it is; unique.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stops working by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether that is over.
    pub expired: bool,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key that works, as found by its hash.
#[derive(Debug, Clone)]
pub struct ValidKey {
    /// Identifies it.
    pub id: ApiKeyId,
    /// SHA-256 of the plaintext.
    pub key_hash: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    is_use_noted: bool,
}

const KEY_PREFIX: &str = "wbk_";

/// The unique index behind [`StoreError::Taken`] when a name is in use.
const NAME_CONSTRAINT: &str = "api_keys_name_key";

impl Store {
    /// Makes a key and returns its plaintext, which can't be shown again.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the name is in use; see [`Store::rotate_api_key`].
    #[boxed]
    pub async fn create_api_key(&self, new: &NewApiKey<'_>, origin: &Origin) -> Result<(ApiKeyId, String)> {
        let plaintext = opaque_token::generate(KEY_PREFIX)?;
        let id: ApiKeyId = new_id();
        let mut tx = self.pool.begin().await?;
        let made = sqlx::query!(
            "INSERT INTO api_keys (id, name, key_hash, scopes, expires_at)
             VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5)) ON CONFLICT (name) DO NOTHING",
            id.0,
            new.name,
            opaque_token::hash(plaintext.as_bytes()),
            &words(new.scopes) as &[&str],
            new.life.map(|life| life.as_secs_f64()),
        )
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::Taken { constraint: NAME_CONSTRAINT.to_owned() });
        }
        audit::record(&mut tx, origin, &granted("api_key.created", id, new)).await?;
        tx.commit().await?;
        Ok((id, plaintext))
    }

    /// Replaces the secret, the rights and the life of the key by that name (made if there is none) and returns the new
    /// plaintext. The old one stops working at once; a revoked key works again.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn rotate_api_key(&self, key: &NewApiKey<'_>, origin: &Origin) -> Result<(ApiKeyId, String)> {
        let plaintext = opaque_token::generate(KEY_PREFIX)?;
        let new: ApiKeyId = new_id();
        let mut tx = self.pool.begin().await?;
        let id = sqlx::query_scalar!(
            r#"INSERT INTO api_keys (id, name, key_hash, scopes, expires_at)
               VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
               ON CONFLICT (name) DO UPDATE SET key_hash = excluded.key_hash, scopes = excluded.scopes,
                   expires_at = excluded.expires_at, revoked_at = NULL
               RETURNING id AS "id: ApiKeyId""#,
            new.0,
            key.name,
            opaque_token::hash(plaintext.as_bytes()),
            &words(key.scopes) as &[&str],
            key.life.map(|life| life.as_secs_f64()),
        )
        .fetch_one(&mut *tx)
        .await?;
        let action = if id == new { "api_key.created" } else { "api_key.rotated" };
        audit::record(&mut tx, origin, &granted(action, id, key)).await?;
        tx.commit().await?;
        Ok((id, plaintext))
    }

    /// Ends a key, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such key, or it has ended already.
    #[boxed]
    pub async fn revoke_api_key(&self, name: &str, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let id = sqlx::query_scalar!(
            r#"UPDATE api_keys SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL
               RETURNING id AS "id: ApiKeyId""#,
            name,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("API key"))?;
        audit::record(&mut tx, origin, &on_key("api_key.revoked", id)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every key, by name.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>> {
        Ok(sqlx::query_as!(
            ApiKey,
            r#"SELECT id AS "id: ApiKeyId", name, scopes AS "scopes: Vec<Scope>", created_at, last_used_at, expires_at,
                      COALESCE(expires_at <= now(), false) AS "expired!", revoked_at
               FROM api_keys ORDER BY name"#,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The key with this hash (see [`opaque_token::hash`]), unless it has ended.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn find_api_key(&self, key_hash: &[u8]) -> Result<Option<ValidKey>> {
        Ok(sqlx::query_as!(
            ValidKey,
            r#"SELECT id AS "id: ApiKeyId", key_hash, scopes AS "scopes: Vec<Scope>",
                      coalesce(last_used_at > now() - interval '1 minute', false) AS "is_use_noted!"
               FROM api_keys
               WHERE key_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"#,
            key_hash,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Notes that a key is used, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn touch_api_key(&self, key: &ValidKey) -> Result<()> {
        if key.is_use_noted {
            return Ok(());
        }
        sqlx::query!(
            "UPDATE api_keys SET last_used_at = now()
             WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')",
            key.id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn words(scopes: &[Scope]) -> Vec<&'static str> {
    scopes.iter().map(|scope| scope.as_str()).collect()
}

fn granted<'a>(action: &'a str, id: ApiKeyId, key: &NewApiKey<'_>) -> AuditEntry<'a> {
    let life = key.life.map(|life| life.as_secs());
    AuditEntry { after: Some(json!({ "scopes": key.scopes, "life_seconds": life })), ..on_key(action, id) }
}

fn on_key(action: &str, id: ApiKeyId) -> AuditEntry<'_> {
    AuditEntry { action, object_kind: "api_key", object_id: Some(id.0), before: None, after: None }
}
