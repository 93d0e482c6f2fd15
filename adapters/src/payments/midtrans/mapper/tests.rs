use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, RETRY_AFTER},
};

use crate::payments::GatewayFailure;

use super::*;

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
fn the_vendors_own_signature_vector() {
    let key = "askvnoibnosifnboseofinbofinfgbiufglnbfg";
    let signature = signature("1111", "200", "100000.00", key);
    assert_eq!(signature.len(), 128);
    assert!(signature.starts_with("edc076b2") && signature.ends_with("d4c231"), "{signature}");
}

#[test]
fn only_explicit_words_are_final() {
    let says = |transaction_status: &str, status_code: &str, fraud_status: Option<&str>| {
        status(&Answer {
            status_code: Some(status_code.to_owned()),
            transaction_status: Some(transaction_status.to_owned()),
            fraud_status: fraud_status.map(str::to_owned),
            ..Answer::default()
        })
    };
    assert_eq!(says("settlement", "200", None), PaymentStatus::Paid);
    assert_eq!(says("settlement", "200", Some("accept")), PaymentStatus::Paid);
    assert_eq!(says("capture", "200", Some("accept")), PaymentStatus::Paid);
    assert_eq!(says("capture", "200", Some("challenge")), PaymentStatus::Pending);
    assert_eq!(says("settlement", "200", Some("deny")), PaymentStatus::Pending);
    assert_eq!(says("settlement", "201", Some("accept")), PaymentStatus::Pending);
    assert_eq!(says("deny", "202", Some("deny")), PaymentStatus::Denied);
    assert_eq!(says("failure", "202", None), PaymentStatus::Denied);
    assert_eq!(says("expire", "202", None), PaymentStatus::Expired);
    assert_eq!(says("cancel", "200", None), PaymentStatus::Cancelled);
    for taken_back in ["refund", "partial_refund", "chargeback", "partial_chargeback"] {
        assert_eq!(says(taken_back, "200", Some("accept")), PaymentStatus::Paid, "{taken_back}");
        assert_eq!(says(taken_back, "201", Some("accept")), PaymentStatus::Pending, "{taken_back}");
    }
    for other in ["pending", "authorize", "SETTLEMENT", ""] {
        assert_eq!(says(other, "200", Some("accept")), PaymentStatus::Pending, "{other}");
    }
}

#[test]
fn each_method_is_asked_for_in_its_own_way() {
    let asked = |method, bank| serde_json::to_value(charge_request(&charge(method, bank)).unwrap()).unwrap();
    let qris = asked(PaymentMethod::Qris, None);
    assert_eq!(qris["payment_type"], "qris");
    assert_eq!(qris["qris"]["acquirer"], "gopay");
    assert_eq!(qris["transaction_details"]["gross_amount"], 55_390);
    assert_eq!(qris["custom_expiry"]["expiry_duration"], 2);
    assert!(qris.get("bank_transfer").is_none());
    let bri = asked(PaymentMethod::VirtualAccount, Some(Bank::Bri));
    assert_eq!(
        (&bri["payment_type"], &bri["bank_transfer"]["bank"]),
        (&"bank_transfer".into(), &"bri".into())
    );
    assert_eq!(asked(PaymentMethod::VirtualAccount, Some(Bank::Mandiri))["payment_type"], "echannel");
    assert!(charge_request(&charge(PaymentMethod::ManualTransfer, None)).is_err());
}

#[test]
fn a_charge_nobody_can_pay_is_left_open() {
    let answer = Answer { transaction_id: Some("t".to_owned()), ..Answer::default() };
    let left_open = instructions(&charge(PaymentMethod::Qris, None), answer).unwrap_err();
    assert_eq!(left_open.class(), GatewayFailure::Unknown { retry_after: None });
    let nothing = transaction(Answer { status_code: Some("200".to_owned()), ..Answer::default() });
    assert!(matches!(nothing, Err(GatewayError::NotNow { .. })), "it would say that no refund was made");
}

#[test]
fn times_are_jakartas() {
    let time = jakarta_time("2026-11-24 06:30:00").unwrap();
    assert_eq!(time.to_rfc3339(), "2026-11-23T23:30:00+00:00");
    assert_eq!(jakarta_time("tomorrow"), None);
}

fn told(changes: serde_json::Value) -> Result<WebhookEvent, WebhookError> {
    let mut body = serde_json::json!({
        "order_id": "WB-1", "status_code": "200", "gross_amount": "5539.00", "transaction_id": "t",
        "transaction_status": "settlement", "fraud_status": "accept", "signature_key": "s", "currency": "IDR",
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    webhook_event(body.to_string().as_bytes(), Some(Evidence::Signed))
}

#[test]
fn events_are_told_apart_by_all_that_decides_what_they_mean() {
    let key = |changes| told(changes).unwrap().dedupe_key;
    assert_eq!(key(serde_json::json!({})), "t:settlement:200:accept:");
    assert_eq!(key(serde_json::json!({ "status_code": "201" })), "t:settlement:201:accept:");
    assert_eq!(key(serde_json::json!({ "fraud_status": null })), "t:settlement:200::");
    assert_eq!(key(serde_json::json!({ "refund_key": "r1" })), "t:settlement:200:accept:r1");
}

#[test]
fn numbers_and_nulls_are_read_and_what_can_not_be_read_is_said_so() {
    let odd = serde_json::json!({
        "status_code": 200, "gross_amount": 5539, "transaction_id": null, "fraud_status": null, "currency": null,
        "refunds": null, "refund_amount": null,
    });
    let report = told(odd).unwrap().report;
    assert_eq!((report.status, report.amount), (PaymentStatus::Paid, Some(Rupiah::new(5_539))));
    for unreadable in [
        serde_json::json!({ "transaction_status": "settled" }),
        serde_json::json!({ "transaction_status": null }),
        serde_json::json!({ "refunds": "many" }),
        serde_json::json!({ "order_id": null }),
    ] {
        let read = told(unreadable.clone());
        assert!(matches!(read, Err(WebhookError::Unreadable { .. })), "{unreadable}: {read:?}");
    }
    let amounts = |json| signed_amounts(&json);
    assert_eq!(amounts(serde_json::json!("5539.00")), Some(vec!["5539.00".to_owned()]));
    let forms = ["5539.00", "5539", "5539.0"].map(str::to_owned).to_vec();
    assert_eq!(amounts(serde_json::json!(5539.0)), Some(forms));
    assert_eq!(amounts(serde_json::json!(null)), None);
}

#[test]
fn what_was_taken_back_is_told_by_its_name_and_amount() {
    let taken = |changes| {
        let report = told(changes).unwrap().report;
        assert_eq!(report.status, PaymentStatus::Paid);
        let named = |r: &Reversal| (r.name.clone(), r.kind, r.amount.map(Rupiah::get));
        report.reversals.iter().map(named).collect::<Vec<_>>()
    };
    let refund =
        serde_json::json!({ "refund_key": "k", "refund_amount": "39.00", "refund_chargeback_id": 7 });
    let chargeback = serde_json::json!({ "refund_amount": 500, "refund_chargeback_id": 8 });
    assert_eq!(
        taken(serde_json::json!({ "transaction_status": "partial_refund", "refunds": [refund] })),
        [("k".to_owned(), ReversalKind::Refund, Some(39))]
    );
    let both =
        serde_json::json!({ "transaction_status": "partial_chargeback", "refunds": [refund, chargeback] });
    assert_eq!(
        taken(both),
        [
            ("k".to_owned(), ReversalKind::Refund, Some(39)),
            ("8".to_owned(), ReversalKind::Chargeback, Some(500))
        ]
    );
    let bare = serde_json::json!({ "transaction_status": "chargeback", "refund_amount": "5539.00" });
    assert_eq!(taken(bare), [("chargeback".to_owned(), ReversalKind::Chargeback, Some(5_539))]);
    assert_eq!(taken(serde_json::json!({})), []);
}

fn answered(status: u16, body: &str, effect: Effect) -> GatewayError {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
    let status = StatusCode::from_u16(status).unwrap();
    verdict(&http::Answer { status, headers, body: body.into() }, effect).unwrap_err()
}

#[test]
fn refusals_are_sorted_by_what_is_known_of_the_money() {
    use GatewayFailure::{Refused, Retryable, Unknown};
    let retry_after = Some(Duration::from_secs(7));
    for (code, class) in [
        ("400", Refused),
        ("401", Refused),
        ("402", Refused),
        ("404", Refused),
        ("412", Refused),
        ("406", Unknown { retry_after: None }),
        ("409", Unknown { retry_after }),
        ("429", Retryable { retry_after }),
        ("500", Unknown { retry_after }),
        ("505", Unknown { retry_after }),
        ("999", Unknown { retry_after }),
    ] {
        let body = format!(r#"{{"status_code":"{code}","status_message":"words"}}"#);
        // The vendor's verdict counts, whatever the HTTP status says.
        for status in [200, 400, 503] {
            assert_eq!(answered(status, &body, Effect::Changes).class(), class, "{code}");
        }
    }
    let poor = r#"{"status_code":"414","status_message":"Insufficient balance"}"#;
    assert_eq!(answered(414, poor, Effect::Changes).class(), Retryable { retry_after });
    let done = r#"{"status_code":"200","status_message":"words"}"#;
    assert_eq!(answered(502, done, Effect::Changes).class(), Unknown { retry_after });
}

#[test]
fn without_the_vendors_envelope_nothing_is_certain() {
    let retry_after = Some(Duration::from_secs(7));
    for status in [200, 400, 401, 403, 404, 409, 412, 429, 500, 502, 503] {
        for page in ["<html>Bad gateway", "{}", r#"{"error":"no such page","code":404}"#, ""] {
            let changing = answered(status, page, Effect::Changes).class();
            assert_eq!(changing, GatewayFailure::Unknown { retry_after }, "{status} {page}");
            let reading = answered(status, page, Effect::None).class();
            assert_eq!(reading, GatewayFailure::Retryable { retry_after }, "{status} {page}");
        }
    }
}

#[test]
fn a_fee_of_the_payers_is_told_from_what_was_charged_if_the_parts_add_up() {
    let fee = |gross: &str, info: &str| {
        let body = format!(
            r#"{{"status_code":"200","transaction_status":"settlement","gross_amount":"{gross}","metadata":{info}}}"#
        );
        let report = report(serde_json::from_str(&body).unwrap());
        (report.amount.map(Rupiah::get), report.payer_fee.map(Rupiah::get))
    };
    let info = |original: &str, fee: &str| {
        format!(
            r#"{{"note":1,"extra_info":{{"gross_amount_info":{{"original_amount":{original},"gross_amount":"10071",
            "customer_imposed_payment_fee":{fee}}}}}}}"#
        )
    };
    for (original, told) in [(r#""10000""#, r#""71""#), ("10000", "71.00"), (r#""10000.00""#, "71")] {
        assert_eq!(fee("10071.00", &info(original, told)), (Some(10_071), Some(71)), "{original} {told}");
    }
    for (original, told) in [
        (r#""10000""#, r#""70""#),
        (r#""10071""#, r#""0""#),
        (r#""10072""#, r#""-1""#),
        ("null", "71"),
        ("{}", "[]"),
    ] {
        assert_eq!(fee("10071.00", &info(original, told)), (Some(10_071), None), "{original} {told}");
    }
    for other in ["null", "{}", "[]", r#""words""#, r#"{"extra_info":7}"#] {
        assert_eq!(fee("10071.00", other), (Some(10_071), None), "{other}");
    }
    assert_eq!(fee("10071.50", &info(r#""10000""#, r#""71""#)), (None, None));
}
