use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::{super::types::PaymentRequestList, *};
use crate::payments::GatewayFailure;

fn charge(method: PaymentMethod, bank: Option<Bank>) -> Charge {
    Charge {
        gateway_order_id: "WB-1".to_owned(),
        amount: Rupiah::new(55_390),
        method,
        bank,
        pay_within: Duration::from_secs(61),
    }
}

#[test]
fn each_method_is_asked_for_in_its_own_way() {
    let now = time("2026-11-24T06:00:00Z").unwrap();
    let asked =
        |method, bank| serde_json::to_value(create_request(&charge(method, bank), now).unwrap()).unwrap();
    let qris = asked(PaymentMethod::Qris, None);
    assert_eq!((&qris["channel_code"], &qris["request_amount"]), (&json!("QRIS"), &json!(55_390)));
    assert_eq!(qris["channel_properties"], json!({}), "the vendor refuses a code with an end");
    for bank in Bank::ALL {
        let va = asked(PaymentMethod::VirtualAccount, Some(*bank));
        assert_eq!(va["channel_code"], format!("{bank}_VIRTUAL_ACCOUNT"));
        assert_eq!(va["channel_properties"]["display_name"], DISPLAY_NAME);
        assert_eq!(va["channel_properties"]["expires_at"], "2026-11-24T06:02:00Z");
    }
    assert!(create_request(&charge(PaymentMethod::ManualTransfer, None), now).is_err());
}

#[test]
fn a_payment_request_nobody_can_pay_is_left_open() {
    let answer = PaymentRequest { payment_request_id: "pr-1".to_owned(), ..PaymentRequest::default() };
    let left_open = created(&charge(PaymentMethod::Qris, None), &answer).unwrap_err();
    assert_eq!(left_open.class(), GatewayFailure::Unknown { retry_after: None });
}

#[test]
fn only_explicit_words_are_final() {
    assert_eq!(status("SUCCEEDED"), PaymentStatus::Paid);
    for other in ["REQUIRES_ACTION", "ACCEPTING_PAYMENTS", "AUTHORIZED", "PENDING", "succeeded", ""] {
        assert_eq!(status(other), PaymentStatus::Pending, "{other}");
    }
}

#[test]
fn a_payment_is_worth_what_was_captured() {
    let request: PaymentRequest = serde_json::from_value(json!({
        "payment_request_id": "pr-1", "reference_id": "WB-1", "status": "SUCCEEDED", "request_amount": 5539,
        "currency": "IDR", "latest_payment_id": "py-1",
    }))
    .unwrap();
    let worth = |payment: serde_json::Value| {
        let payment: Payment = serde_json::from_value(payment).unwrap();
        let report = report(&request, Some(&payment));
        (report.status, report.amount.map(Rupiah::get))
    };
    let captures = |amounts: &[serde_json::Value]| {
        let parts: Vec<_> = amounts.iter().map(|amount| json!({ "capture_amount": amount })).collect();
        json!({ "status": "SUCCEEDED", "currency": "IDR", "request_amount": 5539, "captures": parts })
    };
    assert_eq!(worth(captures(&[json!(5539)])), (PaymentStatus::Paid, Some(5_539)));
    assert_eq!(worth(captures(&[json!(5000), json!(539.0)])), (PaymentStatus::Paid, Some(5_539)));
    assert_eq!(worth(captures(&[])), (PaymentStatus::Paid, Some(5_539)));
    assert_eq!(worth(captures(&[json!(5539.5)])), (PaymentStatus::Paid, None));
    let dollars = json!({ "status": "SUCCEEDED", "currency": "USD", "request_amount": 5539 });
    assert_eq!(worth(dollars), (PaymentStatus::Paid, None));
    let open = json!({ "status": "AUTHORIZED", "currency": "IDR", "request_amount": 5539 });
    assert_eq!(worth(open).0, PaymentStatus::Pending);
}

#[test]
fn webhooks_are_no_proof_and_only_payments_count() {
    let read = |event: &str, data| webhook_event(Webhook { event: event.to_owned(), data }, b"");
    let data = json!({
        "payment_id": "py-1", "payment_request_id": "pr-1", "reference_id": "WB-1", "status": "SUCCEEDED",
        "request_amount": 5539, "currency": "IDR", "channel_code": "QRIS",
    });
    let told = read("payment.capture", data.clone()).unwrap();
    assert_eq!(
        (told.dedupe_key.as_str(), told.about.name()),
        ("payment.capture:WB-1:py-1:SUCCEEDED", "WB-1")
    );
    assert_eq!(told.evidence, None);
    assert!(matches!(read("payment_token.activation", data.clone()), Err(WebhookError::Irrelevant(_))));
    // Nothing that may take money back is passed over.
    assert!(matches!(read("payment.chargeback", data), Err(WebhookError::Unreadable { .. })));
    for nameless in [json!({}), json!(null), json!({ "reference_id": "WB-1" })] {
        assert!(matches!(read("payment.capture", nameless), Err(WebhookError::Unreadable { .. })));
    }
}

fn answered(status: u16, body: &str, effect: Effect) -> GatewayError {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
    let status = StatusCode::from_u16(status).unwrap();
    verdict::<PaymentRequest>(&http::Answer { status, headers, body: body.into() }, effect).unwrap_err()
}

#[test]
fn amounts_as_text_and_nulls_are_read() {
    let data = json!({
        "payment_id": null, "payment_request_id": "pr-1", "reference_id": "WB-1", "status": "SUCCEEDED",
        "request_amount": "5539", "currency": null, "captures": null,
    });
    let told = webhook_event(Webhook { event: "payment.capture".to_owned(), data }, b"").unwrap();
    assert_eq!(told.report.amount, Some(Rupiah::new(5_539)));
}

#[test]
fn refunds_are_told_by_their_own_name() {
    let refund = json!({
        "id": "rfd-1", "payment_request_id": "pr-1", "reference_id": "ours", "amount": 39, "currency": "IDR",
        "status": "SUCCEEDED",
    });
    for data in [refund.clone(), json!({ "event": "refund.succeeded", "data": refund.clone() })] {
        let told = webhook_event(Webhook { event: REFUND.to_owned(), data }, b"").unwrap();
        assert_eq!((told.about, told.evidence), (About::Refund("rfd-1".to_owned()), None));
    }
    let wire = |status: &str| WireRefund {
        status: status.to_owned(),
        ..serde_json::from_value::<WireRefund>(refund.clone()).unwrap()
    };
    let taken = reversal(&wire("SUCCEEDED")).unwrap().unwrap();
    assert_eq!((taken.name.as_str(), taken.refund_key.as_deref()), ("rfd-1", Some("ours")));
    assert_eq!(taken.amount, Some(Rupiah::new(39)));
    assert_eq!(reversal(&wire("FAILED")), Ok(None));
    assert!(reversal(&wire("PENDING")).is_err());
}

#[test]
fn refusals_are_sorted_by_what_is_known_of_the_money() {
    use GatewayFailure::{Refused, Retryable, Unknown};
    let retry_after = Some(Duration::from_secs(7));
    for (status, code, class) in [
        (400, "API_VALIDATION_ERROR", Refused),
        (400, "INACTIVE_PAYMENT_REQUEST", Refused),
        (401, "INVALID_API_KEY", Refused),
        (403, "REQUEST_FORBIDDEN_ERROR", Refused),
        (403, "CHANNEL_NOT_ACTIVATED", Refused),
        (404, "DATA_NOT_FOUND", Refused),
        (409, "DUPLICATE_ERROR", Unknown { retry_after: None }),
        (409, "IDEMPOTENCY_ERROR", Unknown { retry_after }),
        (400, "REFUND_IN_PROGRESS", Unknown { retry_after }),
        (400, "TEMPORARILY_UNAVAILABLE", Retryable { retry_after }),
        (400, "INSUFFICIENT_BALANCE", Retryable { retry_after }),
        (429, "RATE_LIMIT_EXCEEDED", Retryable { retry_after }),
        (500, "SERVER_ERROR", Unknown { retry_after }),
        (503, "CHANNEL_UNAVAILABLE", Unknown { retry_after }),
    ] {
        let body = json!({ "error_code": code, "message": "words" }).to_string();
        assert_eq!(answered(status, &body, Effect::Changes).class(), class, "{status} {code}");
    }
    let key = answered(401, r#"{"error_code":"INVALID_API_KEY"}"#, Effect::Changes);
    assert!(matches!(key, GatewayError::Credentials { .. }));
    let channel = answered(403, r#"{"error_code":"CHANNEL_NOT_ACTIVATED"}"#, Effect::Changes);
    assert!(matches!(channel, GatewayError::Refused { .. }), "the key is fine");
}

#[test]
fn without_the_vendors_envelope_nothing_is_certain() {
    let retry_after = Some(Duration::from_secs(7));
    for status in [200, 201, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503] {
        for page in ["<html>Bad gateway", "{}", r#"{"error":"no such page","code":404}"#, ""] {
            let changing = answered(status, page, Effect::Changes).class();
            assert_eq!(changing, GatewayFailure::Unknown { retry_after }, "{status} {page}");
            let reading = answered(status, page, Effect::None).class();
            assert_eq!(reading, GatewayFailure::Retryable { retry_after }, "{status} {page}");
        }
    }
    assert!(serde_json::from_str::<PaymentRequestList>("{}").is_err(), "that list is not empty");
    assert!(serde_json::from_str::<WireRefund>("{}").is_err(), "that refund was not taken on");
}
