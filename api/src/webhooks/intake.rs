//! What becomes of a webhook event, whichever gateway sent it: it is proven, confirmed where a signature is not enough, kept, and
//! applied.

use adapters::payments::{GatewayError, PaymentGateway, WebhookError, ask, ask_anew, confirm};
use axum::{
    Json,
    body::Bytes,
    extract::rejection::BytesRejection,
    http::{HeaderMap, StatusCode},
};
use domain::{
    billing::{WebhookOutcome, is_name_of_attempt},
    gateway::{Outcome, WebhookEvent},
};
use serde::Serialize;
use store::webhooks::KeptWebhook;
use utoipa::ToSchema;

use crate::{
    AppState,
    crash_point::crash_point,
    problem::{Code, Problem},
};

/// Seconds after which a gateway that did not answer may be asked again.
const GATEWAY_PAUSE: u64 = 30;

/// Why an event of no concern to us is kept.
const A_TEST: &str = "a test of the gateway's dashboard, or about nothing of ours";

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

/// Takes in what a gateway sent to its address.
pub(super) async fn receive(
    state: &AppState,
    slug: &str,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Receipt>, Problem> {
    let body = body.map_err(|rejection| unreadable(&rejection))?;
    take(state, &**gateway(state, slug)?, headers, &body).await
}

fn gateway<'a>(state: &'a AppState, slug: &str) -> Result<&'a std::sync::Arc<dyn PaymentGateway>, Problem> {
    state.payments.gateways.get(slug).ok_or_else(|| Problem::not_found("gateway"))
}

/// Proves, keeps and applies a webhook event; the same for every gateway.
async fn take(
    state: &AppState,
    gateway: &dyn PaymentGateway,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Json<Receipt>, Problem> {
    let event = match gateway.verify_webhook(headers, body) {
        Ok(event) => event,
        Err(WebhookError::BadSignature) => {
            tracing::warn!(
                alert = "webhook.bad_signature",
                gateway = gateway.slug(),
                "a notification with a wrong signature"
            );
            keep(state, gateway.slug(), WebhookOutcome::BadSignature, "the signature is wrong", body).await;
            return Err(Problem::new(Code::BadSignature, "the signature is wrong; nothing was moved")
                .challenge(r#"Signature realm="webhooks""#));
        }
        Err(error @ WebhookError::Irrelevant(_)) => {
            return Ok(pass_over(state, gateway.slug(), &error.to_string(), body).await);
        }
        Err(WebhookError::Test) => return Ok(pass_over(state, gateway.slug(), A_TEST, body).await),
        Err(error @ WebhookError::Malformed { .. }) => return Err(malformed(&error)),
        Err(WebhookError::Unreadable { reason, .. }) => {
            return Err(unreadable_event(state, gateway.slug(), &reason, body).await);
        }
    };
    let name = event.about.name().to_owned();
    match confirm(gateway, event).await {
        Ok(event) => apply(state, gateway, event).await,
        // Nothing of ours has such a name, and the gateway knows of nothing either.
        Err(GatewayError::NotFound { .. }) if !is_name_of_attempt(&name) => {
            Ok(pass_over(state, gateway.slug(), A_TEST, body).await)
        }
        Err(error) => Err(unconfirmed(state, gateway.slug(), &name, &error, body).await),
    }
}

/// Has the gateway asked about what a kept event is about, and lets its answer take effect. What is kept proves
/// nothing by itself.
pub(crate) async fn replay(state: &AppState, kept: &KeptWebhook) -> Result<Json<Receipt>, Problem> {
    let gateway = gateway(state, &kept.gateway)?;
    let event = match gateway.read_kept_webhook(&kept.body) {
        Ok(event) => event,
        Err(WebhookError::Irrelevant(_) | WebhookError::Test) => {
            return Ok(Json(Receipt { status: ReceiptStatus::Ignored }));
        }
        Err(error) => return Err(malformed(&error)),
    };
    let name = event.about.name().to_owned();
    match ask_anew(&**gateway, event).await {
        Ok(event) => apply(state, &**gateway, event).await,
        Err(error) => Err(unconfirmed(state, gateway.slug(), &name, &error, &kept.body).await),
    }
}

/// Lets what may be believed take effect; what a signature is not enough for, after the gateway was asked.
async fn apply(
    state: &AppState,
    gateway: &dyn PaymentGateway,
    event: WebhookEvent,
) -> Result<Json<Receipt>, Problem> {
    let outcome = apply_once(state, &event).await?;
    if outcome != Outcome::AskFirst {
        return answer(gateway.slug(), event.about.name(), outcome);
    }
    match ask(gateway, event.clone()).await {
        Ok(asked) => {
            let outcome = apply_once(state, &asked).await?;
            answer(gateway.slug(), asked.about.name(), outcome)
        }
        Err(error) => {
            if !matches!(error, GatewayError::NotFound { .. }) {
                state.store.keep_unanswered(&event).await?;
            }
            Err(unconfirmed(state, gateway.slug(), event.about.name(), &error, &event.body).await)
        }
    }
}

async fn apply_once(state: &AppState, event: &WebhookEvent) -> Result<Outcome, Problem> {
    crash_point("take_notification.before");
    let outcome = state.store.apply_webhook_event(event).await?;
    crash_point("take_notification.after");
    Ok(outcome)
}

/// Keeps what is authentic and of no concern to us.
async fn pass_over(state: &AppState, gateway: &str, reason: &str, body: &[u8]) -> Json<Receipt> {
    keep(state, gateway, WebhookOutcome::Ignored, reason, body).await;
    Json(Receipt { status: ReceiptStatus::Ignored })
}

/// Keeps what is authentic and can't be read, and has administrators told.
async fn unreadable_event(state: &AppState, gateway: &str, reason: &str, body: &[u8]) -> Problem {
    tracing::warn!(alert = "webhook.unreadable", gateway, reason, "an authentic notification can't be read");
    match state.store.keep_unreadable(gateway, reason, body).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(event = "webhook.not_kept", gateway, "enough of these were kept of late"),
        Err(error) => return error.into(),
    }
    let detail = format!("it is authentic and can't be read: {reason}; it is kept, and nothing was moved");
    Problem::new(Code::UnreadableNotification, detail)
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
        tracing::warn!(
            alert = "webhook.unconfirmed",
            gateway,
            gateway_order_id,
            "a notification that its gateway knows nothing of"
        );
        let reason = "the gateway knows nothing of it when it is asked";
        keep(state, gateway, WebhookOutcome::Unconfirmed, reason, body).await;
        let detail = "the gateway knows of no such payment of ours; nothing was moved";
        return Problem::field(Code::UnconfirmedPayment, "payment_request_id", detail);
    }
    tracing::error!(
        event = "webhook.unanswered",
        gateway,
        gateway_order_id,
        %error,
        "a notification could not be confirmed"
    );
    let detail = "the payment could not be looked up at the gateway; please send it again";
    Problem::new(Code::GatewayUnavailable, detail).retry_after(GATEWAY_PAUSE)
}

fn answer(gateway: &str, gateway_order_id: &str, came_of_it: Outcome) -> Result<Json<Receipt>, Problem> {
    let status = match came_of_it {
        Outcome::Applied { payment_id, order_id, status, outcome } => {
            tracing::info!(
                event = "webhook.applied",
                gateway,
                %payment_id,
                order_id = order_id.map(tracing::field::display),
                %status,
                outcome = outcome.map(tracing::field::display
            ),
                "notification applied");
            ReceiptStatus::Applied
        }
        Outcome::Disputed { payment_id, dispute_id } => {
            tracing::warn!(
                alert = "payment.disputed",
                gateway,
                %payment_id,
                %dispute_id,
                "a gateway took back what was paid"
            );
            ReceiptStatus::Disputed
        }
        // Whoever asked has an answer that nothing contradicts.
        Outcome::Ignored | Outcome::AskFirst => ReceiptStatus::Ignored,
        Outcome::AlreadyHandled => ReceiptStatus::AlreadyHandled,
        Outcome::Mismatch { payment_id, expected } => {
            tracing::warn!(
                alert = "webhook.mismatch",
                gateway,
                %payment_id,
                "a signed notification names another amount than its payment"
            );
            let detail = format!("the payment is about {expected}; nothing was moved");
            return Err(Problem::field(Code::AmountMismatch, "gross_amount", detail));
        }
        Outcome::UnknownPayment => {
            tracing::warn!(
                alert = "webhook.unknown_payment",
                gateway,
                gateway_order_id,
                "a signed notification is about no payment of ours"
            );
            let detail = "no payment of ours has this name; nothing was moved";
            return Err(Problem::field(Code::UnknownPayment, "order_id", detail));
        }
    };
    Ok(Json(Receipt { status }))
}

/// Keeps what is not taken in; failing to must not change the answer.
async fn keep(state: &AppState, gateway: &str, outcome: WebhookOutcome, reason: &str, body: &[u8]) {
    match state.store.keep_unbelieved(gateway, outcome, reason, body).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(event = "webhook.not_kept", gateway, %outcome, "enough of these were kept of late")
        }
        Err(error) => {
            tracing::error!(
                event = "webhook.lost",
                %error,
                gateway,
                %outcome,
                "a notification could not be kept"
            )
        }
    }
}

fn malformed(error: &WebhookError) -> Problem {
    Problem::new(Code::MalformedNotification, error.to_string())
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(Code::BodyTooLarge, "the notification is larger than we accept")
    } else {
        Problem::new(Code::BodyUnreadable, "the body could not be read to its end")
    }
}
