//! What can go wrong at a provider, sorted once.

use std::time::Duration;

use domain::provisioning::FailureClass;

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
    /// True when the request may have taken effect.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }
}
