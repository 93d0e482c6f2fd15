//! What customers want their servers told at the first boot. It may hold secrets, so it is kept sealed, and opened for the
//! provider that makes or rebuilds the server.

use domain::{
    ids::{InstanceId, OrderId},
    user_data::UserData,
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use super::Sealed;
use crate::{Result, Store, boxed};

impl Store {
    /// What an order's server is to be told at its first boot, beside what we tell it.
    ///
    /// # Errors
    /// [`crate::StoreError::Credentials`] when this process can't open it.
    #[boxed]
    pub async fn user_data_of(&self, order: OrderId) -> Result<Option<UserData>> {
        self.user_data_within(&mut *self.pool.acquire().await?, order).await
    }

    /// The same within the caller's transaction.
    pub(crate) async fn user_data_within(
        &self,
        connection: &mut PgConnection,
        order: OrderId,
    ) -> Result<Option<UserData>> {
        let sealed = sqlx::query_as!(
            Sealed,
            "SELECT sealed AS bytes, key_id FROM order_user_data WHERE order_id = $1",
            order.0,
        )
        .fetch_optional(connection)
        .await?;
        match sealed {
            Some(sealed) => {
                let opened = self.keys()?.open(order.0, &sealed)?;
                Ok(Some(UserData::from(opened.expose_secret().to_owned())))
            }
            None => Ok(None),
        }
    }

    /// Keeps it, within the caller's transaction, which writes the order.
    pub(crate) async fn keep_user_data(
        &self,
        tx: &mut PgConnection,
        order: OrderId,
        data: &UserData,
    ) -> Result<()> {
        let sealed = self.keys()?.seal(order.0, &SecretString::from(data.expose()))?;
        sqlx::query!(
            "INSERT INTO order_user_data (order_id, sealed, key_id) VALUES ($1, $2, $3)",
            order.0,
            sealed.bytes,
            sealed.key_id,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Nobody needs it any more: the server is gone.
pub(crate) async fn forget_user_data(tx: &mut PgConnection, instance: InstanceId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM order_user_data WHERE order_id = (SELECT order_id FROM instances WHERE id = $1)",
        instance.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}
