//! Payment gateways behind one trait: the rest of the code does not know which one a customer pays through. An
//! adapter says in our words what became of a charge; only explicit success and explicit failure are final there,
//! everything else stays pending.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentStatus},
};
use reqwest::header::HeaderMap;

mod error;
pub mod midtrans;

pub use error::{GatewayError, WebhookError};

/// One attempt to be paid, as it is put to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Our name for the attempt at the gateway: unique for ever, 50 characters at most.
    pub gateway_order_id: String,
    /// What the customer pays.
    pub amount: Rupiah,
    /// How: QRIS or a virtual account. Other methods need no gateway.
    pub method: PaymentMethod,
    /// Whose virtual account.
    pub bank: Option<Bank>,
    /// How long the customer may take; gateways count in whole minutes, so it is rounded up to one.
    pub pay_within: Duration,
}

/// What the customer needs in order to pay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instructions {
    /// The gateway's own id of the transaction.
    pub transaction_id: String,
    /// QRIS: the text of the QR code.
    pub qr_string: Option<String>,
    /// Virtual account: the account's number.
    pub va_number: Option<String>,
    /// Mandiri: the bill's key.
    pub bill_key: Option<String>,
    /// Mandiri: the biller's code.
    pub biller_code: Option<String>,
    /// Until when the gateway takes the money, if it says so.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a gateway says about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The gateway's own id of the transaction.
    pub transaction_id: Option<String>,
    /// Where the attempt stands, in our words.
    pub status: PaymentStatus,
    /// The amount, if it is whole rupiah; `None` for fractions, other currencies and nonsense.
    pub amount: Option<Rupiah>,
    /// Amount and currency exactly as received, for people.
    pub amount_as_received: String,
}

/// A notification whose origin is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Our name for the attempt: [`Charge::gateway_order_id`].
    pub gateway_order_id: String,
    /// The gateway's identity of the event: two notifications with the same key tell of the same event.
    pub dedupe_key: String,
    /// What it says.
    pub report: Report,
}

/// One payment gateway. Every call has a time-out and answers with a sorted [`GatewayError`].
#[async_trait]
pub trait PaymentGateway: Send + Sync + std::fmt::Debug {
    /// What the gateway is called in the database, in URLs and in logs.
    fn slug(&self) -> &'static str;

    /// Asks the gateway to take the customer's money. [`GatewayError::is_ambiguous`] means the attempt may exist.
    async fn create(&self, charge: &Charge) -> Result<Instructions, GatewayError>;

    /// What became of an attempt. [`GatewayError::NotFound`] when the gateway never heard of it.
    async fn status(&self, gateway_order_id: &str) -> Result<Report, GatewayError>;

    /// Calls an attempt off, so that it can't be paid any more. One that is closed already is refused.
    async fn cancel(&self, gateway_order_id: &str) -> Result<(), GatewayError>;

    /// Proves where a notification comes from and reads it. Nothing of it may be believed before.
    ///
    /// # Errors
    /// [`WebhookError`] when it can't be read, or not proven.
    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<Notification, WebhookError>;
}

/// Compares two secrets in a time that depends on their lengths only. The one place where secrets are compared.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(left, right).into()
}

#[cfg(test)]
mod tests {
    use super::constant_time_eq;

    #[test]
    fn equal_means_equal() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"secret", b"secret"));
        assert!(!constant_time_eq(b"secret", b"secreT"));
        assert!(!constant_time_eq(b"secret", b"secre"));
    }
}
