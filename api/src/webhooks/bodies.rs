//! Notifications as they are documented, and our receipt.

use serde::Serialize;
use utoipa::ToSchema;

/// A notification of Midtrans: the fields that count. It is read by the gateway's adapter; this is its description.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MidtransNotification {
    /// The payment's `gateway_order_id`.
    #[schema(example = "WB-0193e7d043627709b2624de1f9ad2f5e-1")]
    order_id: String,
    /// `200` with money.
    #[schema(example = "200")]
    status_code: String,
    /// Rupiah with two decimals, both zero.
    #[schema(example = "133200.00")]
    gross_amount: String,
    /// Midtrans' id of the transaction.
    #[schema(example = "513f1f01-c9da-474c-9fc9-d5c64364b709")]
    transaction_id: String,
    /// `settlement` or `capture` with money; `deny`, `expire` and `cancel` close the attempt; all else changes nothing.
    #[schema(example = "settlement")]
    transaction_status: String,
    /// Money counts only with `accept`, or without this field.
    #[schema(example = "accept")]
    fraud_status: Option<String>,
    /// `IDR`, also when it is left out.
    #[schema(example = "IDR")]
    currency: Option<String>,
    /// SHA-512 in hexadecimal.
    #[schema(min_length = 128, max_length = 128)]
    signature_key: String,
}

/// What was done with a notification.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipt {
    /// What was done.
    pub(super) status: ReceiptStatus,
}

/// What was done with a notification.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReceiptStatus {
    /// It moved its payment.
    Applied,
    /// It told nothing new.
    Ignored,
    /// The same event was taken in before.
    AlreadyHandled,
}
