//! What payment gateways tell us. They authenticate by signing; nothing of a notification is believed before. The
//! status of our answer tells the gateway whether to send it again.

use adapters::payments::{PaymentGateway, WebhookError};
use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
};
use store::webhooks::{Intake, VerifiedNotification};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{AppState, problem::Problem};

mod bodies;

use bodies::{MidtransNotification, Receipt, ReceiptStatus};

/// Largest notification that is read, in bytes; a gateway's have about a thousand.
const MAX_BODY: usize = 64 * 1024;

/// Routes under `/webhooks`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(midtrans)).layer(DefaultBodyLimit::max(MAX_BODY))
}

/// Take a notification of Midtrans. Set this address as the payment notification URL at Midtrans.
///
/// It must be signed: `signature_key` is the SHA-512 of `order_id`, `status_code`, `gross_amount` (as text) and the
/// server key, one after the other. Repetitions are harmless and answered with 200; order of arrival does not matter:
/// money that arrived stays. Fields that are not listed are ignored.
#[utoipa::path(
    post, path = "/webhooks/midtrans", tag = "webhooks", operation_id = "midtrans_webhook",
    request_body(content = MidtransNotification),
    responses(
        (status = 200, description = "It was taken in, now or before: don't send it again.", body = Receipt),
        (status = 400, description = "`malformed_notification`: not of the shape Midtrans sends.",
         body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`bad_signature`: not made with our server key. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no payment has this `order_id`, or Midtrans is not in use.",
         body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: more than 64 KiB.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`amount_mismatch`: signed, but not over the payment's amount in rupiah. Nothing \
         moved.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: send it again.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn midtrans(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    let gateway = state.payments.gateways.get("midtrans").ok_or_else(|| Problem::not_found("gateway"))?;
    take(&state, &**gateway, &headers, &body.map_err(|rejection| unreadable(&rejection))?).await
}

/// Proves, keeps and applies a notification; the same for every gateway.
async fn take(
    state: &AppState,
    gateway: &dyn PaymentGateway,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Json<Receipt>, Problem> {
    let told = match gateway.verify_webhook(headers, body) {
        Ok(told) => told,
        Err(WebhookError::BadSignature) => return Err(bad_signature(state, gateway.slug(), body).await),
        Err(error @ WebhookError::Malformed(_)) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed_notification", error.to_string()));
        }
    };
    crash_point("take_notification.before");
    let intake = state
        .store
        .apply_notification(&VerifiedNotification {
            gateway: gateway.slug(),
            dedupe_key: &told.dedupe_key,
            gateway_order_id: &told.gateway_order_id,
            transaction_id: told.report.transaction_id.as_deref(),
            status: told.report.status,
            amount: told.report.amount,
            amount_as_received: &told.report.amount_as_received,
            body,
        })
        .await?;
    crash_point("take_notification.after");
    answer(gateway.slug(), &told.gateway_order_id, intake)
}

/// Ends the process here when a chaos test set the fail point `name` to `return`; else nothing.
fn crash_point(name: &str) {
    let _ = name;
    fail::fail_point!(name, |_| std::process::abort());
}

fn answer(gateway: &str, gateway_order_id: &str, intake: Intake) -> Result<Json<Receipt>, Problem> {
    let status = match intake {
        Intake::Applied { payment_id, order_id, status, outcome } => {
            tracing::info!(gateway, %payment_id, order_id = order_id.map(tracing::field::display), %status, outcome = outcome.map(tracing::field::display),
                "notification applied");
            ReceiptStatus::Applied
        }
        Intake::Ignored => ReceiptStatus::Ignored,
        Intake::AlreadyHandled => ReceiptStatus::AlreadyHandled,
        Intake::Mismatch { payment_id, expected } => {
            tracing::warn!(gateway, %payment_id, "ALERT: a signed notification names another amount than its payment");
            let detail = format!("the payment is about {expected}; nothing was moved");
            return Err(Problem::field("amount_mismatch", "gross_amount", detail));
        }
        Intake::UnknownPayment => {
            tracing::warn!(
                gateway,
                gateway_order_id,
                "ALERT: a signed notification is about no payment of ours"
            );
            return Err(Problem::not_found("payment"));
        }
    };
    Ok(Json(Receipt { status }))
}

async fn bad_signature(state: &AppState, gateway: &str, body: &[u8]) -> Problem {
    let kept = state.store.keep_bad_signature(gateway, body).await;
    tracing::warn!(gateway, kept = matches!(kept, Ok(true)), "ALERT: a notification with a wrong signature");
    if let Err(error) = kept {
        tracing::error!(%error, gateway, "a notification with a wrong signature could not be kept");
    }
    Problem::unauthorized("bad_signature", "the signature is wrong; nothing was moved")
        .challenge(r#"Signature realm="webhooks""#)
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the notification is larger than we accept",
        )
    } else {
        Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", "the body could not be read to its end")
    }
}
