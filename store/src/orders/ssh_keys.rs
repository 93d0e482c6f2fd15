//! The SSH keys that an order's server is to have.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    ids::{OrderId, SshKeyId, UserId},
    user_data::{FirstBootLimits, UserData, check_keys, check_together},
};
use sqlx::PgConnection;

use super::{OrderError, Refusal};
use crate::{Result, Store, boxed};

impl Store {
    /// Whether a server at this provider can be told a person's keys together, and this user data beside them.
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
        provider: &str,
    ) -> Result<(), OrderError> {
        let keys = public_keys(&mut *self.pool.acquire().await?, user, ids).await?;
        Ok(self.check_first_boot(&keys, user_data, provider)?)
    }

    /// The same by how much text each provider takes for a new server.
    #[must_use]
    pub fn with_first_boot_limits(mut self, limits: FirstBootLimits) -> Self {
        self.first_boot_limits = Arc::new(limits);
        self
    }

    /// Whether a server at this provider can be told this user data beside these keys.
    pub(super) fn check_first_boot(
        &self,
        keys: &[String],
        user_data: Option<&UserData>,
        provider: &str,
    ) -> Result<(), Refusal> {
        let Some(data) = user_data else { return Ok(()) };
        data.content_type()?;
        Ok(check_together(keys, data, self.first_boot_limits.of(provider))?)
    }

    /// Whether an order's server can be told at this provider what it is to be told. The order is locked by the caller.
    pub(crate) async fn can_be_told(
        &self,
        tx: &mut PgConnection,
        order: OrderId,
        provider: &str,
    ) -> Result<bool> {
        let Some(data) = self.user_data_within(tx, order).await? else { return Ok(true) };
        let keys =
            sqlx::query_scalar!("SELECT ssh_keys FROM orders WHERE id = $1", order.0).fetch_one(tx).await?;
        Ok(check_together(&keys, &data, self.first_boot_limits.of(provider)).is_ok())
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
