//! What can go wrong at a gateway, sorted once.

/// A gateway's failure, sorted by what is known of the money. Messages never carry credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The gateway refused for certain: nothing was or will be charged.
    #[error("{gateway} refused with {code}: {message}")]
    Refused {
        /// Slug of the gateway.
        gateway: &'static str,
        /// The vendor's status code.
        code: String,
        /// The vendor's words.
        message: String,
    },
    /// The gateway does not accept our credentials; nothing was charged.
    #[error("{gateway} does not accept our credentials: {message}")]
    Credentials {
        /// Slug of the gateway.
        gateway: &'static str,
        /// The vendor's words.
        message: String,
    },
    /// The gateway has nothing by that name.
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
    /// No connection came about: nothing was sent.
    #[error("{gateway} can't be reached: {message}")]
    Unreachable {
        /// Slug of the gateway.
        gateway: &'static str,
        /// What happened on the wire.
        message: String,
    },
    /// The request was sent and no proper answer came back: it may have taken effect.
    #[error("{gateway} left it open: {message}")]
    Ambiguous {
        /// Slug of the gateway.
        gateway: &'static str,
        /// What happened on the wire.
        message: String,
    },
}

impl GatewayError {
    /// True when an attempt may exist at the gateway, so that money may still come in.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Ambiguous { .. } | Self::Duplicate { .. })
    }
}

/// Why a notification is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It is not of the shape the gateway sends.
    #[error("the notification can't be read: {0}")]
    Malformed(String),
    /// It was not made by who knows our key.
    #[error("the notification's signature is wrong")]
    BadSignature,
    /// It is proven, and about something that does not move a payment.
    #[error("`{0}` is no event of a payment")]
    Irrelevant(String),
}
