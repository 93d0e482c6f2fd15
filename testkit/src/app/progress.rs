//! Takes what was ordered further, the way the product goes.

use domain::{
    billing::{PaymentMethod, PaymentStatus},
    ids::{InstanceId, OrderId, PaymentId},
    instance::PowerState,
    order::OrderStatus,
    provisioning::FailureClass,
};
use store::{StoreError, payments::Approval, provisioning::ProvisioningFailure};

use crate::{Ordered, TestApp, new_money_act, webhook_event};

impl TestApp {
    /// An order as it stands.
    ///
    /// # Panics
    /// When there is no such order.
    pub async fn ordered(&self, order: OrderId) -> Ordered {
        let found = self.store.any_order(order).await.expect("an order");
        let payment = self.store.latest_payment(order).await.expect("its payment");
        Ordered { id: order, customer: found.user_id, payment, server: found.instance_id }
    }

    /// All of an attempt's money arrives: its gateway says so, or [`TestApp::staff`] when it is a bank transfer.
    ///
    /// # Panics
    /// When it can't be paid.
    pub async fn pay(&self, payment: PaymentId) {
        let attempt = self.store.any_payment(payment).await.expect("a payment");
        match (attempt.method, attempt.order_id) {
            (PaymentMethod::Wallet, _) => {}
            (PaymentMethod::ManualTransfer, Some(order)) => {
                let approval = Approval { payment: Some(payment), ..Approval::default() };
                let act = new_money_act(self.staff().await);
                self.store.approve_payment(order, &approval, &act).await.expect("an approval");
            }
            _ => {
                let key = format!("{payment}:paid");
                let mut event = webhook_event(&attempt, PaymentStatus::Paid, &key);
                if let Some(gateway) = attempt.gateway.filter(|gateway| gateway != event.gateway) {
                    // Slugs live as long as the program; this one was read, and a test's program is short.
                    event.gateway = gateway.leak();
                }
                self.store.apply_webhook_event(&event).await.expect("a webhook event");
            }
        }
        let status = self.store.any_payment(payment).await.expect("a payment").status;
        assert_eq!(status, PaymentStatus::Paid, "payment {payment} was to be paid");
    }

    /// Begins to provision a paid order. Answers with its server's record.
    ///
    /// # Panics
    /// When it can't be.
    pub async fn provision(&self, order: OrderId) -> InstanceId {
        let begun = self.store.start_provisioning(order).await.expect("provisioning begins");
        assert_eq!(begun.status, OrderStatus::Provisioning, "order {order} was to be provisioned");
        begun.instance_id.expect("a server's record")
    }

    /// Gives a paid order a server of its own that runs, and makes the order active. The provider knows the server by the id
    /// of its record.
    ///
    /// # Panics
    /// When it can't be.
    pub async fn activate(&self, order: OrderId) -> InstanceId {
        self.try_activate(order).await.expect("an active order").expect("a server's record")
    }

    /// The same, where somebody else may be quicker to end the order. Answers with its server's record, if it has one.
    ///
    /// # Errors
    /// As the steps of provisioning.
    pub async fn try_activate(&self, order: OrderId) -> Result<Option<InstanceId>, StoreError> {
        let begun = self.store.start_provisioning(order).await?;
        if let Some(server) = begun.instance_id {
            self.store.save_server(order, &server.to_string()).await?;
            let address = Some("192.0.2.1".to_owned());
            self.store.save_address(order, address, None, PowerState::On).await?;
        }
        self.store.activate_order(order).await?;
        Ok(begun.instance_id)
    }

    /// Ends a paid order's try to be provisioned in failure.
    ///
    /// # Panics
    /// When it can't be.
    pub async fn fail(&self, order: OrderId, class: FailureClass) {
        let begun = self.store.start_provisioning(order).await.expect("provisioning begins");
        let failure = ProvisioningFailure { class, message: "in the provider's words".to_owned() };
        let moved = self.store.fail_provisioning(order, begun.try_number, &failure, &[]);
        assert_eq!(moved.await.expect("a failure"), None, "order {order} was to fail where it is");
    }
}
