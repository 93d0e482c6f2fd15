//! `POST /__sim/pay`: the customer pays, or does not, and the merchant is told.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Bytes,
    extract::State as Shared,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Sim, Simulator, notify, transaction::Outcome};
use crate::control::{BadRequest, parse};

/// Most copies one call sends.
const MAX_DUPLICATES: u32 = 1_000;

/// Longest wait before sending: an hour.
const MAX_DELAY_MS: u64 = 3_600_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pay {
    order_id: String,
    #[serde(default)]
    outcome: Outcome,
    /// What the notification says was paid, instead of what was charged.
    amount: Option<Amount>,
    /// How many copies go out at once.
    #[serde(default = "one")]
    duplicates: u32,
    #[serde(default)]
    delay_ms: u64,
    tamper: Option<Tamper>,
}

fn one() -> u32 {
    1
}

/// Whole rupiah, or the very text to send.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Amount {
    Rupiah(i64),
    Text(String),
}

/// What is changed after signing.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tamper {
    Amount,
    Signature,
}

/// Answers with the notification and, once each copy was delivered for the first time, with the answers it got.
pub(super) async fn pay(Shared(sim): Sim, body: Bytes) -> Result<Response, BadRequest> {
    let pay: Pay = parse(&body).map_err(BadRequest)?;
    check(&pay, &sim).map_err(BadRequest)?;
    tokio::time::sleep(Duration::from_millis(pay.delay_ms)).await;
    let Some(notification) = settle(&sim, &pay) else {
        let error = format!("no transaction with order_id `{}`", pay.order_id);
        return Ok((StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response());
    };
    let mut copies = JoinSet::new();
    for _ in 0..pay.duplicates {
        let (sim, notification) = (Arc::clone(&sim), notification.clone());
        copies.spawn(async move { notify::send(&sim, &notification, 1).await });
    }
    let first_round: Vec<_> = copies.join_all().await.into_iter().flatten().collect();
    let deliveries: Vec<Value> =
        first_round.iter().map(|d| json!({ "status": d.status, "attempt": d.attempt })).collect();
    for delivery in first_round {
        notify::retry(&sim, notification.clone(), delivery);
    }
    Ok(Json(json!({ "notification": notification, "deliveries": deliveries })).into_response())
}

fn check(pay: &Pay, sim: &Simulator) -> Result<(), String> {
    if !(1..=MAX_DUPLICATES).contains(&pay.duplicates) {
        return Err(format!("duplicates must be between 1 and {MAX_DUPLICATES}"));
    }
    if pay.delay_ms > MAX_DELAY_MS {
        return Err(format!("delay_ms must be at most {MAX_DELAY_MS}"));
    }
    if sim.state().settings.notification_url.is_none() {
        return Err("no notification_url is set: POST it to /__sim/config first".to_owned());
    }
    Ok(())
}

/// Turns the transaction and writes the notification of it.
fn settle(sim: &Simulator, pay: &Pay) -> Option<Value> {
    let transaction = {
        let mut state = sim.state();
        let mut transaction = state.find(&pay.order_id)?;
        transaction.turn(pay.outcome);
        state.save(transaction.clone());
        transaction
    };
    let amount = pay.amount.as_ref().map(|amount| match amount {
        Amount::Rupiah(whole) => format!("{whole}.00"),
        Amount::Text(text) => text.clone(),
    });
    let mut notification = transaction.notification(pay.outcome, amount.as_deref(), &sim.server_key);
    match pay.tamper {
        None => {}
        Some(Tamper::Amount) => {
            notification["gross_amount"] =
                json!(format!("{}.00", transaction.gross_amount.saturating_add(1)));
        }
        Some(Tamper::Signature) => {
            let signature = notification["signature_key"].as_str().unwrap_or_default();
            notification["signature_key"] = json!(signature.chars().rev().collect::<String>());
        }
    }
    Some(notification)
}

/// `GET /__sim/transactions`
pub(super) async fn transactions(Shared(sim): Sim) -> Json<Value> {
    let state = sim.state();
    Json(json!({ "transactions": state.transactions().collect::<Vec<_>>() }))
}

/// `GET /__sim/deliveries`
pub(super) async fn deliveries(Shared(sim): Sim) -> Json<Value> {
    Json(json!({ "deliveries": sim.state().deliveries }))
}
