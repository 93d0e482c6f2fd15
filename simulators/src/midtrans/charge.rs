//! The vendor's own endpoints.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as Shared},
    http::{HeaderMap, StatusCode},
};
use chrono::Duration;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Sim, Simulator,
    channel::Channel,
    error::Error,
    letter,
    transaction::{Transaction, by_id},
};
use crate::kit::gateway::Outcome;

/// Longest `order_id` the vendor takes.
const MAX_ORDER_ID: usize = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Charge {
    payment_type: String,
    transaction_details: Details,
    custom_expiry: Option<Expiry>,
    qris: Option<Qris>,
    bank_transfer: Option<BankTransfer>,
    echannel: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    order_id: String,
    gross_amount: Value,
}

#[derive(Debug, Deserialize)]
struct Expiry {
    expiry_duration: i64,
    #[serde(default)]
    unit: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Qris {
    acquirer: Option<String>,
}

#[derive(Debug, Deserialize)]
struct BankTransfer {
    bank: String,
}

/// `POST /v2/charge`
pub(super) async fn charge(
    Shared(sim): Sim,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Error> {
    let charge: Charge =
        serde_json::from_slice(&body).map_err(|error| Error::invalid(vec![error.to_string()]))?;
    let transaction = read(&charge).map_err(Error::invalid)?;
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or("127.0.0.1");
    let answer = transaction.created(host);
    if sim.state().add(transaction) {
        Ok((StatusCode::CREATED, Json(answer)))
    } else {
        Err(Error::duplicate())
    }
}

/// Makes a transaction of a charge, or says everything that is wrong with it.
fn read(charge: &Charge) -> Result<Transaction, Vec<String>> {
    let mut wrong = Vec::new();
    let details = &charge.transaction_details;
    let order_id = details.order_id.as_str();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_~.".contains(c);
    if order_id.is_empty() {
        wrong.push("transaction_details.order_id is required".to_owned());
    } else if order_id.len() > MAX_ORDER_ID || !order_id.chars().all(allowed) {
        wrong.push(format!(
            "transaction_details.order_id has at most {MAX_ORDER_ID} characters: letters, digits, - _ ~ ."
        ));
    }
    let gross_amount = details.gross_amount.as_i64().unwrap_or_default();
    if gross_amount < 1 {
        wrong.push("transaction_details.gross_amount must be a whole number, 1 or more".to_owned());
    }
    let lasts = charge.custom_expiry.as_ref().map(lasting).transpose().unwrap_or_else(|error| {
        wrong.push(error);
        None
    });
    match channel(charge, order_id, gross_amount) {
        Ok(channel) if gross_amount > 0 && !channel.takes().contains(&gross_amount) => {
            let (least, most) = channel.takes().into_inner();
            wrong.push(format!(
                "transaction_details.gross_amount must be from {least} to {most} for this channel"
            ));
            Err(wrong)
        }
        Ok(channel) if wrong.is_empty() => Ok(Transaction::new(order_id, gross_amount, channel, lasts)),
        Ok(_) => Err(wrong),
        Err(error) => {
            wrong.push(error);
            Err(wrong)
        }
    }
}

fn channel(charge: &Charge, order_id: &str, gross_amount: i64) -> Result<Channel, String> {
    match charge.payment_type.as_str() {
        "qris" => {
            let acquirer = charge.qris.as_ref().and_then(|q| q.acquirer.as_deref());
            Ok(Channel::qris(acquirer, order_id, gross_amount))
        }
        "bank_transfer" => {
            let bank =
                charge.bank_transfer.as_ref().map(|b| b.bank.as_str()).ok_or("bank_transfer is required")?;
            Channel::bank_transfer(bank).ok_or_else(|| format!("bank_transfer.bank {bank} is not supported"))
        }
        "echannel" if charge.echannel.is_some() => Ok(Channel::mandiri_bill()),
        "echannel" => Err("echannel is required".to_owned()),
        "" => Err("payment_type is required".to_owned()),
        other => Err(format!("payment_type {other} is not supported")),
    }
}

fn lasting(expiry: &Expiry) -> Result<Duration, String> {
    let duration = match expiry.unit.as_deref().unwrap_or("minute") {
        "second" => Duration::try_seconds(expiry.expiry_duration),
        "minute" => Duration::try_minutes(expiry.expiry_duration),
        "hour" => Duration::try_hours(expiry.expiry_duration),
        "day" => Duration::try_days(expiry.expiry_duration),
        unit => return Err(format!("custom_expiry.unit {unit} is not second, minute, hour or day")),
    };
    duration
        .filter(|d| (1..=Duration::days(365).num_seconds()).contains(&d.num_seconds()))
        .ok_or_else(|| "custom_expiry.expiry_duration is out of range".to_owned())
}

/// `GET /v2/{order_id}/status`
pub(super) async fn status(Shared(sim): Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let transaction = sim.state().find(by_id(&id)).ok_or_else(Error::unknown_transaction)?;
    Ok(Json(transaction.status(sim.credential(0))))
}

/// `POST /v2/{order_id}/cancel`
pub(super) async fn cancel(sim: Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let transaction = close(&sim.0, &id, Outcome::Cancel)?;
    Ok(Json(transaction.closed("200", "Success, transaction is canceled")))
}

/// `POST /v2/{order_id}/expire`
pub(super) async fn expire(sim: Sim, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let transaction = close(&sim.0, &id, Outcome::Expire)?;
    Ok(Json(transaction.closed("407", "Success, transaction has expired")))
}

/// Closes a pending transaction and tells the merchant, as the vendor does.
fn close(sim: &Arc<Simulator>, id: &str, outcome: Outcome) -> Result<Transaction, Error> {
    let transaction = {
        let mut state = sim.state();
        let mut transaction = state.find(by_id(id)).ok_or_else(Error::unknown_transaction)?;
        if transaction.outcome != Outcome::Pending {
            return Err(Error::not_modifiable());
        }
        transaction.turn(outcome);
        state.save(transaction.clone());
        transaction
    };
    let notification = transaction.notification(outcome, None, sim.credential(0));
    sim.courier().in_background(letter(notification));
    Ok(transaction)
}
