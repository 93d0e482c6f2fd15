//! What payment gateways tell us. They authenticate by signing, or by a token after which they are asked; nothing of a
//! notification is believed before. The status of our answer tells the gateway whether to send it again.

use adapters::payments::{GatewayError, Notification, PaymentGateway, WebhookError, confirm};
use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
};
use domain::billing::WebhookOutcome;
use store::webhooks::{Intake, KeptWebhook, VerifiedNotification};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{AppState, crash_point::crash_point, problem::Problem};

mod bodies;

use bodies::{MidtransNotification, XenditWebhook};
pub(crate) use bodies::{Receipt, ReceiptStatus};

/// Largest notification that is read, in bytes; a gateway's have about a thousand.
const MAX_BODY: usize = 64 * 1024;

/// Seconds after which a gateway that did not answer may be asked again.
const GATEWAY_PAUSE: u64 = 30;

/// Routes under `/webhooks`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(midtrans))
        .routes(routes!(xendit))
        .layer(DefaultBodyLimit::max(MAX_BODY))
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
        (status = 404, description = "`not_found`: Midtrans is not in use.",
         body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: more than 64 KiB.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Signed, and does not fit; kept for staff, and nothing moved. `amount_mismatch`: not \
         over the payment's amount in rupiah; `unknown_payment`: no payment has this `order_id`.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: send it again.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn midtrans(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    let body = body.map_err(|rejection| unreadable(&rejection))?;
    take(&state, &**gateway(&state, "midtrans")?, &headers, &body).await
}

/// Take a webhook of Xendit. Set this address for all payment events at Xendit.
///
/// It must carry our verification token in `X-CALLBACK-TOKEN`. The token proves nothing of the content, so Xendit is
/// asked what became of the payment before anything moves: a webhook that names another amount than Xendit does when
/// asked moves nothing. Repetitions are harmless and answered with 200; order of arrival does not matter: money that
/// arrived stays. Fields that are not listed are ignored, and so are other events.
#[utoipa::path(
    post, path = "/webhooks/xendit", tag = "webhooks", operation_id = "xendit_webhook",
    params(("x-callback-token" = Option<String>, Header, description = "Our webhook verification token.")),
    request_body(content = XenditWebhook),
    responses(
        (status = 200, description = "It was taken in, now or before: don't send it again.", body = Receipt),
        (status = 400, description = "`malformed_notification`: not of the shape Xendit sends.",
         body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`bad_signature`: not with our token. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: Xendit is not in use.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`: more than 64 KiB.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Kept for staff, and nothing moved. `amount_mismatch`: not over the payment's amount in \
         rupiah; `unknown_payment`: no payment has this `reference_id`; `unconfirmed_payment`: Xendit knows of no such \
         payment of ours when it is asked.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `gateway_unavailable`: send it again.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn xendit(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    let body = body.map_err(|rejection| unreadable(&rejection))?;
    take(&state, &**gateway(&state, "xendit")?, &headers, &body).await
}

fn gateway<'a>(state: &'a AppState, slug: &str) -> Result<&'a std::sync::Arc<dyn PaymentGateway>, Problem> {
    state.payments.gateways.get(slug).ok_or_else(|| Problem::not_found("gateway"))
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
        Err(WebhookError::BadSignature) => {
            tracing::warn!(gateway = gateway.slug(), "ALERT: a notification with a wrong signature");
            keep(state, gateway.slug(), WebhookOutcome::BadSignature, "the signature is wrong", body).await;
            return Err(Problem::unauthorized("bad_signature", "the signature is wrong; nothing was moved")
                .challenge(r#"Signature realm="webhooks""#));
        }
        Err(WebhookError::Irrelevant(event)) => {
            let reason = format!("`{event}` moves no payment");
            keep(state, gateway.slug(), WebhookOutcome::Ignored, &reason, body).await;
            return Ok(Json(Receipt { status: ReceiptStatus::Ignored }));
        }
        Err(error @ WebhookError::Malformed(_)) => return Err(malformed(&error)),
    };
    take_in(state, gateway, told, body).await
}

/// Takes a kept notification in once more, as if it came now.
pub(crate) async fn replay(state: &AppState, kept: &KeptWebhook) -> Result<Json<Receipt>, Problem> {
    let gateway = gateway(state, &kept.gateway)?;
    match gateway.read_kept_webhook(&kept.body) {
        Ok(told) => take_in(state, &**gateway, told, &kept.body).await,
        Err(WebhookError::Irrelevant(_)) => Ok(Json(Receipt { status: ReceiptStatus::Ignored })),
        Err(WebhookError::BadSignature) => Err(Problem::new(
            StatusCode::CONFLICT,
            "bad_signature",
            "its signature is wrong by today's key too; nothing was moved",
        )),
        Err(error @ WebhookError::Malformed(_)) => Err(malformed(&error)),
    }
}

async fn take_in(
    state: &AppState,
    gateway: &dyn PaymentGateway,
    told: Notification,
    body: &[u8],
) -> Result<Json<Receipt>, Problem> {
    let gateway_order_id = told.gateway_order_id.clone();
    let told = match confirm(gateway, told).await {
        Ok(told) => told,
        Err(error) => return Err(unconfirmed(state, gateway.slug(), &gateway_order_id, &error, body).await),
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

/// The gateway does not say the same when it is asked, or does not say anything.
async fn unconfirmed(
    state: &AppState,
    gateway: &str,
    gateway_order_id: &str,
    error: &GatewayError,
    body: &[u8],
) -> Problem {
    if matches!(error, GatewayError::NotFound { .. }) {
        tracing::warn!(gateway, gateway_order_id, "ALERT: a notification that its gateway knows nothing of");
        let reason = "the gateway knows nothing of it when it is asked";
        keep(state, gateway, WebhookOutcome::Unconfirmed, reason, body).await;
        let detail = "the gateway knows of no such payment of ours; nothing was moved";
        return Problem::field("unconfirmed_payment", "payment_request_id", detail);
    }
    tracing::error!(gateway, gateway_order_id, %error, "a notification could not be confirmed");
    let detail = "the payment could not be looked up at the gateway; please send it again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "gateway_unavailable", detail).retry_after(GATEWAY_PAUSE)
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
            let detail = "no payment of ours has this name; nothing was moved";
            return Err(Problem::field("unknown_payment", "order_id", detail));
        }
    };
    Ok(Json(Receipt { status }))
}

/// Keeps what is not taken in; failing to must not change the answer.
async fn keep(state: &AppState, gateway: &str, outcome: WebhookOutcome, reason: &str, body: &[u8]) {
    match state.store.keep_unbelieved(gateway, outcome, reason, body).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(gateway, %outcome, "enough of these were kept of late"),
        Err(error) => tracing::error!(%error, gateway, %outcome, "a notification could not be kept"),
    }
}

fn malformed(error: &WebhookError) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_notification", error.to_string())
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
