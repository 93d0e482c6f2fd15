//! Xendit's webhooks, as they are documented.

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

/// Take a webhook of Xendit. Set this address for all payment events at Xendit.
///
/// It must carry our verification token in `X-CALLBACK-TOKEN`. The token proves nothing of the content, so Xendit is
/// asked what became of the payment before anything moves: a webhook that names another amount than Xendit does when
/// asked moves nothing. Repetitions are harmless and answered with 200; order of arrival does not matter: money that
/// arrived stays. Fields that are not listed are ignored, and so are other events.
#[utoipa::path(
    post, path = "/webhooks/xendit", tag = "webhooks", operation_id = "receive_xendit_webhook",
    params(("x-callback-token" = Option<String>, Header, description = "Our webhook verification token.")),
    request_body(content = XenditWebhook),
    responses(
        (status = 200, description = "It was taken in, now or before: don't send it again.", body = Receipt),
        (status = 401, description = "`bad_signature`: not with our token. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: Xendit is not in use.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: more than 64 KiB.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Kept for staff, and nothing moved. `amount_mismatch`: not over the payment's amount in \
         rupiah; `unknown_payment`: no payment has this `reference_id`; `unconfirmed_payment`: Xendit knows of no such \
         payment of ours when it is asked; `unreadable_notification`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `gateway_unavailable`: send it again.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn webhook(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    receive(&state, "xendit", &headers, body).await
}

/// A webhook of Xendit: the fields that count. It is read by the gateway's adapter; this is its description.
#[derive(Debug, Serialize, ToSchema)]
struct XenditWebhook {
    /// `payment.capture`, `payment.authorization`, `payment.failure`, `payment.expiry`, `payment_request.expiry` or
    /// `refund.succeeded`, whose `data` is the refund; others move nothing.
    #[schema(example = "payment.capture")]
    event: String,
    data: XenditPayment,
}

/// What a webhook of Xendit is about.
#[derive(Debug, Serialize, ToSchema)]
struct XenditPayment {
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
