//! The SSH public keys that people keep with us, to be put on the servers they order.

use chrono::{DateTime, Utc};
use domain::ids::{SshKeyId, UserId};
use serde_json::json;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id,
    page::{Page, PageRequest},
};

/// As many keys one person may keep.
pub const MAX_PER_USER: i64 = 50;

/// A key as it is kept.
#[derive(Debug, Clone)]
pub struct SshKey {
    /// Its id.
    pub id: SshKeyId,
    /// What its owner calls it.
    pub name: String,
    /// One line of OpenSSH's format.
    pub public_key: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// When it was added.
    pub created_at: DateTime<Utc>,
}

/// A key to be kept. Whether it is one at all is for the caller to check.
#[derive(Debug, Clone)]
pub struct NewSshKey {
    /// What its owner calls it.
    pub name: String,
    /// One line of OpenSSH's format.
    pub public_key: String,
    /// `SHA256:…`
    pub fingerprint: String,
}

/// A key that was not taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SshKeyError {
    /// Its owner keeps the same key already, under whatever name.
    #[error("you have this key already")]
    Exists,
    /// As many are kept as may be.
    #[error("you keep {MAX_PER_USER} keys already: remove one first")]
    TooMany,
    /// The database was in the way.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for SshKeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Keeps a key for its owner.
    ///
    /// # Errors
    /// [`SshKeyError::Exists`] and [`SshKeyError::TooMany`].
    #[boxed]
    pub async fn add_ssh_key(
        &self,
        user: UserId,
        new: &NewSshKey,
        origin: &Origin,
    ) -> Result<SshKey, SshKeyError> {
        let mut tx = self.pool.begin().await?;
        // One at a time per person, so that the count stays true until the commit.
        sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0)
            .fetch_one(&mut *tx)
            .await?;
        let kept = sqlx::query!(
            r#"SELECT count(*) AS "count!", coalesce(bool_or(fingerprint = $2), false) AS "exists!"
               FROM ssh_keys WHERE user_id = $1"#,
            user.0,
            new.fingerprint,
        )
        .fetch_one(&mut *tx)
        .await?;
        if kept.exists {
            return Err(SshKeyError::Exists);
        }
        if kept.count >= MAX_PER_USER {
            return Err(SshKeyError::TooMany);
        }
        let key = sqlx::query_as!(
            SshKey,
            r#"INSERT INTO ssh_keys (id, user_id, name, public_key, fingerprint) VALUES ($1, $2, $3, $4, $5)
               RETURNING id AS "id: SshKeyId", name, public_key, fingerprint, created_at"#,
            new_id::<SshKeyId>().0,
            user.0,
            new.name,
            new.public_key,
            new.fingerprint,
        )
        .fetch_one(&mut *tx)
        .await?;
        audit::record(&mut tx, origin, &act("ssh_key.added", key.id, &key.fingerprint)).await?;
        tx.commit().await.map_err(StoreError::from)?;
        Ok(key)
    }

    /// A person's keys, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn ssh_keys(&self, user: UserId, page: PageRequest) -> Result<Page<SshKey>> {
        let rows = sqlx::query_as!(
            SshKey,
            r#"SELECT id AS "id: SshKeyId", name, public_key, fingerprint, created_at FROM ssh_keys
               WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"#,
            user.0,
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |key| key.id.0))
    }

    /// One key of a person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the person has no such key.
    #[boxed]
    pub async fn ssh_key(&self, user: UserId, id: SshKeyId) -> Result<SshKey> {
        sqlx::query_as!(
            SshKey,
            r#"SELECT id AS "id: SshKeyId", name, public_key, fingerprint, created_at FROM ssh_keys
               WHERE user_id = $1 AND id = $2"#,
            user.0,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("SSH key"))
    }

    /// Forgets a key. Servers it is on keep it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the person has no such key.
    #[boxed]
    pub async fn remove_ssh_key(&self, user: UserId, id: SshKeyId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let fingerprint = sqlx::query_scalar!(
            "DELETE FROM ssh_keys WHERE user_id = $1 AND id = $2 RETURNING fingerprint",
            user.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("SSH key"))?;
        audit::record(&mut tx, origin, &act("ssh_key.removed", id, &fingerprint)).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn act<'a>(action: &'a str, id: SshKeyId, fingerprint: &str) -> AuditEntry<'a> {
    let about = Some(json!({ "fingerprint": fingerprint }));
    let (before, after) = if action == "ssh_key.removed" { (about, None) } else { (None, about) };
    AuditEntry { action, object_kind: "ssh_key", object_id: Some(id.0), before, after }
}
