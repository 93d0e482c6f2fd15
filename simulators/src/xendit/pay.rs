//! The customer pays, or does not: the payment request turns, and a webhook is written.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    CALLBACK_TOKEN, Sim, Simulator,
    error::Error,
    payment_request::{BUSINESS_ID, PaymentRequest, Refund, Status, written},
};
use crate::kit::gateway::{Amount, How, Letter, Outcome, Pay, Tamper};

/// How often the vendor tries again: six times within a day, whatever went wrong.
pub(super) const fn retries(status: Option<u16>) -> u32 {
    match status {
        Some(200..300) => 0,
        _ => 6,
    }
}

/// Turns the charge as told, and writes the notification of it.
pub(super) fn settle(sim: &Simulator, pay: &Pay) -> Option<Letter> {
    let amount = pay.amount.as_ref().map(|amount| match amount {
        Amount::Rupiah(whole) => json!(whole),
        Amount::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    });
    let request = {
        let mut state = sim.state();
        let mut request = state.by_reference(&pay.id)?;
        request.turn(pay.outcome, amount.clone());
        state.save(request.clone());
        request
    };
    let mut body = event(&request, pay.outcome);
    if let Some(amount) = amount {
        body["data"]["request_amount"] = amount;
    }
    let mut token = sim.credential(CALLBACK_TOKEN).to_owned();
    match pay.tamper {
        None => {}
        Some(Tamper::Amount) => {
            body["data"]["request_amount"] = json!(request.request_amount.saturating_add(1));
        }
        Some(Tamper::Signature) => token = token.chars().rev().chain("x".chars()).collect(),
    }
    Some(letter(body, &request.reference_id, token))
}

/// Takes money of a paid charge back, and writes the notification of it.
pub(super) fn take_back(
    sim: &Simulator,
    id: &str,
    how: How,
    amount: Option<i64>,
) -> Result<Option<Letter>, String> {
    let mut state = sim.state();
    let Some(mut request) = state.by_reference(id).filter(|found| found.status == Status::Succeeded) else {
        return Ok(None);
    };
    let body = match how {
        How::Chargeback => return Err("Xendit tells of no chargebacks of these channels".to_owned()),
        How::Withdraw(outcome) => {
            request.withdraw(outcome);
            event(&request, outcome)
        }
        How::Refund => {
            let left = request.refundable();
            let amount = amount.unwrap_or(left);
            if !(1..=left).contains(&amount) {
                return Err(format!("amount must be between 1 and {left}"));
            }
            let id = format!("rfd-{}", Uuid::new_v4());
            let refund = Refund {
                reference_id: id.clone(),
                id,
                idempotency_key: None,
                amount,
                reason: "OTHERS".to_owned(),
                created: Utc::now(),
            };
            request.refunds.push(refund.clone());
            envelope("refund.succeeded", &request.show_refund(&refund))
        }
    };
    state.save(request.clone());
    Ok(Some(letter(body, &request.reference_id, sim.credential(CALLBACK_TOKEN).to_owned())))
}

/// What the dashboard sends to try an address out.
pub(super) fn test_letter(sim: &Simulator) -> Letter {
    let reference = format!("sample-{}", Uuid::new_v4());
    let sample = json!({
        "payment_id": format!("py-{}", Uuid::new_v4()),
        "payment_request_id": format!("pr-{}", Uuid::new_v4()),
        "reference_id": reference,
        "status": "SUCCEEDED",
        "request_amount": 10_000,
        "currency": "IDR",
        "channel_code": "QRIS",
    });
    letter(envelope("payment.capture", &sample), &reference, sim.credential(CALLBACK_TOKEN).to_owned())
}

/// The webhook that tells of an outcome, whatever was told before.
fn event(request: &PaymentRequest, outcome: Outcome) -> Value {
    let (event, status) = match outcome {
        Outcome::Settlement => ("payment.capture", "SUCCEEDED"),
        Outcome::Pending => ("payment.authorization", "AUTHORIZED"),
        Outcome::Deny => ("payment.failure", "FAILED"),
        Outcome::Expire => ("payment_request.expiry", "EXPIRED"),
        Outcome::Cancel => ("payment.failure", "CANCELED"),
    };
    let payment = if outcome == Outcome::Expire { None } else { request.show_payment() };
    let mut data = payment.unwrap_or_else(|| request.show());
    data["status"] = json!(status);
    envelope(event, &data)
}

/// What every webhook is wrapped in.
pub(super) fn envelope(event: &str, data: &Value) -> Value {
    json!({
        "event": event,
        "business_id": BUSINESS_ID,
        "created": written(Utc::now()),
        "api_version": "v3",
        "data": data,
    })
}

/// A webhook, ready to be sent.
pub(super) fn letter(body: Value, subject: &str, token: String) -> Letter {
    let mut about = Map::new();
    about.insert("reference_id".to_owned(), json!(subject));
    about.insert("event".to_owned(), body["event"].clone());
    about.insert("data_status".to_owned(), body["data"]["status"].clone());
    Letter { subject: subject.to_owned(), body, header: Some(("x-callback-token", token)), about }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Simulated {
    amount: Option<Value>,
}

/// `POST /v3/payment_requests/{payment_request_id}/simulate`: the vendor's own way to pay in its test mode.
pub(super) async fn simulate(
    Shared(sim): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let asked: Simulated = if body.is_empty() {
        Simulated::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Error::invalid(vec![error.to_string()]))?
    };
    let request = {
        let mut state = sim.state();
        let mut request = state
            .find(|request| request.payment_request_id == id)
            .ok_or_else(|| Error::not_found("Payment request"))?;
        request.turn(Outcome::Settlement, asked.amount);
        state.save(request.clone());
        request
    };
    let body = event(&request, Outcome::Settlement);
    sim.courier().in_background(letter(
        body,
        &request.reference_id,
        sim.credential(CALLBACK_TOKEN).to_owned(),
    ));
    let message =
        "A simulated payment is being processed. The resulting payment will be sent to your webhook.";
    Ok(Json(json!({ "status": "PENDING", "message": message })))
}

#[cfg(test)]
mod tests {
    use super::retries;

    #[test]
    fn retries_are_the_vendors() {
        assert_eq!((retries(Some(200)), retries(Some(204))), (0, 0));
        for status in [400, 401, 404, 422, 500, 503] {
            assert_eq!(retries(Some(status)), 6, "{status}");
        }
        assert_eq!(retries(None), 6);
    }
}
