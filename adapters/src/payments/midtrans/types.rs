//! Midtrans on the wire. Field names and values are the vendor's; only the fields we use are here.

use serde::{Deserialize, Serialize};

use crate::payments::wire_amount::{or_default, text};

/// Body of `POST /v2/charge`.
#[derive(Debug, Serialize)]
pub(super) struct ChargeRequest<'a> {
    pub(super) payment_type: &'static str,
    pub(super) transaction_details: TransactionDetails<'a>,
    pub(super) custom_expiry: CustomExpiry,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) qris: Option<Qris>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bank_transfer: Option<BankTransfer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) echannel: Option<EChannel>,
}

#[derive(Debug, Serialize)]
pub(super) struct TransactionDetails<'a> {
    pub(super) order_id: &'a str,
    pub(super) gross_amount: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct CustomExpiry {
    pub(super) expiry_duration: u64,
    pub(super) unit: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Qris {
    pub(super) acquirer: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct BankTransfer {
    pub(super) bank: &'static str,
}

/// Mandiri's bill payment: two lines the customer sees at the bank.
#[derive(Debug, Serialize)]
pub(super) struct EChannel {
    pub(super) bill_info1: &'static str,
    pub(super) bill_info2: &'static str,
}

/// Body of `POST /v2/{order_id}/refund`.
#[derive(Debug, Serialize)]
pub(super) struct RefundRequest<'a> {
    pub(super) refund_key: &'a str,
    pub(super) amount: i64,
    pub(super) reason: &'a str,
}

/// Every answer. `status_code` is the vendor's verdict, whatever the HTTP status says: some errors come with 200.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    #[serde(deserialize_with = "text")]
    pub(super) status_code: Option<String>,
    pub(super) status_message: Option<String>,
    pub(super) validation_messages: Option<Vec<String>>,
    pub(super) transaction_id: Option<String>,
    pub(super) transaction_status: Option<String>,
    pub(super) fraud_status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) gross_amount: Option<String>,
    pub(super) currency: Option<String>,
    /// Whatever the merchant or the vendor attached; the vendor says in it what the amount is made up of.
    pub(super) metadata: serde_json::Value,
    pub(super) qr_string: Option<String>,
    pub(super) va_numbers: Option<Vec<VaNumber>>,
    pub(super) permata_va_number: Option<String>,
    pub(super) bill_key: Option<String>,
    pub(super) biller_code: Option<String>,
    /// Jakarta's clock, without a zone: `2026-11-24 18:00:00`.
    pub(super) expiry_time: Option<String>,
    /// Answers to a refund: what it gives back. Others: all that was taken back.
    #[serde(deserialize_with = "text")]
    pub(super) refund_amount: Option<String>,
    pub(super) refund_key: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) refund_chargeback_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) refunds: Vec<Refund>,
}

#[derive(Debug, Deserialize)]
pub(super) struct VaNumber {
    pub(super) va_number: String,
}

/// What proves a webhook event, and what it proves.
#[derive(Debug, Deserialize)]
pub(super) struct Proof {
    #[serde(default, deserialize_with = "text")]
    pub(super) order_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) status_code: Option<String>,
    /// The vendor documents text, and signs its characters.
    #[serde(default)]
    pub(super) gross_amount: serde_json::Value,
    #[serde(default, deserialize_with = "text")]
    pub(super) signature_key: Option<String>,
}

/// A refund or chargeback of a transaction.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refund {
    #[serde(deserialize_with = "text")]
    pub(super) refund_key: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) refund_amount: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) refund_chargeback_id: Option<String>,
}
