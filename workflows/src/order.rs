//! An order's life: payment or expiry, then provisioning until there is a server or an admin decides.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::{ids::OutboxId, order::OrderStatus, outbox::OrderStart};
use temporalio_common::error::{ActivityExecutionError, IncomingError};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ActivityOptions, RetryPolicy, SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult,
    workflows,
};

use crate::{
    next_version,
    ports::{
        ActivateOrder, AwaitResumption, ExpireOrder, FailProvisioning, OrderProgress, PAUSED,
        ProvisionServer, ProvisioningFailed, RemindOfPayment, StartProvisioning,
    },
    queues, search,
    steps::{self, record},
};

const OUT_OF_TIME: &str = "gave up after the longest time an order may take at the provider";

/// The last word of an order's workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderOutcome {
    /// The order's status when the workflow ended.
    pub status: OrderStatus,
}

/// Takes an order from placed to `ACTIVE`. The database is the authority: signals only wake this workflow, and every
/// step asks the database whether the order is still where it should be.
#[workflow]
pub struct OrderWorkflow {
    start: OrderStart,
    paid: bool,
    retry_wanted: bool,
    closed: bool,
    seen: BTreeSet<OutboxId>,
}

#[workflow_methods]
impl OrderWorkflow {
    /// Takes the input.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, start: OrderStart) -> Self {
        Self { start, paid: false, retry_wanted: false, closed: false, seen: BTreeSet::new() }
    }

    /// Runs the order to its end.
    ///
    /// # Errors
    /// Ends when it is cancelled from outside; a failed provisioning is not an error but a state it waits in.
    #[run(name = "OrderWorkflow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<OrderOutcome> {
        if let Some(ended) = Self::await_payment(ctx).await? {
            return Ok(Self::end(ctx, ended));
        }
        loop {
            ctx.state_mut(|s| (s.retry_wanted, s.closed) = (false, false));
            match Self::provision(ctx).await? {
                Try::Ended(status) => return Ok(Self::end(ctx, status)),
                Try::Again => continue,
                Try::Failed => {}
            }
            ctx.set_current_details("Provisioning failed. Waiting for an admin to retry, cancel or refund.");
            ctx.wait_condition(|s| s.retry_wanted || s.closed).await?;
        }
    }

    /// The order was paid.
    #[signal(name = "payment_confirmed")]
    pub fn payment_confirmed(&mut self, _ctx: &mut SyncWorkflowContext<Self>, cause: OutboxId) {
        if self.seen.insert(cause) {
            self.paid = true;
        }
    }

    /// An admin asked for another try; the database has moved the order already.
    #[signal(name = "retry_provisioning")]
    pub fn retry_provisioning(&mut self, _ctx: &mut SyncWorkflowContext<Self>, cause: OutboxId) {
        if self.seen.insert(cause) {
            self.retry_wanted = true;
        }
    }

    /// The order was cancelled or refunded; the database has moved it already.
    #[signal(name = "order_closed")]
    pub fn order_closed(&mut self, _ctx: &mut SyncWorkflowContext<Self>, cause: OutboxId) {
        if self.seen.insert(cause) {
            self.closed = true;
        }
    }
}

impl OrderWorkflow {
    /// Waits for money. `Some` when the order ended without it.
    async fn await_payment(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Option<OrderStatus>> {
        let start = ctx.state(|s| s.start.clone());
        let placed = UNIX_EPOCH + Duration::from_millis(start.placed_at_ms);
        let deadline = placed + Duration::from_millis(start.policy.payment_window_ms);
        let reminder = placed + Duration::from_millis(start.policy.remind_after_ms);
        ctx.set_current_details("Waiting for payment.");
        if reminder < deadline && !Self::woken_by(ctx, reminder).await? {
            record(ctx, RemindOfPayment, start.order_id, "Remind of the payment").await?;
        }
        if !Self::woken_by(ctx, deadline).await? {
            let after = record(ctx, ExpireOrder, start.order_id, "Close the unpaid order").await?;
            if after == OrderStatus::Expired {
                return Ok(Some(OrderStatus::Expired));
            }
        }
        Ok(None)
    }

    /// Waits for money or the order's end until `moment`; `false` when the moment came first.
    async fn woken_by(ctx: &WorkflowContext<Self>, moment: SystemTime) -> WorkflowResult<bool> {
        let left = ctx.workflow_time().and_then(|now| moment.duration_since(now).ok()).unwrap_or_default();
        if ctx.state(|s| s.paid || s.closed || s.retry_wanted) {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
        workflows::select! {
            woken = ctx.wait_condition(|s| s.paid || s.closed || s.retry_wanted) => { woken?; Ok(true) }
            _ = ctx.timer(left) => Ok(false),
        }
    }

    /// Gets the server, or finds out why not.
    async fn provision(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Try> {
        next_version::step(ctx).await;
        let start = ctx.state(|s| s.start.clone());
        let begun: OrderProgress =
            record(ctx, StartProvisioning, start.order_id, "Move the order to PROVISIONING").await?;
        match begun.status {
            OrderStatus::Provisioning => {}
            OrderStatus::ProvisioningFailed => {
                ctx.upsert_search_attributes([search::ORDER_STATUS.value_set(begun.status.to_string())]);
                return Ok(Try::Failed);
            }
            elsewhere => return Ok(Try::Ended(elsewhere)),
        }
        let bought = Bought::new(&start, &begun);
        if let Some(reason) = &begun.paused {
            return Self::wait_for_resumption(ctx, bought, reason).await;
        }
        Self::show(ctx, &start, &begun, &bought);
        let queue = queues::provider_beside(ctx.task_queue(), &bought.provider);
        let summary = format!("Get a {} server from {}", bought.plan_slug, bought.provider);
        let options = steps::outside(&start.policy.steps, queue, summary);
        match ctx.execute_activity(ProvisionServer, start.order_id, options).await {
            Ok(()) => {
                let closed = record(ctx, ActivateOrder, start.order_id, "Move the order to ACTIVE").await?;
                Ok(Try::Ended(closed.unwrap_or(OrderStatus::Active)))
            }
            Err(ActivityExecutionError::Cancelled(cancelled)) => {
                Err(ActivityExecutionError::Cancelled(cancelled).into())
            }
            Err(error) if is_pause(&error) => Ok(Try::Again),
            Err(error) => Self::give_up(ctx, &begun, &error).await,
        }
    }

    /// Waits until provisioning goes on there, or the order is called off.
    async fn wait_for_resumption(
        ctx: &mut WorkflowContext<Self>,
        bought: Bought,
        reason: &str,
    ) -> WorkflowResult<Try> {
        ctx.set_current_details(format!("Provisioning at {} is paused: {reason}", bought.provider));
        workflows::select! {
            closed = ctx.wait_condition(|s| s.closed) => closed?,
            resumed = ctx.execute_activity(AwaitResumption, bought.provider, until_resumed()) => resumed?,
        }
        Ok(Try::Again)
    }

    /// Records why a try ended. The answer may be that the order goes on at another provider.
    async fn give_up(
        ctx: &mut WorkflowContext<Self>,
        begun: &OrderProgress,
        error: &ActivityExecutionError,
    ) -> WorkflowResult<Try> {
        let (class, message) = steps::reason(error, OUT_OF_TIME);
        let order_id = ctx.state(|s| s.start.order_id);
        let failed = ProvisioningFailed { order_id, try_number: begun.try_number, class, message };
        if let Some(moved) =
            record(ctx, FailProvisioning, failed, "Move the order to PROVISIONING_FAILED").await?
        {
            ctx.set_current_details(format!(
                "No room: going on at {} ({}).",
                moved.provider, moved.plan_slug
            ));
            return Ok(Try::Again);
        }
        ctx.upsert_search_attributes([
            search::ORDER_STATUS.value_set(OrderStatus::ProvisioningFailed.to_string()),
            search::FAILURE_CLASS.value_set(class.to_string()),
        ]);
        Ok(Try::Failed)
    }

    /// Shows ops what is being got, and where from when that is not where it was ordered.
    fn show(ctx: &WorkflowContext<Self>, start: &OrderStart, begun: &OrderProgress, bought: &Bought) {
        ctx.set_current_details(format!("Getting a {} server from {}.", bought.plan_slug, bought.provider));
        let mut attributes = vec![search::ORDER_STATUS.value_set(OrderStatus::Provisioning.to_string())];
        attributes.extend(begun.instance_id.map(|id| search::INSTANCE_ID.value_set(id.to_string())));
        if *bought != Bought::ordered(start) {
            attributes.push(search::PROVIDER.value_set(bought.provider.clone()));
            attributes.push(search::PLAN_SLUG.value_set(bought.plan_slug.clone()));
        }
        ctx.upsert_search_attributes(attributes);
    }

    /// Leaves the final status where ops look.
    fn end(ctx: &WorkflowContext<Self>, status: OrderStatus) -> OrderOutcome {
        ctx.upsert_search_attributes([search::ORDER_STATUS.value_set(status.to_string())]);
        ctx.set_current_details(format!("The order is {status}."));
        OrderOutcome { status }
    }
}

/// How a try at a provider ended.
enum Try {
    /// The order has come to an end.
    Ended(OrderStatus),
    /// It goes on: elsewhere, since there was no room, or after a pause.
    Again,
    /// It failed, and the order waits for an admin.
    Failed,
}

/// Where the server is bought, and as what.
#[derive(PartialEq, Eq)]
struct Bought {
    provider: String,
    plan_slug: String,
}

impl Bought {
    fn ordered(start: &OrderStart) -> Self {
        Self { provider: start.provider.clone(), plan_slug: start.plan_slug.clone() }
    }

    fn new(start: &OrderStart, begun: &OrderProgress) -> Self {
        let ordered = Self::ordered(start);
        Self {
            provider: begun.provider.clone().unwrap_or(ordered.provider),
            plan_slug: begun.plan_slug.clone().unwrap_or(ordered.plan_slug),
        }
    }
}

/// Options of the wait for the end of a pause: the engine asks again and again, which writes no events.
fn until_resumed() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(10))
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_secs(1))
                .maximum_interval(Duration::from_secs(10))
                .build(),
        )
        .summary("Wait until provisioning goes on".to_owned())
        .build()
}

fn is_pause(error: &ActivityExecutionError) -> bool {
    matches!(error.cause(), Some(IncomingError::Application(failure)) if failure.type_name() == Some(PAUSED))
}
