//! Xendit on the wire. Field names and values are the vendor's; only the fields we use are here.

use serde::{Deserialize, Serialize};

use crate::payments::wire_amount::{or_default, text};

/// Body of `POST /v3/payment_requests`.
#[derive(Debug, Serialize)]
pub(super) struct CreateRequest<'a> {
    pub(super) reference_id: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) country: &'static str,
    pub(super) currency: &'static str,
    pub(super) request_amount: i64,
    pub(super) capture_method: &'static str,
    pub(super) channel_code: &'static str,
    pub(super) channel_properties: CreateProperties,
}

#[derive(Debug, Serialize)]
pub(super) struct CreateProperties {
    /// Virtual accounts: until when they take money. A QR code takes no such wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<String>,
    /// Virtual accounts: what the customer reads at the bank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display_name: Option<&'static str>,
}

/// A payment request. Without the first three it is none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PaymentRequest {
    pub(super) payment_request_id: String,
    pub(super) reference_id: String,
    pub(super) status: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) request_amount: Option<String>,
    pub(super) currency: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) actions: Vec<Action>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) channel_properties: Properties,
    pub(super) latest_payment_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Action {
    pub(super) descriptor: String,
    pub(super) value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Properties {
    pub(super) expires_at: Option<String>,
    pub(super) virtual_account_number: Option<String>,
}

/// Answer of `GET /v3/payment_requests?reference_id=`.
#[derive(Debug, Deserialize)]
pub(super) struct PaymentRequestList {
    pub(super) data: Vec<PaymentRequest>,
}

/// A payment: the customer's act of paying a payment request. Also the content of a webhook, where a field of a
/// payment request may take the place of a payment's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payment {
    pub(super) payment_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) payment_request_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) reference_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: String,
    #[serde(deserialize_with = "text")]
    pub(super) request_amount: Option<String>,
    pub(super) currency: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) captures: Vec<Capture>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Capture {
    #[serde(default, deserialize_with = "text")]
    pub(super) capture_amount: Option<String>,
}

/// Body of `POST /refunds`.
#[derive(Debug, Serialize)]
pub(super) struct RefundRequest<'a> {
    pub(super) payment_request_id: &'a str,
    pub(super) reference_id: &'a str,
    pub(super) currency: &'static str,
    pub(super) amount: i64,
    pub(super) reason: &'static str,
}

/// A refund.
#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) payment_request_id: Option<String>,
    pub(super) payment_id: Option<String>,
    /// The name that it was asked for by.
    pub(super) reference_id: Option<String>,
    pub(super) status: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) amount: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) failure_code: Option<String>,
}

/// Every answer that is no success.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorAnswer {
    pub(super) error_code: Option<String>,
    pub(super) message: Option<String>,
}

/// Body of a webhook.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) event: String,
    #[serde(default)]
    pub(super) data: serde_json::Value,
}
