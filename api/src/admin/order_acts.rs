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
    idempotency::Idempotency,
    payments::{Approval, Payment},
};
use utoipa::ToSchema;

use super::retry::{self, RetryAccepted, RetryRequest};
use crate::{
    AppState,
    auth::{Administrator, Client},
    extract::{Body, Id, IdempotencyKey},
    problem::Problem,
};

/// Most that one transfer may be, in rupiah.
const LARGEST_TRANSFER: i64 = 1_000_000_000_000;

/// What was received for an order.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovePayment {
    /// Whole rupiah that arrived with this transfer; left out: exactly what was still due.
    #[garde(custom(more_than_nothing))]
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

fn more_than_nothing(amount: &Option<Rupiah>, _: &()) -> garde::Result {
    match amount.map(Rupiah::get) {
        None | Some(1..=LARGEST_TRANSFER) => Ok(()),
        Some(_) => Err(garde::Error::new("must be more than 0, and no more than 1000000000000")),
    }
}

pub(super) fn not_blank(text: &str, _: &()) -> garde::Result {
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
    /// `PAID` when approved (`PENDING` while a part is missing), `DENIED` when rejected.
    status: PaymentStatus,
    /// Whole rupiah.
    #[schema(example = 133_200)]
    amount: Rupiah,
    /// What has arrived in all; null before.
    #[schema(example = 100_000)]
    amount_received: Option<Rupiah>,
    /// What is still missing after a part has arrived; null when nothing is.
    #[schema(example = 33_200)]
    amount_due: Option<Rupiah>,
}

/// An order that was called off.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminCancelledOrder {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where it stands now: `CANCELLED`.
    status: OrderStatus,
    /// Whether the customer had paid.
    was_paid: bool,
    /// Whole rupiah that went back to the customer's balance.
    #[schema(example = 133_200)]
    returned: Rupiah,
    /// Whether a server may exist at the provider all the same: then somebody has to look for it there.
    server_may_exist: bool,
}

impl From<CancelledOrder> for AdminCancelledOrder {
    fn from(order: CancelledOrder) -> Self {
        Self {
            id: order.order_id,
            status: order.status,
            was_paid: order.was_paid,
            returned: order.returned,
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

/// Call an order off: unpaid, paid but not yet at the provider, or failed. What was paid goes back to the
/// customer's balance, with a credit note. The customer is told with the reason.
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

/// Take money for an order: for its open bank transfer, or where there is none, on your word. Works for a late payment
/// too. Say what arrived with this transfer: too much goes to the customer's balance; too little is kept for the order,
/// which goes on waiting for the rest. A transfer that was announced for an order that is closed by now goes to the balance.
#[utoipa::path(
    post, path = "/admin/orders/{id}/approve-payment", tag = "admin", operation_id = "admin_approve_payment",
    security(("bearer" = [])), 
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for a retry, so that a transfer counts once."),
    ),
    request_body(content = Option<ApprovePayment>, description = "May be left out.",
                 example = json!({ "amount_received": 133_200, "note": "Seen on the BCA statement of 24 November" })),
    responses(
        (status = 200, description = "The order is `PAID`; or waits for the rest; or is closed as before.", body = AdminReviewedPayment),
        (status = 409, description = "`order_conflict`: it can't be paid (any more), `detail` names its status; or \
         `plan_conflict`: the order had expired and its plan is sold out.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, `validation_failed` or `idempotency_key_reused`. Nothing moved.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn approve_payment(
    admin: Administrator,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    key: Option<IdempotencyKey>,
    body: Option<Body<ApprovePayment>>,
) -> Result<Json<AdminReviewedPayment>, Problem> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    let scope = format!("POST /admin/orders/{order}/approve-payment");
    let promise = key.map(|IdempotencyKey(key)| Idempotency::new(&scope, &key, &request)).transpose()?;
    let origin = client.origin(admin.actor());
    let approval = Approval { arrived: request.amount_received, note: request.note.as_deref() };
    let payment = state.store.approve_payment(order, &origin, approval, promise.as_ref()).await?;
    tracing::info!(order_id = %order, payment_id = %payment.id, "payment approved by hand");
    reviewed(&state, order, payment).await.map(Json)
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
    reviewed(&state, order, payment).await.map(Json)
}

async fn reviewed(
    state: &AppState,
    order: OrderId,
    payment: Payment,
) -> Result<AdminReviewedPayment, Problem> {
    let status = state.store.order(order, None).await?.status;
    let decision = AdminPaymentDecision {
        id: payment.id,
        method: payment.method,
        status: payment.status,
        amount: payment.amount,
        amount_received: payment.amount_received,
        amount_due: payment.amount_due(),
    };
    Ok(AdminReviewedPayment { id: order, status, payment: decision })
}
