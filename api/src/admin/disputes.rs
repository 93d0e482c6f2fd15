//! Money of paid payments that gateways took back: what they told, and what an administrator makes of it.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    dispute::{DisputeStatus, ReversalKind},
    ids::{DepositId, DisputeId, InvoiceId, OrderId, PaymentId, UserId},
    sorting::AmountSort,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    disputes::{Decision, Dispute, DisputeFilter},
    money_act::MoneyAct,
};
use utoipa::{IntoParams, ToSchema};

use super::treasurer::Treasurer;
use crate::{
    AppState,
    auth::Staff,
    extract::{Body, Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Money that a gateway took back without our asking.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminDispute {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: DisputeId,
    /// The paid payment.
    payment_id: PaymentId,
    customer_id: UserId,
    /// The order it paid for; null for anything else.
    order_id: Option<OrderId>,
    /// The invoice it paid for; null for a deposit.
    invoice_id: Option<InvoiceId>,
    /// The deposit it was; null for anything else.
    deposit_id: Option<DepositId>,
    /// Slug of the gateway.
    #[schema(example = "midtrans")]
    gateway: String,
    /// Our name for the payment there.
    gateway_order_id: String,
    kind: ReversalKind,
    /// The gateway's name for what it took back.
    #[schema(example = "refund-4711")]
    name: String,
    status: DisputeStatus,
    /// Whole rupiah: what the gateway named, as far as so much of the payment was left.
    #[schema(example = 133_200)]
    amount: Rupiah,
    /// Whole rupiah, besides, of a fee that the gateway had made the payer pay.
    #[schema(example = 0)]
    payer_fee: Rupiah,
    /// The amount in the gateway's own words; empty when it names none.
    #[schema(example = "133200.00")]
    amount_told: String,
    /// Whether the server was powered off with the acceptance.
    suspends_server: bool,
    /// What was said with the decision.
    note: Option<String>,
    decided_by: Option<UserId>,
    decided_at: Option<DateTime<Utc>>,
    /// Accepted: whole rupiah that the customer owes us, since they were spent already. Null before.
    #[schema(example = 0)]
    receivable: Option<Rupiah>,
    created_at: DateTime<Utc>,
}

/// Which disputes are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DisputeQuery {
    /// Only those in this status; `OPEN` finds those that wait for a decision.
    status: Option<DisputeStatus>,
    /// Only those about money taken back in this way.
    kind: Option<ReversalKind>,
    /// Only those with this gateway (slug).
    #[param(example = "midtrans")]
    gateway: Option<String>,
    /// Only those about this payment.
    payment_id: Option<PaymentId>,
    /// Only those about payments of this order.
    order_id: Option<OrderId>,
    /// Only this customer's.
    customer_id: Option<UserId>,
}

/// How a dispute is accepted.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AcceptDispute {
    /// Whether the server that the payment paid for is powered off.
    #[garde(skip)]
    suspend_server: bool,
    /// A remark for colleagues, at most 500 characters.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500, example = "Refunded by hand in the gateway's dashboard")]
    note: Option<String>,
}

/// Why a dispute is dismissed.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DismissDispute {
    /// For colleagues: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(super::order_commands::not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "The gateway withdrew it by letter of 28 November")]
    reason: String,
}

/// List disputes, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/disputes", tag = "admin", operation_id = "admin_list_disputes", security(("bearer" = [])),
    params(SortedPaging<AmountSort>, DisputeQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminDispute>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AmountSort>,
    Params(query): Params<DisputeQuery>,
) -> Result<Paged<AdminDispute>, Problem> {
    let filter = DisputeFilter {
        dispute: None,
        status: query.status,
        kind: query.kind,
        gateway: query.gateway,
        payment: query.payment_id,
        order: query.order_id,
        customer: query.customer_id,
    };
    let (sort, request) = paging.request()?;
    let page = state.store.disputes_for_staff(&filter, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminDispute::from))
}

/// Read a dispute.
#[utoipa::path(
    get, path = "/admin/disputes/{id}", tag = "admin", operation_id = "admin_get_dispute", security(("bearer" = [])),
    params(("id" = DisputeId, Path, description = "The dispute.")),
    responses(
        (status = 200, description = "The dispute.", body = AdminDispute),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(dispute): Id<DisputeId>,
) -> Result<Json<AdminDispute>, Problem> {
    Ok(Json(state.store.dispute(dispute).await?.into()))
}

/// Accept that the money is gone. The books follow: the order or invoice loses first what is not served yet, then what was
/// served, with a credit note; what is not there any more comes from the customer's balance as far as it reaches; the rest
/// the customer owes us. A paid or failed order that loses all its money is `REFUNDED`. On request the server is powered off.
/// One that was dismissed by mistake can be accepted still.
#[utoipa::path(
    post, path = "/admin/disputes/{id}/accept", tag = "admin", operation_id = "admin_accept_dispute",
    security(("bearer" = [])),
    params(
        ("id" = DisputeId, Path, description = "The dispute."),
        ("Idempotency-Key" = String, Header, description = "The same for a retry."),
    ),
    request_body(content = AcceptDispute, example = json!({ "suspend_server": true })),
    responses(
        (status = 200, description = "It is in the books.", body = AdminDispute),
        (status = 400, description = "`idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: the payment is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`dispute_conflict`: it is accepted already; `instance_conflict`: its server can't be \
         powered off; `detail` says why. Nothing moved.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `invalid_body` or `idempotency_key_reused`. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn accept(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(dispute): Id<DisputeId>,
    Body(request): Body<AcceptDispute>,
) -> Result<Json<AdminDispute>, Problem> {
    let act = treasurer.act(&format!("POST /admin/disputes/{dispute}/accept"), &request)?;
    let decision = Decision::Accept {
        suspend_server: request.suspend_server,
        note: request.note.as_deref().map(str::trim).filter(|note| !note.is_empty()),
    };
    decide(&state, dispute, decision, &act).await
}

/// Dismiss a dispute: the books stay as they are.
#[utoipa::path(
    post, path = "/admin/disputes/{id}/dismiss", tag = "admin", operation_id = "admin_dismiss_dispute",
    security(("bearer" = [])),
    params(
        ("id" = DisputeId, Path, description = "The dispute."),
        ("Idempotency-Key" = String, Header, description = "The same for a retry."),
    ),
    request_body(content = DismissDispute),
    responses(
        (status = 200, description = "It is dismissed.", body = AdminDispute),
        (status = 400, description = "`idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`own_money`: the payment is your own. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`dispute_conflict`: it is decided already.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `invalid_body` or `idempotency_key_reused`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn dismiss(
    treasurer: Treasurer,
    State(state): State<AppState>,
    Id(dispute): Id<DisputeId>,
    Body(request): Body<DismissDispute>,
) -> Result<Json<AdminDispute>, Problem> {
    let act = treasurer.act(&format!("POST /admin/disputes/{dispute}/dismiss"), &request)?;
    let decision = Decision::Dismiss { reason: request.reason.trim() };
    decide(&state, dispute, decision, &act).await
}

async fn decide(
    state: &AppState,
    dispute: DisputeId,
    decision: Decision<'_>,
    act: &MoneyAct,
) -> Result<Json<AdminDispute>, Problem> {
    let decided = state.store.decide_dispute(dispute, &decision, act).await?;
    tracing::info!(
        event = "dispute.decided",
        dispute_id = %dispute,
        payment_id = %decided.payment_id,
        status = %decided.status,
        "dispute decided"
    );
    Ok(Json(decided.into()))
}

impl From<Dispute> for AdminDispute {
    fn from(dispute: Dispute) -> Self {
        Self {
            id: dispute.id,
            payment_id: dispute.payment_id,
            customer_id: dispute.customer_id,
            order_id: dispute.order_id,
            invoice_id: dispute.invoice_id,
            deposit_id: dispute.deposit_id,
            gateway: dispute.gateway,
            gateway_order_id: dispute.gateway_order_id,
            kind: dispute.kind,
            name: dispute.name,
            status: dispute.status,
            amount: dispute.amount,
            payer_fee: dispute.payer_fee,
            amount_told: dispute.amount_told,
            suspends_server: dispute.suspends_server,
            note: dispute.note,
            decided_by: dispute.decided_by,
            decided_at: dispute.decided_at,
            receivable: dispute.receivable,
            created_at: dispute.created_at,
        }
    }
}
