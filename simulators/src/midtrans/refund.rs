//! `POST /v2/{order_id}/refund`: giving back what came by QRIS, in full or in part, once per `refund_key`.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
};
use chrono::Utc;
use rand::Rng;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Sim,
    channel::Channel,
    error::Error,
    letter,
    transaction::{Refund, Transaction, by_id},
};
use crate::kit::gateway::Outcome;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    refund_key: Option<String>,
    /// Everything that is left, when it is not said.
    amount: Option<Value>,
    reason: Option<String>,
}

pub(super) async fn refund(
    Shared(sim): Sim,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let asked: Asked =
        serde_json::from_slice(&body).map_err(|error| Error::invalid(vec![error.to_string()]))?;
    let transaction = {
        let mut state = sim.state();
        let mut transaction = state.find(by_id(&id)).ok_or_else(Error::unknown_transaction)?;
        let refund = check(&transaction, asked)?;
        transaction.refunds.push(refund);
        state.save(transaction.clone());
        transaction
    };
    sim.courier().in_background(letter(transaction.refund_notification(sim.credential(0))));
    Ok(Json(transaction.refund_answer()))
}

fn check(transaction: &Transaction, asked: Asked) -> Result<Refund, Error> {
    if !matches!(transaction.channel, Channel::Qris { .. }) {
        return Err(Error::not_refundable("Refund is not supported for this payment type"));
    }
    if transaction.outcome != Outcome::Settlement {
        return Err(Error::not_modifiable());
    }
    let refund_key = asked.refund_key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    if transaction.refunds.iter().any(|refund| refund.refund_key == refund_key) {
        return Err(Error::refund_key_used());
    }
    let left = transaction.refundable();
    let amount = match asked.amount {
        None => left,
        Some(amount) => amount
            .as_i64()
            .filter(|amount| *amount > 0)
            .ok_or_else(|| Error::invalid(vec!["amount must be a whole number, 1 or more".to_owned()]))?,
    };
    if amount > left || amount == 0 {
        return Err(Error::not_refundable("Refund amount is more than what is left of the transaction"));
    }
    Ok(Refund {
        refund_chargeback_id: rand::rng().random_range(1..1_000_000),
        refund_key,
        chargeback: false,
        amount,
        reason: asked.reason.unwrap_or_default(),
        created_at: Utc::now(),
    })
}
