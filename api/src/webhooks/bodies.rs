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
    /// Rupiah with two decimals, both zero; a fee that Midtrans made the payer pay is in it.
    #[schema(example = "133200.00")]
    gross_amount: String,
    /// Midtrans' id of the transaction.
    #[schema(example = "513f1f01-c9da-474c-9fc9-d5c64364b709")]
    transaction_id: String,
    /// `settlement` or `capture` with money; `deny`, `expire` and `cancel` close the attempt; these, `refund`,
    /// `partial_refund`, `chargeback` and `partial_chargeback` of a paid one take money back; all else changes nothing.
    #[schema(example = "settlement")]
    transaction_status: String,
    /// Money counts only with `accept`, or without this field.
    #[schema(example = "accept")]
    fraud_status: Option<String>,
    /// `IDR`, also when it is left out.
    #[schema(example = "IDR")]
    currency: Option<String>,
    /// With a fee of the payer's: what `gross_amount` is made up of.
    metadata: Option<MidtransMetadata>,
    /// SHA-512 in hexadecimal.
    #[schema(min_length = 128, max_length = 128)]
    signature_key: String,
}

/// What Midtrans attaches to a notification.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MidtransMetadata {
    extra_info: Option<MidtransExtraInfo>,
}

/// What Midtrans attaches to a notification.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MidtransExtraInfo {
    gross_amount_info: Option<MidtransAmounts>,
}

/// What the amount is made up of. It counts if the parts add up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MidtransAmounts {
    /// Rupiah that we charged.
    #[schema(example = "133200")]
    original_amount: String,
    /// Rupiah that Midtrans made the payer pay on top.
    #[schema(example = "932")]
    customer_imposed_payment_fee: String,
}

/// A webhook of Xendit: the fields that count. It is read by the gateway's adapter; this is its description.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct XenditWebhook {
    /// `payment.capture`, `payment.authorization`, `payment.failure`, `payment.expiry`, `payment_request.expiry` or
    /// `refund.succeeded`, whose `data` is the refund; others move nothing.
    #[schema(example = "payment.capture")]
    event: String,
    data: XenditPayment,
}

/// What a webhook of Xendit is about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct XenditPayment {
    /// Xendit's id of the payment; absent when a payment request ended without one.
    #[schema(example = "py-1fdaf346-dd2e-4b6c-b938-124c7167a822")]
    payment_id: Option<String>,
    /// Xendit's id of the payment request.
    #[schema(example = "pr-1fdaf346-dd2e-4b6c-b938-124c7167a822")]
    payment_request_id: String,
    /// The payment's `gateway_order_id`.
    #[schema(example = "WB-0193e7d043627709b2624de1f9ad2f5e-1")]
    reference_id: String,
    /// What it is said to have become; what counts is what Xendit says when it is asked.
    #[schema(example = "SUCCEEDED")]
    status: String,
    /// Rupiah.
    #[schema(example = 133_200)]
    request_amount: i64,
    /// `IDR`, also when it is left out.
    #[schema(example = "IDR")]
    currency: Option<String>,
}

/// What was done with a notification.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// What was done.
    pub(crate) status: ReceiptStatus,
}

/// What was done with a notification.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReceiptStatus {
    /// It moved its payment.
    Applied,
    /// It told nothing new.
    Ignored,
    /// The same event was taken in before.
    AlreadyHandled,
    /// It takes back what was paid: somebody decides what follows.
    Disputed,
}
