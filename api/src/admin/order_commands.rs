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
    payments::{Approval, Payment},
};
use utoipa::ToSchema;

use super::treasurer::Treasurer;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id},
    problem::Problem,
    provisioning_retry::{RetryAccepted, RetryRequest, retry},
};

/// Most that one transfer may be, in rupiah.
const LARGEST_TRANSFER: i64 = 1_000_000_000_000;

/// What was received for an order.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovePayment {
    /// The bank transfer it is about. It may be left out when exactly one waits, or when none was announced.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_id: Option<PaymentId>,
    /// Whole rupiah that arrived with this transfer; left out: exactly what is still due. It has to be said when nothing
    /// is due (the order expired, the transfer is closed), and when a transfer for the order was rejected.
    #[garde(custom(more_than_nothing))]
    #[schema(example = 133_200)]
    amount_received: Option<Rupiah>,
    /// `true`: the transfer that `payment_id` names was called off, expired or rejected, and what arrived with it
    /// nevertheless goes to the customer's balance.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    credit_closed: bool,
    /// A remark for colleagues, at most 500 characters.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500, example = "Seen on the BCA statement of 24 November")]
    note: Option<String>,
}

/// Why a payment is not accepted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RejectPayment {
    /// The payment it is about. It may be left out when exactly one bank transfer waits, or where none does, exactly one
    /// other attempt.
    #[garde(skip)]
    #[serde(default)]
    payment_id: Option<PaymentId>,
    /// The customer reads it: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "No such transfer has arrived")]
    reason: String,
}

/// Why an order is called off.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelOrder {
    /// The customer reads it: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "This plan is sold out at the provider")]
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
    /// What it still has to bring; null when nobody waits for it.
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
    /// Whether a server exists or may exist at the provider: then it is being deleted there.
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
         status. Where something is wanted otherwise: `outcome_pending` while a server of it may exist where it was tried; \
         `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`; where something is wanted otherwise: `unknown_plan`, \
         `plan_inactive`, `region_unknown`, `region_without_plan`, `region_required`, `image_unknown`, \
         `image_not_for_provider`, `invalid_hostname`, `ssh_key_unknown`, `ssh_keys_too_long`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry_provisioning(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    body: Option<Body<RetryRequest>>,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    retry(&state, order, &client.origin(admin.actor()), request).await
}

/// Call an order off that has not come to its end: unpaid, paid, being provisioned, or failed. What was paid goes back to
/// the customer's balance, with a credit note; a server that exists or may exist is deleted. The customer is told with the
/// reason.
#[utoipa::path(
    post, path = "/admin/orders/{id}/cancel", tag = "admin", operation_id = "admin_cancel_order",
    security(("bearer" = [])),
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = String, Header, description = "New for each new request, the same for a retry."),
    ),
    request_body(content = CancelOrder),
    responses(
        (status = 200, description = "The order is `CANCELLED`.", body = AdminCancelledOrder),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: the order is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`order_conflict`: it can't be called off any more; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<CancelOrder>,
) -> Result<Json<AdminCancelledOrder>, Problem> {
    let act = treasurer.act(&format!("POST /admin/orders/{order}/cancel"), &request)?;
    let cancelled = state.store.cancel_order_for_staff(order, request.reason.trim(), &act).await?;
    tracing::info!(
        event = "order.cancelled",
        order_id = %order,
        server_may_exist = cancelled.server_may_exist,
        "order cancelled by staff"
    );
    Ok(Json(cancelled.into()))
}

/// Take money for an order: for the bank transfer that you name, for the only one that waits, or where none was announced,
/// on your word. Works for a late payment too. Say what arrived with this transfer: too much goes to the customer's
/// balance; too little is kept for the order, which goes on waiting for the rest; what the order can't take any more goes
/// to the balance. What arrived with a transfer that is closed goes there with `credit_closed`. The same request again
/// answers with the same payment.
#[utoipa::path(
    post, path = "/admin/orders/{id}/approve-payment", tag = "admin", operation_id = "admin_approve_payment",
    security(("bearer" = [])),
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = String, Header, description = "New for each transfer, the same for a retry."),
    ),
    request_body(content = Option<ApprovePayment>, description = "May be left out.",
                 example = json!({ "amount_received": 133_200, "note": "Seen on the BCA statement of 24 November" })),
    responses(
        (status = 200, description = "The order is `PAID`; or waits for the rest; or is closed as before.", body = AdminReviewedPayment),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: the order is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such order, or it has no such payment.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`several_payments_wait`: name one of `payment_ids`. `order_conflict`: it can't be paid \
         (any more), `detail` names its status. `payment_conflict`: the named payment is paid, closed, or no bank transfer. \
         Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`amount_required`: nothing is due, so say what arrived. `payment_required`: \
         `credit_closed` without `payment_id`. `invalid_body`, `validation_failed` or `idempotency_key_reused`. Nothing \
         moved.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn approve_payment(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    body: Option<Body<ApprovePayment>>,
) -> Result<Json<AdminReviewedPayment>, Problem> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    let act = treasurer.act(&format!("POST /admin/orders/{order}/approve-payment"), &request)?;
    let approval = Approval {
        payment: request.payment_id,
        arrived: request.amount_received,
        note: request.note.as_deref(),
        credit_closed: request.credit_closed,
    };
    let payment = state.store.approve_payment(order, &approval, &act).await?;
    tracing::info!(
        event = "payment.approved",
        order_id = %order,
        payment_id = %payment.id,
        "payment approved by hand"
    );
    reviewed(&state, order, payment).await.map(Json)
}

/// Refuse an open attempt to pay an order: the one that you name, the only bank transfer that waits, or where none does, the
/// only other attempt. The order goes on waiting for money, with what a part of the transfer has brought, and the customer is
/// told with the reason.
#[utoipa::path(
    post, path = "/admin/orders/{id}/reject-payment", tag = "admin", operation_id = "admin_reject_payment",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = RejectPayment),
    responses(
        (status = 200, description = "The payment is `DENIED`.", body = AdminReviewedPayment),
        (status = 404, description = "`not_found`: there is no such order, or it has no such payment.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`payment_conflict`: it is not open, or none is; `detail` names its status or the latest \
         one's. `several_payments_wait`: name one of `payment_ids`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn reject_payment(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<RejectPayment>,
) -> Result<Json<AdminReviewedPayment>, Problem> {
    let origin = client.origin(admin.actor());
    let payment =
        state.store.reject_payment(order, request.payment_id, &origin, request.reason.trim()).await?;
    tracing::info!(
        event = "payment.rejected",
        order_id = %order,
        payment_id = %payment.id,
        "payment rejected by hand"
    );
    reviewed(&state, order, payment).await.map(Json)
}

async fn reviewed(
    state: &AppState,
    order: OrderId,
    payment: Payment,
) -> Result<AdminReviewedPayment, Problem> {
    let status = state.store.any_order(order).await?.status;
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
