//! Giving money back through a gateway, and recording what came of it.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{sync::Arc, time::Duration};

use adapters::payments::{self, Attempt, GatewayError, GatewayFailure, Gateways, PaymentGateway, Refunded};
use domain::{ids::RefundId, provisioning::FailureClass, refund::RefundStatus};
use store::{
    Store,
    refunds::{RefundCall, RefundJob},
};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::{RefundGiven, RefundNotGiven, RefundOrder};

use crate::{
    crash_point,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Implements the call to the gateways.
#[derive(Debug, Clone)]
pub struct RefundGatewayActivities {
    /// The database.
    pub store: Store,
    /// The gateways that can be asked.
    pub gateways: Gateways,
}

#[activities]
impl RefundGatewayActivities {
    /// Idempotent: the gateway knows the refund by its id and gives back once per id. Before each call it is noted that
    /// one may be out, so that no end of the refund is recorded which the call could belie.
    #[activity(definition = workflows::SendRefund)]
    pub async fn send_refund(
        self: Arc<Self>,
        ctx: ActivityContext,
        asked: RefundOrder,
    ) -> Result<RefundGiven, ActivityError> {
        crash_point("send_refund.before");
        let given = while_heartbeating(&ctx, self.send(&asked)).await.map_err(failure)?;
        crash_point("send_refund.after");
        Ok(given)
    }
}

/// Implements the recording steps.
#[derive(Debug, Clone)]
pub struct RefundActivities {
    /// The database.
    pub store: Store,
}

#[activities]
impl RefundActivities {
    /// Idempotent: a refund ends once, by its status and by the one cause that its end has in the ledger.
    #[activity(definition = workflows::SettleRefund)]
    pub async fn settle_refund(
        self: Arc<Self>,
        _ctx: ActivityContext,
        given: RefundGiven,
    ) -> Result<RefundStatus, ActivityError> {
        crash_point("settle_refund.before");
        let settled = self.store.settle_refund(given.refund_id, given.gateway_refund_id.as_deref());
        let status = settled.await.map_err(failure)?;
        crash_point("settle_refund.after");
        tracing::info!(
            event = "refund.given",
            refund_id = %given.refund_id,
            %status,
            "a gateway gave money back"
        );
        Ok(status)
    }

    /// Idempotent like the other end. Whether no call took effect is asked of the database.
    #[activity(definition = workflows::ReturnRefund)]
    pub async fn return_refund(
        self: Arc<Self>,
        _ctx: ActivityContext,
        not_given: RefundNotGiven,
    ) -> Result<RefundStatus, ActivityError> {
        crash_point("return_refund.before");
        let returned = self.store.return_refund(not_given.refund_id, &not_given.message);
        let status = returned.await.map_err(failure)?;
        crash_point("return_refund.after");
        if status == RefundStatus::Sent {
            tracing::warn!(alert = "refund.in_doubt", refund_id = %not_given.refund_id,
                "it is not known whether a gateway gave money back; somebody has to look into it");
        }
        Ok(status)
    }
}

impl RefundGatewayActivities {
    async fn send(&self, asked: &RefundOrder) -> Result<RefundGiven, StepError> {
        let refund_id = asked.refund_id;
        let job = self.store.refund_job(refund_id).await?;
        if job.status == RefundStatus::Completed {
            return Ok(RefundGiven { refund_id, gateway_refund_id: job.gateway_refund_id });
        }
        let Some(gateway) = self.gateways.get(job.gateway.as_str()) else {
            let message = format!("{} is not set up where payments are worked on", job.gateway);
            self.store.note_refund_trouble(refund_id, &message).await?;
            return Err(again(message, None, None));
        };
        let Some(call) = self.store.begin_refund_call(refund_id).await? else {
            let message = "the refund has ended".to_owned();
            return Err(StepError::Refund {
                class: FailureClass::Conflict,
                message,
                retry_after: None,
                source: None,
            });
        };
        let key = refund_id.to_string();
        let wanted = payments::Refund {
            attempt: Attempt {
                gateway_order_id: &job.gateway_order_id,
                transaction_id: job.transaction_id.as_deref(),
            },
            method: job.method,
            refund_key: &key,
            amount: job.amount,
            reason: &job.reason,
        };
        crash_point("send_refund.before_call");
        let answer = ask(gateway.as_ref(), &wanted, job.gateway_refund_id.as_deref()).await;
        crash_point("send_refund.after_call");
        match answer {
            Ok(refunded) => self.taken_on(refund_id, &job, refunded).await,
            Err(error) => {
                let case = Case { refund_id, call, settle: Duration::from_millis(asked.settle_ms) };
                Err(self.not_given(gateway.as_ref(), &wanted, &job, &case, error).await?)
            }
        }
    }

    /// The gateway took the refund on: the money is back, or the gateway goes on by itself.
    async fn taken_on(
        &self,
        refund_id: RefundId,
        job: &RefundJob,
        refunded: Refunded,
    ) -> Result<RefundGiven, StepError> {
        let open = if refunded.amount.is_some_and(|amount| amount != job.amount) {
            tracing::warn!(
                alert = "refund.mismatch",
                %refund_id,
                gateway = job.gateway,
                "a gateway gives back another amount than ours"
            );
            "the gateway names another amount than the refund's"
        } else if refunded.is_final {
            return Ok(RefundGiven { refund_id, gateway_refund_id: refunded.refund_id });
        } else {
            "the gateway took it on and is not done yet"
        };
        self.store.refund_call_open(refund_id, refunded.refund_id.as_deref(), open).await?;
        Err(again(open.to_owned(), None, None))
    }

    /// Notes what is known after a call without success, and answers whether to call again.
    async fn not_given(
        &self,
        gateway: &dyn PaymentGateway,
        wanted: &payments::Refund<'_>,
        job: &RefundJob,
        case: &Case,
        error: GatewayError,
    ) -> Result<StepError, StepError> {
        let message = error.to_string();
        tracing::warn!(
            event = "refund.not_given",
            refund_id = %case.refund_id,
            gateway = job.gateway,
            %error,
            "a gateway gave nothing back"
        );
        let verdict = Verdict::of(&error, job.gateway_refund_id.is_some());
        let retry_after = match error.class() {
            GatewayFailure::Retryable { retry_after } | GatewayFailure::Unknown { retry_after } => {
                retry_after
            }
            GatewayFailure::Refused => None,
        };
        if verdict == Verdict::Open {
            self.store.refund_call_open(case.refund_id, None, &message).await?;
            return Ok(again(message, retry_after, Some(error)));
        }
        // What the gateway took on before and refuses now did not happen; so did not what it never heard of.
        let refused_for_good = verdict == Verdict::Refused && job.gateway_refund_id.is_some();
        let none_took_effect = refused_for_good || case.is_absent(gateway, wanted).await;
        self.store.refund_call_refused(case.refund_id, case.call, none_took_effect, &message).await?;
        let certain = none_took_effect || case.call.in_doubt_since.is_none();
        if verdict == Verdict::Refused && certain {
            let class = FailureClass::Permanent;
            return Ok(StepError::Refund { class, message, retry_after: None, source: Some(error) });
        }
        Ok(again(message, retry_after, Some(error)))
    }
}

/// The gateway is to be called again: when it said, or when the policy says.
fn again(message: String, retry_after: Option<Duration>, source: Option<GatewayError>) -> StepError {
    StepError::Refund { class: FailureClass::Retryable, message, retry_after, source }
}

/// A call without success.
struct Case {
    refund_id: RefundId,
    call: RefundCall,
    settle: Duration,
}

impl Case {
    /// Whether the gateway certainly never got an earlier call whose answer was lost: it knows nothing of the refund so
    /// long afterwards.
    async fn is_absent(&self, gateway: &dyn PaymentGateway, wanted: &payments::Refund<'_>) -> bool {
        let Some(in_doubt) = self.call.in_doubt_for else { return true };
        let settled = in_doubt.left_of(self.settle).is_none();
        settled && matches!(gateway.find_refund(wanted, None).await, Ok(None))
    }
}

/// What is known of the money after a call without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The gateway will never give it back.
    Refused,
    /// This call certainly gave nothing back; another one may.
    NotThisTime,
    /// It may have been given back.
    Open,
}

impl Verdict {
    /// What an error says; `taken_on` when the gateway took the refund on before.
    const fn of(error: &GatewayError, taken_on: bool) -> Self {
        match (error, error.class()) {
            // Somebody mends the key, and then the money goes back.
            (GatewayError::Credentials { .. }, _) => Self::NotThisTime,
            // What it took on it can't have forgotten.
            (GatewayError::NotFound { .. }, _) if taken_on => Self::Open,
            (_, GatewayFailure::Refused) => Self::Refused,
            (_, GatewayFailure::Retryable { .. }) => Self::NotThisTime,
            (_, GatewayFailure::Unknown { .. }) => Self::Open,
        }
    }
}

/// Asks for a refund, or what became of it once the gateway has taken it on.
async fn ask(
    gateway: &dyn PaymentGateway,
    wanted: &payments::Refund<'_>,
    taken_on_as: Option<&str>,
) -> Result<Refunded, GatewayError> {
    if taken_on_as.is_some()
        && let Some(found) = gateway.find_refund(wanted, taken_on_as).await?
    {
        return Ok(found);
    }
    gateway.refund(wanted).await
}

#[cfg(test)]
mod tests;
