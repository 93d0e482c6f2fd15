//! The SSH keys that an order's server is to have.

use std::collections::BTreeSet;

use domain::{
    ids::{SshKeyId, UserId},
    user_data::check_keys,
};
use sqlx::PgConnection;

use super::{OrderError, Refusal};
use crate::{Store, boxed};

impl Store {
    /// Whether a person's keys can be put on one server together.
    ///
    /// # Errors
    /// [`Refusal::SshKeyUnknown`] and [`Refusal::SshKeysTooLong`].
    #[boxed]
    pub async fn check_ssh_keys(&self, user: UserId, ids: &[SshKeyId]) -> Result<(), OrderError> {
        public_keys(&mut *self.pool.acquire().await?, user, ids).await.map(drop)
    }
}

/// The public keys that a person means by `ids`, each once and in the order given, to be put on one server.
///
/// # Errors
/// [`Refusal::SshKeyUnknown`] when one is not theirs, [`Refusal::SshKeysTooLong`] when they are too much together.
pub(crate) async fn public_keys(
    connection: &mut PgConnection,
    user: UserId,
    ids: &[SshKeyId],
) -> Result<Vec<String>, OrderError> {
    let mut seen = BTreeSet::new();
    let wanted: Vec<SshKeyId> = ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let raw: Vec<uuid::Uuid> = wanted.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT id AS "id: SshKeyId", public_key FROM ssh_keys WHERE user_id = $1 AND id = ANY($2)"#,
        user.0,
        &raw,
    )
    .fetch_all(connection)
    .await?;
    let key_of = |id: SshKeyId| rows.iter().find(|row| row.id == id).map(|row| row.public_key.clone());
    let keys: Option<Vec<String>> = wanted.iter().map(|id| key_of(*id)).collect();
    let keys = keys.ok_or(Refusal::SshKeyUnknown)?;
    check_keys(&keys).map_err(Refusal::from)?;
    Ok(keys)
}
