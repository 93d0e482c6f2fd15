//! Everybody's payments.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentOutcome, PaymentStatus},
    ids::{DepositId, InvoiceId, OrderId, PaymentId, UserId},
    sorting::PaymentSort,
};
use serde::{Deserialize, Serialize};
use store::admin::{PaymentDetail, PaymentFilter};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Staff,
    extract::{Paged, Params, SortedPaging},
    problem::Problem,
};

/// Which payments are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PaymentQuery {
    /// Only payments in this status.
    status: Option<PaymentStatus>,
    /// Only payments whose money became this.
    outcome: Option<PaymentOutcome>,
    /// Only payments of this order.
    order_id: Option<OrderId>,
    /// Only payments of this invoice.
    invoice_id: Option<InvoiceId>,
    /// Only payments of this deposit.
    deposit_id: Option<DepositId>,
    /// Only payments of this customer.
    customer_id: Option<UserId>,
    /// Only payments by this method.
    method: Option<PaymentMethod>,
    /// Only payments through this gateway (slug).
    #[param(example = "midtrans")]
    gateway: Option<String>,
}

/// What is wanted of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ApprovalQuery {
    /// `true`: only open bank transfers, which wait for an administrator; those with a proof come first. Not with `sort`.
    #[serde(default)]
    #[param(required = false, default = false)]
    awaiting_approval: bool,
}

/// An attempt to pay, as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPayment {
    id: PaymentId,
    /// The order it pays; null for a deposit.
    order_id: Option<OrderId>,
    /// The invoice it pays; null for a deposit.
    invoice_id: Option<InvoiceId>,
    /// The deposit it pays; null for an order.
    deposit_id: Option<DepositId>,
    customer_id: UserId,
    /// Slug of the gateway; null for methods without one.
    #[schema(example = "midtrans")]
    gateway: Option<String>,
    /// Our name for the attempt at the gateway.
    gateway_order_id: String,
    /// The gateway's name for it.
    gateway_transaction_id: Option<String>,
    method: PaymentMethod,
    bank: Option<Bank>,
    /// Whole rupiah.
    #[schema(example = 133_200)]
    amount: Rupiah,
    /// Bank transfers: what has arrived so far; null before.
    amount_received: Option<Rupiah>,
    /// Whole rupiah that its gateway made the payer pay on top of the amount: a fee of the gateway's, none of the customer's.
    #[schema(example = 0)]
    payer_fee: Rupiah,
    /// What it still has to bring; null when nobody waits for it.
    #[schema(example = 33_200)]
    amount_due: Option<Rupiah>,
    status: PaymentStatus,
    /// What became of its money; null while it is not paid.
    outcome: Option<PaymentOutcome>,
    /// The administrator who approved it.
    approved_by: Option<UserId>,
    /// What an administrator or the gateway remarked.
    note: Option<String>,
    /// How many files the customer sent to prove it.
    #[schema(example = 1)]
    proofs: i64,
    /// Whole rupiah of it that its gateway took back without our asking, unless dismissed.
    #[schema(example = 0)]
    disputed: Rupiah,
    /// How many disputes about it wait for a decision.
    #[schema(example = 0)]
    open_disputes: i64,
    created_at: DateTime<Utc>,
    /// Until when the gateway takes the money.
    expires_at: Option<DateTime<Utc>>,
    paid_at: Option<DateTime<Utc>>,
}

/// List everybody's payments, newest first where no other order is asked for. `outcome=CREDITED` finds money that went to a balance,
/// `awaiting_approval=true` the bank transfers that somebody has to look at.
#[utoipa::path(
    get, path = "/admin/payments", tag = "admin", operation_id = "admin_list_payments", security(("bearer" = [])),
    params(SortedPaging<PaymentSort>, PaymentQuery, ApprovalQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminPayment>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<PaymentSort>,
    Params(query): Params<PaymentQuery>,
    Params(wanted): Params<ApprovalQuery>,
) -> Result<Paged<AdminPayment>, Problem> {
    if wanted.awaiting_approval {
        let page = state.store.transfers_awaiting_approval(&query.into(), paging.unsorted()?).await?;
        return Ok(Paged::new(page, AdminPayment::from));
    }
    let (sort, request) = paging.request()?;
    let page = state.store.payments_for_staff(&query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminPayment::from))
}

impl From<PaymentQuery> for PaymentFilter {
    fn from(query: PaymentQuery) -> Self {
        Self {
            status: query.status,
            outcome: query.outcome,
            id: None,
            order: query.order_id,
            invoice: query.invoice_id,
            deposit: query.deposit_id,
            customer: query.customer_id,
            method: query.method,
            gateway: query.gateway,
        }
    }
}

impl From<PaymentDetail> for AdminPayment {
    fn from(payment: PaymentDetail) -> Self {
        Self {
            amount_due: payment.amount_due(),
            id: payment.id,
            order_id: payment.order_id,
            invoice_id: payment.invoice_id,
            deposit_id: payment.deposit_id,
            customer_id: payment.customer_id,
            gateway: payment.gateway,
            gateway_order_id: payment.gateway_order_id,
            gateway_transaction_id: payment.gateway_transaction_id,
            method: payment.method,
            bank: payment.bank,
            amount: payment.amount,
            amount_received: payment.amount_received,
            payer_fee: payment.payer_fee,
            status: payment.status,
            outcome: payment.outcome,
            approved_by: payment.approved_by,
            note: payment.note,
            proofs: payment.proofs,
            disputed: payment.disputed,
            open_disputes: payment.open_disputes,
            created_at: payment.created_at,
            expires_at: payment.expires_at,
            paid_at: payment.paid_at,
        }
    }
}
