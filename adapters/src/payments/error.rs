//! What can go wrong at a gateway, sorted once. Only the gateway's own envelope proves that it refused: the status of a
//! page that a proxy wrote says nothing of the money.

use std::time::Duration;

use crate::{
    Cause,
    http::{self, Effect},
};

/// A gateway's failure, sorted by what is known of the money ([`GatewayError::class`]). Messages never carry credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The gateway refused for certain, in its own words: nothing was or will be done.
    #[error("{gateway} refused with {code}: {message}")]
    Refused {
        /// Slug of the gateway.
        gateway: &'static str,
        /// The vendor's status code.
        code: String,
        /// The vendor's words.
        message: String,
    },
    /// The gateway does not accept our credentials, in its own words; nothing was done.
    #[error("{gateway} does not accept our credentials: {message}")]
    Credentials {
        /// Slug of the gateway.
        gateway: &'static str,
        /// The vendor's words.
        message: String,
    },
    /// The gateway says that it has nothing by that name.
    #[error("{gateway} knows no such payment")]
    NotFound {
        /// Slug of the gateway.
        gateway: &'static str,
    },
    /// The gateway has an attempt by that name already: it may have been paid.
    #[error("{gateway} has a payment by that name already")]
    Duplicate {
        /// Slug of the gateway.
        gateway: &'static str,
    },
    /// The gateway can't do this, or not by the way this was paid; nothing was sent.
    #[error("{gateway} can't do this: {message}")]
    Unsupported {
        /// Slug of the gateway.
        gateway: &'static str,
        /// What it can't do.
        message: String,
    },
    /// Nothing was done, and the same call may succeed later: no connection came about, the gateway has had too many
    /// calls, or it was only asked something and did not answer.
    #[error("{gateway} is not available: {message}")]
    NotNow {
        /// Slug of the gateway.
        gateway: &'static str,
        /// The vendor's words, or what happened on the wire.
        message: String,
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
        /// What is behind it, when it was no answer of the gateway's. Names no address.
        source: Option<Cause>,
    },
    /// The request was sent and nothing proper came back: it may have taken effect, or still be under way.
    #[error("{gateway} left it open: {message}")]
    Unknown {
        /// Slug of the gateway.
        gateway: &'static str,
        /// The vendor's words, or what happened on the wire.
        message: String,
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
        /// What is behind it, when it was no answer of the gateway's. Names no address.
        source: Option<Cause>,
    },
}

/// What is known of a call that failed, and so what may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayFailure {
    /// It did nothing; make it again, after this long if the gateway said so.
    Retryable {
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
    },
    /// It did nothing, and making it again is of no use before somebody changed something.
    Refused,
    /// It may have taken effect: money may move. Ask before anything else is done; not before this long.
    Unknown {
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
    },
}

impl GatewayError {
    /// What is known, and may be done.
    #[must_use]
    pub const fn class(&self) -> GatewayFailure {
        match self {
            Self::Refused { .. }
            | Self::Credentials { .. }
            | Self::NotFound { .. }
            | Self::Unsupported { .. } => GatewayFailure::Refused,
            Self::NotNow { retry_after, .. } => GatewayFailure::Retryable { retry_after: *retry_after },
            Self::Duplicate { .. } => GatewayFailure::Unknown { retry_after: None },
            Self::Unknown { retry_after, .. } => GatewayFailure::Unknown { retry_after: *retry_after },
        }
    }

    /// Whether the gateway itself has answered, which it does only to credentials that it accepts.
    #[must_use]
    pub const fn proves_credentials(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NotFound { .. } | Self::Duplicate { .. })
    }

    /// No verdict came: a call that changes nothing can be made again, one that changes something may have done so.
    pub(super) fn open(
        gateway: &'static str,
        effect: Effect,
        message: String,
        retry_after: Option<Duration>,
    ) -> Self {
        match effect {
            Effect::None => Self::NotNow { gateway, message, retry_after, source: None },
            Effect::Changes => Self::Unknown { gateway, message, retry_after, source: None },
        }
    }

    /// The failure of a question about something that the gateway has: that the question was refused says nothing of it.
    pub(super) fn of_question(self) -> Self {
        match self {
            Self::Refused { gateway, code, message } => {
                let message = format!("{code}: {message}");
                Self::NotNow { gateway, message, retry_after: None, source: None }
            }
            other => other,
        }
    }

    /// Trouble on the wire: without a connection nothing was sent.
    pub(super) fn transport(gateway: &'static str, error: reqwest::Error, effect: Effect) -> Self {
        let effect = if http::may_have_been_sent(&error) { effect } else { Effect::None };
        let (message, cause) = http::described(error);
        let source = Some(cause);
        match effect {
            Effect::None => Self::NotNow { gateway, message, retry_after: None, source },
            Effect::Changes => Self::Unknown { gateway, message, retry_after: None, source },
        }
    }
}

/// Why a webhook event is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is not of the shape the gateway sends.
    #[error("the notification can't be read: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
        /// What is behind it, when it is no JSON of that shape.
        source: Option<Cause>,
    },
    /// It was not made by who knows our key.
    #[error("the notification's signature is wrong")]
    BadSignature,
    /// Its origin is proven, and it can't be read: somebody has to look into it.
    #[error("the notification is authentic and can't be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
        /// What is behind it, when it is no JSON of that shape.
        source: Option<Cause>,
    },
    /// The gateway's dashboard tries the address out.
    #[error("the notification is a test of the gateway's dashboard")]
    Test,
    /// It is proven, and about something that does not move a payment.
    #[error("`{0}` is no event of a payment")]
    Irrelevant(String),
}

impl WebhookError {
    /// It is not of the shape the gateway sends.
    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into(), source: None }
    }

    /// The same, as reading it found.
    pub(super) fn misshapen(error: serde_json::Error) -> Self {
        Self::Malformed { reason: error.to_string(), source: Some(error.into()) }
    }

    /// It is authentic, and not understood.
    pub(super) fn unreadable(reason: impl Into<String>) -> Self {
        Self::Unreadable { reason: reason.into(), source: None }
    }

    /// The same, as reading it found.
    pub(super) fn unread(error: serde_json::Error) -> Self {
        Self::Unreadable { reason: error.to_string(), source: Some(error.into()) }
    }
}
