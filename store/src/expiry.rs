//! The end of the wait for money.

use domain::{
    ids::OrderId,
    notification::NotificationKind,
    order::{OrderStatus, Transition},
};
use serde_json::json;

use crate::{
    Result, Store,
    notifications::{self, Notice},
    payments,
    provisioning::order_status,
    timeline::{self, Step, StepStatus},
    transition,
};

impl Store {
    /// Reminds the customer of an unpaid order. Once per order; nothing happens when it is paid or closed.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such order.
    pub async fn remind_of_payment(&self, order: OrderId) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        if order_status(&mut tx, order).await? == OrderStatus::PendingPayment {
            let step = Step {
                status: StepStatus::Waiting,
                ..Step::done("payment_reminder", "Your order is waiting for payment and will expire soon.")
            };
            timeline::record(&mut tx, order, &step).await?;
            let message = "Your order is waiting for payment. Please pay before it expires.";
            self.tell_customer(
                &mut tx,
                order,
                NotificationKind::PaymentReminder,
                "Payment reminder",
                message,
            )
            .await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Closes an unpaid order and tells the customer. Its invoice stays open, since a late payment is still taken;
    /// what was paid in part goes to the balance.
    /// Answers with the order's status afterwards: a payment that was quicker wins.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such order.
    pub async fn expire_order(&self, order: OrderId) -> Result<OrderStatus> {
        let mut tx = self.pool.begin().await?;
        if transition::apply(&mut tx, order, Transition::Expire).await? {
            payments::release_hold(&mut tx, order, "expired").await?;
            let step = Step::done("order_expired", "The order was not paid in time and has expired.");
            timeline::record(&mut tx, order, &step).await?;
            let message =
                "Your order was not paid in time and has expired. A payment that is under way still counts.";
            self.tell_customer(&mut tx, order, NotificationKind::OrderExpired, "Order expired", message)
                .await?;
        }
        let status = order_status(&mut tx, order).await?;
        tx.commit().await?;
        Ok(status)
    }

    async fn tell_customer(
        &self,
        tx: &mut sqlx::PgConnection,
        order: OrderId,
        kind: NotificationKind,
        title: &str,
        message: &str,
    ) -> Result<()> {
        let user = sqlx::query_scalar!("SELECT user_id FROM orders WHERE id = $1", order.0)
            .fetch_one(&mut *tx)
            .await?;
        let notice = Notice {
            kind,
            title,
            message,
            action_url: Some(&format!("/orders/{order}")),
            metadata: json!({ "order_id": order }),
            dedupe_key: &format!("order/{order}/{}", kind.as_str().to_ascii_lowercase()),
        };
        notifications::notify(tx, user.into(), &notice).await
    }
}
