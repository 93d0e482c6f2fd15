//! What came of sending a message, whatever by: sorted once, by what is known of it.

use std::time::Duration;

use domain::delivery::DeliveryTrouble;

use crate::Cause;

/// Whether the other side took a message that was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Certainly not, and another attempt may succeed.
    NotYet,
    /// Certainly not, and no attempt ever will.
    Never,
    /// Nobody knows: the conversation broke off when it could have been.
    Perhaps,
}

/// Why a message was not acknowledged. It names no address and says nothing of what the message says.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// What is known of the message.
    pub taken: Taken,
    /// What it is about.
    pub trouble: DeliveryTrouble,
    /// Where it happened and the other side's codes, for staff.
    pub message: String,
    /// How long the other side asked us to wait.
    pub retry_after: Option<Duration>,
    /// What happened on the wire.
    pub source: Option<Cause>,
}

impl SendError {
    /// It was certainly not taken; another attempt may be.
    pub(crate) fn not_yet(trouble: DeliveryTrouble, message: impl Into<String>) -> Self {
        Self { taken: Taken::NotYet, trouble, message: message.into(), retry_after: None, source: None }
    }

    /// It is refused for good.
    pub(crate) fn never(trouble: DeliveryTrouble, message: impl Into<String>) -> Self {
        Self { taken: Taken::Never, ..Self::not_yet(trouble, message) }
    }

    /// It may have been taken.
    pub(crate) fn perhaps(message: impl Into<String>) -> Self {
        Self { taken: Taken::Perhaps, ..Self::not_yet(DeliveryTrouble::LostAnswer, message) }
    }
}
