//! The customer pays, or does not: the transaction turns, and a signed notification is written.

use chrono::Utc;
use rand::Rng;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Simulator,
    channel::Channel,
    transaction::{MERCHANT_ID, Refund, Transaction, by_id, rupiah},
};
use crate::kit::gateway::{Amount, How, Letter, Outcome, Pay, Tamper};

/// How often the vendor tries again after such an answer.
pub(super) const fn retries(status: Option<u16>) -> u32 {
    match status {
        Some(200..300) => 0,
        Some(503) => 4,
        Some(500) => 1,
        Some(400 | 404) => 2,
        _ => 5,
    }
}

/// Turns the charge as told, and writes the notification of it.
pub(super) fn settle(sim: &Simulator, pay: &Pay) -> Option<Letter> {
    let amount = pay.amount.as_ref().map(|amount| match amount {
        Amount::Rupiah(whole) => rupiah(*whole),
        Amount::Text(text) => text.clone(),
    });
    let transaction = {
        let mut state = sim.state();
        let mut transaction = state.find(by_id(&pay.id))?;
        transaction.turn(pay.outcome);
        if pay.outcome == Outcome::Settlement {
            transaction.paid_amount.clone_from(&amount);
            transaction.payer_fee = pay.payer_fee.unwrap_or_default();
        }
        state.save(transaction.clone());
        transaction
    };
    let mut notification = transaction.notification(pay.outcome, amount.as_deref(), sim.credential(0));
    match pay.tamper {
        None => {}
        Some(Tamper::Amount) => {
            notification["gross_amount"] = json!(rupiah(transaction.gross().saturating_add(1)));
        }
        Some(Tamper::Signature) => {
            let signature = notification["signature_key"].as_str().unwrap_or_default();
            notification["signature_key"] = json!(signature.chars().rev().collect::<String>());
        }
    }
    Some(letter(notification))
}

/// Takes money of a paid charge back, and writes the notification of it.
pub(super) fn take_back(
    sim: &Simulator,
    id: &str,
    how: How,
    amount: Option<i64>,
) -> Result<Option<Letter>, String> {
    let mut state = sim.state();
    let Some(mut transaction) = state.find(by_id(id)).filter(|found| found.outcome == Outcome::Settlement)
    else {
        return Ok(None);
    };
    let notification = match how {
        How::Withdraw(outcome) => {
            transaction.outcome = outcome;
            transaction.notification(outcome, None, sim.credential(0))
        }
        How::Refund | How::Chargeback => {
            let left = transaction.refundable();
            let amount = amount.unwrap_or(left);
            if !(1..=left).contains(&amount) {
                return Err(format!("amount must be between 1 and {left}"));
            }
            transaction.refunds.push(by_hand(amount, how == How::Chargeback));
            transaction.refund_notification(sim.credential(0))
        }
    };
    state.save(transaction);
    Ok(Some(letter(notification)))
}

/// What the dashboard sends to try an address out.
pub(super) fn test_letter(sim: &Simulator) -> Letter {
    let name = format!("payment_notif_test_{MERCHANT_ID}_{}", Uuid::new_v4());
    let channel = Channel::bank_transfer("bca").unwrap_or_else(Channel::mandiri_bill);
    let transaction = Transaction::new(&name, 105_000, channel, None);
    letter(transaction.notification(Outcome::Settlement, None, sim.credential(0)))
}

/// A refund by hand in the vendor's dashboard has a key of the vendor's making; a chargeback has none.
fn by_hand(amount: i64, chargeback: bool) -> Refund {
    Refund {
        refund_chargeback_id: rand::rng().random_range(1..1_000_000),
        refund_key: if chargeback { String::new() } else { format!("dashboard-{}", Uuid::new_v4()) },
        chargeback,
        amount,
        reason: if chargeback { "Chargeback by the issuer" } else { "Refunded in the dashboard" }.to_owned(),
        created_at: Utc::now(),
    }
}

/// A notification, ready to be sent.
pub(super) fn letter(notification: Value) -> Letter {
    let about: Map<String, Value> = ["order_id", "transaction_status"]
        .map(|field| (field.to_owned(), notification[field].clone()))
        .into_iter()
        .collect();
    let subject = notification["order_id"].as_str().unwrap_or_default().to_owned();
    Letter { subject, body: notification, header: None, about }
}

#[cfg(test)]
mod tests {
    use super::retries;

    #[test]
    fn retries_are_the_vendors() {
        for (status, times) in
            [(200, 0), (204, 0), (503, 4), (500, 1), (400, 2), (404, 2), (401, 5), (422, 5), (502, 5)]
        {
            assert_eq!(retries(Some(status)), times, "{status}");
        }
        assert_eq!(retries(None), 5);
    }
}
