//! Midtrans' words ↔ ours.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, Evidence, PaymentMethod, PaymentStatus},
    dispute::{Reversal, ReversalKind},
    gateway::{About, GatewayReport, Instructions, WebhookEvent},
    money::CURRENCY,
};
use serde_json::Value;
use sha2::{Digest, Sha512};

use super::{
    SLUG,
    types::{Answer, BankTransfer, ChargeRequest, CustomExpiry, EChannel, Qris, TransactionDetails},
};
use crate::{
    http::{self, Effect},
    payments::{Charge, GatewayError, Refund, Refunded, WebhookError, wire_amount::rupiah},
};

/// How the order ids begin that the dashboard tries a notification URL out with.
pub(super) const TEST_PREFIX: &str = "payment_notif_test";

/// Every `transaction_status` that the vendor documents.
const STATUSES: &[&str] = &[
    "authorize",
    "capture",
    "settlement",
    "pending",
    "deny",
    "cancel",
    "expire",
    "failure",
    "refund",
    "partial_refund",
    "chargeback",
    "partial_chargeback",
];

/// Jakarta, UTC+7, the zone of every time Midtrans writes.
const JAKARTA_SECONDS_EAST: i32 = 7 * 3_600;

pub(super) fn charge_request(charge: &Charge) -> Result<ChargeRequest<'_>, GatewayError> {
    let mut request = ChargeRequest {
        payment_type: "bank_transfer",
        transaction_details: TransactionDetails {
            order_id: &charge.gateway_order_id,
            gross_amount: charge.amount.get(),
        },
        custom_expiry: CustomExpiry {
            expiry_duration: charge.pay_within.as_secs().div_ceil(60).max(1),
            unit: "minute",
        },
        qris: None,
        bank_transfer: None,
        echannel: None,
    };
    match (charge.method, charge.bank) {
        (PaymentMethod::Qris, None) => {
            request.payment_type = "qris";
            request.qris = Some(Qris { acquirer: "gopay" });
        }
        (PaymentMethod::VirtualAccount, Some(Bank::Mandiri)) => {
            request.payment_type = "echannel";
            request.echannel = Some(EChannel { bill_info1: "Payment for:", bill_info2: "WeBrana Cloud" });
        }
        (PaymentMethod::VirtualAccount, Some(bank)) => {
            request.bank_transfer = Some(BankTransfer { bank: bank_word(bank) });
        }
        (method, _) => {
            return Err(GatewayError::Refused {
                gateway: SLUG,
                code: "unsupported".to_owned(),
                message: format!("{method} is not paid through a gateway in this way"),
            });
        }
    }
    Ok(request)
}

const fn bank_word(bank: Bank) -> &'static str {
    match bank {
        Bank::Bca => "bca",
        Bank::Bni => "bni",
        Bank::Bri => "bri",
        Bank::Permata => "permata",
        Bank::Mandiri => "mandiri",
    }
}

/// Reads a charge that was accepted. One without the means to pay is left open: the attempt exists, but nobody can
/// be told how to pay it.
pub(super) fn instructions(charge: &Charge, answer: Answer) -> Result<Instructions, GatewayError> {
    if is_report(&answer) {
        return Err(refused("202", message_of(&answer)));
    }
    let instructions = instructions_of(answer);
    let payable = match (charge.method, charge.bank) {
        (PaymentMethod::Qris, _) => instructions.qr_string.is_some(),
        (_, Some(Bank::Mandiri)) => instructions.bill_key.is_some() && instructions.biller_code.is_some(),
        _ => instructions.va_number.is_some(),
    };
    if payable && !instructions.transaction_id.is_empty() {
        Ok(instructions)
    } else {
        let message = "the charge was accepted without saying how to pay it".to_owned();
        Err(GatewayError::open(SLUG, Effect::Changes, message, None))
    }
}

fn instructions_of(answer: Answer) -> Instructions {
    let va_number =
        answer.permata_va_number.or_else(|| answer.va_numbers?.into_iter().next().map(|va| va.va_number));
    Instructions {
        transaction_id: answer.transaction_id.unwrap_or_default(),
        qr_string: answer.qr_string,
        va_number,
        bill_key: answer.bill_key,
        biller_code: answer.biller_code,
        expires_at: answer.expiry_time.as_deref().and_then(jakarta_time),
    }
}

fn jakarta_time(text: &str) -> Option<DateTime<Utc>> {
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    let zone = FixedOffset::east_opt(JAKARTA_SECONDS_EAST)?;
    local.and_local_timezone(zone).single().map(|time| time.to_utc())
}

pub(super) fn report(answer: Answer) -> GatewayReport {
    let amount = answer.gross_amount.as_deref().and_then(|amount| rupiah(amount, answer.currency.as_deref()));
    let report = GatewayReport {
        transaction_id: answer.transaction_id.clone(),
        status: status(&answer),
        amount,
        payer_fee: amount.and_then(|gross| payer_fee(&answer, gross)),
        amount_as_received: format!(
            "{} {}",
            answer.gross_amount.as_deref().unwrap_or_default(),
            answer.currency.as_deref().unwrap_or(CURRENCY)
        ),
        reversals: reversals(&answer),
        instructions: Instructions::default(),
    };
    GatewayReport { instructions: instructions_of(answer), ..report }
}

/// The fee that the vendor made the payer pay on top (its "automatic fee imposition"), if the parts it names make up the
/// amount.
fn payer_fee(said: &Answer, gross: Rupiah) -> Option<Rupiah> {
    let parts = said.metadata.pointer("/extra_info/gross_amount_info")?;
    let part = |name: &str| match parts.get(name)? {
        Value::String(text) => rupiah(text, None),
        Value::Number(number) => rupiah(&number.to_string(), None),
        _ => None,
    };
    let (charged, fee) = (part("original_amount")?, part("customer_imposed_payment_fee")?);
    (fee > Rupiah::ZERO && charged.plus(fee) == Ok(gross)).then_some(fee)
}

/// What was taken back: each refund and chargeback that is listed, and the one that the status tells of if none is.
fn reversals(said: &Answer) -> Vec<Reversal> {
    let word = said.transaction_status.as_deref().unwrap_or_default();
    let is_chargeback = matches!(word, "chargeback" | "partial_chargeback");
    if !is_chargeback && !matches!(word, "refund" | "partial_refund") {
        return Vec::new();
    }
    let mut told: Vec<Reversal> = said
        .refunds
        .iter()
        .enumerate()
        .map(|(place, refund)| Reversal {
            name: (refund.refund_key.clone())
                .or_else(|| refund.refund_chargeback_id.clone())
                .unwrap_or_else(|| format!("{word}/{place}")),
            // Only refunds are asked for, so only they have a key.
            kind: if is_chargeback && refund.refund_key.is_none() {
                ReversalKind::Chargeback
            } else {
                ReversalKind::Refund
            },
            refund_key: refund.refund_key.clone(),
            amount: refund.refund_amount.as_deref().and_then(|amount| rupiah(amount, None)),
            amount_as_received: refund.refund_amount.clone().unwrap_or_default(),
        })
        .collect();
    let kind = if is_chargeback { ReversalKind::Chargeback } else { ReversalKind::Refund };
    if !told.iter().any(|reversal| reversal.kind == kind) {
        // The total says how much, if nothing else was taken back.
        let total = said.refund_amount.clone().filter(|_| told.is_empty());
        told.push(Reversal {
            name: said.refund_key.clone().unwrap_or_else(|| word.to_owned()),
            kind,
            refund_key: said.refund_key.clone(),
            amount: total.as_deref().and_then(|amount| rupiah(amount, None)),
            amount_as_received: total.unwrap_or_default(),
        });
    }
    told
}

/// Refuses what the vendor has no way back for.
pub(super) fn refundable(refund: &Refund<'_>) -> Result<(), GatewayError> {
    if refund.method == PaymentMethod::Qris {
        return Ok(());
    }
    let message = format!("what was paid by {} can't be given back through it", refund.method);
    Err(GatewayError::Unsupported { gateway: SLUG, message })
}

pub(super) fn refunded(answer: &Answer) -> Refunded {
    Refunded {
        refund_id: answer.refund_chargeback_id.clone(),
        amount: answer.refund_amount.as_deref().and_then(|amount| rupiah(amount, None)),
        is_final: true,
    }
}

/// The refund of that key among those a transaction has.
pub(super) fn earlier_refund(answer: &Answer, asked: &Refund<'_>) -> Option<Refunded> {
    let found =
        answer.refunds.iter().find(|refund| refund.refund_key.as_deref() == Some(asked.refund_key))?;
    Some(Refunded {
        refund_id: found.refund_chargeback_id.clone(),
        amount: found.refund_amount.as_deref().and_then(|amount| rupiah(amount, None)),
        is_final: true,
    })
}

/// Reads a webhook event, behind whose content stands `evidence`.
pub(super) fn webhook_event(body: &[u8], evidence: Option<Evidence>) -> Result<WebhookEvent, WebhookError> {
    #[derive(serde::Deserialize)]
    struct Body {
        order_id: String,
        #[serde(flatten)]
        said: Answer,
    }
    let Body { order_id, said } = serde_json::from_slice(body).map_err(WebhookError::unread)?;
    let word = said.transaction_status.as_deref().unwrap_or_default();
    if !STATUSES.contains(&word) {
        return Err(WebhookError::unreadable(format!("its transaction_status is `{word}`")));
    }
    let refund_key = said.refund_key.as_ref().or_else(|| said.refunds.last()?.refund_key.as_ref());
    // Midtrans numbers no events. Whatever decides what one means tells two of them apart.
    let dedupe_key = [
        said.transaction_id.as_deref(),
        Some(word),
        said.status_code.as_deref(),
        said.fraud_status.as_deref(),
        refund_key.map(String::as_str),
    ]
    .map(Option::unwrap_or_default)
    .join(":");
    Ok(WebhookEvent {
        gateway: SLUG,
        about: About::Attempt(order_id),
        dedupe_key,
        report: report(said),
        evidence,
        body: body.to_vec(),
    })
}

/// Paid needs all three signs; an attempt is closed by four words; all else is still pending. What was taken back was paid
/// before.
fn status(said: &Answer) -> PaymentStatus {
    match said.transaction_status.as_deref().unwrap_or_default() {
        "settlement" | "capture" | "refund" | "partial_refund" | "chargeback" | "partial_chargeback"
            if said.status_code.as_deref() == Some("200")
                && matches!(said.fraud_status.as_deref(), None | Some("accept")) =>
        {
            PaymentStatus::Paid
        }
        "deny" | "failure" => PaymentStatus::Denied,
        "expire" => PaymentStatus::Expired,
        "cancel" => PaymentStatus::Cancelled,
        _ => PaymentStatus::Pending,
    }
}

/// What the vendor may have signed as the amount: the text as received; of a number, the forms that the vendor writes.
pub(super) fn signed_amounts(gross_amount: &Value) -> Option<Vec<String>> {
    match gross_amount {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text.strip_suffix(".0").unwrap_or(&text).to_owned();
            Some(vec![format!("{whole}.00"), whole, text])
        }
        _ => None,
    }
}

/// The signature Midtrans puts onto a webhook event: SHA-512 in lower-case hex over the strings as received.
pub(super) fn signature(order_id: &str, status_code: &str, gross_amount: &str, server_key: &str) -> String {
    let digest = Sha512::new()
        .chain_update(order_id)
        .chain_update(status_code)
        .chain_update(gross_amount)
        .chain_update(server_key)
        .finalize();
    format!("{digest:x}")
}

/// A success, by the vendor's verdict in the vendor's envelope: some errors come with HTTP 200, and a page of a proxy
/// has no verdict at all.
pub(super) fn verdict(raw: &http::Answer, effect: Effect) -> Result<Answer, GatewayError> {
    let retry_after = http::retry_after(&raw.headers);
    let answer = serde_json::from_slice::<Answer>(&raw.body).unwrap_or_default();
    let Some(code) = answer.status_code.as_deref() else {
        let message = format!("HTTP {} without the vendor's own words", raw.status);
        return Err(GatewayError::open(SLUG, effect, message, retry_after));
    };
    if raw.status.is_success() && matches!(code, "200" | "201") || is_report(&answer) {
        return Ok(answer);
    }
    Err(refusal(code, message_of(&answer), effect, retry_after))
}

/// A closed attempt is reported with a code that would be an error elsewhere: 202 for denied, 407 for expired.
fn is_report(answer: &Answer) -> bool {
    answer.transaction_status.is_some() && matches!(answer.status_code.as_deref(), Some("202" | "407"))
}

/// A success that tells of a transaction; nothing can be read out of another one.
pub(super) fn transaction(answer: Answer) -> Result<Answer, GatewayError> {
    if answer.transaction_status.is_some() {
        return Ok(answer);
    }
    let message = "the answer names no transaction".to_owned();
    Err(GatewayError::open(SLUG, Effect::None, message, None))
}

fn message_of(answer: &Answer) -> String {
    let mut message = answer.status_message.clone().unwrap_or_else(|| "no reason given".to_owned());
    for reason in answer.validation_messages.iter().flatten() {
        message.push_str("; ");
        message.push_str(reason);
    }
    message
}

/// Sorts the vendor's verdict: <https://docs.midtrans.com/reference/code-statuses>.
fn refusal(code: &str, message: String, effect: Effect, retry_after: Option<Duration>) -> GatewayError {
    match code {
        "401" | "403" => GatewayError::Credentials { gateway: SLUG, message },
        "404" => GatewayError::NotFound { gateway: SLUG },
        "406" => GatewayError::Duplicate { gateway: SLUG },
        "429" => GatewayError::NotNow { gateway: SLUG, message, retry_after, source: None },
        // Our balance there does not cover a refund just now.
        "414" if message.to_lowercase().contains("insufficient") => {
            GatewayError::NotNow { gateway: SLUG, message, retry_after, source: None }
        }
        "202" => refused(code, message),
        // With 409 the same request is under way.
        code if code.starts_with('4') && code != "409" => refused(code, message),
        _ => GatewayError::open(SLUG, effect, format!("status {code}: {message}"), retry_after),
    }
}

fn refused(code: &str, message: String) -> GatewayError {
    GatewayError::Refused { gateway: SLUG, code: code.to_owned(), message }
}

#[cfg(test)]
mod tests;
