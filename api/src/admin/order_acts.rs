//! What administrators do to an order.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Rupiah,
    billing::{PaymentMethod, PaymentStatus},
    ids::{OrderId, PaymentId},
    order::OrderStatus,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    admin::CancelledOrder,
    payments::{Payment, ReviewError},
};
use utoipa::ToSchema;

use super::retry::{self, RetryAccepted, RetryRequest};
use crate::{
    AppState,
    auth::{Administrator, Client},
    extract::{Body, Id},
    problem::Problem,
};

/// What was received for an order.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovePayment {
    /// Whole rupiah that arrived; left out: exactly the order's total.
    #[garde(skip)]
    #[schema(example = 133_200)]
    amount_received: Option<Rupiah>,
    /// A remark for colleagues, at most 500 characters.
    #[garde(length(chars, max = 500))]
    #[schema(example = "Seen on the BCA statement of 24 November")]
    note: Option<String>,
}

/// Why a payment is not accepted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectPayment {
    /// The customer reads it: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(example = "No such transfer has arrived")]
    reason: String,
}

/// Why an order is called off.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelOrder {
    /// The customer reads it: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(example = "This plan is sold out at the provider")]
    reason: String,
}

fn not_blank(text: &str, _: &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("must not be blank")) } else { Ok(()) }
}

/// A decision about the money of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminReviewedPayment {
    /// The order.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where the order stands at this moment.
    status: OrderStatus,
    payment: AdminPaymentDecision,
}

/// The payment that was decided on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPaymentDecision {
    id: PaymentId,
    method: PaymentMethod,
    /// `PAID` when approved, `DENIED` when rejected.
    status: PaymentStatus,
    /// Whole rupiah.
    #[schema(example = 133_200)]
    amount: Rupiah,
}

/// An order that was called off.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminCancelledOrder {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where it stands now: `CANCELLED`.
    status: OrderStatus,
    /// Whether the customer had paid: then the money has to be given back.
    was_paid: bool,
    /// Whether a server may exist at the provider all the same: then somebody has to look for it there.
    server_may_exist: bool,
}

impl From<CancelledOrder> for AdminCancelledOrder {
    fn from(order: CancelledOrder) -> Self {
        Self {
            id: order.order_id,
            status: order.status,
            was_paid: order.was_paid,
            server_may_exist: order.server_may_exist,
        }
    }
}

/// Send a failed order back to provisioning. Of several calls at once exactly one is accepted.
#[utoipa::path(
    post, path = "/admin/orders/{id}/retry-provisioning", tag = "admin", operation_id = "admin_retry_provisioning",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = Option<RetryRequest>, description = "May be left out.", example = json!({})),
    responses(
        (status = 202, description = "The order is `PROVISIONING` again.", body = RetryAccepted),
        (status = 409, description = "`order_conflict`: the order is not `PROVISIONING_FAILED`; `detail` names its \
         status. Where it is wanted elsewhere: `outcome_pending` while a server of it may exist where it was tried; \
         `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`; where it is wanted elsewhere: `unknown_plan`, \
         `plan_inactive`, `region_unknown`, `region_without_plan`, `region_required`, `image_not_for_provider`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry_provisioning(
    admin: Administrator,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    body: Option<Body<RetryRequest>>,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    retry::retry(&state, order, &client.origin(admin.actor()), request).await
}

/// Call an order off: unpaid, paid but not yet at the provider, or failed. The customer is told with the reason.
#[utoipa::path(
    post, path = "/admin/orders/{id}/cancel", tag = "admin", operation_id = "admin_cancel_order",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = CancelOrder),
    responses(
        (status = 200, description = "The order is `CANCELLED`.", body = AdminCancelledOrder),
        (status = 409, description = "`order_conflict`: it can't be called off any more; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    admin: Administrator,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<CancelOrder>,
) -> Result<Json<AdminCancelledOrder>, Problem> {
    let origin = client.origin(admin.actor());
    let cancelled = state.store.cancel_order_for_staff(order, &origin, request.reason.trim()).await?;
    tracing::info!(order_id = %order, server_may_exist = cancelled.server_may_exist, "order cancelled by staff");
    Ok(Json(cancelled.into()))
}

/// Take an order as paid: its open bank transfer, or where there is none, on your word. Works for a late payment too.
#[utoipa::path(
    post, path = "/admin/orders/{id}/approve-payment", tag = "admin", operation_id = "admin_approve_payment",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = Option<ApprovePayment>, description = "May be left out.",
                 example = json!({ "amount_received": 133_200, "note": "Seen on the BCA statement of 24 November" })),
    responses(
        (status = 200, description = "The order is `PAID`.", body = AdminReviewedPayment),
        (status = 409, description = "`order_conflict`: it can't be paid (any more), `detail` names its status; or \
         `plan_conflict`: the order had expired and its plan is sold out.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`amount_differs`: not exactly the order's total was received; or `invalid_body`, \
         `validation_failed`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn approve_payment(
    admin: Administrator,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    body: Option<Body<ApprovePayment>>,
) -> Result<Json<AdminReviewedPayment>, Problem> {
    let ApprovePayment { amount_received, note } = body.map(|Body(request)| request).unwrap_or_default();
    let origin = client.origin(admin.actor());
    let payment = state
        .store
        .approve_payment(order, &origin, amount_received, note.as_deref())
        .await
        .map_err(review_problem)?;
    tracing::info!(order_id = %order, payment_id = %payment.id, "payment approved by hand");
    reviewed(&state, payment).await.map(Json)
}

/// Refuse the open attempt to pay an order, a bank transfer first. The order goes on waiting for money, and the customer
/// is told with the reason.
#[utoipa::path(
    post, path = "/admin/orders/{id}/reject-payment", tag = "admin", operation_id = "admin_reject_payment",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = RejectPayment),
    responses(
        (status = 200, description = "The payment is `DENIED`.", body = AdminReviewedPayment),
        (status = 409, description = "`payment_conflict`: no attempt is open; `detail` names the latest one's status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn reject_payment(
    admin: Administrator,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<RejectPayment>,
) -> Result<Json<AdminReviewedPayment>, Problem> {
    let origin = client.origin(admin.actor());
    let payment = state.store.reject_payment(order, &origin, request.reason.trim()).await?;
    tracing::info!(order_id = %order, payment_id = %payment.id, "payment rejected by hand");
    reviewed(&state, payment).await.map(Json)
}

async fn reviewed(state: &AppState, payment: Payment) -> Result<AdminReviewedPayment, Problem> {
    let status = state.store.order(payment.order_id, None).await?.status;
    let Payment { id, method, status: payment_status, amount, .. } = payment;
    let decision = AdminPaymentDecision { id, method, status: payment_status, amount };
    Ok(AdminReviewedPayment { id: payment.order_id, status, payment: decision })
}

fn review_problem(error: ReviewError) -> Problem {
    match error {
        ReviewError::AmountDiffers { .. } => {
            Problem::field("amount_differs", "amount_received", error.to_string())
        }
        ReviewError::Store(error) => error.into(),
    }
}
