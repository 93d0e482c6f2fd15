//! The customer pays, or does not: the transaction turns, and a signed notification is written.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Simulator, transaction::rupiah};
use crate::gateway::{Amount, Courier, Gateway, Letter, Outcome, Pay, Tamper};

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

impl Gateway for Simulator {
    fn courier(&self) -> &Arc<Courier> {
        &self.courier
    }

    fn settle(&self, pay: &Pay) -> Option<Letter> {
        let amount = pay.amount.as_ref().map(|amount| match amount {
            Amount::Rupiah(whole) => rupiah(*whole),
            Amount::Text(text) => text.clone(),
        });
        let transaction = {
            let mut state = self.state();
            let mut transaction = state.find(&pay.id)?;
            transaction.turn(pay.outcome);
            if pay.outcome == Outcome::Settlement {
                transaction.paid_amount.clone_from(&amount);
            }
            state.save(transaction.clone());
            transaction
        };
        let mut notification = transaction.notification(pay.outcome, amount.as_deref(), &self.server_key);
        match pay.tamper {
            None => {}
            Some(Tamper::Amount) => {
                notification["gross_amount"] = json!(rupiah(transaction.gross_amount.saturating_add(1)));
            }
            Some(Tamper::Signature) => {
                let signature = notification["signature_key"].as_str().unwrap_or_default();
                notification["signature_key"] = json!(signature.chars().rev().collect::<String>());
            }
        }
        Some(letter(notification))
    }

    fn charges(&self) -> (&'static str, Value) {
        ("transactions", json!(self.state().transactions().collect::<Vec<_>>()))
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
