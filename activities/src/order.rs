//! Recording steps of an order. Each is one transaction whose first statement is a conditional move of the order, so
//! a second run finds the order moved and changes nothing.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use domain::{ids::OrderId, order::OrderStatus};
use store::{
    Store,
    provisioning::{Activation, ProvisioningFailure},
};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::{MovedOn, OrderProgress, ProvisioningFailed};

use crate::{
    crash_point,
    failure::{StepError, failure},
};

/// Implements the order's recording ports.
#[derive(Debug, Clone)]
pub struct OrderActivities {
    /// The database.
    pub store: Store,
    /// Slugs of the providers that are set up in this installation: where orders may go by failover.
    pub configured: Vec<String>,
}

#[activities]
impl OrderActivities {
    /// Idempotent by the notification's and the timeline's unique keys.
    #[activity(definition = workflows::RemindOfPayment)]
    pub async fn remind_of_payment(
        self: Arc<Self>,
        _ctx: ActivityContext,
        order: OrderId,
    ) -> Result<(), ActivityError> {
        crash_point("remind_of_payment.before");
        self.store.remind_of_payment(order).await.map_err(failure)?;
        crash_point("remind_of_payment.after");
        Ok(())
    }

    /// Idempotent by the condition on the order's status.
    #[activity(definition = workflows::ExpireOrder)]
    pub async fn expire_order(
        self: Arc<Self>,
        _ctx: ActivityContext,
        order: OrderId,
    ) -> Result<OrderStatus, ActivityError> {
        crash_point("expire_order.before");
        let status = self.store.expire_order(order).await.map_err(failure)?;
        crash_point("expire_order.after");
        Ok(status)
    }

    /// Idempotent by the condition on the order's status and the server record's unique order id.
    #[activity(definition = workflows::StartProvisioning)]
    pub async fn start_provisioning(
        self: Arc<Self>,
        _ctx: ActivityContext,
        order: OrderId,
    ) -> Result<OrderProgress, ActivityError> {
        crash_point("start_provisioning.before");
        let started = self.store.start_provisioning(order).await.map_err(failure)?;
        crash_point("start_provisioning.after");
        Ok(OrderProgress {
            status: started.status,
            instance_id: started.instance_id,
            try_number: started.try_number,
            provider: Some(started.provider),
            plan_slug: Some(started.plan),
            paused: started.paused,
        })
    }

    /// Only looks.
    #[activity(definition = workflows::AwaitResumption)]
    pub async fn await_resumption(
        self: Arc<Self>,
        _ctx: ActivityContext,
        provider: String,
    ) -> Result<(), ActivityError> {
        match self.store.pause_of(&provider).await.map_err(failure)? {
            Some(pause) => Err(failure(StepError::Paused(pause.reason))),
            None => Ok(()),
        }
    }

    /// Idempotent by the condition on the order's status; the outbox row is written with the move.
    #[activity(definition = workflows::ActivateOrder)]
    pub async fn activate_order(
        self: Arc<Self>,
        _ctx: ActivityContext,
        order: OrderId,
    ) -> Result<Option<OrderStatus>, ActivityError> {
        crash_point("activate_order.before");
        let activation = self.store.activate_order(order).await.map_err(failure)?;
        if let Activation::Now { since_paid: Some(since_paid) } = activation {
            metrics::histogram!("order_paid_to_active_seconds").record(since_paid);
        }
        crash_point("activate_order.after");
        Ok(match activation {
            Activation::Closed(status) => Some(status),
            Activation::Now { .. } | Activation::Before => None,
        })
    }

    /// Idempotent by the number of the try, which a failure and a failover end alike: an admin may have begun the next
    /// one before a second run, and a failover is answered again.
    #[activity(definition = workflows::FailProvisioning)]
    pub async fn fail_provisioning(
        self: Arc<Self>,
        _ctx: ActivityContext,
        failed: ProvisioningFailed,
    ) -> Result<Option<MovedOn>, ActivityError> {
        let reason = ProvisioningFailure { class: failed.class, message: failed.message };
        let class = failed.class.to_string();
        crash_point("fail_provisioning.before");
        let moved = self
            .store
            .fail_provisioning(failed.order_id, failed.try_number, &reason, &self.configured)
            .await
            .map_err(failure)?;
        crash_point("fail_provisioning.after");
        metrics::counter!("provisioning_tries_failed_total", "class" => class).increment(1);
        if let Some(moved) = &moved {
            tracing::warn!(
                event = "order.relocated",
                order_id = %failed.order_id,
                provider = %moved.provider,
                plan = %moved.plan,
                "sold out: the order goes on at another provider"
            );
        }
        Ok(moved.map(|moved| MovedOn { provider: moved.provider, plan_slug: moved.plan }))
    }
}
