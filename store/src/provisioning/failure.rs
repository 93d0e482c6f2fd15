//! A try at the provider that ran into trouble, or ended for good.

use domain::{
    event::{ProvisioningFailed, ProvisioningFailedForStaff},
    ids::OrderId,
    order::OrderStatus,
    provisioning::FailureClass,
};
use serde_json::json;
use sqlx::PgConnection;

use super::{
    failover::{Moved, fail_over, moved_after},
    next_try, order_status,
};
use crate::{Result, Store, boxed, events::Entry, transition};

/// Why a try ended for good.
#[derive(Debug, Clone)]
pub struct ProvisioningFailure {
    /// What can be done about it.
    pub class: FailureClass,
    /// The provider's words.
    pub message: String,
}

/// The latest trouble with the provider, for admins.
#[derive(Debug, Clone)]
pub struct ProviderTrouble {
    /// What can be done about it.
    pub class: FailureClass,
    /// The provider's words.
    pub message: String,
    /// The provider's error code.
    pub code: Option<String>,
    /// The provider's request id.
    pub request_id: Option<String>,
}

impl Store {
    /// Keeps the latest trouble with the provider where admins see it, while retries go on.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_provider_trouble(&self, order: OrderId, trouble: &ProviderTrouble) -> Result<()> {
        sqlx::query!(
            "UPDATE provisioning_tasks SET last_error_class = $2, last_error = $3, last_error_code = $4,
                    provider_request_id = $5, updated_at = now() WHERE order_id = $1",
            order.0,
            trouble.class.as_str(),
            trouble.message,
            trouble.code,
            trouble.request_id,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a try in `PROVISIONING_FAILED`, with the reason for admins and a word to the customer; or, for want of
    /// capacity and where the order's policy allows it, moves the order to another of the providers in `configured`,
    /// where it goes on: the answer says which. Doing it again changes nothing and answers the same, also when an
    /// admin has begun the next try meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn fail_provisioning(
        &self,
        order: OrderId,
        try_number: i64,
        failure: &ProvisioningFailure,
        configured: &[String],
    ) -> Result<Option<Moved>> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("SELECT id FROM orders WHERE id = $1 FOR UPDATE", order.0).fetch_one(&mut *tx).await?;
        if next_try(&mut tx, order).await? != try_number {
            return moved_after(&mut tx, order, try_number).await;
        }
        if order_status(&mut tx, order).await? != OrderStatus::Provisioning {
            return Ok(None);
        }
        if failure.class == FailureClass::Capacity
            && let able = self.able_to_tell(&mut tx, order, configured).await?
            && let Some(moved) = fail_over(&mut tx, order, try_number, failure, &able).await?
        {
            tx.commit().await?;
            return Ok(Some(moved));
        }
        end_in_failure(&mut tx, order, try_number, failure).await?;
        tx.commit().await?;
        Ok(None)
    }
}

impl Store {
    /// Those of `configured` at which the order's server can be told what it is to be told at its first boot.
    async fn able_to_tell(
        &self,
        tx: &mut PgConnection,
        order: OrderId,
        configured: &[String],
    ) -> Result<Vec<String>> {
        let mut able = Vec::new();
        for slug in configured {
            if self.can_be_told(&mut *tx, order, slug).await? {
                able.push(slug.clone());
            }
        }
        Ok(able)
    }
}

async fn end_in_failure(
    tx: &mut PgConnection,
    order: OrderId,
    try_number: i64,
    failure: &ProvisioningFailure,
) -> Result<()> {
    transition::fail(tx, order, failure.class.as_str(), &failure.message).await?;
    // The code and request id that the provider's step noted with this very message stay.
    let noted = sqlx::query!(
        "UPDATE provisioning_tasks SET status = 'FAILED', last_error_class = $2, last_error = $3, updated_at = now(),
                last_error_code = CASE WHEN last_error = $3 THEN last_error_code END,
                provider_request_id = CASE WHEN last_error = $3 THEN provider_request_id END
         WHERE order_id = $1 RETURNING last_error_code, provider_request_id",
        order.0,
        failure.class.as_str(),
        failure.message,
    )
    .fetch_one(&mut *tx)
    .await?;
    let owner =
        sqlx::query_scalar!("SELECT user_id FROM orders WHERE id = $1", order.0).fetch_one(&mut *tx).await?;
    let failed = ProvisioningFailed { order_id: order, try_number, class: failure.class };
    let detail = json!({ "class": failure.class, "message": failure.message, "code": noted.last_error_code,
                         "provider_request_id": noted.provider_request_id });
    Entry::of(failed).detail(detail).tell(tx, owner.into()).await?;
    let for_staff = ProvisioningFailedForStaff {
        order_id: order,
        try_number,
        class: failure.class,
        failure: failure.message.clone(),
    };
    Entry::of(for_staff).tell_administrators(tx).await
}
