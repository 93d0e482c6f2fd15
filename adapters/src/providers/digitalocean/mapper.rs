//! Between the wire and our words; the one place where the vendor's errors are sorted.

use chrono::Utc;
use domain::{
    instance::PowerState,
    provisioning::{FLEET_TAG, FailureClass},
};
use reqwest::{StatusCode, header::HeaderMap};

use super::{
    adapter::SLUG,
    types::{CreateDroplet, Droplet, ErrorBody, ImageRef, Network},
};
use crate::{
    http,
    providers::{
        CreateInstance, Effect, ProviderError, ProviderInstance, channel::Answer, cloud_init::cloud_config,
    },
};

pub(super) fn to_create(request: &CreateInstance) -> CreateDroplet<'_> {
    CreateDroplet {
        name: &request.hostname,
        region: &request.region,
        size: &request.size,
        image: request.image.parse().map_or(ImageRef::Slug(&request.image), ImageRef::Id),
        tags: [FLEET_TAG, &request.cohort, &request.tag],
        user_data: cloud_config(&request.ssh_public_keys, request.root_password.as_ref()),
        ipv6: true,
        monitoring: true,
    }
}

pub(super) fn to_instance(droplet: Droplet) -> ProviderInstance {
    let ipv4 = public(&droplet.networks.v4);
    ProviderInstance {
        id: droplet.id.to_string(),
        name: droplet.name,
        size: droplet.size_slug,
        region: droplet.region.slug,
        ready: droplet.status == "active" && !droplet.locked && ipv4.is_some(),
        power: match droplet.status.as_str() {
            "active" => PowerState::On,
            "off" | "archive" => PowerState::Off,
            _ => PowerState::Unknown,
        },
        ipv4,
        ipv6: public(&droplet.networks.v6),
        tags: droplet.tags,
        created_at: droplet.created_at,
    }
}

fn public<T: std::str::FromStr>(networks: &[Network]) -> Option<T> {
    networks.iter().filter(|n| n.r#type == "public").find_map(|n| n.ip_address.parse().ok())
}

/// Droplet ids are numbers; anything else, put into a path, would address something else.
pub(super) fn to_droplet_id(id: &str) -> Result<String, ProviderError> {
    match id.parse::<u64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(failure(FailureClass::NotFound, format!("`{id}` is not a droplet id"))),
    }
}

/// The body of an answer that is a success.
pub(super) fn success(answer: Answer, effect: Effect) -> Result<Vec<u8>, ProviderError> {
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    Err(from_answer(answer.status, &answer.headers, &answer.body, effect))
}

/// An answer that is no success.
fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], effect: Effect) -> ProviderError {
    // Proxies in front of the API answer in HTML.
    let body =
        serde_json::from_slice(body).unwrap_or(ErrorBody { id: None, message: None, request_id: None });
    let message = body.message.unwrap_or_else(|| format!("HTTP {status} without an explanation"));
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    ProviderError {
        code: body.id,
        status: Some(status.as_u16()),
        request_id: body.request_id.or(request_id),
        retry_after: http::retry_after(headers, Utc::now()),
        ambiguous: effect == Effect::Changes && status.is_server_error(),
        ..failure(class_of(status, &message), message)
    }
}

fn failure(class: FailureClass, message: String) -> ProviderError {
    ProviderError::new(SLUG, class, message)
}

fn class_of(status: StatusCode, message: &str) -> FailureClass {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => FailureClass::Retryable,
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

/// The vendor gives every refusal the same code; only its words tell them apart.
fn class_of_refusal(message: &str) -> FailureClass {
    const WORDS: [(FailureClass, &[&str]); 3] = [
        (FailureClass::Conflict, &["pending event", "is locked", "is currently on", "is currently off"]),
        (FailureClass::Capacity, &["is not available", "unavailable", "capacity", "sold out"]),
        (
            FailureClass::Configuration,
            &["droplet limit", "invalid image", "invalid size", "invalid region", "invalid key identifiers"],
        ),
    ];
    let message = message.to_lowercase();
    let class = WORDS.iter().find(|(_, words)| words.iter().any(|w| message.contains(w)));
    class.map_or(FailureClass::Permanent, |(class, _)| *class)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderValue, RETRY_AFTER};
    use serde_json::json;

    use super::*;

    fn request() -> CreateInstance {
        CreateInstance {
            tag: "wb-1".to_owned(),
            cohort: "wbc-1".to_owned(),
            hostname: "web-1".to_owned(),
            size: "s-1vcpu-1gb".to_owned(),
            region: "sgp1".to_owned(),
            image: "debian-12-x64".to_owned(),
            ssh_public_keys: vec![],
            root_password: None,
        }
    }

    fn droplet(body: serde_json::Value) -> ProviderInstance {
        to_instance(serde_json::from_value(body).unwrap())
    }

    fn refused(status: u16, message: &str, effect: Effect) -> ProviderError {
        let body = json!({ "id": "some_code", "message": message }).to_string();
        from_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes(), effect)
    }

    #[test]
    fn a_create_carries_its_tags_and_no_empty_user_data() {
        assert_eq!(
            serde_json::to_value(to_create(&request())).unwrap(),
            json!({
                "name": "web-1", "region": "sgp1", "size": "s-1vcpu-1gb", "image": "debian-12-x64",
                "tags": ["webrana", "wbc-1", "wb-1"], "ipv6": true, "monitoring": true,
            })
        );
        let snapshot = CreateInstance { image: "7555620".to_owned(), ..request() };
        assert_eq!(serde_json::to_value(to_create(&snapshot)).unwrap()["image"], 7_555_620);
    }

    #[test]
    fn a_droplet_is_ready_once_active_unlocked_and_addressed() {
        let new = json!({
            "id": 7, "name": "web-1", "size_slug": "s-1vcpu-1gb", "region": { "slug": "sgp1" }, "status": "new", "locked": true, "created_at": "2026-01-02T03:04:05Z",
            "networks": { "v4": [], "v6": [] }, "tags": ["webrana", "wb-1"], "features": ["monitoring"],
        });
        let instance = droplet(new.clone());
        assert_eq!((instance.id.as_str(), instance.ready, instance.power), ("7", false, PowerState::Unknown));
        assert_eq!(instance.created_at.to_rfc3339(), "2026-01-02T03:04:05+00:00");

        let with = |change: serde_json::Value| {
            let mut body = new.clone();
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            droplet(body)
        };
        let private = json!({ "v4": [{ "ip_address": "10.0.0.2", "type": "private" }] });
        let public = json!({
            "v4": [{ "ip_address": "10.0.0.2", "type": "private" }, { "ip_address": "198.18.0.7", "type": "public" }],
            "v6": [{ "ip_address": "2001:db8::7", "type": "public" }],
        });
        let active = |networks: &serde_json::Value| json!({ "status": "active", "locked": false, "networks": networks });
        assert!(!with(active(&private)).ready);
        assert_eq!(with(active(&private)).ipv4, None);
        let ready = with(active(&public));
        assert!(ready.ready);
        assert_eq!(ready.power, PowerState::On);
        assert_eq!(ready.ipv4, Some("198.18.0.7".parse().unwrap()));
        assert_eq!(ready.ipv6, Some("2001:db8::7".parse().unwrap()));
        let off = with(json!({ "status": "off", "locked": false, "networks": public }));
        assert_eq!((off.ready, off.power), (false, PowerState::Off));
        assert!(!with(json!({ "status": "active", "networks": public })).ready, "still locked");
    }

    #[test]
    fn only_numbers_are_droplet_ids() {
        assert_eq!(to_droplet_id("42").unwrap(), "42");
        for bad in ["", "..", "42/actions", "-1", "x"] {
            assert_eq!(to_droplet_id(bad).unwrap_err().class, FailureClass::NotFound, "{bad}");
        }
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
}
