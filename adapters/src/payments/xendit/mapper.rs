//! Xendit's words ↔ ours.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentStatus},
    money::CURRENCY,
};
use reqwest::StatusCode;
use serde_json::Number;

use super::types::{
    CreateProperties, CreateRequest, ErrorAnswer, Payment, PaymentRequest, Refund as WireRefund, Webhook,
};
use crate::{
    http,
    payments::{
        Charge, GatewayError, Instructions, Notification, Refund, Refunded, Report, WebhookError,
        wire_amount::rupiah,
    },
};

/// What Xendit is called in the database, in URLs and in logs.
pub(super) const SLUG: &str = "xendit";

/// Indonesia, the only country we sell in.
const COUNTRY: &str = "ID";

/// What customers read at their bank.
const DISPLAY_NAME: &str = "WeBrana Cloud";

/// The events that tell of payments: <https://docs.xendit.co/docs/payments-api-webhooks>.
const EVENTS: &[&str] = &[
    "payment.capture",
    "payment.authorization",
    "payment.failure",
    "payment.expiry",
    "payment_request.expiry",
];

pub(super) fn create_request(charge: &Charge, now: DateTime<Utc>) -> Result<CreateRequest<'_>, GatewayError> {
    let channel_code = match (charge.method, charge.bank) {
        (PaymentMethod::Qris, None) => "QRIS",
        (PaymentMethod::VirtualAccount, Some(bank)) => virtual_account(bank),
        (method, _) => {
            let message = format!("{method} is not paid through a gateway in this way");
            return Err(GatewayError::Unsupported { gateway: SLUG, message });
        }
    };
    let minutes = i64::try_from(charge.pay_within.as_secs().div_ceil(60).max(1)).unwrap_or(i64::MAX);
    let expires_at = TimeDelta::try_minutes(minutes).and_then(|lasts| now.checked_add_signed(lasts));
    Ok(CreateRequest {
        reference_id: &charge.gateway_order_id,
        kind: "PAY",
        country: COUNTRY,
        currency: CURRENCY,
        request_amount: charge.amount.get(),
        capture_method: "AUTOMATIC",
        channel_code,
        channel_properties: CreateProperties {
            expires_at: expires_at.unwrap_or(now).to_rfc3339_opts(SecondsFormat::Secs, true),
            display_name: charge.bank.is_some().then_some(DISPLAY_NAME),
        },
    })
}

const fn virtual_account(bank: Bank) -> &'static str {
    match bank {
        Bank::Bca => "BCA_VIRTUAL_ACCOUNT",
        Bank::Bni => "BNI_VIRTUAL_ACCOUNT",
        Bank::Bri => "BRI_VIRTUAL_ACCOUNT",
        Bank::Mandiri => "MANDIRI_VIRTUAL_ACCOUNT",
        Bank::Permata => "PERMATA_VIRTUAL_ACCOUNT",
    }
}

/// Reads a payment request that was made. One without the means to pay is left open: it exists, but nobody can be
/// told how to pay it.
pub(super) fn created(charge: &Charge, answer: &PaymentRequest) -> Result<Instructions, GatewayError> {
    let instructions = instructions(answer);
    let payable = match charge.method {
        PaymentMethod::Qris => instructions.qr_string.is_some(),
        _ => instructions.va_number.is_some(),
    };
    if payable && !instructions.transaction_id.is_empty() {
        Ok(instructions)
    } else {
        Err(ambiguous("the payment request was accepted without saying how to pay it"))
    }
}

fn instructions(answer: &PaymentRequest) -> Instructions {
    let shown = |descriptor: &str| {
        let action = answer.actions.iter().find(|action| action.descriptor == descriptor)?;
        Some(action.value.clone())
    };
    let properties = &answer.channel_properties;
    Instructions {
        transaction_id: answer.payment_request_id.clone(),
        qr_string: shown("QR_STRING"),
        va_number: shown("VIRTUAL_ACCOUNT_NUMBER").or_else(|| properties.virtual_account_number.clone()),
        bill_key: None,
        biller_code: None,
        expires_at: properties.expires_at.as_deref().and_then(time),
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// What a payment request and its payment, if there is one, say together: a request that succeeded is worth what was
/// captured.
pub(super) fn report(request: &PaymentRequest, payment: Option<&Payment>) -> Report {
    let requested = Money { amount: request.request_amount.as_ref(), currency: request.currency.as_deref() };
    let (said, money) = match payment {
        Some(payment) => (status(&payment.status), captured(payment)),
        None => (status(&request.status), requested.read()),
    };
    Report {
        transaction_id: Some(request.payment_request_id.clone()),
        // A request says more about its end than the last attempt to pay it.
        status: if status(&request.status) == PaymentStatus::Paid { said } else { status(&request.status) },
        amount: money.0,
        amount_as_received: money.1,
        instructions: instructions(request),
    }
}

/// Only explicit words are final; all else is still pending.
fn status(word: &str) -> PaymentStatus {
    match word {
        "SUCCEEDED" => PaymentStatus::Paid,
        "FAILED" => PaymentStatus::Denied,
        "EXPIRED" => PaymentStatus::Expired,
        "CANCELED" => PaymentStatus::Cancelled,
        _ => PaymentStatus::Pending,
    }
}

/// An amount as it came.
struct Money<'a> {
    amount: Option<&'a Number>,
    currency: Option<&'a str>,
}

impl Money<'_> {
    /// In rupiah if it is, and in words.
    fn read(&self) -> (Option<Rupiah>, String) {
        let text = self.amount.map(Number::to_string).unwrap_or_default();
        (rupiah(&text, self.currency), format!("{text} {}", self.currency.unwrap_or(CURRENCY)))
    }
}

/// What was captured of a payment, in one or more parts; what was asked for when it says nothing of parts.
fn captured(payment: &Payment) -> (Option<Rupiah>, String) {
    let currency = payment.currency.as_deref();
    if payment.captures.is_empty() {
        return Money { amount: payment.request_amount.as_ref(), currency }.read();
    }
    let parts =
        payment.captures.iter().map(|capture| Money { amount: Some(&capture.capture_amount), currency });
    let (amounts, words): (Vec<_>, Vec<_>) = parts.map(|part| part.read()).unzip();
    let sum = amounts.into_iter().try_fold(Rupiah::ZERO, |sum, part| sum.plus(part?).ok());
    (sum, words.join(" + "))
}

/// Reads a webhook. It is no proof of what it says.
pub(super) fn notification(webhook: Webhook) -> Result<Notification, WebhookError> {
    if !EVENTS.contains(&webhook.event.as_str()) {
        return Err(WebhookError::Irrelevant(webhook.event));
    }
    let payment: Payment =
        serde_json::from_value(webhook.data).map_err(|error| WebhookError::Malformed(error.to_string()))?;
    if payment.reference_id.is_empty() || payment.payment_request_id.is_empty() {
        return Err(WebhookError::Malformed("it names no payment request".to_owned()));
    }
    let requested = Money { amount: payment.request_amount.as_ref(), currency: payment.currency.as_deref() };
    let (amount, amount_as_received) = requested.read();
    let about = payment.payment_id.as_ref().unwrap_or(&payment.payment_request_id);
    Ok(Notification {
        dedupe_key: format!("{}:{about}", webhook.event),
        report: Report {
            transaction_id: Some(payment.payment_request_id.clone()),
            status: status(&payment.status),
            amount,
            amount_as_received,
            instructions: Instructions::default(),
        },
        gateway_order_id: payment.reference_id,
        is_proof: false,
    })
}

/// Refuses what the vendor has no way back for.
pub(super) fn refundable(refund: &Refund<'_>) -> Result<(), GatewayError> {
    if refund.method == PaymentMethod::Qris {
        return Ok(());
    }
    let message = format!("what was paid by {} can't be given back through it", refund.method);
    Err(GatewayError::Unsupported { gateway: SLUG, message })
}

pub(super) fn refunded(answer: WireRefund) -> Result<Refunded, GatewayError> {
    if answer.status == "FAILED" {
        let code = answer.failure_code.unwrap_or_else(|| answer.status.clone());
        let message = "the refund failed".to_owned();
        return Err(GatewayError::Refused { gateway: SLUG, code, message });
    }
    let money = Money { amount: answer.amount.as_ref(), currency: answer.currency.as_deref() };
    Ok(Refunded {
        amount: money.read().0,
        is_final: answer.status == "SUCCEEDED",
        refund_id: (!answer.id.is_empty()).then_some(answer.id),
    })
}

/// Sorts an answer that is not a success.
pub(super) fn refusal(status: StatusCode, answer: ErrorAnswer) -> GatewayError {
    let message = answer.message.unwrap_or_else(|| "no reason given".to_owned());
    let code = answer.error_code.unwrap_or_else(|| status.as_u16().to_string());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            GatewayError::Credentials { gateway: SLUG, message }
        }
        StatusCode::NOT_FOUND => GatewayError::NotFound { gateway: SLUG },
        _ if code == "DUPLICATE_ERROR" => GatewayError::Duplicate { gateway: SLUG },
        _ if status.is_client_error() => GatewayError::Refused { gateway: SLUG, code, message },
        _ => ambiguous(&format!("status {status}: {code}: {message}")),
    }
}

/// Sorts trouble on the wire: without a connection nothing was sent.
pub(super) fn transport(error: reqwest::Error) -> GatewayError {
    let sent = http::may_have_been_sent(&error);
    let message = http::describe(error);
    if sent { ambiguous(&message) } else { GatewayError::Unreachable { gateway: SLUG, message } }
}

pub(super) fn ambiguous(message: &str) -> GatewayError {
    GatewayError::Ambiguous { gateway: SLUG, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

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
    fn each_method_is_asked_for_in_its_own_way() {
        let now = time("2026-11-24T06:00:00Z").unwrap();
        let asked =
            |method, bank| serde_json::to_value(create_request(&charge(method, bank), now).unwrap()).unwrap();
        let qris = asked(PaymentMethod::Qris, None);
        assert_eq!((&qris["channel_code"], &qris["request_amount"]), (&json!("QRIS"), &json!(55_390)));
        assert_eq!(qris["channel_properties"], json!({ "expires_at": "2026-11-24T06:02:00Z" }));
        for bank in Bank::ALL {
            let va = asked(PaymentMethod::VirtualAccount, Some(*bank));
            assert_eq!(va["channel_code"], format!("{bank}_VIRTUAL_ACCOUNT"));
            assert_eq!(va["channel_properties"]["display_name"], DISPLAY_NAME);
        }
        assert!(create_request(&charge(PaymentMethod::ManualTransfer, None), now).is_err());
    }

    #[test]
    fn a_payment_request_nobody_can_pay_is_left_open() {
        let answer = PaymentRequest { payment_request_id: "pr-1".to_owned(), ..PaymentRequest::default() };
        assert!(created(&charge(PaymentMethod::Qris, None), &answer).unwrap_err().is_ambiguous());
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
        let read = |event: &str, data| notification(Webhook { event: event.to_owned(), data });
        let data = json!({
            "payment_id": "py-1", "payment_request_id": "pr-1", "reference_id": "WB-1", "status": "SUCCEEDED",
            "request_amount": 5539, "currency": "IDR", "channel_code": "QRIS",
        });
        let told = read("payment.capture", data.clone()).unwrap();
        assert_eq!(
            (told.dedupe_key.as_str(), told.gateway_order_id.as_str()),
            ("payment.capture:py-1", "WB-1")
        );
        assert!(!told.is_proof);
        assert!(matches!(read("refund.succeeded", data), Err(WebhookError::Irrelevant(_))));
        for nameless in [json!({}), json!(null), json!({ "reference_id": "WB-1" })] {
            assert!(matches!(read("payment.capture", nameless), Err(WebhookError::Malformed(_))));
        }
    }

    #[test]
    fn refusals_are_sorted_by_what_is_known_of_the_money() {
        let sorted = |status: u16, code: &str| {
            let answer = ErrorAnswer { error_code: Some(code.to_owned()), message: None };
            refusal(StatusCode::from_u16(status).unwrap(), answer)
        };
        assert!(matches!(sorted(401, "INVALID_API_KEY"), GatewayError::Credentials { .. }));
        assert!(matches!(sorted(404, "DATA_NOT_FOUND"), GatewayError::NotFound { .. }));
        assert!(matches!(sorted(409, "DUPLICATE_ERROR"), GatewayError::Duplicate { .. }));
        assert!(matches!(sorted(409, "OTHER"), GatewayError::Refused { .. }));
        assert!(matches!(sorted(400, "API_VALIDATION_ERROR"), GatewayError::Refused { .. }));
        assert!(sorted(503, "CHANNEL_UNAVAILABLE").is_ambiguous());
    }
}
