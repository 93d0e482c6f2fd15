//! Giving money back, whole or in part: to the customer's balance, or back through the gateway it was paid through.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{CreditNoteId, InvoiceId, OrderId, PaymentId, RefundId, UserId},
    language::Language,
    order::OrderStatus,
    refund::{RefundDestination, RefundStatus},
    sorting::AmountSort,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::refunds::{NewRefund, Part, Refund, RefundFilter, RefundedOrder};
use utoipa::{IntoParams, ToSchema};

use super::treasurer::Treasurer;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Paged, Params, SortedPaging},
    problem::{Code, Problem},
};

/// What is given back of an order, or of an invoice without one.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundRequest {
    /// Goes on the credit note: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(super::order_commands::not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "The region is sold out at the provider")]
    reason: String,
    /// Whole rupiah, PPN included, more than 0; left out: all that is there.
    #[garde(custom(more_than_nothing))]
    #[schema(example = 33_300)]
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Rupiah>,
    /// Instead of an amount, for a running order: what of its term is not served yet.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unserved: bool,
    /// `WALLET`, the customer's balance, when it is left out; `GATEWAY`: back the way it was paid, for QRIS only.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<RefundDestination>,
}

fn more_than_nothing(amount: &Option<Rupiah>, _: &()) -> garde::Result {
    match amount {
        Some(amount) if *amount <= Rupiah::ZERO => Err(garde::Error::new("must be more than 0")),
        _ => Ok(()),
    }
}

impl RefundRequest {
    fn part(&self) -> Result<Part, Problem> {
        match (self.amount, self.unserved) {
            (None, false) => Ok(Part::Whole),
            (None, true) => Ok(Part::Unserved),
            (Some(amount), false) => Ok(Part::Amount(amount)),
            (Some(_), true) => Err(Problem::field(
                Code::ValidationFailed,
                "unserved",
                "is instead of an amount, not beside it",
            )),
        }
    }
}

/// Money that is given back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRefund {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: RefundId,
    customer_id: UserId,
    /// The order it was paid for; null for an invoice without one.
    order_id: Option<OrderId>,
    /// The invoice it was paid for.
    invoice_id: InvoiceId,
    /// The payment that goes back through its gateway; null for a refund to the balance.
    payment_id: Option<PaymentId>,
    /// Slug of that gateway.
    #[schema(example = "midtrans")]
    gateway: Option<String>,
    destination: RefundDestination,
    /// `SENT` with an error and no end in sight: nobody knows for certain. Have it asked for again, or look at the gateway.
    status: RefundStatus,
    /// Whole rupiah.
    #[schema(example = 33_300)]
    amount: Rupiah,
    /// Of it, without tax.
    #[schema(example = 30_000)]
    net: Rupiah,
    /// PPN in it.
    #[schema(example = 3_300)]
    tax: Rupiah,
    #[schema(example = "The region is sold out at the provider")]
    reason: String,
    credit_note_id: Option<CreditNoteId>,
    /// Number of the credit note.
    #[schema(example = "CN/2026/000001")]
    credit_note: Option<String>,
    requested_by: Option<UserId>,
    /// The gateway's name for it.
    gateway_refund_id: Option<String>,
    /// How often the gateway was asked.
    attempts: i32,
    /// Since when a call may have taken effect whose answer is not known; null when nothing is in doubt.
    in_doubt_since: Option<DateTime<Utc>>,
    /// What went wrong last.
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    /// When the gateway was first asked.
    sent_at: Option<DateTime<Utc>>,
    /// When the money was with the customer or on the balance.
    ended_at: Option<DateTime<Utc>>,
}

/// An order whose money is given back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRefundedOrder {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where it stands now: `REFUNDED` when all of a paid or failed order is given back, else as before.
    status: OrderStatus,
    /// Whole rupiah that are given back.
    #[schema(example = 133_200)]
    amount: Rupiah,
    /// Whether a server exists or may exist at the provider; unless the order is `ACTIVE`, somebody has to look for it
    /// there.
    server_may_exist: bool,
    refund: AdminRefund,
}

/// Which refunds are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RefundQuery {
    /// Only those in this status; `SENT` finds those whose end is not known.
    status: Option<RefundStatus>,
    /// Only those to there.
    destination: Option<RefundDestination>,
    /// Only those of this order.
    order_id: Option<OrderId>,
    /// Only those of this invoice, be it an order's or not.
    invoice_id: Option<InvoiceId>,
    /// Only this customer's.
    customer_id: Option<UserId>,
}

/// Give money of an order back, with a credit note. All of a paid or failed order's money ends it (`REFUNDED`); a part,
/// and whatever is given back of an `ACTIVE` or closed one, leaves it where it is. Of an `ACTIVE` order say an amount, or
/// `unserved`: its server stays. Through a gateway the money is on its way when this answers; if the gateway certainly
/// will not give it back, it goes to the balance.
#[utoipa::path(
    post, path = "/admin/orders/{id}/refund", tag = "admin", operation_id = "admin_refund_order",
    security(("bearer" = [])),
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = String, Header, description = "New for each new refund, the same for a retry."),
    ),
    request_body(content = RefundRequest, example = json!({ "reason": "The region is sold out at the provider" })),
    responses(
        (status = 200, description = "The money is on the customer's balance, or on its way.", body = AdminRefundedOrder),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: it is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`order_conflict`: there is nothing to give back, its server is being made, or it runs \
         and all of its money is wanted; `detail` names its status. `refund_exceeds_available`: there is less; `detail` says \
         how much. `refund_channel_unavailable`: nothing leads back the way it was paid. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `invalid_body` or `idempotency_key_reused`. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn refund_order(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<RefundRequest>,
) -> Result<Json<AdminRefundedOrder>, Problem> {
    let act = treasurer.act(&format!("POST /admin/orders/{order}/refund"), &request)?;
    let gateways: Vec<&str> = state.payments.gateways.keys().copied().collect();
    let new = new_refund(&state, &request, &gateways)?;
    let refunded = state.store.refund_order(order, &new, &act).await?;
    tracing::info!(
        event = "order.refunded",
        order_id = %order,
        refund_id = %refunded.refund.id,
        destination = %refunded.refund.destination,
        server_may_exist = refunded.server_may_exist,
        "order refunded"
    );
    Ok(Json(refunded.into()))
}

/// Give money of a paid invoice back that belongs to no order (a renewal's, or one made by hand), with a credit note. The
/// invoice is `REFUNDED` once nothing of it is left.
#[utoipa::path(
    post, path = "/admin/invoices/{id}/refund", tag = "admin", operation_id = "admin_refund_invoice",
    security(("bearer" = [])),
    params(
        ("id" = InvoiceId, Path, description = "The invoice."),
        ("Idempotency-Key" = String, Header, description = "New for each new refund, the same for a retry."),
    ),
    request_body(content = RefundRequest, example = json!({ "reason": "Billed twice", "destination": "GATEWAY" })),
    responses(
        (status = 200, description = "The money is on the customer's balance, or on its way.", body = AdminRefund),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: it is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`invoice_conflict`: it is not paid, nothing of it is left, or it is an order's; \
         `refund_exceeds_available` or `refund_channel_unavailable`. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `invalid_body` or `idempotency_key_reused`. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn refund_invoice(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(invoice): Id<InvoiceId>,
    Body(request): Body<RefundRequest>,
) -> Result<Json<AdminRefund>, Problem> {
    let act = treasurer.act(&format!("POST /admin/invoices/{invoice}/refund"), &request)?;
    let gateways: Vec<&str> = state.payments.gateways.keys().copied().collect();
    let new = new_refund(&state, &request, &gateways)?;
    let refund = state.store.refund_invoice(invoice, &new, &act).await?;
    tracing::info!(
        event = "invoice.refunded",
        invoice_id = %invoice,
        refund_id = %refund.id,
        destination = %refund.destination,
        "invoice refunded"
    );
    Ok(Json(refund.into()))
}

fn new_refund<'a>(
    state: &AppState,
    request: &'a RefundRequest,
    gateways: &'a [&'a str],
) -> Result<NewRefund<'a>, Problem> {
    Ok(NewRefund {
        part: request.part()?,
        destination: request.destination.unwrap_or(RefundDestination::Wallet),
        reason: request.reason.trim(),
        gateways,
        policy: state.payments.refund_policy,
    })
}

/// List everybody's refunds, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/refunds", tag = "admin", operation_id = "admin_list_refunds", security(("bearer" = [])),
    params(SortedPaging<AmountSort>, RefundQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminRefund>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AmountSort>,
    Params(query): Params<RefundQuery>,
) -> Result<Paged<AdminRefund>, Problem> {
    let filter = RefundFilter {
        refund: None,
        status: query.status,
        destination: query.destination,
        order: query.order_id,
        invoice: query.invoice_id,
        customer: query.customer_id,
    };
    let (sort, request) = paging.request()?;
    let page = state.store.refunds_sorted(&filter, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminRefund::from))
}

/// Read a refund.
#[utoipa::path(
    get, path = "/admin/refunds/{id}", tag = "admin", operation_id = "admin_get_refund", security(("bearer" = [])),
    params(("id" = RefundId, Path, description = "The refund.")),
    responses(
        (status = 200, description = "The refund.", body = AdminRefund),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(refund): Id<RefundId>,
) -> Result<Json<AdminRefund>, Problem> {
    Ok(Json(state.store.refund(refund).await?.into()))
}

/// Have the gateway asked once more for a refund whose end is not known. It gives back once, however often it is asked.
#[utoipa::path(
    post, path = "/admin/refunds/{id}/retry", tag = "admin", operation_id = "admin_retry_refund",
    security(("bearer" = [])), params(("id" = RefundId, Path, description = "The refund.")),
    responses(
        (status = 202, description = "The gateway will be asked; the refund as it is now.", body = AdminRefund),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`refund_conflict`: it has ended; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retry(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(refund): Id<RefundId>,
) -> Result<(StatusCode, Json<AdminRefund>), Problem> {
    let policy = state.payments.refund_policy;
    let asked = state.store.retry_refund(refund, policy, &client.origin(admin.actor())).await?;
    tracing::info!(event = "refund.asked_again", refund_id = %refund, "a refund is asked for again");
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

impl From<RefundedOrder> for AdminRefundedOrder {
    fn from(order: RefundedOrder) -> Self {
        Self {
            id: order.order_id,
            status: order.status,
            amount: order.refund.amount,
            server_may_exist: order.server_may_exist,
            refund: order.refund.into(),
        }
    }
}

impl From<Refund> for AdminRefund {
    fn from(refund: Refund) -> Self {
        Self {
            id: refund.id,
            customer_id: refund.customer_id,
            order_id: refund.order_id,
            invoice_id: refund.invoice_id,
            payment_id: refund.payment_id,
            gateway: refund.gateway,
            destination: refund.destination,
            status: refund.status,
            amount: refund.amount,
            net: refund.net,
            tax: refund.tax,
            reason: messages::credit_reason(&refund.reason.into(), Language::English),
            credit_note_id: refund.credit_note_id,
            credit_note: refund.credit_note,
            requested_by: refund.requested_by,
            gateway_refund_id: refund.gateway_refund_id,
            attempts: refund.attempts,
            in_doubt_since: refund.in_doubt_since,
            last_error: refund.last_error,
            created_at: refund.created_at,
            sent_at: refund.sent_at,
            ended_at: refund.ended_at,
        }
    }
}
