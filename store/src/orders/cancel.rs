//! A customer calls an unpaid order off.

use domain::{
    event::OrderCancelled,
    ids::{OrderId, UserId},
    order::{OrderStatus, Transition},
    outbox::Message,
};

use crate::{
    Object, Result, Store, StoreError, boxed, events::Entry, invoices, locks::lock_order_of, outbox,
    payments, transition,
};

impl Store {
    /// Calls off an unpaid order of `owner`: its invoice becomes void, its open payments are cancelled, what was
    /// paid in part goes to the balance, and its workflow is told. So does money that arrives nevertheless.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such order, [`StoreError::Conflict`] when it is not waiting for
    /// payment (a payment that was quicker wins).
    #[boxed]
    pub async fn cancel_order(&self, order: OrderId, owner: UserId) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let status = lock_order_of(&mut tx, owner, order).await?.status;
        // The transition itself would also take a paid order: that is for admins.
        if status != OrderStatus::PendingPayment
            || !transition::apply(&mut tx, order, Transition::Cancel).await?
        {
            return Err(StoreError::Conflict { object: Object::Order, state: status.to_string() });
        }
        invoices::call_off_order(&mut tx, order).await?;
        payments::release_hold(&mut tx, order, "cancelled").await?;
        Entry::of(OrderCancelled { order_id: order }).record(&mut tx).await?;
        outbox::enqueue(&mut tx, &Message::OrderClosed { order_id: order }).await?;
        tx.commit().await?;
        Ok(())
    }
}
