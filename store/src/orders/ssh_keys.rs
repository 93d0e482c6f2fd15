//! The SSH keys that an order's server is to have.

use std::collections::BTreeSet;

use domain::{
    ids::{SshKeyId, UserId},
    user_data::{UserData, check_keys, check_together},
};
use sqlx::PgConnection;

use super::{OrderError, Refusal};
use crate::{Store, boxed};

impl Store {
    /// Whether a server can be told a person's keys together, and this user data beside them.
    ///
    /// # Errors
    /// [`Refusal::SshKeyUnknown`], [`Refusal::SshKeysTooLong`], [`Refusal::UserDataInvalid`] and
    /// [`Refusal::UserDataTooLong`].
    #[boxed]
    pub async fn check_ssh_keys(
        &self,
        user: UserId,
        ids: &[SshKeyId],
        user_data: Option<&UserData>,
    ) -> Result<(), OrderError> {
        let keys = public_keys(&mut *self.pool.acquire().await?, user, ids).await?;
        Ok(check_first_boot(&keys, user_data)?)
    }
}

/// Whether a server can be told this user data beside these keys.
pub(super) fn check_first_boot(keys: &[String], user_data: Option<&UserData>) -> Result<(), Refusal> {
    let Some(data) = user_data else { return Ok(()) };
    data.content_type()?;
    Ok(check_together(keys, data)?)
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
