//! Telling people outside of the app. Each attempt is noted before it is sent and its end is noted afterwards; what may have
//! been taken without our knowing is told apart from what certainly was not.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

mod channels;

use std::{sync::Arc, time::Duration};

use adapters::sending::{SendError, Taken};
use domain::delivery::{DeliveryRun, DeliveryStart, DeliveryState, DeliveryTrouble};
use store::{
    Store,
    deliveries::{DeliveryJob, DeliveryTurn},
};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::{
    crash_point,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

pub use channels::{Channels, Links, MailChannel, TelegramChannel};

/// Implements the sending and its recording step.
#[derive(Debug, Clone)]
pub struct DeliveryActivities {
    /// The database.
    pub store: Store,
    /// By what people are told.
    pub channels: Channels,
}

#[activities]
impl DeliveryActivities {
    /// Not idempotent, as no message to the outside is; so what is not known to have failed is sent again only by channels
    /// whose messages name themselves, and only after an earlier attempt has certainly ended. A message that was taken is
    /// never sent again.
    #[activity(definition = workflows::SendDelivery)]
    pub async fn send_delivery(
        self: Arc<Self>,
        ctx: ActivityContext,
        start: DeliveryStart,
    ) -> Result<DeliveryState, ActivityError> {
        crash_point("send_delivery.before");
        let sent = while_heartbeating(&ctx, self.send(&start)).await;
        crash_point("send_delivery.after");
        sent.map_err(failure)
    }

    /// Idempotent: what is over stays as it is, and so does what staff had sent once more.
    #[activity(definition = workflows::GiveUpDelivery)]
    pub async fn give_up_delivery(
        self: Arc<Self>,
        _ctx: ActivityContext,
        run: DeliveryRun,
    ) -> Result<DeliveryState, ActivityError> {
        crash_point("give_up_delivery.before");
        let state = self.store.give_up_delivery(run).await.map_err(failure)?;
        crash_point("give_up_delivery.after");
        tracing::error!(alert = "delivery.given_up", delivery_id = %run.delivery_id, %state, "a message was given up");
        Ok(state)
    }
}

impl DeliveryActivities {
    async fn send(&self, start: &DeliveryStart) -> Result<DeliveryState, StepError> {
        let DeliveryStart { delivery_id, channel, policy, .. } = *start;
        if !self.channels.serves(channel) {
            let message = format!("{channel} is not set up where messages are sent");
            return Err(again(DeliveryTrouble::Account, message, None));
        }
        let job = match self.store.begin_delivery(delivery_id, &policy).await? {
            DeliveryTurn::Send(job) => job,
            DeliveryTurn::Wait(left) => {
                let message = "another attempt may not have ended yet".to_owned();
                return Err(again(DeliveryTrouble::Busy, message, Some(left)));
            }
            DeliveryTurn::Over(state) => {
                // What was sent before was told then.
                if state != DeliveryState::Sent {
                    self.tell(start, state, None);
                }
                return Ok(state);
            }
        };
        crash_point("send_delivery.noted");
        let sent = self.channels.send(&job).await;
        crash_point("send_delivery.sent");
        let ended = match sent {
            Ok(()) => {
                self.store.delivery_taken(delivery_id, job.attempt).await?;
                self.tell(start, DeliveryState::Sent, None);
                Ok(DeliveryState::Sent)
            }
            Err(error) => self.not_acknowledged(start, &job, error).await,
        };
        crash_point("send_delivery.recorded");
        ended
    }

    async fn not_acknowledged(
        &self,
        start: &DeliveryStart,
        job: &DeliveryJob,
        error: SendError,
    ) -> Result<DeliveryState, StepError> {
        let SendError { taken, trouble, message, retry_after, .. } = error;
        let id = start.delivery_id;
        let state = match taken {
            Taken::NotYet => {
                self.store.delivery_not_taken(id, job.attempt, trouble, &message).await?;
                DeliveryState::Pending
            }
            Taken::Never => self.store.delivery_refused(id, job.attempt, trouble, &message).await?,
            Taken::Perhaps => self.store.delivery_in_doubt(id, job.attempt, &message, &start.policy).await?,
        };
        self.tell(start, state, Some(trouble));
        if state.is_over() { Ok(state) } else { Err(again(trouble, message, retry_after)) }
    }
}

impl DeliveryActivities {
    /// Counts what became of an attempt, and logs it: ids only.
    fn tell(&self, start: &DeliveryStart, state: DeliveryState, trouble: Option<DeliveryTrouble>) {
        let (channel, delivery_id) = (start.channel, start.delivery_id);
        let outcome = trouble.map_or(state.as_str(), DeliveryTrouble::as_str);
        metrics::counter!("notification_deliveries_total", "channel" => channel.as_str(), "outcome" => outcome)
            .increment(1);
        match state {
            DeliveryState::Sent => {
                tracing::info!(event = "delivery.sent", %delivery_id, %channel, "a message was taken");
            }
            DeliveryState::Unknown => tracing::warn!(
                alert = "delivery.in_doubt", %delivery_id, %channel, outcome,
                "it is not known whether a message was taken; somebody has to decide whether it is sent once more"
            ),
            DeliveryState::Suppressed => {
                tracing::info!(event = "delivery.suppressed", %delivery_id, %channel, outcome, "a message was not sent");
            }
            DeliveryState::Pending | DeliveryState::Sending | DeliveryState::Failed => {
                tracing::warn!(event = "delivery.not_sent", %delivery_id, %channel, outcome, "a message was not taken");
            }
        }
    }
}

/// It is to be tried again: when the other side said, or when the policy says.
fn again(trouble: DeliveryTrouble, message: String, retry_after: Option<Duration>) -> StepError {
    StepError::NotDelivered { trouble, message, retry_after }
}

#[cfg(test)]
mod tests;
