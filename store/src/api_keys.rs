//! Keys of programs for the internal endpoints: named, stored as SHA-256, rotatable, last use shown.

use chrono::{DateTime, Utc};
use domain::ids::ApiKeyId;

use crate::{
    Result, Store, StoreError,
    audit::{self, Act, Origin},
    new_id, opaque_token,
};

/// A key as listed.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Identifies it, also in the audit log.
    pub id: ApiKeyId,
    /// Whose key it is; unique.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stopped working.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key that works, as found by its hash.
#[derive(Debug, Clone)]
pub struct ValidKey {
    /// Identifies it.
    pub id: ApiKeyId,
    /// SHA-256 of the plaintext.
    pub key_hash: Vec<u8>,
    last_used_at: Option<DateTime<Utc>>,
}

const KEY_PREFIX: &str = "wbk_";

impl Store {
    /// Makes a key and returns its plaintext, which can't be shown again.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the name is in use; see [`Store::rotate_api_key`].
    pub async fn create_api_key(&self, name: &str, origin: &Origin) -> Result<(ApiKeyId, String)> {
        let plaintext = opaque_token::generate(KEY_PREFIX)?;
        let id: ApiKeyId = new_id();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO api_keys (id, name, key_hash) VALUES ($1, $2, $3)",
            id.0,
            name,
            opaque_token::hash(plaintext.as_bytes()),
        )
        .execute(&mut *tx)
        .await?;
        audit::record(&mut tx, origin, &on_key("api_key.created", id)).await?;
        tx.commit().await?;
        Ok((id, plaintext))
    }

    /// Replaces the secret of the key by that name (made if there is none) and returns the new plaintext. The old one
    /// stops working at once; a revoked key works again.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn rotate_api_key(&self, name: &str, origin: &Origin) -> Result<(ApiKeyId, String)> {
        let plaintext = opaque_token::generate(KEY_PREFIX)?;
        let new: ApiKeyId = new_id();
        let mut tx = self.pool.begin().await?;
        let id = sqlx::query_scalar!(
            r#"INSERT INTO api_keys (id, name, key_hash) VALUES ($1, $2, $3)
               ON CONFLICT (name) DO UPDATE SET key_hash = excluded.key_hash, revoked_at = NULL
               RETURNING id AS "id: ApiKeyId""#,
            new.0,
            name,
            opaque_token::hash(plaintext.as_bytes()),
        )
        .fetch_one(&mut *tx)
        .await?;
        let action = if id == new { "api_key.created" } else { "api_key.rotated" };
        audit::record(&mut tx, origin, &on_key(action, id)).await?;
        tx.commit().await?;
        Ok((id, plaintext))
    }

    /// Ends a key, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such key, or it has ended already.
    pub async fn revoke_api_key(&self, id: ApiKeyId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let revoked =
            sqlx::query!("UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL", id.0)
                .execute(&mut *tx)
                .await?;
        if revoked.rows_affected() == 0 {
            return Err(StoreError::NotFound("API key"));
        }
        audit::record(&mut tx, origin, &on_key("api_key.revoked", id)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every key, by name.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>> {
        Ok(sqlx::query_as!(
            ApiKey,
            r#"SELECT id AS "id: ApiKeyId", name, created_at, last_used_at, revoked_at FROM api_keys ORDER BY name"#,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The key with this hash (see [`opaque_token::hash`]), unless it has ended.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn find_api_key(&self, key_hash: &[u8]) -> Result<Option<ValidKey>> {
        Ok(sqlx::query_as!(
            ValidKey,
            r#"SELECT id AS "id: ApiKeyId", key_hash, last_used_at FROM api_keys
               WHERE key_hash = $1 AND revoked_at IS NULL"#,
            key_hash,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Notes that a key is used, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn touch_api_key(&self, key: &ValidKey) -> Result<()> {
        let minute_ago = Utc::now() - chrono::TimeDelta::minutes(1);
        if key.last_used_at.is_some_and(|at| at > minute_ago) {
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

fn on_key(action: &str, id: ApiKeyId) -> Act<'_> {
    Act { action, object_kind: "api_key", object_id: Some(id.0), before: None, after: None }
}
