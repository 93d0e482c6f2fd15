//! `POST /__sim/refund`, `/__sim/chargeback`, `/__sim/withdraw` and `/__sim/test`: what happens at a gateway without the
//! merchant's asking. Money of a paid charge goes back by hand in the vendor's dashboard, is taken back by the customer's
//! bank, or the charge turns out not to be paid after all; and somebody tries the notification address out.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Outcome,
    courier::Letter,
    merchant::{Merchant, Vendor},
};
use crate::kit::control::{BadRequest, parse};

/// How money of a paid charge is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Refund,
    Chargeback,
    /// The charge stands there now.
    Withdraw(Outcome),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(alias = "order_id", alias = "reference_id")]
    id: String,
    /// How much, for refunds and chargebacks; all that is left when it is not said.
    amount: Option<i64>,
    /// Where a withdrawn charge stands: `deny` when it is not said.
    outcome: Option<Outcome>,
    /// Whether the merchant hears of it.
    #[serde(default = "yes")]
    notify: bool,
}

fn yes() -> bool {
    true
}

pub(super) async fn refund<V: Vendor>(
    sim: State<Arc<Merchant<V>>>,
    body: Bytes,
) -> Result<Response, BadRequest> {
    take_back(sim, &body, |_| How::Refund).await
}

pub(super) async fn chargeback<V: Vendor>(
    sim: State<Arc<Merchant<V>>>,
    body: Bytes,
) -> Result<Response, BadRequest> {
    take_back(sim, &body, |_| How::Chargeback).await
}

pub(super) async fn withdraw<V: Vendor>(
    sim: State<Arc<Merchant<V>>>,
    body: Bytes,
) -> Result<Response, BadRequest> {
    take_back(sim, &body, |asked| How::Withdraw(asked.outcome.unwrap_or(Outcome::Deny))).await
}

/// Sends what the vendor's dashboard sends when somebody tries the notification address out.
pub(super) async fn test<V: Vendor>(State(sim): State<Arc<Merchant<V>>>) -> Response {
    tell(&*sim, V::test_letter(&sim)).await
}

async fn take_back<V: Vendor>(
    State(sim): State<Arc<Merchant<V>>>,
    body: &[u8],
    how: impl Fn(&Asked) -> How,
) -> Result<Response, BadRequest> {
    let asked: Asked = parse(body).map_err(BadRequest)?;
    let letter = match V::take_back(&sim, &asked.id, how(&asked), asked.amount) {
        Ok(Some(letter)) => letter,
        Ok(None) => {
            let error = format!("there is no paid charge `{}`", asked.id);
            return Ok((StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response());
        }
        Err(error) => return Err(BadRequest(error)),
    };
    if !asked.notify {
        return Ok(Json(json!({ "notification": letter.body, "deliveries": [] })).into_response());
    }
    Ok(tell(&*sim, letter).await)
}

async fn tell<V: Vendor>(sim: &Merchant<V>, letter: Letter) -> Response {
    let sent = sim.courier().send(&letter, 1).await;
    if let Some(first) = &sent {
        sim.courier().retry(letter.clone(), first.clone());
    }
    let deliveries: Vec<Value> =
        sent.iter().map(|d| json!({ "status": d.status, "attempt": d.attempt })).collect();
    Json(json!({ "notification": letter.body, "deliveries": deliveries })).into_response()
}
