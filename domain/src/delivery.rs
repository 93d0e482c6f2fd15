//! Telling people outside of the app: by which channels, and how a delivery stands.
//!
//! A delivery is one event, told to one person by one channel. Nobody can promise that a message arrives exactly once: it is
//! handed over in a conversation whose last answer may be lost. What is done then is a channel's own
//! ([`DeliveryChannel::is_sent_again_in_doubt`]).

use crate::{ids::DeliveryId, policy::StepPolicy, text_enum::text_enum};

text_enum! {
    /// A way in which people are told outside of the app.
    DeliveryChannel {
        /// Mail.
        Email = "EMAIL",
        /// A chat with our bot.
        Telegram = "TELEGRAM",
    }
}

impl DeliveryChannel {
    /// Whether a message is sent again of which it is not known whether it was taken. A mail is: it names itself
    /// (`Message-ID`), so who gets it twice can tell, and mostly need not look twice. A message to a chat has no such name.
    #[must_use]
    pub const fn is_sent_again_in_doubt(self) -> bool {
        match self {
            Self::Email => true,
            Self::Telegram => false,
        }
    }
}

text_enum! {
    /// How a delivery stands.
    DeliveryState {
        /// It is to be sent, perhaps not for the first time.
        Pending = "PENDING",
        /// An attempt is out.
        Sending = "SENDING",
        /// The other side took it.
        Sent = "SENT",
        /// It was certainly not taken, and is not tried any more.
        Failed = "FAILED",
        /// It may have been taken, and is not tried any more: a person has to decide.
        Unknown = "UNKNOWN",
        /// There was a reason not to send it.
        Suppressed = "SUPPRESSED",
    }
}

impl DeliveryState {
    /// Whether nothing more is done by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Sending)
    }

    /// Whether staff may have it sent once more.
    #[must_use]
    pub const fn may_be_resent(self) -> bool {
        matches!(self, Self::Failed | Self::Unknown | Self::Suppressed)
    }
}

text_enum! {
    /// Why a delivery was not, or may not have been, taken.
    DeliveryTrouble {
        /// The other side could not be reached, or ended the conversation before there was anything to take.
        Unreachable = "UNREACHABLE",
        /// The other side has no time at the moment.
        Busy = "BUSY",
        /// The other side does not accept us: credentials, or the sender's address.
        Account = "ACCOUNT",
        /// The other side does not take this message.
        Refused = "REFUSED",
        /// There is no such address, or its owner keeps us out.
        BadAddress = "BAD_ADDRESS",
        /// The answer was lost: it may have been taken.
        LostAnswer = "LOST_ANSWER",
        /// An attempt's process ended: it may have been taken.
        LostAttempt = "LOST_ATTEMPT",
        /// It could not be sent for too long.
        TooLate = "TOO_LATE",
        /// It has no words: another version of the program recorded it.
        NoWords = "NO_WORDS",
        /// The address is known to take no mail.
        Undeliverable = "UNDELIVERABLE",
        /// There is no chat any more.
        NotLinked = "NOT_LINKED",
        /// Its reader does not want to be told of such things any more.
        SwitchedOff = "SWITCHED_OFF",
        /// The link that it is about was used, expired or replaced.
        LinkOver = "LINK_OVER",
    }
}

/// How patiently messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeliveryPolicy {
    /// How often, and for how long: news that comes too late is worth nothing.
    #[serde(flatten)]
    pub steps: StepPolicy,
    /// So long after it was noted an attempt has ended, whatever became of its process, in milliseconds: longer than
    /// connecting and sending may take together.
    pub settle_ms: u64,
    /// So many attempts may be in doubt; then a person has to decide.
    pub most_in_doubt: u32,
}

impl Default for DeliveryPolicy {
    /// The production values: from five seconds to half an hour apart, for a day.
    fn default() -> Self {
        Self {
            steps: StepPolicy {
                heartbeat_timeout_ms: 30_000,
                retry_initial_ms: 5_000,
                retry_max_ms: 30 * 60_000,
                give_up_after_ms: 24 * 3_600_000,
            },
            settle_ms: 90_000,
            most_in_doubt: 3,
        }
    }
}

/// What a delivery's workflow is started with: no words, no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeliveryStart {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// By what it goes.
    pub channel: DeliveryChannel,
    /// How patiently.
    pub policy: DeliveryPolicy,
    /// How often staff had it sent once more by then.
    #[serde(default)]
    pub resends: i32,
}

impl DeliveryStart {
    /// The run that it starts.
    #[must_use]
    pub const fn run(&self) -> DeliveryRun {
        DeliveryRun { delivery_id: self.delivery_id, resends: self.resends }
    }
}

/// A delivery, the time that it is being sent. Each time has a workflow of its own: the one of the time before may still be about
/// to end, and must neither swallow what is wanted now nor give it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct DeliveryRun {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// How often staff had it sent once more.
    pub resends: i32,
}

impl DeliveryRun {
    /// The first time.
    #[must_use]
    pub const fn first(delivery_id: DeliveryId) -> Self {
        Self { delivery_id, resends: 0 }
    }

    /// Id of its workflow.
    #[must_use]
    pub fn workflow_id(self) -> String {
        let Self { delivery_id, resends } = self;
        if resends == 0 {
            format!("delivery/{delivery_id}")
        } else {
            format!("delivery/{delivery_id}/{resends}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_may_be_sent_once_more_unless_it_was_sent() {
        for state in DeliveryState::ALL {
            assert_eq!(state.may_be_resent(), state.is_over() && *state != DeliveryState::Sent, "{state}");
        }
    }

    #[test]
    fn each_time_that_a_delivery_is_sent_has_a_workflow_of_its_own() {
        let delivery_id = DeliveryId(uuid::Uuid::nil());
        let ids: Vec<_> = (0..2).map(|resends| DeliveryRun { delivery_id, resends }.workflow_id()).collect();
        assert_eq!(ids, [format!("delivery/{delivery_id}"), format!("delivery/{delivery_id}/1")]);
    }

    #[test]
    fn an_attempt_has_settled_long_before_a_delivery_is_given_up() {
        let DeliveryPolicy { steps, settle_ms, .. } = DeliveryPolicy::default();
        assert!(settle_ms * 10 < steps.give_up_after_ms && settle_ms > steps.heartbeat_timeout_ms);
    }
}
