//! How people get into their servers. A server that was ordered with SSH keys lets nobody in by password; any other
//! gets a root password that is made here once, kept sealed, and opened for two: the provider when the server is made,
//! and its owner who asks. Another one takes its place when its owner has it reset.

use domain::{
    ids::{ActionId, InstanceId, UserId},
    instance::InstanceStatus,
};
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;

mod password;
mod seal;
mod user_data;

pub use seal::{CredentialsKeys, SealError};
pub(crate) use user_data::forget_user_data;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
};
pub(crate) use seal::Sealed;

/// What opens a server.
#[derive(Debug, Clone)]
pub struct ServerCredentials {
    /// Root's password; `None` when the server was made with SSH keys, or before passwords were made here.
    pub password: Option<SecretString>,
    /// SSH public keys that were put on the server.
    pub ssh_keys: Vec<String>,
}

impl Store {
    /// What opens a server, for its owner. That it was shown is written to the audit log in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such server, [`StoreError::Conflict`] when it is gone,
    /// [`StoreError::Credentials`] when this process can't open the password.
    #[boxed]
    pub async fn server_credentials(
        &self,
        instance: InstanceId,
        owner: UserId,
        origin: &Origin,
    ) -> Result<ServerCredentials> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            r#"SELECT i.status AS "status: InstanceStatus", o.ssh_keys,
                      c.sealed_password AS "sealed_password?", c.key_id AS "key_id?"
               FROM instances i
               JOIN orders o ON o.id = i.order_id
               LEFT JOIN instance_credentials c ON c.instance_id = i.id
               WHERE i.id = $1 AND i.user_id = $2"#,
            instance.0,
            owner.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("instance"))?;
        if row.status == InstanceStatus::Terminated {
            return Err(StoreError::Conflict { object: Object::Instance, state: row.status.to_string() });
        }
        let sealed = row.sealed_password.zip(row.key_id).map(|(bytes, key_id)| Sealed { bytes, key_id });
        let password = match sealed {
            Some(sealed) => Some(self.keys()?.open(instance.0, &sealed)?),
            None => None,
        };
        let act = AuditEntry {
            action: "instance.credentials_shown",
            object_kind: "instance",
            object_id: Some(instance.0),
            before: None,
            after: Some(json!({ "password": password.is_some() })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(ServerCredentials { password, ssh_keys: row.ssh_keys })
    }

    /// The root password of a server without SSH keys, for the provider that makes or rebuilds it; made now if there is
    /// none. Of several callers at once the first to write wins and all answer with its password, so that every try at
    /// the provider tells the same one.
    ///
    /// # Errors
    /// [`StoreError::Credentials`] when this process can't make or open it.
    #[boxed]
    pub async fn ensure_root_password(&self, instance: InstanceId) -> Result<SecretString> {
        if let Some(password) = self.root_password(instance).await? {
            return Ok(password);
        }
        let sealed = self.keys()?.seal(instance.0, &password::generate()?)?;
        sqlx::query!(
            "INSERT INTO instance_credentials (instance_id, sealed_password, key_id) VALUES ($1, $2, $3)
             ON CONFLICT (instance_id) DO NOTHING",
            instance.0,
            sealed.bytes,
            sealed.key_id,
        )
        .execute(&self.pool)
        .await?;
        self.root_password(instance).await?.ok_or(StoreError::NotFound("root password"))
    }

    /// The new root password that an action is to bring, made now if there is none yet: every try at the provider tells the
    /// same one. It is the server's once the action is done.
    ///
    /// # Errors
    /// [`StoreError::Credentials`] when this process can't make or open it, [`StoreError::NotFound`] when there is no such
    /// action, or it is over.
    #[boxed]
    pub async fn new_root_password(&self, action: ActionId) -> Result<SecretString> {
        let instance =
            sqlx::query_scalar!("SELECT instance_id FROM instance_actions WHERE id = $1", action.0)
                .fetch_optional(&self.pool)
                .await?
                .ok_or(StoreError::NotFound("action"))?;
        let sealed = self.keys()?.seal(instance, &password::generate()?)?;
        sqlx::query!(
            "INSERT INTO password_resets (action_id, sealed_password, key_id)
             SELECT id, $2, $3 FROM instance_actions WHERE id = $1 AND status = 'in_progress'
             ON CONFLICT (action_id) DO NOTHING",
            action.0,
            sealed.bytes,
            sealed.key_id,
        )
        .execute(&self.pool)
        .await?;
        let kept = sqlx::query_as!(
            Sealed,
            "SELECT sealed_password AS bytes, key_id FROM password_resets WHERE action_id = $1",
            action.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("action"))?;
        Ok(self.keys()?.open(instance, &kept)?)
    }

    async fn root_password(&self, instance: InstanceId) -> Result<Option<SecretString>> {
        let sealed = sqlx::query_as!(
            Sealed,
            "SELECT sealed_password AS bytes, key_id FROM instance_credentials WHERE instance_id = $1",
            instance.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        match sealed {
            Some(sealed) => Ok(Some(self.keys()?.open(instance.0, &sealed)?)),
            None => Ok(None),
        }
    }

    /// The keys that secrets are sealed by.
    pub(crate) fn keys(&self) -> Result<&CredentialsKeys> {
        Ok(self.credentials_keys.as_deref().ok_or(SealError::NoKeys)?)
    }
}

/// The new root password that an action brought is the server's from now on.
pub(crate) async fn keep_new(tx: &mut PgConnection, action: ActionId) -> Result<()> {
    sqlx::query!(
        "WITH reset AS (DELETE FROM password_resets WHERE action_id = $1 RETURNING sealed_password, key_id)
         INSERT INTO instance_credentials (instance_id, sealed_password, key_id)
         SELECT a.instance_id, reset.sealed_password, reset.key_id FROM reset, instance_actions a WHERE a.id = $1
         ON CONFLICT (instance_id) DO UPDATE
         SET sealed_password = excluded.sealed_password, key_id = excluded.key_id, created_at = now()",
        action.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The new root password that an action was to bring is nobody's.
pub(crate) async fn forget_new(tx: &mut PgConnection, action: ActionId) -> Result<()> {
    sqlx::query!("DELETE FROM password_resets WHERE action_id = $1", action.0).execute(tx).await?;
    Ok(())
}
