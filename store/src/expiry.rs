//! The end of the wait for money.

use domain::{
    event::{OrderExpired, PaymentReminder},
    ids::OrderId,
    order::{OrderStatus, Transition},
};
use sqlx::PgConnection;

use crate::{
    Result, Store, boxed, events::Entry, invoices, payments, provisioning::order_status, transition,
};

impl Store {
    /// Reminds the customer of an unpaid order. Once per order; nothing happens when it is paid or closed.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn remind_of_payment(&self, order: OrderId) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        if order_status(&mut tx, order).await? == OrderStatus::PendingPayment {
            let unpaid = unpaid(&mut tx, order).await?;
            let reminder = PaymentReminder { order_id: order, hostname: unpaid.hostname };
            Entry::of(reminder).tell(&mut tx, unpaid.user_id.into()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Closes an unpaid order and tells the customer. Its invoice is void; a late payment that brings the order back
    /// brings the invoice back too. What was paid in part goes to the balance, and the transfer it came by is over. Other
    /// attempts stay open: their money may be under way.
    /// Answers with the order's status afterwards: a payment that was quicker wins.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn expire_order(&self, order: OrderId) -> Result<OrderStatus> {
        let mut tx = self.pool.begin().await?;
        if transition::apply(&mut tx, order, Transition::Expire).await? {
            invoices::void_of_order(&mut tx, order).await?;
            close_part_paid_transfer(&mut tx, order).await?;
            payments::release_hold(&mut tx, order, "expired").await?;
            let unpaid = unpaid(&mut tx, order).await?;
            let expired = OrderExpired { order_id: order, hostname: unpaid.hostname };
            Entry::of(expired).tell(&mut tx, unpaid.user_id.into()).await?;
        }
        let status = order_status(&mut tx, order).await?;
        tx.commit().await?;
        Ok(status)
    }
}

/// Whose order it is, and what for.
struct Unpaid {
    user_id: uuid::Uuid,
    hostname: String,
}

async fn unpaid(tx: &mut PgConnection, order: OrderId) -> Result<Unpaid> {
    Ok(sqlx::query_as!(Unpaid, "SELECT user_id, hostname FROM orders WHERE id = $1", order.0)
        .fetch_one(tx)
        .await?)
}

/// The transfer that brought a part of the money is over. Other attempts stay open: their money may be under way.
async fn close_part_paid_transfer(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!(
        "UPDATE payments SET status = 'EXPIRED', updated_at = now()
         WHERE order_id = $1 AND method = 'MANUAL_TRANSFER' AND status IN ('PENDING', 'UNKNOWN')
           AND amount_received IS NOT NULL",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}
