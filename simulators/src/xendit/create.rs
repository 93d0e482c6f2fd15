//! Payment requests: making, reading and calling them off.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State as Shared},
    http::StatusCode,
};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Sim,
    error::Error,
    payment_request::{Channel, PaymentRequest},
};
use crate::kit::gateway::{
    Outcome,
    qris::{digits, qr_string},
};

/// Longest `reference_id` the vendor takes.
const MAX_REFERENCE: usize = 255;

/// From how much to how much each channel takes at once, as the vendor documents it.
fn takes(channel_code: &str) -> std::ops::RangeInclusive<i64> {
    match channel_code {
        "QRIS" => 1..=10_000_000,
        "BCA_VIRTUAL_ACCOUNT" => 10_000..=50_000_000,
        "PERMATA_VIRTUAL_ACCOUNT" => 1..=9_999_999_999,
        _ => 1..=50_000_000_000,
    }
}

/// How long an unpaid payment request lasts when it does not say itself.
const LASTS: Duration = Duration::hours(48);

/// Banks of virtual accounts, with the digits their account numbers begin with.
const BANKS: &[(&str, &str)] = &[
    ("BCA", "11340"),
    ("BNI", "8808"),
    ("BRI", "13282"),
    ("MANDIRI", "88908"),
    ("PERMATA", "8214"),
    ("BSI", "9347"),
    ("CIMB", "93490"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    reference_id: String,
    #[serde(rename = "type")]
    kind: String,
    country: String,
    currency: String,
    request_amount: Value,
    channel_code: String,
    channel_properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Properties {
    expires_at: Option<DateTime<Utc>>,
    display_name: Option<String>,
    virtual_account_number: Option<String>,
}

/// `POST /v3/payment_requests`
pub(super) async fn create(Shared(sim): Sim, body: Bytes) -> Result<(StatusCode, Json<Value>), Error> {
    let asked: Asked =
        serde_json::from_slice(&body).map_err(|error| Error::invalid(vec![error.to_string()]))?;
    let request = read(&asked).map_err(Error::invalid)?;
    if !takes(&asked.channel_code).contains(&request.request_amount) {
        let (least, most) = takes(&asked.channel_code).into_inner();
        let message = format!("{} takes from {least} to {most}", asked.channel_code);
        return Err(Error::new(StatusCode::BAD_REQUEST, "INVALID_VALUE_ERROR", &message));
    }
    let answer = request.show();
    if sim.state().add(request) {
        Ok((StatusCode::CREATED, Json(answer)))
    } else {
        Err(Error::duplicate("reference_id"))
    }
}

/// Makes a payment request, or says everything that is wrong with it.
fn read(asked: &Asked) -> Result<PaymentRequest, Vec<String>> {
    let mut wrong = Vec::new();
    if !(1..=MAX_REFERENCE).contains(&asked.reference_id.len()) {
        wrong.push(format!("reference_id must have 1 to {MAX_REFERENCE} characters"));
    }
    for (field, value, expected) in [
        ("type", &asked.kind, "PAY"),
        ("country", &asked.country, "ID"),
        ("currency", &asked.currency, "IDR"),
    ] {
        if value != expected {
            wrong.push(format!("{field} must be {expected}"));
        }
    }
    let amount = asked.request_amount.as_i64().unwrap_or_default();
    if amount < 1 {
        wrong.push("request_amount must be a whole number, 1 or more".to_owned());
    }
    if asked.channel_code == "QRIS" && asked.channel_properties.expires_at.is_some() {
        wrong.push("expires_at is not supported by channel 'QRIS'".to_owned());
    }
    let expires_at = asked.channel_properties.expires_at.unwrap_or_else(|| Utc::now() + LASTS);
    if expires_at <= Utc::now() {
        wrong.push("channel_properties.expires_at must be in the future".to_owned());
    }
    match channel(asked, amount) {
        Ok(channel) if wrong.is_empty() => {
            Ok(PaymentRequest::new(&asked.reference_id, amount, &asked.channel_code, channel, expires_at))
        }
        Ok(_) => Err(wrong),
        Err(error) => {
            wrong.push(error);
            Err(wrong)
        }
    }
}

fn channel(asked: &Asked, amount: i64) -> Result<Channel, String> {
    if asked.channel_code == "QRIS" {
        return Ok(Channel::Qris { qr_string: qr_string(&asked.reference_id, amount) });
    }
    let bank = asked.channel_code.strip_suffix("_VIRTUAL_ACCOUNT").unwrap_or_default();
    let (_, prefix) = BANKS
        .iter()
        .find(|(name, _)| *name == bank)
        .ok_or_else(|| format!("channel_code {} is not supported", asked.channel_code))?;
    let display_name = asked.channel_properties.display_name.clone().unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || " .,'".contains(c);
    if display_name.trim().is_empty() || !display_name.chars().all(allowed) {
        return Err("channel_properties.display_name is required: letters, digits and spaces".to_owned());
    }
    let number = asked.channel_properties.virtual_account_number.clone();
    let number = number.unwrap_or_else(|| format!("{prefix}{}", digits(15 - prefix.len())));
    Ok(Channel::VirtualAccount { number, display_name })
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    reference_id: Option<String>,
}

/// `GET /v3/payment_requests?reference_id=`
pub(super) async fn list(Shared(sim): Sim, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Error> {
    let Some(reference) = wanted.reference_id else {
        return Err(Error::invalid(vec!["reference_id is required".to_owned()]));
    };
    let found: Vec<Value> = sim.state().by_reference(&reference).iter().map(PaymentRequest::show).collect();
    Ok(Json(json!({ "data": found, "has_more": false })))
}

/// `GET /v3/payment_requests/{payment_request_id}`
pub(super) async fn get(Shared(sim): Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let request = sim.state().find(|request| request.payment_request_id == id);
    Ok(Json(request.ok_or_else(|| Error::not_found("Payment request"))?.show()))
}

/// `GET /v3/payments/{payment_id}`
pub(super) async fn payment(Shared(sim): Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let request = sim.state().find(|request| request.payment.as_ref().is_some_and(|p| p.payment_id == id));
    let payment = request.and_then(|request| request.show_payment());
    Ok(Json(payment.ok_or_else(|| Error::not_found("Payment"))?))
}

/// `POST /v3/payment_requests/{payment_request_id}/cancel`
pub(super) async fn cancel(Shared(sim): Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let mut state = sim.state();
    let mut request = state
        .find(|request| request.payment_request_id == id)
        .ok_or_else(|| Error::not_found("Payment request"))?;
    if !request.is_open() {
        let message = "The payment request is in its terminal state; it can't be changed any more";
        return Err(Error::new(StatusCode::BAD_REQUEST, "INACTIVE_PAYMENT_REQUEST", message));
    }
    request.turn(Outcome::Cancel, None);
    state.save(request.clone());
    Ok(Json(request.show()))
}
