//! Asking gateways what became of payments whose webhook event or answer was lost.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use adapters::payments::{Attempt, GatewayError, Gateways};
use domain::{
    billing::PaymentStatus,
    gateway::{GatewayReport, Instructions, Outcome},
    payment_check::{PaymentCheckPolicy, PaymentCheckStart},
};
use futures::{StreamExt, stream};
use store::{Store, payments::ChargeResult, webhooks::DuePayment};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::PaymentsChecked;

use crate::{
    crash_point,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Payments read from the database at a time.
const BATCH: i64 = 100;

/// Questions under way at a time: gateways limit how many a merchant may ask.
const AT_ONCE: usize = 8;

/// Implements the port at the gateways.
#[derive(Debug, Clone)]
pub struct PaymentActivities {
    /// The database.
    pub store: Store,
    /// The gateways that can be asked.
    pub gateways: Gateways,
}

#[activities]
impl PaymentActivities {
    /// Idempotent: it only asks at the gateways, and each answer takes effect once, as a webhook event does.
    #[activity(definition = workflows::CheckPayments)]
    pub async fn check_payments(
        self: Arc<Self>,
        ctx: ActivityContext,
        start: PaymentCheckStart,
    ) -> Result<PaymentsChecked, ActivityError> {
        crash_point("check_payments.before");
        let checked = while_heartbeating(&ctx, self.check(&start.policy)).await.map_err(failure)?;
        if checked.failed == 0 && checked.unanswered == 0 {
            self.store.note_payments_checked().await.map_err(failure)?;
        }
        crash_point("check_payments.after");
        Ok(checked)
    }
}

/// What a question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Settled,
    Closed,
    Waiting,
    Mismatched,
    Disputed,
    Unanswered,
}

impl PaymentActivities {
    async fn check(&self, policy: &PaymentCheckPolicy) -> Result<PaymentsChecked, StepError> {
        self.try_refusing_gateways().await?;
        let gateways: Vec<String> = self.gateways.keys().map(|slug| (*slug).to_owned()).collect();
        let mut checked = PaymentsChecked::default();
        let mut last = None;
        loop {
            let due = self.store.due_payments(&gateways, policy, last, BATCH).await?;
            let Some(end) = due.last() else { break };
            last = Some(end.id);
            let questions = due.into_iter().map(async |payment| (payment.id, self.ask(&payment).await));
            let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
            while let Some((payment, answer)) = answers.next().await {
                match answer {
                    Ok(answer) => count(&mut checked, answer),
                    // Those behind it are asked about all the same; this one is due again in the next run.
                    Err(error) => {
                        tracing::error!(
                            event = "payment_check.failed",
                            payment_id = %payment,
                            %error,
                            "a payment could not be asked about"
                        );
                        checked.failed += 1;
                    }
                }
            }
        }
        checked.given_up = self.give_up(&gateways, policy).await?;
        Ok(checked)
    }

    /// What no gateway ever said is for people to find out.
    async fn give_up(&self, gateways: &[String], policy: &PaymentCheckPolicy) -> Result<u32, StepError> {
        let given_up = self.store.give_payments_up(gateways, policy, BATCH).await?;
        if given_up > 0 {
            tracing::warn!(
                alert = "payment_check.given_up",
                given_up,
                "gateways never said what became of payments"
            );
        }
        Ok(u32::try_from(given_up).unwrap_or(u32::MAX))
    }

    /// Asks gateways that do not accept our credentials about nothing in particular: whoever watches them learns from the
    /// answer when they do again, also while no customer pays.
    async fn try_refusing_gateways(&self) -> Result<(), StepError> {
        for refusing in self.store.refusing_gateways().await? {
            let Some(gateway) = self.gateways.get(refusing.gateway.as_str()) else { continue };
            let nothing = Attempt { gateway_order_id: "WB-are-you-there", transaction_id: None };
            if let Err(error @ GatewayError::Credentials { .. }) = gateway.status(nothing).await {
                tracing::warn!(
                    event = "gateway.credentials_still_refused",
                    gateway = refusing.gateway,
                    %error,
                    "a gateway still does not accept our credentials"
                );
            }
        }
        Ok(())
    }

    async fn ask(&self, payment: &DuePayment) -> Result<Answer, StepError> {
        let Some(gateway) = self.gateways.get(payment.gateway.as_str()) else {
            return Ok(Answer::Unanswered);
        };
        let attempt = Attempt {
            gateway_order_id: &payment.gateway_order_id,
            transaction_id: payment.transaction_id.as_deref(),
        };
        let answer = gateway.status(attempt).await;
        crash_point("check_payments.answered");
        match answer {
            Ok(report) => self.apply(payment, report).await,
            Err(GatewayError::NotFound { .. }) if was_never_charged(payment) => {
                let reason = "the gateway never got the charge".to_owned();
                self.store.record_charge(payment.id, &ChargeResult::Refused(reason)).await?;
                crash_point("check_payments.closed");
                tracing::info!(
                    event = "charge.never_arrived",
                    payment_id = %payment.id,
                    gateway = payment.gateway,
                    "a charge never arrived"
                );
                Ok(Answer::Closed)
            }
            // It was called off here before it came about there: there is nothing that could be paid.
            Err(GatewayError::NotFound { .. }) if payment.transaction_id.is_none() => {
                self.store.note_never_charged(payment.id).await?;
                Ok(Answer::Closed)
            }
            Err(error) => {
                tracing::warn!(
                    event = "payment_check.unanswered",
                    payment_id = %payment.id,
                    gateway = payment.gateway,
                    %error,
                    "a gateway does not say what became of a payment"
                );
                self.store.note_payment_question(payment.id).await?;
                Ok(Answer::Unanswered)
            }
        }
    }

    async fn apply(&self, payment: &DuePayment, report: GatewayReport) -> Result<Answer, StepError> {
        let outcome = self.store.apply_report(&payment.gateway, &payment.gateway_order_id, &report).await?;
        crash_point("check_payments.applied");
        match outcome {
            Outcome::Mismatch { .. } => {
                tracing::warn!(
                    alert = "payment_check.mismatch",
                    payment_id = %payment.id,
                    gateway = payment.gateway,
                    "a gateway names another amount than the payment's"
                );
                return Ok(Answer::Mismatched);
            }
            Outcome::Applied { status, outcome, .. } => {
                tracing::info!(
                    event = "payment_check.applied",
                    payment_id = %payment.id,
                    gateway = payment.gateway,
                    %status,
                    outcome = outcome.map(tracing::field::display),
                    "a payment moved after its gateway was asked"
                );
            }
            Outcome::Disputed { dispute_id, .. } => {
                tracing::warn!(
                    alert = "payment.disputed",
                    payment_id = %payment.id,
                    gateway = payment.gateway,
                    %dispute_id,
                    "a gateway took back what was paid"
                );
                return Ok(Answer::Disputed);
            }
            Outcome::Ignored | Outcome::AskFirst | Outcome::AlreadyHandled | Outcome::UnknownPayment => {}
        }
        if report.status == PaymentStatus::Pending && payment.is_over {
            return self.call_off(payment, report).await;
        }
        // Whoever was to tell the customer may have died after the payment had moved.
        if report.status == PaymentStatus::Pending && !payment.has_instructions {
            self.tell_how_to_pay(payment, report.instructions).await?;
        }
        Ok(match report.status {
            PaymentStatus::Paid => Answer::Settled,
            PaymentStatus::Pending | PaymentStatus::Unknown => Answer::Waiting,
            PaymentStatus::Denied | PaymentStatus::Expired | PaymentStatus::Cancelled => Answer::Closed,
        })
    }

    /// Nobody is to pay an attempt any more, and its gateway goes on taking money for it: it is called off there, and only
    /// then, if it is not yet, closed here. Money that comes all the same counts as ever.
    async fn call_off(&self, payment: &DuePayment, report: GatewayReport) -> Result<Answer, StepError> {
        let Some(gateway) = self.gateways.get(payment.gateway.as_str()) else {
            return Ok(Answer::Unanswered);
        };
        let attempt = Attempt {
            gateway_order_id: &payment.gateway_order_id,
            transaction_id: report.transaction_id.as_deref(),
        };
        if let Err(error) = gateway.cancel(attempt).await {
            tracing::warn!(
                event = "payment_check.not_called_off",
                payment_id = %payment.id,
                gateway = payment.gateway,
                %error,
                "an attempt that is over could not be called off"
            );
            return Ok(Answer::Waiting);
        }
        let ended = GatewayReport { status: PaymentStatus::Expired, ..report };
        self.store.apply_report(&payment.gateway, &payment.gateway_order_id, &ended).await?;
        tracing::info!(
            event = "payment_check.called_off",
            payment_id = %payment.id,
            gateway = payment.gateway,
            "an attempt that was over was called off"
        );
        Ok(Answer::Closed)
    }

    /// A charge whose answer was lost is there after all, and the gateway says again how it is paid.
    async fn tell_how_to_pay(&self, payment: &DuePayment, how: Instructions) -> Result<(), StepError> {
        if how.is_payable() {
            self.store.record_charge(payment.id, &ChargeResult::Ready(how)).await?;
            crash_point("check_payments.instructions_kept");
        }
        Ok(())
    }
}

/// True when the gateway never confirmed that it has the attempt.
fn was_never_charged(payment: &DuePayment) -> bool {
    payment.transaction_id.is_none()
        && matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Unknown)
}

fn count(checked: &mut PaymentsChecked, answer: Answer) {
    let counter = match answer {
        Answer::Settled => &mut checked.settled,
        Answer::Closed => &mut checked.closed,
        Answer::Waiting => &mut checked.waiting,
        Answer::Mismatched => &mut checked.mismatched,
        Answer::Disputed => &mut checked.disputed,
        Answer::Unanswered => &mut checked.unanswered,
    };
    *counter += 1;
}

#[cfg(test)]
pub(crate) mod tests;
