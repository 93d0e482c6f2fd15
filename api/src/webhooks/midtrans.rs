//! Midtrans' notifications, as they are documented.

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::intake::{Receipt, receive};
use crate::{AppState, problem::Problem};

/// Take a notification of Midtrans. Set this address as the payment notification URL at Midtrans.
///
/// It must be signed: `signature_key` is the SHA-512 of `order_id`, `status_code`, `gross_amount` (as text) and the
/// server key, one after the other. That is proof enough about an attempt that is open. What would pay one that is closed,
/// or takes back what is paid, and whatever names a fee of the payer's, counts only if Midtrans says so when it is asked.
/// Repetitions are harmless and answered with
/// 200; order of arrival does not matter. Fields that are not listed are ignored.
#[utoipa::path(
    post, path = "/webhooks/midtrans", tag = "webhooks", operation_id = "receive_midtrans_webhook",
    request_body(content = MidtransNotification),
    responses(
        (status = 200, description = "It was taken in, now or before: don't send it again.", body = Receipt),
        (status = 400, description = "`malformed_notification`: not of the shape Midtrans sends.",
         body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`bad_signature`: not made with our server key. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: Midtrans is not in use.",
         body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: more than 64 KiB.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Signed, and does not fit; kept for staff, and nothing moved. `amount_mismatch`: not \
         over the payment's amount in rupiah; `unknown_payment`: no payment has this `order_id`; `unconfirmed_payment`: \
         Midtrans knows of no such payment when it is asked; `unreadable_notification`.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `gateway_unavailable`: send it again.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn notification(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    receive(&state, "midtrans", &headers, body).await
}

/// A notification of Midtrans: the fields that count. It is read by the gateway's adapter; this is its description.
#[derive(Debug, Serialize, ToSchema)]
struct MidtransNotification {
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
struct MidtransMetadata {
    extra_info: Option<MidtransExtraInfo>,
}

/// What Midtrans attaches to a notification.
#[derive(Debug, Serialize, ToSchema)]
struct MidtransExtraInfo {
    gross_amount_info: Option<MidtransAmounts>,
}

/// What the amount is made up of. It counts if the parts add up.
#[derive(Debug, Serialize, ToSchema)]
struct MidtransAmounts {
    /// Rupiah that we charged.
    #[schema(example = "133200")]
    original_amount: String,
    /// Rupiah that Midtrans made the payer pay on top.
    #[schema(example = "932")]
    customer_imposed_payment_fee: String,
}
