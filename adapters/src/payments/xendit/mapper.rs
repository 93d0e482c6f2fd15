//! Xendit's words ↔ ours.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentStatus},
    dispute::{Reversal, ReversalKind},
    gateway::{About, GatewayReport, Instructions, WebhookEvent},
    money::CURRENCY,
};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::{
    SLUG,
    types::{
        CreateProperties, CreateRequest, ErrorAnswer, Payment, PaymentRequest, Refund as WireRefund, Webhook,
    },
};
use crate::{
    http::{self, Effect},
    payments::{Charge, GatewayError, Refund, Refunded, WebhookError, wire_amount::rupiah},
};

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

/// The event that tells of money given back, by whoever asked for it.
const REFUND: &str = "refund.succeeded";

/// How the events begin that move no payment of ours: what we don't use, and refunds that came to nothing.
const HARMLESS: &[&str] = &["refund.failed", "payment_token.", "payment_session.", "payment_method."];

pub(super) fn create_request(charge: &Charge, now: DateTime<Utc>) -> Result<CreateRequest<'_>, GatewayError> {
    let channel_code = match (charge.method, charge.bank) {
        (PaymentMethod::Qris, None) => "QRIS",
        (PaymentMethod::VirtualAccount, Some(bank)) => virtual_account(bank),
        (method, _) => {
            let message = format!("{method} is not paid through a gateway in this way");
            return Err(GatewayError::Unsupported { gateway: SLUG, message });
        }
    };
    Ok(CreateRequest {
        reference_id: &charge.gateway_order_id,
        kind: "PAY",
        country: COUNTRY,
        currency: CURRENCY,
        request_amount: charge.amount.get(),
        capture_method: "AUTOMATIC",
        channel_code,
        channel_properties: CreateProperties {
            // A code lasts for as long as Xendit likes; with an end of ours it would be refused.
            expires_at: charge.bank.is_some().then(|| ends_at(charge.pay_within, now)),
            display_name: charge.bank.is_some().then_some(DISPLAY_NAME),
        },
    })
}

/// The end of an attempt in the vendor's form. Whole minutes, as the other gateways count.
fn ends_at(pay_within: Duration, now: DateTime<Utc>) -> String {
    let minutes = i64::try_from(pay_within.as_secs().div_ceil(60).max(1)).unwrap_or(i64::MAX);
    let end = TimeDelta::try_minutes(minutes).and_then(|lasts| now.checked_add_signed(lasts));
    end.unwrap_or(now).to_rfc3339_opts(SecondsFormat::Secs, true)
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
        let message = "the payment request was accepted without saying how to pay it".to_owned();
        Err(GatewayError::open(SLUG, Effect::Changes, message, None))
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
pub(super) fn report(request: &PaymentRequest, payment: Option<&Payment>) -> GatewayReport {
    let requested =
        Money { amount: request.request_amount.as_deref(), currency: request.currency.as_deref() };
    let (said, money) = match payment {
        Some(payment) => (status(&payment.status), captured(payment)),
        None => (status(&request.status), requested.read()),
    };
    GatewayReport {
        transaction_id: Some(request.payment_request_id.clone()),
        // A request says more about its end than the last attempt to pay it.
        status: if status(&request.status) == PaymentStatus::Paid { said } else { status(&request.status) },
        amount: money.0,
        payer_fee: None,
        amount_as_received: money.1,
        reversals: Vec::new(),
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
    amount: Option<&'a str>,
    currency: Option<&'a str>,
}

impl Money<'_> {
    /// In rupiah if it is, and in words.
    fn read(&self) -> (Option<Rupiah>, String) {
        let text = self.amount.unwrap_or_default();
        (rupiah(text, self.currency), format!("{text} {}", self.currency.unwrap_or(CURRENCY)))
    }
}

/// What was captured of a payment, in one or more parts; what was asked for when it says nothing of parts.
fn captured(payment: &Payment) -> (Option<Rupiah>, String) {
    let currency = payment.currency.as_deref();
    if payment.captures.is_empty() {
        return Money { amount: payment.request_amount.as_deref(), currency }.read();
    }
    let parts =
        payment.captures.iter().map(|capture| Money { amount: capture.capture_amount.as_deref(), currency });
    let (amounts, words): (Vec<_>, Vec<_>) = parts.map(|part| part.read()).unzip();
    let sum = amounts.into_iter().try_fold(Rupiah::ZERO, |sum, part| sum.plus(part?).ok());
    (sum, words.join(" + "))
}

/// Reads a webhook. It is no proof of what it says.
pub(super) fn webhook_event(webhook: Webhook, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
    if webhook.event == REFUND {
        return refund_event(webhook, body);
    }
    if HARMLESS.iter().any(|harmless| webhook.event.starts_with(harmless)) {
        return Err(WebhookError::Irrelevant(webhook.event));
    }
    if !EVENTS.contains(&webhook.event.as_str()) {
        return Err(WebhookError::unreadable(format!("`{}` is no event we know", webhook.event)));
    }
    let payment: Payment = serde_json::from_value(webhook.data).map_err(WebhookError::unread)?;
    if payment.reference_id.is_empty() || payment.payment_request_id.is_empty() {
        return Err(WebhookError::unreadable("it names no payment request"));
    }
    let requested =
        Money { amount: payment.request_amount.as_deref(), currency: payment.currency.as_deref() };
    let (amount, amount_as_received) = requested.read();
    let about = payment.payment_id.as_ref().unwrap_or(&payment.payment_request_id);
    Ok(WebhookEvent {
        gateway: SLUG,
        // Ids of Xendit's are ours to name: two of our attempts may never share the identity of an event.
        dedupe_key: format!("{}:{}:{about}:{}", webhook.event, payment.reference_id, payment.status),
        report: GatewayReport {
            transaction_id: Some(payment.payment_request_id.clone()),
            status: status(&payment.status),
            amount,
            payer_fee: None,
            amount_as_received,
            reversals: Vec::new(),
            instructions: Instructions::default(),
        },
        about: About::Attempt(payment.reference_id),
        evidence: None,
        body: body.to_vec(),
    })
}

/// Reads a webhook about a refund. Neither its content nor what it is of is known before Xendit is asked.
fn refund_event(webhook: Webhook, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
    // Some come in a second envelope.
    let data = webhook.data.get("data").filter(|data| data.is_object()).cloned().unwrap_or(webhook.data);
    let refund: WireRefund = serde_json::from_value(data).map_err(WebhookError::unread)?;
    if refund.id.is_empty() {
        return Err(WebhookError::unreadable("it names no refund"));
    }
    let money = Money { amount: refund.amount.as_deref(), currency: refund.currency.as_deref() };
    let (_, amount_as_received) = money.read();
    Ok(WebhookEvent {
        gateway: SLUG,
        dedupe_key: format!("{REFUND}:{}", refund.id),
        report: GatewayReport {
            transaction_id: None,
            status: PaymentStatus::Paid,
            amount: None,
            payer_fee: None,
            amount_as_received,
            reversals: Vec::new(),
            instructions: Instructions::default(),
        },
        about: About::Refund(refund.id),
        evidence: None,
        body: body.to_vec(),
    })
}

/// What a refund took back, if it came about.
pub(super) fn reversal(refund: &WireRefund) -> Result<Option<Reversal>, GatewayError> {
    match refund.status.as_str() {
        "SUCCEEDED" => {}
        "FAILED" | "CANCELLED" => return Ok(None),
        other => return Err(not_told(&format!("the refund is {other}"))),
    }
    let money = Money { amount: refund.amount.as_deref(), currency: refund.currency.as_deref() };
    let (amount, amount_as_received) = money.read();
    Ok(Some(Reversal {
        name: refund.id.clone(),
        kind: ReversalKind::Refund,
        refund_key: refund.reference_id.clone(),
        amount,
        amount_as_received,
    }))
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
    let money = Money { amount: answer.amount.as_deref(), currency: answer.currency.as_deref() };
    Ok(Refunded {
        amount: money.read().0,
        is_final: answer.status == "SUCCEEDED",
        refund_id: (!answer.id.is_empty()).then_some(answer.id),
    })
}

/// A success in the vendor's shape; what a proxy wrote is neither success nor refusal.
pub(super) fn verdict<T: DeserializeOwned>(raw: &http::Answer, effect: Effect) -> Result<T, GatewayError> {
    let retry_after = http::retry_after(&raw.headers);
    let refused = if raw.status.is_success() {
        if let Ok(answer) = serde_json::from_slice(&raw.body) {
            return Ok(answer);
        }
        None
    } else {
        let envelope = serde_json::from_slice::<ErrorAnswer>(&raw.body).unwrap_or_default();
        envelope.error_code.map(|code| (code, envelope.message))
    };
    let Some((code, message)) = refused else {
        let message = format!("HTTP {} without the vendor's own words", raw.status);
        return Err(GatewayError::open(SLUG, effect, message, retry_after));
    };
    let message = message.unwrap_or_else(|| "no reason given".to_owned());
    Err(refusal(raw.status, code, message, effect, retry_after))
}

/// Codes that come with 4xx and mean that a later call may succeed: <https://docs.xendit.co/docs/error-scenarios>.
const NOT_NOW: &[&str] = &[
    "RATE_LIMIT_EXCEEDED",
    "PAYMENT_REQUEST_RATE_LIMITED",
    "TEMPORARILY_UNAVAILABLE",
    "REFUND_TEMPORARILY_UNAVAILABLE",
    // Our balance there does not cover a refund just now.
    "INSUFFICIENT_BALANCE",
];

/// Sorts the vendor's verdict.
fn refusal(
    status: StatusCode,
    code: String,
    message: String,
    effect: Effect,
    retry_after: Option<Duration>,
) -> GatewayError {
    match status {
        _ if code == "DUPLICATE_ERROR" => GatewayError::Duplicate { gateway: SLUG },
        StatusCode::TOO_MANY_REQUESTS => {
            GatewayError::NotNow { gateway: SLUG, message, retry_after, source: None }
        }
        _ if NOT_NOW.contains(&code.as_str()) => GatewayError::NotNow {
            gateway: SLUG,
            message: format!("{code}: {message}"),
            retry_after,
            source: None,
        },
        // Of one channel, not of our key.
        StatusCode::FORBIDDEN if code == "CHANNEL_NOT_ACTIVATED" => {
            GatewayError::Refused { gateway: SLUG, code, message }
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            GatewayError::Credentials { gateway: SLUG, message }
        }
        StatusCode::NOT_FOUND => GatewayError::NotFound { gateway: SLUG },
        _ if is_under_way(status, &code) || !status.is_client_error() => {
            GatewayError::open(SLUG, effect, format!("status {status}: {code}: {message}"), retry_after)
        }
        _ => GatewayError::Refused { gateway: SLUG, code, message },
    }
}

/// The same request, or the refund it asks for, is being worked on: how it ends is not known.
fn is_under_way(status: StatusCode, code: &str) -> bool {
    matches!(status, StatusCode::CONFLICT | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY)
        || code.ends_with("_IN_PROGRESS")
}

/// The vendor was only asked something, and can't tell.
pub(super) fn not_told(message: &str) -> GatewayError {
    GatewayError::NotNow { gateway: SLUG, message: message.to_owned(), retry_after: None, source: None }
}

#[cfg(test)]
mod tests;
