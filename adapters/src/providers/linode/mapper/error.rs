//! The vendor's errors, sorted. It has no codes: status, field and words tell them apart.

use std::time::Duration;

use domain::provisioning::FailureClass;
use reqwest::{StatusCode, header::HeaderMap};

use crate::{
    http::{self, Answer},
    providers::{
        Effect, NO_VERDICT, ProviderError, Refuses,
        linode::{
            SLUG,
            types::{ErrorBody, Reason},
        },
        says, success_body,
    },
};

/// How long a closed API is left alone. It does not say how long it stays closed.
const MAINTENANCE: Duration = Duration::from_secs(120);

/// The body of an answer that is a success.
pub(in super::super) fn success(answer: Answer, effect: Effect) -> Result<Vec<u8>, ProviderError> {
    if answer.status.is_success() {
        return success_body(SLUG, answer, effect);
    }
    Err(from_answer(answer.status, &answer.headers, &answer.body, effect))
}

pub(super) fn failure(class: FailureClass, message: String) -> ProviderError {
    ProviderError::new(SLUG, class, message)
}

/// Statistics that are not there yet, which the vendor answers with an error.
pub(in super::super) fn is_too_young(error: &ProviderError) -> bool {
    error.status == Some(400) && error.message.to_lowercase().contains("stats are unavailable")
}

/// An answer that is no success.
fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], effect: Effect) -> ProviderError {
    let ErrorBody { mut errors } = serde_json::from_slice(body).unwrap_or_default();
    errors.retain(|error| !error.reason.is_empty());
    let words: Vec<_> = errors.iter().map(Reason::to_string).collect();
    let message =
        if words.is_empty() { format!("HTTP {status} without an explanation") } else { words.join("; ") };
    let closed = status == StatusCode::SERVICE_UNAVAILABLE && headers.contains_key("x-maintenance-mode");
    let asked = http::retry_after(headers);
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    // A time-out behind the API's door leaves open what became of the request; a closed door does not.
    let unsure =
        !closed && (errors.is_empty() || status.is_server_error()) || status == StatusCode::REQUEST_TIMEOUT;
    let class = if errors.is_empty() { NO_VERDICT } else { class_of(status, &errors) };
    let refuses = if errors.is_empty() { None } else { refuses(status, &errors) };
    ProviderError {
        code: errors.iter().find_map(|error| error.field.clone()),
        status: Some(status.as_u16()),
        request_id: request_id.map(Box::from),
        retry_after: if closed { Some(asked.unwrap_or_default().max(MAINTENANCE)) } else { asked },
        ambiguous: effect == Effect::Changes && unsure,
        refuses,
        ..failure(class, message)
    }
}

fn class_of(status: StatusCode, errors: &[Reason]) -> FailureClass {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => FailureClass::Retryable,
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            FailureClass::Configuration
        }
        StatusCode::NOT_FOUND => FailureClass::NotFound,
        StatusCode::CONFLICT | StatusCode::LOCKED => FailureClass::Conflict,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => class_of_refusal(errors),
        status if status.is_server_error() => FailureClass::Retryable,
        _ => FailureClass::Permanent,
    }
}

/// What is about our account rather than about the request.
fn refuses(status: StatusCode, errors: &[Reason]) -> Option<Refuses> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => Some(Refuses::Account),
        StatusCode::FORBIDDEN => Some(Refuses::Kind),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
            if errors.iter().any(|error| says(&error.reason, ACCOUNT_IS_FULL)) =>
        {
            Some(Refuses::Kind)
        }
        _ => None,
    }
}

/// Words about how much our account may have.
const ACCOUNT_IS_FULL: &[&str] = &["limit reached", "support ticket", "billing", "balance", "account"];

/// Of several reasons the one that is hardest to heal counts: a label that is free again does not make an unknown
/// image right.
fn class_of_refusal(errors: &[Reason]) -> FailureClass {
    const BY_WEIGHT: [FailureClass; 4] = [
        FailureClass::Permanent,
        FailureClass::Configuration,
        FailureClass::Capacity,
        FailureClass::Conflict,
    ];
    let classes: Vec<_> = errors.iter().map(class_of_reason).collect();
    BY_WEIGHT.into_iter().find(|class| classes.contains(class)).unwrap_or(FailureClass::Permanent)
}

fn class_of_reason(error: &Reason) -> FailureClass {
    const WORDS: [(FailureClass, &[&str]); 3] = [
        (
            FailureClass::Conflict,
            &["must be unique", "linode busy", "already booted", "not booted", "must be powered off"],
        ),
        (
            FailureClass::Capacity,
            &["no open slots", "capacity", "not available", "unavailable", "sold out", "out of stock"],
        ),
        (FailureClass::Configuration, ACCOUNT_IS_FULL),
    ];
    if let Some((class, _)) = WORDS.iter().find(|(_, known)| says(&error.reason, known)) {
        return *class;
    }
    match error.field.as_deref() {
        Some("type" | "region" | "image" | "disk_id" | "authorized_users") => FailureClass::Configuration,
        _ => FailureClass::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use FailureClass::{Capacity, Configuration, Conflict, NotFound, Permanent, Retryable};
    use reqwest::header::{HeaderValue, RETRY_AFTER};
    use serde_json::json;

    use super::*;

    fn refused(status: u16, errors: &serde_json::Value, effect: Effect) -> ProviderError {
        let body = json!({ "errors": errors }).to_string();
        from_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), effect)
    }

    #[test]
    fn every_status_has_its_class() {
        for (status, class) in [
            (400, Permanent),
            (401, Configuration),
            (403, Configuration),
            (404, NotFound),
            (405, Permanent),
            (408, Retryable),
            (409, Conflict),
            (429, Retryable),
            (500, Retryable),
            (503, Retryable),
        ] {
            assert_eq!(
                refused(status, &json!([{ "reason": "words" }]), Effect::None).class,
                class,
                "{status}"
            );
        }
    }

    #[test]
    fn refusals_are_told_apart_by_field_and_words() {
        for (field, reason, class) in [
            (Some("label"), "Label must be unique among your linodes", Conflict),
            (None, "Linode busy.", Conflict),
            (None, "Linode 123 already booted.", Conflict),
            (None, "Linode 123 is not booted.", Conflict),
            (Some("region"), "No open slots for this plan!", Capacity),
            (Some("region"), "This plan is not available in the selected region.", Capacity),
            (None, "Account Limit reached. Please open a support ticket.", Configuration),
            (Some("type"), "A valid plan type by that ID was not found", Configuration),
            (Some("region"), "region is not valid", Configuration),
            (Some("image"), "image is not valid", Configuration),
            (Some("label"), "Length must be 3-64 characters", Permanent),
            (Some("root_pass"), "Password does not meet strength requirement", Permanent),
        ] {
            let error = refused(400, &json!([{ "field": field, "reason": reason }]), Effect::Changes);
            assert_eq!((error.class, error.ambiguous), (class, false), "{reason}");
            assert_eq!(error.code.as_deref(), field);
            assert!(error.message.ends_with(reason), "{}", error.message);
        }
    }

    #[test]
    fn what_is_about_our_account_is_told_apart() {
        let full = "Account Limit reached. Please open a support ticket.";
        for (status, reason, about) in [
            (401, "Invalid Token", Some(Refuses::Account)),
            (403, "Unauthorized", Some(Refuses::Kind)),
            (400, full, Some(Refuses::Kind)),
            (400, "image is not valid", None),
            (404, "Not found", None),
            (500, "Internal server error", None),
        ] {
            let error = refused(status, &json!([{ "reason": reason }]), Effect::Changes);
            assert_eq!(error.refuses, about, "{reason}");
        }
    }

    #[test]
    fn errors_without_a_reason_are_some_gateways() {
        let error = refused(403, &json!([{ "code": 7 }]), Effect::None);
        assert_eq!((error.class, error.refuses), (NO_VERDICT, None));
    }

    #[test]
    fn of_several_reasons_the_hardest_counts() {
        let both = json!([
            { "field": "label", "reason": "Label must be unique among your linodes" },
            { "field": "image", "reason": "image is not valid" },
        ]);
        let error = refused(400, &both, Effect::Changes);
        assert_eq!(error.class, Configuration);
        assert_eq!(
            error.message,
            "label: Label must be unique among your linodes; image: image is not valid"
        );
    }

    #[test]
    fn only_what_may_have_been_carried_out_is_ambiguous() {
        let words = json!([{ "reason": "words" }]);
        for (status, effect, ambiguous) in [
            (500, Effect::Changes, true),
            (503, Effect::Changes, true),
            (408, Effect::Changes, true),
            (500, Effect::None, false),
            (400, Effect::Changes, false),
            (429, Effect::Changes, false),
        ] {
            assert_eq!(refused(status, &words, effect).is_ambiguous(), ambiguous, "{status}");
        }
    }

    #[test]
    fn a_closed_api_is_left_alone_for_a_while() {
        let mut headers = HeaderMap::new();
        headers.insert("x-maintenance-mode", HeaderValue::from_static("Scheduled"));
        let closed = from_answer(StatusCode::SERVICE_UNAVAILABLE, &headers, b"<html>", Effect::Changes);
        assert_eq!(
            (closed.class, closed.ambiguous, closed.retry_after),
            (Retryable, false, Some(MAINTENANCE))
        );
        assert_eq!(closed.message, "HTTP 503 Service Unavailable without an explanation");
        headers.insert(RETRY_AFTER, HeaderValue::from_static("600"));
        let longer = from_answer(StatusCode::SERVICE_UNAVAILABLE, &headers, b"", Effect::Changes);
        assert_eq!(longer.retry_after, Some(Duration::from_secs(600)));
    }

    #[test]
    fn headers_tell_when_to_come_back() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("9"));
        let limited = from_answer(StatusCode::TOO_MANY_REQUESTS, &headers, b"", Effect::Changes);
        assert_eq!((limited.retry_after, limited.status), (Some(Duration::from_secs(9)), Some(429)));
    }

    #[test]
    fn young_servers_have_no_statistics() {
        let young = refused(400, &json!([{ "reason": "Stats are unavailable at this time." }]), Effect::None);
        assert!(is_too_young(&young));
        assert!(!is_too_young(&refused(500, &json!([]), Effect::None)));
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
