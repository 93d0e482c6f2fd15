//! The vendor's errors, sorted. It has no codes: only status and words tell them apart.

use domain::provisioning::FailureClass;
use reqwest::{StatusCode, header::HeaderMap};

use crate::{
    http::{self, Answer},
    providers::{
        Effect, NO_VERDICT, ProviderError, Refuses, says, success_body,
        vultr::{SLUG, types::ErrorBody},
    },
};

/// The body of an answer that is a success.
pub(in super::super) fn success(answer: Answer, effect: Effect) -> Result<Vec<u8>, ProviderError> {
    if answer.status.is_success() {
        return success_body(SLUG, answer, effect);
    }
    Err(from_answer(answer.status, &answer.headers, &answer.body, effect))
}

pub(in super::super) fn failure(class: FailureClass, message: String) -> ProviderError {
    ProviderError::new(SLUG, class, message)
}

/// An answer that is no success.
fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], effect: Effect) -> ProviderError {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    // Both are in every error of the vendor's; many a gateway says `error` alone.
    let words = body.error.filter(|words| !words.is_empty() && body.status.is_some());
    let class = words.as_deref().map_or(NO_VERDICT, |words| class_of(status, words));
    let refuses = words.as_deref().and_then(|words| refuses(status, words));
    // Of a busy server the vendor says 500, but it has refused for certain.
    let unsure = words.as_deref().is_none_or(|words| status.is_server_error() && !is_busy(words));
    let message = words.unwrap_or_else(|| format!("HTTP {status} without an explanation"));
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    ProviderError {
        status: Some(status.as_u16()),
        request_id: request_id.map(Box::from),
        retry_after: http::retry_after(headers),
        ambiguous: effect == Effect::Changes && unsure,
        refuses,
        ..failure(class, message)
    }
}

fn class_of(status: StatusCode, message: &str) -> FailureClass {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => FailureClass::Retryable,
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            FailureClass::Configuration
        }
        StatusCode::NOT_FOUND => FailureClass::NotFound,
        StatusCode::CONFLICT | StatusCode::LOCKED => FailureClass::Conflict,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => class_of_refusal(message),
        status if status.is_server_error() => FailureClass::Retryable,
        _ => FailureClass::Permanent,
    }
}

/// What is about our account rather than about the request.
fn refuses(status: StatusCode, message: &str) -> Option<Refuses> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => Some(Refuses::Account),
        StatusCode::FORBIDDEN => Some(Refuses::Kind),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if says(message, ACCOUNT_IS_FULL) => {
            Some(Refuses::Kind)
        }
        _ => None,
    }
}

/// Words about how much our account may have.
const ACCOUNT_IS_FULL: &[&str] = &["maximum number of", "monthly fee limit"];

/// Whether the server has to be waited for: something is under way, or it is still pending.
fn is_busy(message: &str) -> bool {
    says(message, &["currently locked", "not currently active"])
}

fn class_of_refusal(message: &str) -> FailureClass {
    const WORDS: [(FailureClass, &[&str]); 3] = [
        (FailureClass::Configuration, ACCOUNT_IS_FULL),
        (
            FailureClass::Capacity,
            &["not available in the selected", "more capacity", "sold out", "out of stock", "unavailable"],
        ),
        (
            FailureClass::Configuration,
            &[
                "invalid plan",
                "invalid location",
                "invalid region",
                "invalid operating system",
                "invalid os",
                "invalid application",
                "invalid image",
                "invalid snapshot",
                "invalid ssh key",
            ],
        ),
    ];
    if is_busy(message) {
        return FailureClass::Retryable;
    }
    let class = WORDS.iter().find(|(_, words)| says(message, words));
    class.map_or(FailureClass::Permanent, |(class, _)| *class)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderValue, RETRY_AFTER};
    use serde_json::json;

    use super::*;

    fn refused(status: u16, message: &str, effect: Effect) -> ProviderError {
        let body = json!({ "error": message, "status": status }).to_string();
        from_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), effect)
    }

    #[test]
    fn every_status_has_its_class() {
        use FailureClass::*;
        for (status, class) in [
            (400, Permanent),
            (301, Permanent),
            (401, Configuration),
            (402, Configuration),
            (403, Configuration),
            (404, NotFound),
            (408, Retryable),
            (409, Conflict),
            (422, Permanent),
            (423, Conflict),
            (429, Retryable),
            (500, Retryable),
            (503, Retryable),
        ] {
            assert_eq!(refused(status, "words", Effect::None).class, class, "{status}");
        }
    }

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        use FailureClass::*;
        for (message, class) in [
            ("Invalid plan chosen.", Configuration),
            ("Invalid location chosen.", Configuration),
            ("Invalid application image chosen.", Configuration),
            ("Invalid SSH key: 1", Configuration),
            (
                "Server add failed: You have reached the maximum monthly fee limit for this account.",
                Configuration,
            ),
            (
                "You have reached the maximum number of active virtual machines for this account.",
                Configuration,
            ),
            ("Server add failed: Plan is not available in the selected datacenter.", Capacity),
            ("The location you have selected does not have any more capacity.", Capacity),
            ("Invalid hostname.", Permanent),
        ] {
            let error = refused(400, message, Effect::Changes);
            assert_eq!((error.class, error.ambiguous), (class, false), "{message}");
            assert_eq!((error.message.as_str(), error.status), (message, Some(400)));
        }
    }

    #[test]
    fn what_is_about_our_account_is_told_apart() {
        let full = "You have reached the maximum number of active virtual machines for this account.";
        for (status, message, about) in [
            (401, "Invalid API token.", Some(Refuses::Account)),
            (403, "Unauthorized IP address", Some(Refuses::Kind)),
            (400, full, Some(Refuses::Kind)),
            (400, "Invalid plan chosen.", None),
            (404, "instance not found", None),
            (500, "Internal server error", None),
        ] {
            assert_eq!(refused(status, message, Effect::Changes).refuses, about, "{message}");
        }
    }

    #[test]
    fn an_error_alone_is_some_gateways() {
        let error =
            from_answer(StatusCode::FORBIDDEN, &HeaderMap::new(), br#"{"error":"Forbidden"}"#, Effect::None);
        assert_eq!((error.class, error.refuses), (NO_VERDICT, None));
    }

    #[test]
    fn a_server_that_is_busy_has_refused_for_certain() {
        for message in [
            "Unable to destroy server: Unable to remove VM: Server is currently locked",
            "Unable to destroy server: This subscription is not currently active, you cannot destroy it.",
        ] {
            for status in [400, 500] {
                let error = refused(status, message, Effect::Changes);
                assert_eq!((error.class, error.ambiguous), (FailureClass::Retryable, false), "{message}");
                assert_eq!(error.message, message);
            }
        }
    }

    #[test]
    fn only_a_server_error_after_a_change_is_ambiguous() {
        assert!(refused(500, "words", Effect::Changes).is_ambiguous());
        assert!(!refused(500, "words", Effect::None).is_ambiguous());
        assert!(!refused(429, "words", Effect::Changes).is_ambiguous());
    }

    #[test]
    fn headers_tell_when_to_come_back() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        let limited = from_answer(StatusCode::TOO_MANY_REQUESTS, &headers, b"<html>", Effect::Changes);
        assert_eq!((limited.retry_after, limited.status), (Some(Duration::from_secs(1)), Some(429)));
        assert_eq!(limited.message, "HTTP 429 Too Many Requests without an explanation");
    }

    #[test]
    fn a_proxys_page_proves_nothing_whatever_its_status() {
        for status in [400, 401, 403, 404, 409, 422, 429, 502] {
            for (effect, ambiguous) in [(Effect::None, false), (Effect::Changes, true)] {
                let status = StatusCode::from_u16(status).unwrap();
                let error = from_answer(status, &HeaderMap::new(), b"<html>no such page</html>", effect);
                assert_eq!((error.class, error.ambiguous), (NO_VERDICT, ambiguous), "{status}");
            }
        }
    }
}
