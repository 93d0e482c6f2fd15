//! Giving money back: in full or in part, once per idempotency key or reference.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::{HeaderMap, StatusCode},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    CALLBACK_TOKEN, Sim,
    error::Error,
    pay::{envelope, letter},
    payment_request::{Channel, PaymentRequest, Refund, Status},
};

const REASONS: &[&str] = &["FRAUDULENT", "DUPLICATE", "REQUESTED_BY_CUSTOMER", "CANCELLATION", "OTHERS"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    payment_request_id: String,
    reference_id: Option<String>,
    currency: Option<String>,
    /// Everything that is left, when it is not said.
    amount: Option<Value>,
    reason: String,
}

/// `POST /refunds`
pub(super) async fn create(Shared(sim): Sim, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Error> {
    let asked: Asked =
        serde_json::from_slice(&body).map_err(|error| Error::invalid(vec![error.to_string()]))?;
    let key = headers.get("idempotency-key").and_then(|h| h.to_str().ok()).map(str::to_owned);
    let mut state = sim.state();
    if let Some(answer) = earlier(state.all(), &asked, key.as_deref())? {
        return Ok(Json(answer));
    }
    let mut request = state
        .find(|request| request.payment_request_id == asked.payment_request_id)
        .ok_or_else(|| Error::not_found("Payment request"))?;
    let refund = check(&request, asked, key)?;
    request.refunds.push(refund.clone());
    state.save(request.clone());
    drop(state);
    let shown = request.show_refund(&refund);
    let body = envelope("refund.succeeded", &shown);
    sim.courier().in_background(letter(
        body,
        &request.reference_id,
        sim.credential(CALLBACK_TOKEN).to_owned(),
    ));
    let mut answer = shown;
    answer["status"] = "PENDING".into();
    Ok(Json(answer))
}

/// The same request again has the same answer; its key or reference with another request is refused.
fn earlier<'a>(
    mut all: impl Iterator<Item = &'a PaymentRequest>,
    asked: &Asked,
    key: Option<&str>,
) -> Result<Option<Value>, Error> {
    let is_same = |refund: &&Refund| {
        key.is_some_and(|key| refund.idempotency_key.as_deref() == Some(key))
            || asked.reference_id.as_ref() == Some(&refund.reference_id)
    };
    let found = all.find_map(|request| Some((request, request.refunds.iter().find(is_same)?)));
    let Some((request, refund)) = found else { return Ok(None) };
    let same_amount = asked.amount.as_ref().is_none_or(|amount| amount.as_i64() == Some(refund.amount));
    if request.payment_request_id == asked.payment_request_id && same_amount {
        Ok(Some(request.show_refund(refund)))
    } else {
        Err(Error::duplicate("idempotency-key"))
    }
}

fn check(request: &PaymentRequest, asked: Asked, idempotency_key: Option<String>) -> Result<Refund, Error> {
    let refused = |code, message| Err(Error::new(StatusCode::BAD_REQUEST, code, message));
    if !REASONS.contains(&asked.reason.as_str()) {
        return Err(Error::invalid(vec![format!("reason must be one of {}", REASONS.join(", "))]));
    }
    if asked.currency.as_deref().is_some_and(|currency| currency != "IDR") {
        return Err(Error::invalid(vec!["currency must be IDR".to_owned()]));
    }
    if !matches!(request.channel, Channel::Qris { .. }) {
        return refused("REFUND_NOT_SUPPORTED", "Refunds are not supported by this channel");
    }
    if request.status != Status::Succeeded {
        return refused("INELIGIBLE_TRANSACTION", "Only a successful payment can be refunded");
    }
    let left = request.refundable();
    let amount = match asked.amount {
        None => left,
        Some(amount) => amount
            .as_i64()
            .filter(|amount| *amount > 0)
            .ok_or_else(|| Error::invalid(vec!["amount must be a whole number, 1 or more".to_owned()]))?,
    };
    if amount > left || amount == 0 {
        return refused("MAXIMUM_REFUND_AMOUNT_REACHED", "The amount is more than what is left");
    }
    let id = format!("rfd-{}", Uuid::new_v4());
    Ok(Refund {
        reference_id: asked.reference_id.unwrap_or_else(|| id.clone()),
        id,
        idempotency_key,
        amount,
        reason: asked.reason,
        created: Utc::now(),
    })
}

/// `GET /refunds/{refund_id}`
pub(super) async fn get(Shared(sim): Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let state = sim.state();
    let found = state.all().find_map(|request| {
        let refund = request.refunds.iter().find(|refund| refund.id == id)?;
        Some(request.show_refund(refund))
    });
    Ok(Json(found.ok_or_else(|| Error::not_found("Refund"))?))
}
