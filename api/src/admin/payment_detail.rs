//! One attempt to pay with what is around it, and asking its gateway what became of it.

use std::time::Duration;

use adapters::payments::{Attempt, GatewayError};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    gateway::Outcome,
    ids::{MovementId, PaymentId},
    ledger::MovementKind,
};
use serde::Serialize;
use store::admin::{AskedPayment, PaymentAround, PaymentMovement};
use utoipa::ToSchema;

use super::{orders::AdminWebhookEvent, payments::AdminPayment};
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::Id,
    problem::{Code, Problem},
};

/// Longest wait for a gateway's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds after which a gateway that did not answer may be asked again.
const PAUSE: u64 = 30;

/// A movement of a payment's money in the books.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPaymentMovement {
    id: MovementId,
    #[schema(inline)]
    kind: MovementKind,
    /// What brought it about; no two movements have the same.
    #[schema(example = "payment/0193e7d0-4362-7709-b262-4de1f9ad2f5e/received")]
    cause: String,
    /// Whole rupiah that moved.
    #[schema(example = 133_200)]
    amount: Rupiah,
    at: DateTime<Utc>,
}

/// An attempt to pay with what is around it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPaymentDetail {
    #[serde(flatten)]
    payment: AdminPayment,
    /// When its gateway was last asked by us; null when it never was.
    checked_at: Option<DateTime<Utc>>,
    /// The latest hundred attempts to pay the same, newest first; it is one of them.
    attempts: Vec<AdminPayment>,
    /// The latest hundred notifications about it, newest first.
    webhook_events: Vec<AdminWebhookEvent>,
    /// What its money did in the books, the first first.
    movements: Vec<AdminPaymentMovement>,
}

/// Show one attempt to pay with the others that pay the same, what gateways told of it, and what its money did in the books.
#[utoipa::path(
    get, path = "/admin/payments/{id}", tag = "admin", operation_id = "admin_get_payment", security(("bearer" = [])),
    params(("id" = PaymentId, Path, description = "The payment.")),
    responses(
        (status = 200, description = "The payment.", body = AdminPaymentDetail),
        (status = 404, description = "`not_found`: there is no such payment.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(payment): Id<PaymentId>,
) -> Result<Json<AdminPaymentDetail>, Problem> {
    Ok(Json(state.store.payment_for_staff(payment).await?.into()))
}

/// Ask a payment's gateway now what became of it, and let its answer take effect, as a notification of it would: money that is
/// there settles, an attempt that ended is closed. What took effect does not do so again.
#[utoipa::path(
    post, path = "/admin/payments/{id}/check", tag = "admin", operation_id = "admin_check_payment",
    security(("bearer" = [])), params(("id" = PaymentId, Path, description = "The payment.")),
    responses(
        (status = 200, description = "The payment after the answer.", body = AdminPaymentDetail),
        (status = 404, description = "`not_found`: there is no such payment.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`payment_conflict`: no gateway takes it, or its gateway is not in use here.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unconfirmed_payment`: the gateway knows of no such payment; `amount_mismatch`: what it \
         knows is not over the payment's amount. Nothing moved.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "`gateway_unavailable` or `unavailable`: try again.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn check(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(payment): Id<PaymentId>,
) -> Result<Json<AdminPaymentDetail>, Problem> {
    let asked = state.store.request_payment_check(payment, &client.origin(admin.actor())).await?;
    apply(&state, payment, &asked).await?;
    Ok(Json(state.store.payment_for_staff(payment).await?.into()))
}

async fn apply(state: &AppState, payment: PaymentId, asked: &AskedPayment) -> Result<(), Problem> {
    let Some(gateway) = state.payments.gateways.get(asked.gateway.as_str()) else {
        let detail = format!("the gateway {} is not in use here", asked.gateway);
        return Err(Problem::new(Code::PaymentConflict, detail));
    };
    let attempt = Attempt {
        gateway_order_id: &asked.gateway_order_id,
        transaction_id: asked.transaction_id.as_deref(),
    };
    let report = match tokio::time::timeout(PATIENCE, gateway.status(attempt)).await {
        Ok(Ok(report)) => report,
        Ok(Err(GatewayError::NotFound { .. })) => {
            let detail = "the gateway knows of no such payment of ours; nothing was moved";
            return Err(Problem::new(Code::UnconfirmedPayment, detail));
        }
        Ok(Err(error)) => return Err(unanswered(payment, asked, &error)),
        Err(elapsed) => return Err(unanswered(payment, asked, &elapsed)),
    };
    match state.store.apply_report(&asked.gateway, &asked.gateway_order_id, &report).await? {
        Outcome::Mismatch { expected, .. } => {
            let detail = format!("the payment is about {expected}; nothing was moved");
            Err(Problem::new(Code::AmountMismatch, detail))
        }
        outcome => {
            tracing::info!(
                event = "payment.checked",
                payment_id = %payment,
                gateway = asked.gateway,
                moved = matches!(outcome, Outcome::Applied { .. }),
                "a gateway was asked about a payment"
            );
            Ok(())
        }
    }
}

fn unanswered(payment: PaymentId, asked: &AskedPayment, error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(
        event = "payment.check_unanswered",
        payment_id = %payment,
        gateway = asked.gateway,
        %error,
        "a gateway does not say what became of a payment"
    );
    let detail = "the payment could not be looked up at the gateway; please try again";
    Problem::new(Code::GatewayUnavailable, detail).retry_after(PAUSE)
}

impl From<PaymentAround> for AdminPaymentDetail {
    fn from(around: PaymentAround) -> Self {
        Self {
            payment: around.payment.into(),
            checked_at: around.checked_at,
            attempts: around.attempts.into_iter().map(AdminPayment::from).collect(),
            webhook_events: around.webhooks.into_iter().map(AdminWebhookEvent::from).collect(),
            movements: around.movements.into_iter().map(AdminPaymentMovement::from).collect(),
        }
    }
}

impl From<PaymentMovement> for AdminPaymentMovement {
    fn from(movement: PaymentMovement) -> Self {
        let PaymentMovement { id, kind, cause, amount, at } = movement;
        Self { id, kind, cause, amount, at }
    }
}
