//! What can go wrong at a provider, sorted once.

use std::time::Duration;

use domain::{instance::Capability, provisioning::FailureClass};

use super::{Effect, NotAdmitted};
use crate::http;

/// The class of an answer that is no success and not in the vendor's envelope, whatever its status. Proxies in front of
/// an API write such pages: that one of them says 404 does not prove that a server is gone.
pub(super) const NO_VERDICT: FailureClass = FailureClass::Retryable;

/// A provider's failure, sorted by what can be done about it, with the vendor's own words kept for admins.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{provider}: {message}")]
pub struct ProviderError {
    /// Slug of the provider.
    pub provider: &'static str,
    /// What can be done about it.
    pub class: FailureClass,
    /// The vendor's message, or what happened on the wire. Never carries credentials.
    pub message: String,
    /// The vendor's error code, such as `unprocessable_entity`.
    pub code: Option<String>,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The vendor's request id, to quote to their support.
    pub request_id: Option<String>,
    /// How long the vendor asked us to wait.
    pub retry_after: Option<Duration>,
    /// True when the request may have taken effect although no proper answer came back: a time-out, a lost
    /// connection, a 5xx after sending.
    pub ambiguous: bool,
}

impl ProviderError {
    /// A failure of a class, in words, with nothing of the vendor's attached.
    #[must_use]
    pub const fn new(provider: &'static str, class: FailureClass, message: String) -> Self {
        Self {
            provider,
            class,
            message,
            code: None,
            status: None,
            request_id: None,
            retry_after: None,
            ambiguous: false,
        }
    }

    /// The provider has no such thing; `reason` reaches the customer.
    #[must_use]
    pub fn unsupported(provider: &'static str, capability: Capability, reason: &str) -> Self {
        Self::new(provider, FailureClass::Unsupported, format!("{capability} is not supported: {reason}"))
    }

    /// No answer came.
    #[must_use]
    pub fn transport(provider: &'static str, error: reqwest::Error, effect: Effect) -> Self {
        let ambiguous = effect == Effect::Changes && http::may_have_been_sent(&error);
        Self { ambiguous, ..Self::new(provider, FailureClass::Retryable, http::describe(error)) }
    }

    /// A success we can't read: what was asked for has happened, but we don't know what it made.
    #[must_use]
    pub fn unreadable(provider: &'static str, error: &serde_json::Error, effect: Effect) -> Self {
        let message = format!("the answer is not what the API documents: {error}");
        Self { ambiguous: effect == Effect::Changes, ..Self::new(provider, FailureClass::Retryable, message) }
    }

    /// The call was not made: its turn did not come.
    #[must_use]
    pub fn not_admitted(provider: &'static str, held: NotAdmitted) -> Self {
        Self {
            retry_after: Some(held.retry_after),
            ..Self::new(provider, FailureClass::Retryable, held.reason)
        }
    }

    /// True when the request may have taken effect.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }
}
