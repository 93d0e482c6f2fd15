//! What can go wrong at a provider, sorted once.

use std::time::Duration;

use domain::{instance::Capability, provisioning::FailureClass, rate_limit::HeldBy};
use reqwest::StatusCode;

use super::{Effect, NotAdmitted, pacing::Shut};
use crate::{
    Cause,
    http::{self, Answer},
};

/// The class of an answer that is no success and not in the vendor's envelope, whatever its status. Proxies in front of
/// an API write such pages: that one of them says 404 does not prove that a server is gone.
pub(super) const NO_VERDICT: FailureClass = FailureClass::Retryable;

/// Whether a vendor's words have any of these in them, in whatever case: vendors without codes are understood by their words.
pub(super) fn says(message: &str, any_of: &[&str]) -> bool {
    let message = message.to_lowercase();
    any_of.iter().any(|words| message.contains(words))
}

/// What a vendor turns away: something of ours, rather than this one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuses {
    /// Our credentials or our account: every call.
    Account,
    /// Calls of this kind: our account may not make them, or has as much as it may have.
    Kind,
}

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
    pub request_id: Option<Box<str>>,
    /// How long the vendor asked us to wait.
    pub retry_after: Option<Duration>,
    /// True when the request may have taken effect although no proper answer came back: a time-out, a lost
    /// connection, a 5xx after sending.
    pub ambiguous: bool,
    /// Set when it is about our account, so that nobody's order is to blame and everybody's has to wait.
    pub refuses: Option<Refuses>,
    /// Set when the call was not made: who was in the way.
    pub held_by: Option<HeldBy>,
    /// What is behind it, when it was no answer of the vendor's. Names no address.
    #[source]
    pub source: Option<Cause>,
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
            refuses: None,
            held_by: None,
            source: None,
        }
    }

    /// The provider has no such thing; `reason` reaches the customer.
    #[must_use]
    pub fn unsupported(provider: &'static str, capability: Capability, reason: &str) -> Self {
        Self::new(provider, FailureClass::Unsupported, format!("{capability} is not supported: {reason}"))
    }

    /// The call can't be put into words that HTTP has: something we were set up with does not belong there.
    #[must_use]
    pub fn unsendable(provider: &'static str, error: reqwest::Error) -> Self {
        let (words, cause) = http::described(error);
        let message = format!("the call can't be made: {words}");
        Self {
            refuses: Some(Refuses::Account),
            source: Some(cause),
            ..Self::new(provider, FailureClass::Configuration, message)
        }
    }

    /// No answer came.
    #[must_use]
    pub fn transport(provider: &'static str, error: reqwest::Error, effect: Effect) -> Self {
        let ambiguous = effect == Effect::Changes && http::may_have_been_sent(&error);
        let (message, cause) = http::described(error);
        Self { ambiguous, source: Some(cause), ..Self::new(provider, FailureClass::Retryable, message) }
    }

    /// A success we can't read: what was asked for has happened, but we don't know what it made.
    #[must_use]
    pub fn unreadable(provider: &'static str, error: serde_json::Error, effect: Effect) -> Self {
        let message = format!("the answer is not what the API documents: {error}");
        Self {
            ambiguous: effect == Effect::Changes,
            source: Some(error.into()),
            ..Self::new(provider, FailureClass::Retryable, message)
        }
    }

    /// The call was not made: its turn did not come.
    #[must_use]
    pub fn not_admitted(provider: &'static str, held: NotAdmitted) -> Self {
        Self {
            retry_after: Some(held.retry_after),
            held_by: Some(held.by),
            ..Self::new(provider, FailureClass::Retryable, held.reason)
        }
    }

    /// The call was not made: such calls failed before, or our account is turned away.
    #[must_use]
    pub fn shut(provider: &'static str, shut: Shut) -> Self {
        let (class, refuses) = if shut.refused {
            (FailureClass::Configuration, Some(Refuses::Kind))
        } else {
            (FailureClass::Retryable, None)
        };
        Self {
            retry_after: Some(shut.retry_after),
            held_by: Some(HeldBy::Vendor),
            refuses,
            ..Self::new(provider, class, shut.reason)
        }
    }

    /// The same, when it befell a call that many share: what is said of that is no verdict on any of them.
    #[must_use]
    pub fn of_shared_call(self) -> Self {
        let class = if self.is_passing() { self.class } else { FailureClass::Retryable };
        Self { class, ..self }
    }

    /// True when trying again later may heal it without anybody changing what was asked for.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        self.class.is_retryable() || self.refuses.is_some()
    }

    /// True when the request may have taken effect.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }
}

/// The body of a success, in the form that all the vendors' have: an object, or nothing at all under 204. Whatever else
/// comes with such a status was written by somebody in between, and proves nothing.
pub(super) fn success_body(
    provider: &'static str,
    answer: Answer,
    effect: Effect,
) -> Result<Vec<u8>, ProviderError> {
    let is_theirs = match answer.status {
        StatusCode::NO_CONTENT => answer.body.is_empty(),
        _ => serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&answer.body).is_ok(),
    };
    if is_theirs {
        return Ok(answer.body);
    }
    let message = format!("HTTP {} with what is not the API's answer", answer.status);
    Err(ProviderError {
        status: Some(answer.status.as_u16()),
        ambiguous: effect == Effect::Changes,
        ..ProviderError::new(provider, NO_VERDICT, message)
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn body_of(status: StatusCode, body: &str, effect: Effect) -> Result<Vec<u8>, ProviderError> {
        success_body("cloud", Answer { status, headers: HeaderMap::new(), body: body.into() }, effect)
    }

    #[test]
    fn a_success_is_an_object_or_nothing() {
        assert_eq!(body_of(StatusCode::OK, r#"{"a":1}"#, Effect::None).unwrap(), br#"{"a":1}"#);
        assert_eq!(body_of(StatusCode::NO_CONTENT, "", Effect::Changes).unwrap(), b"");
        for (status, body) in [
            (StatusCode::OK, "<html>Sign in to the network</html>"),
            (StatusCode::OK, ""),
            (StatusCode::OK, "[]"),
            (StatusCode::ACCEPTED, r#""ok""#),
            (StatusCode::NO_CONTENT, "<html>"),
        ] {
            for (effect, ambiguous) in [(Effect::None, false), (Effect::Changes, true)] {
                let error = body_of(status, body, effect).unwrap_err();
                assert_eq!((error.class, error.ambiguous), (NO_VERDICT, ambiguous), "{status} {body}");
            }
        }
    }

    #[test]
    fn what_is_said_of_a_shared_call_is_no_verdict() {
        for class in [FailureClass::Permanent, FailureClass::NotFound, FailureClass::Configuration] {
            let error = ProviderError::new("cloud", class, "no".to_owned()).of_shared_call();
            assert_eq!((error.class, error.is_passing()), (FailureClass::Retryable, true));
        }
        let refused = ProviderError {
            refuses: Some(Refuses::Account),
            ..ProviderError::new("cloud", FailureClass::Configuration, "who are you?".to_owned())
        };
        let told = refused.of_shared_call();
        assert_eq!((told.class, told.is_passing()), (FailureClass::Configuration, true), "staff see which");
    }
}
