//! The end of the wait for money.

use domain::{
    ids::OrderId,
    notification::NotificationKind,
    order::{OrderStatus, Transition},
};
use serde_json::json;
use sqlx::PgConnection;

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

    /// Closes an unpaid order and tells the customer. Its invoice is void; a late payment that brings the order back
    /// brings the invoice back too. What was paid in part goes to the balance, and the transfer it came by is over. Other
    /// attempts stay open: their money may be under way.
    /// Answers with the order's status afterwards: a payment that was quicker wins.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such order.
    pub async fn expire_order(&self, order: OrderId) -> Result<OrderStatus> {
        let mut tx = self.pool.begin().await?;
        if transition::apply(&mut tx, order, Transition::Expire).await? {
            close_billing(&mut tx, order).await?;
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
        tx: &mut PgConnection,
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

async fn close_billing(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!("UPDATE invoices SET status = 'VOID' WHERE order_id = $1 AND status = 'OPEN'", order.0)
        .execute(&mut *tx)
        .await?;
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
