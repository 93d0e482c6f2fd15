//! A customer's refunds.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{InvoiceId, OrderId, RefundId},
    language::Language,
    money::CURRENCY,
    refund::{RefundDestination, RefundStatus},
    sorting::AmountSort,
};
use serde::{Deserialize, Serialize};
use store::refunds::{Refund, RefundFilter};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Routes under `/refunds`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which refunds are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RefundQuery {
    /// Only those of this order.
    order_id: Option<OrderId>,
    /// Only those of this invoice.
    invoice_id: Option<InvoiceId>,
    /// Only those in this status.
    status: Option<RefundStatus>,
}

/// Money that is given back to me. `net + tax = amount`.
#[derive(Debug, Serialize, ToSchema)]
struct RefundBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: RefundId,
    /// The order I paid; absent for an invoice without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// The invoice I paid.
    invoice_id: InvoiceId,
    /// `GATEWAY`: back to where I paid from.
    destination: RefundDestination,
    /// `REQUESTED` and `SENT`: on its way. `RETURNED_TO_WALLET`: it could not be sent back, and is on my balance.
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
    #[schema(example = "IDR")]
    currency: &'static str,
    #[schema(example = "The region is sold out at the provider")]
    reason: String,
    /// Number of the credit note.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CN/2026/000001")]
    credit_note: Option<String>,
    created_at: DateTime<Utc>,
    /// When the money was with me or on my balance.
    ended_at: Option<DateTime<Utc>>,
}

/// List my refunds, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/refunds", tag = "billing", operation_id = "list_refunds",
    security(("bearer" = [])), params(SortedPaging<AmountSort>, RefundQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<RefundBody>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: SortedPaging<AmountSort>,
    Params(query): Params<RefundQuery>,
) -> Result<Paged<RefundBody>, Problem> {
    let filter = RefundFilter {
        order: query.order_id,
        invoice: query.invoice_id,
        customer: Some(me.id),
        status: query.status,
        ..RefundFilter::default()
    };
    let (sort, request) = paging.request()?;
    let page = state.store.refunds_sorted(&filter, sort, request).await?;
    Ok(Paged::sorted(page, sort, |refund| RefundBody::in_language(refund, me.language)))
}

/// Read one of my refunds.
#[utoipa::path(
    get, path = "/refunds/{id}", tag = "billing", operation_id = "get_refund", security(("bearer" = [])),
    params(("id" = RefundId, Path, description = "The refund.")),
    responses((status = 200, description = "The refund.", body = RefundBody))
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(refund): Id<RefundId>,
) -> Result<Json<RefundBody>, Problem> {
    Ok(Json(RefundBody::in_language(state.store.refund_of(me.id, refund).await?, me.language)))
}

impl RefundBody {
    /// A refund, with why in words.
    fn in_language(refund: Refund, language: Language) -> Self {
        Self {
            id: refund.id,
            order_id: refund.order_id,
            invoice_id: refund.invoice_id,
            destination: refund.destination,
            status: refund.status,
            amount: refund.amount,
            net: refund.net,
            tax: refund.tax,
            currency: CURRENCY,
            reason: messages::credit_reason(&refund.reason.into(), language),
            credit_note: refund.credit_note,
            created_at: refund.created_at,
            ended_at: refund.ended_at,
        }
    }
}
