//! The one place where the vendor's errors are sorted.

use domain::provisioning::FailureClass;
use reqwest::{StatusCode, header::HeaderMap};

use super::super::{descriptor::SLUG, types::ErrorBody};
use crate::{
    http::{self, Answer},
    providers::{Effect, NO_VERDICT, ProviderError, Refuses, says, success_body},
};

/// The body of an answer that is a success.
pub(in super::super) fn success(answer: Answer, effect: Effect) -> Result<Vec<u8>, ProviderError> {
    if answer.status.is_success() {
        return success_body(SLUG, answer, effect);
    }
    Err(from_answer(answer.status, &answer.headers, &answer.body, effect))
}

/// An answer that is no success.
fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], effect: Effect) -> ProviderError {
    let body =
        serde_json::from_slice(body).unwrap_or(ErrorBody { id: None, message: None, request_id: None });
    // Both are in every error of the vendor's; many a gateway says `message` alone.
    let words = body.message.filter(|words| !words.is_empty() && body.id.is_some());
    let class = words.as_deref().map_or(NO_VERDICT, |words| class_of(status, words));
    let refuses = words.as_deref().and_then(|words| refuses(status, words));
    let unsure = words.is_none() || status.is_server_error();
    let message = words.unwrap_or_else(|| format!("HTTP {status} without an explanation"));
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    ProviderError {
        code: body.id,
        status: Some(status.as_u16()),
        request_id: body.request_id.or(request_id).map(String::into_boxed_str),
        retry_after: http::retry_after(headers),
        ambiguous: effect == Effect::Changes && unsure,
        refuses,
        ..failure(class, message)
    }
}

pub(super) fn not_an_id(id: &str, what: &str) -> ProviderError {
    failure(FailureClass::NotFound, format!("`{id}` is not a {what} id"))
}

/// A failure without an answer of the vendor.
pub(super) fn failure(class: FailureClass, message: String) -> ProviderError {
    ProviderError::new(SLUG, class, message)
}

fn class_of(status: StatusCode, message: &str) -> FailureClass {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => FailureClass::Retryable,
        StatusCode::FORBIDDEN if says(message, NETWORK_IS_KEPT) => FailureClass::Conflict,
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            FailureClass::Configuration
        }
        StatusCode::NOT_FOUND => FailureClass::NotFound,
        StatusCode::CONFLICT | StatusCode::LOCKED => FailureClass::Conflict,
        StatusCode::UNPROCESSABLE_ENTITY => class_of_refusal(message),
        status if status.is_server_error() => FailureClass::Retryable,
        _ => FailureClass::Permanent,
    }
}

/// What is about our account rather than about the request.
fn refuses(status: StatusCode, message: &str) -> Option<Refuses> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => Some(Refuses::Account),
        StatusCode::FORBIDDEN if !says(message, NETWORK_IS_KEPT) => Some(Refuses::Kind),
        StatusCode::UNPROCESSABLE_ENTITY if says(message, ACCOUNT_IS_FULL) => Some(Refuses::Kind),
        _ => None,
    }
}

/// Words about how much our account may have.
const ACCOUNT_IS_FULL: &[&str] = &["droplet limit"];

/// Words about a network that can't be deleted as things stand, which are about nothing but itself.
const NETWORK_IS_KEPT: &[&str] = &["default vpc", "vpc with members"];

/// The vendor gives every refusal the same code; only its words tell them apart.
fn class_of_refusal(message: &str) -> FailureClass {
    const WORDS: [(FailureClass, &[&str]); 5] = [
        (FailureClass::Configuration, ACCOUNT_IS_FULL),
        // Also says that it "is not available", but it never will be.
        (FailureClass::Permanent, &["smaller disk"]),
        (FailureClass::Conflict, &["pending event", "is locked", "is currently on", "is currently off"]),
        (
            FailureClass::Capacity,
            // The last one of a resize: the hardware that the server is on has no room.
            &["is not available", "unavailable", "capacity", "sold out", "too large to fit"],
        ),
        (
            FailureClass::Configuration,
            // The last one until the account has paid more: a matter for staff, and of this size only.
            &[
                "invalid image",
                "invalid size",
                "invalid region",
                "invalid key identifiers",
                "size is currently restricted",
            ],
        ),
    ];
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
        let body = json!({ "id": "some_code", "message": message }).to_string();
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
            (423, Conflict),
            (429, Retryable),
            (500, Retryable),
            (503, Retryable),
            (520, Retryable),
        ] {
            assert_eq!(refused(status, "words", Effect::None).class, class, "{status}");
        }
    }

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        use FailureClass::*;
        for (message, class) in [
            ("creating this/these droplet(s) will exceed your droplet limit", Configuration),
            ("You specified an invalid image for Droplet creation.", Configuration),
            ("You specified an invalid size for Droplet creation.", Configuration),
            ("[1] are invalid key identifiers for Droplet creation.", Configuration),
            ("Size is not available in this region.", Capacity),
            ("Region is not available", Capacity),
            ("The size you chose is currently unavailable.", Capacity),
            (
                "This size is currently restricted, please send an additional payment to unlock.",
                Configuration,
            ),
            ("Size is too large to fit on your droplet's server", Capacity),
            ("This size is not available because it has a smaller disk.", Permanent),
            ("Droplet already has a pending event.", Conflict),
            ("Droplet is currently off. Please power it on to run this event.", Conflict),
            ("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)", Permanent),
        ] {
            let error = refused(422, message, Effect::Changes);
            assert_eq!((error.class, error.ambiguous), (class, false), "{message}");
            assert_eq!((error.message.as_str(), error.code.as_deref()), (message, Some("some_code")));
        }
    }

    #[test]
    fn what_is_about_our_account_is_told_apart() {
        let full = "creating this/these droplet(s) will exceed your droplet limit";
        for (status, message, about) in [
            (401, "Unable to authenticate you", Some(Refuses::Account)),
            (402, "Please pay your bill.", Some(Refuses::Account)),
            (403, "You are not authorized to perform this operation", Some(Refuses::Kind)),
            (403, "Can not delete default VPCs", None),
            (403, "Can not delete VPC with members", None),
            (422, full, Some(Refuses::Kind)),
            (422, "You specified an invalid image for Droplet creation.", None),
            (404, "The resource you were accessing could not be found.", None),
            (500, "Server Error", None),
        ] {
            let error = refused(status, message, Effect::Changes);
            assert_eq!(error.refuses, about, "{message}");
        }
    }

    #[test]
    fn a_message_alone_is_some_gateways() {
        let error = from_answer(
            StatusCode::FORBIDDEN,
            &HeaderMap::new(),
            br#"{"message":"Forbidden"}"#,
            Effect::None,
        );
        assert_eq!((error.class, error.refuses), (NO_VERDICT, None));
    }

    #[test]
    fn only_a_server_error_after_a_change_is_ambiguous() {
        assert!(refused(500, "words", Effect::Changes).is_ambiguous());
        assert!(!refused(500, "words", Effect::None).is_ambiguous());
        assert!(!refused(429, "words", Effect::Changes).is_ambiguous());
    }

    #[test]
    fn headers_tell_when_to_come_back_and_whom_to_quote() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("9"));
        headers.insert("x-request-id", HeaderValue::from_static("req-1"));
        let limited = from_answer(StatusCode::TOO_MANY_REQUESTS, &headers, b"<html>", Effect::Changes);
        assert_eq!(limited.retry_after, Some(Duration::from_secs(9)));
        assert_eq!(limited.request_id.as_deref(), Some("req-1"));
        assert_eq!(limited.message, "HTTP 429 Too Many Requests without an explanation");
        assert_eq!(limited.status, Some(429));
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
