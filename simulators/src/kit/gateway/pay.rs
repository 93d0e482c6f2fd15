//! `POST /__sim/pay`: the customer pays, or does not, and the merchant is told.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    Outcome,
    courier::{Courier, Delivery, Letter},
    merchant::{Merchant, Vendor},
    take_back,
};
use crate::kit::control::{BadRequest, parse};

/// Most copies one call sends.
const MAX_DUPLICATES: u32 = 1_000;

/// Longest wait before sending: an hour.
const MAX_DELAY_MS: u64 = 3_600_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pay {
    /// The merchant's name for the charge.
    #[serde(alias = "order_id", alias = "reference_id")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) outcome: Outcome,
    /// What is paid, instead of what was charged.
    pub(crate) amount: Option<Amount>,
    /// Whole rupiah that the vendor makes the payer pay on top.
    pub(crate) payer_fee: Option<i64>,
    /// How many copies go out at once.
    #[serde(default = "one")]
    duplicates: u32,
    #[serde(default)]
    delay_ms: u64,
    /// Whether the notification is kept back until the next one about this charge was sent.
    #[serde(default)]
    reorder: bool,
    #[serde(default, deserialize_with = "tamper")]
    pub(crate) tamper: Option<Tamper>,
}

fn one() -> u32 {
    1
}

/// Whole rupiah, or the very text to send.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    Rupiah(i64),
    Text(String),
}

/// What is changed on the way, by somebody who doesn't know the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tamper {
    /// The amount in the notification.
    Amount,
    /// The proof of where it comes from.
    #[serde(alias = "token")]
    Signature,
}

/// Reads `"amount"`, `"signature"`, or a mere yes, which is the signature.
fn tamper<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Tamper>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Whether(bool),
        What(Tamper),
    }
    Ok(match Option::deserialize(deserializer)? {
        None | Some(Said::Whether(false)) => None,
        Some(Said::Whether(true)) => Some(Tamper::Signature),
        Some(Said::What(what)) => Some(what),
    })
}

/// The control calls of every gateway: `pay`, what happens without the merchant's asking, what there is by its vendor's
/// name, and `deliveries`.
pub(crate) fn control_routes<V: Vendor>(simulator: Arc<Merchant<V>>) -> Router {
    Router::new()
        .route("/__sim/pay", post(pay::<V>))
        .route("/__sim/refund", post(take_back::refund::<V>))
        .route("/__sim/chargeback", post(take_back::chargeback::<V>))
        .route("/__sim/withdraw", post(take_back::withdraw::<V>))
        .route("/__sim/test", post(take_back::test::<V>))
        .route(&format!("/__sim/{}", V::CHARGES), get(charges::<V>))
        .route("/__sim/deliveries", get(deliveries::<V>))
        .with_state(simulator)
}

/// Answers with the notification and, once each copy was delivered for the first time, with the answers it got.
async fn pay<V: Vendor>(State(sim): State<Arc<Merchant<V>>>, body: Bytes) -> Result<Response, BadRequest> {
    let pay: Pay = parse(&body).map_err(BadRequest)?;
    check::<V>(&pay, sim.courier()).map_err(BadRequest)?;
    tokio::time::sleep(Duration::from_millis(pay.delay_ms)).await;
    let Some(letter) = V::settle(&sim, &pay) else {
        let error = format!("there is no charge `{}`", pay.id);
        return Ok((StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response());
    };
    let notification = letter.body.clone();
    if pay.reorder {
        sim.courier().hold(letter);
        return Ok(Json(json!({ "notification": notification, "deliveries": [] })).into_response());
    }
    let subject = letter.subject.clone();
    let mut first_round = post_copies(sim.courier(), letter, pay.duplicates).await;
    for overtaken in sim.courier().overtaken(&subject) {
        first_round.extend(post_copies(sim.courier(), overtaken, 1).await);
    }
    let deliveries: Vec<Value> =
        first_round.iter().map(|d| json!({ "status": d.status, "attempt": d.attempt })).collect();
    Ok(Json(json!({ "notification": notification, "deliveries": deliveries })).into_response())
}

/// Delivers copies for the first time; refused ones are tried again in the background.
async fn post_copies(courier: &Arc<Courier>, letter: Letter, copies: u32) -> Vec<Delivery> {
    let mut posting = JoinSet::new();
    for _ in 0..copies {
        let (courier, letter) = (Arc::clone(courier), letter.clone());
        posting.spawn(async move { courier.send(&letter, 1).await });
    }
    let first_round: Vec<_> = posting.join_all().await.into_iter().flatten().collect();
    for delivery in &first_round {
        courier.retry(letter.clone(), delivery.clone());
    }
    first_round
}

fn check<V: Vendor>(pay: &Pay, courier: &Courier) -> Result<(), String> {
    if !(1..=MAX_DUPLICATES).contains(&pay.duplicates) {
        return Err(format!("duplicates must be between 1 and {MAX_DUPLICATES}"));
    }
    match pay.payer_fee {
        Some(_) if !V::IMPOSES_PAYER_FEES => return Err("this vendor imposes no fees on payers".to_owned()),
        Some(fee) if fee < 1 => return Err("payer_fee must be 1 or more".to_owned()),
        _ => {}
    }
    if pay.delay_ms > MAX_DELAY_MS {
        return Err(format!("delay_ms must be at most {MAX_DELAY_MS}"));
    }
    if courier.bag().settings.notification_url.is_none() {
        return Err("no notification_url is set: POST it to /__sim/config first".to_owned());
    }
    Ok(())
}

async fn charges<V: Vendor>(State(sim): State<Arc<Merchant<V>>>) -> Json<Value> {
    Json(json!({ V::CHARGES: sim.state().all().collect::<Vec<_>>() }))
}

async fn deliveries<V: Vendor>(State(sim): State<Arc<Merchant<V>>>) -> Json<Value> {
    Json(json!({ "deliveries": sim.courier().bag().deliveries }))
}
