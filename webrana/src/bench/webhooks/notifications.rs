//! Notifications as Midtrans sends them, and the order in which they come.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use client::{Client, Method, Network, StatusCode};
use rand::{Rng, SeedableRng, rngs::StdRng};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::{payer::Waiting, timed};

/// Makes every run the same.
const SEED: u64 = 20_261_128;
const PATIENCE: Duration = Duration::from_secs(60);

/// One notification's answer.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// From sending it to having read its 200.
    pub took: Duration,
    /// It was the first of its payment; else it was handled before.
    pub applied: bool,
}

/// Sends notifications as the gateway would.
pub struct Sender {
    api: Client,
    server_key: String,
}

impl Sender {
    /// A sender to an API, with the key that the gateway signs with.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(api: &str, server_key: &str) -> Result<Self> {
        let api = Client::new(Network::within(PATIENCE)?, api);
        Ok(Self { api, server_key: server_key.to_owned() })
    }

    /// Tells that a deposit was paid, and reads the answer.
    ///
    /// # Errors
    /// When it is not 200.
    pub async fn send(&self, deposit: &Waiting) -> Result<Taken> {
        #[derive(Deserialize)]
        struct Receipt {
            status: String,
        }
        let body = settlement(deposit, &self.server_key);
        let asking = async {
            let reply =
                self.api.request(Method::POST, "/api/v1/webhooks/midtrans").json(&body).send().await?;
            ensure!(reply.status == StatusCode::OK, "a notification was answered with {}", reply.status);
            Ok(reply.json::<Receipt>()?)
        };
        let (took, receipt) = timed(asking).await?;
        match receipt.status.as_str() {
            "applied" => Ok(Taken { took, applied: true }),
            "already_handled" => Ok(Taken { took, applied: false }),
            other => bail!("a notification was {other}"),
        }
    }

    /// The barest request the API answers.
    ///
    /// # Errors
    /// When it is not 200.
    pub async fn ask_for_life(&self) -> Result<Duration> {
        let asking = async {
            self.api.get("/livez").send().await?.success()?;
            Ok(())
        };
        Ok(timed(asking).await?.0)
    }
}

/// The notification of a QRIS payment that was made.
fn settlement(deposit: &Waiting, server_key: &str) -> Value {
    let (order_id, code) = (&deposit.gateway_order_id, "200");
    let amount = format!("{}.00", deposit.amount.get());
    let signed = Sha512::digest(format!("{order_id}{code}{amount}{server_key}"));
    let signature: String = signed.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "transaction_type": "on-us", "transaction_time": "2026-11-28 10:00:00", "transaction_status": "settlement",
        "transaction_id": deposit.transaction_id, "status_message": "midtrans payment notification", "status_code": code,
        "signature_key": signature, "settlement_time": "2026-11-28 10:00:05", "payment_type": "qris",
        "order_id": order_id, "merchant_id": "G141532850", "issuer": "gopay", "gross_amount": amount,
        "fraud_status": "accept", "expiry_time": "2026-11-29 10:00:00", "currency": "IDR", "acquirer": "gopay",
    })
}

/// Which payment each notification is about: every payment once, and the rest repetitions, spread evenly. A notification
/// comes at most `window` places from where it belongs, so that repetitions follow closely upon each other, and many are
/// under way at the same time.
pub fn order(payments: usize, notifications: usize, window: usize) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut places: Vec<(usize, usize)> = (0..notifications)
        .map(|number| {
            // The first ones are each about a payment of its own; a repetition belongs beside it.
            let payment = number % payments;
            let place = payment * notifications / payments;
            (place + random.random_range(0..=window), payment)
        })
        .collect();
    places.sort_unstable();
    places.into_iter().map(|(_, payment)| payment).collect()
}

#[cfg(test)]
mod tests {
    use domain::Rupiah;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_payment_is_told_of_and_repetitions_come_closely() {
        let order = order(500, 1_000, 20);
        assert_eq!(order.len(), 1_000);
        let mut at_once = 0;
        for payment in 0..500 {
            let places: Vec<usize> = order
                .iter()
                .enumerate()
                .filter(|(_, told)| **told == payment)
                .map(|(place, _)| place)
                .collect();
            assert_eq!(places.len(), 2, "payment {payment}");
            assert!(places[1] - places[0] <= 45, "payment {payment}: {places:?}");
            at_once += usize::from(places[1] - places[0] < 20);
        }
        assert!(at_once > 250, "only {at_once} would be under way together with their repetition");
        assert_eq!(super::order(3, 3, 0), [0, 1, 2]);
    }

    #[test]
    fn a_settlement_is_signed_over_its_own_words() {
        let deposit = Waiting {
            gateway_order_id: "1111".into(),
            transaction_id: Uuid::nil(),
            amount: Rupiah::new(100_000),
        };
        let key = "VT-server-HJMpl9HLr_ntOKt5mRONdmKj";
        let signature = settlement(&deposit, key)["signature_key"].as_str().map(str::len);
        assert_eq!(signature, Some(128));
        assert_eq!(settlement(&deposit, key), settlement(&deposit, key));
        assert_ne!(settlement(&deposit, key), settlement(&deposit, "another"));
    }
}
