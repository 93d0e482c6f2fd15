//! Payment gateways behind one trait: the rest of the code does not know which one a customer pays through. An
//! adapter says in our words what became of a charge; only explicit success and explicit failure are final there,
//! everything else stays pending.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    gateway::{GatewayReport, Instructions, WebhookEvent},
};
use reqwest::header::HeaderMap;

mod descriptor;
mod error;
pub mod midtrans;
mod watched;
mod webhook;
mod wire_amount;
pub mod xendit;

pub use descriptor::{Account, Credential, Descriptor};
pub use error::{GatewayError, GatewayFailure, WebhookError};
pub use watched::{CredentialsWatch, Watched};
pub use webhook::{ask, ask_anew, confirm};

/// Every gateway there is an adapter for.
pub const ALL: &[&Descriptor] = &[&midtrans::DESCRIPTOR, &xendit::DESCRIPTOR];

/// The gateway of a slug.
#[must_use]
pub fn descriptor(slug: &str) -> Option<&'static Descriptor> {
    ALL.iter().copied().find(|gateway| gateway.slug == slug)
}

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
    /// How long the customer may take; gateways count in whole minutes, so it is rounded up to one. A wish: where a
    /// gateway does not take it, the attempt has to be called off when its time is over.
    pub pay_within: Duration,
}

/// The gateways that are set up, by slug.
pub type Gateways = BTreeMap<&'static str, Arc<dyn PaymentGateway>>;

/// How an attempt is called at its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// Our name: [`Charge::gateway_order_id`].
    pub gateway_order_id: &'a str,
    /// The gateway's own id of the transaction, if it ever told.
    pub transaction_id: Option<&'a str>,
}

/// Money to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund<'a> {
    /// The paid attempt.
    pub attempt: Attempt<'a>,
    /// How it was paid: not every way leads back.
    pub method: PaymentMethod,
    /// Our name for the refund: the same one again gives nothing back again. Unique for ever.
    pub refund_key: &'a str,
    /// How much: all of the payment or a part of it.
    pub amount: Rupiah,
    /// Why, for the gateway's records.
    pub reason: &'a str,
}

/// A refund that a gateway took on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// The gateway's own id of the refund, if it has one.
    pub refund_id: Option<String>,
    /// How much is given back, if the gateway says so in whole rupiah.
    pub amount: Option<Rupiah>,
    /// Whether the gateway is done; else it goes on by itself and tells later.
    pub is_final: bool,
}

/// One payment gateway. Every call has a time-out and answers with a sorted [`GatewayError`].
#[async_trait]
pub trait PaymentGateway: Send + Sync + std::fmt::Debug {
    /// What the gateway is called in the database, in URLs and in logs.
    fn slug(&self) -> &'static str;

    /// Asks the gateway to take the customer's money. Of [`GatewayFailure::Unknown`] the attempt may exist.
    async fn create(&self, charge: &Charge) -> Result<Instructions, GatewayError>;

    /// What became of an attempt. [`GatewayError::NotFound`] when the gateway never heard of it.
    async fn status(&self, attempt: Attempt<'_>) -> Result<GatewayReport, GatewayError>;

    /// Calls an attempt off, so that it can't be paid any more. One that is closed already is refused.
    async fn cancel(&self, attempt: Attempt<'_>) -> Result<(), GatewayError>;

    /// Gives money of a paid attempt back the way it came. Idempotent by [`Refund::refund_key`].
    /// [`GatewayError::Unsupported`] where nothing leads back: virtual accounts.
    async fn refund(&self, refund: &Refund<'_>) -> Result<Refunded, GatewayError>;

    /// The refund of that key, if the gateway has it: asked for when an earlier answer was lost or not final.
    /// `refund_id` is the gateway's own id of it, if it ever told. `None` when the gateway certainly does not have it now;
    /// [`GatewayError::Refused`] when it has it, and will not give the money back.
    async fn find_refund(
        &self,
        refund: &Refund<'_>,
        refund_id: Option<&str>,
    ) -> Result<Option<Refunded>, GatewayError>;

    /// What became of the attempt that a refund is of, by the gateway's id of the refund, with our name for the attempt:
    /// for gateways whose webhook events of refunds don't name it.
    async fn status_by_refund(&self, _refund_id: &str) -> Result<(String, GatewayReport), GatewayError> {
        let message = "attempts can't be looked up by their refunds".to_owned();
        Err(GatewayError::Unsupported { gateway: self.slug(), message })
    }

    /// Proves where a webhook event comes from and reads it. Nothing of it may be believed before, and if the proof is
    /// not one of its content ([`WebhookEvent::evidence`]), nothing before [`confirm`].
    ///
    /// # Errors
    /// [`WebhookError`] when it can't be read, or not proven.
    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<WebhookEvent, WebhookError>;

    /// Reads a webhook event that was kept. It is kept without what proved it, so it proves nothing any more.
    ///
    /// # Errors
    /// [`WebhookError`] when it can't be read.
    fn read_kept_webhook(&self, body: &[u8]) -> Result<WebhookEvent, WebhookError>;
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
