//! A customer's bills.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InvoiceId, OrderId},
    money::CURRENCY,
    sorting::InvoiceSort,
};
use serde::{Deserialize, Serialize};
use store::invoices::OwnInvoiceFilter;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::{InvoiceCreditNote, InvoiceLine},
    extract::{Id, Moment, Paged, Params, SortedPaging},
    problem::Problem,
};

mod pay;

/// Routes under `/invoices`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(pay::pay))
}

/// Which invoices are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InvoiceQuery {
    /// Only invoices in this status.
    status: Option<InvoiceStatus>,
    /// Only invoices with this in their number.
    #[param(max_length = 50, example = "2026/000123")]
    search: Option<String>,
    /// Only invoices that were issued then or later.
    #[param(value_type = Option<DateTime<Utc>>)]
    from: Option<Moment>,
    /// Only invoices that were issued before then.
    #[param(value_type = Option<DateTime<Utc>>)]
    until: Option<Moment>,
}

impl From<InvoiceQuery> for OwnInvoiceFilter {
    fn from(query: InvoiceQuery) -> Self {
        let InvoiceQuery { status, search, from, until } = query;
        Self { status, search, from: from.map(Moment::get), until: until.map(Moment::get) }
    }
}

/// A bill without its lines. `subtotal − discount + tax = total`.
#[derive(Debug, Serialize, ToSchema)]
struct InvoiceSummary {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: InvoiceId,
    /// Sequential per year.
    #[schema(example = "INV/2026/000123")]
    number: String,
    /// The order it is for, if it is an order's.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    order_id: Option<OrderId>,
    status: InvoiceStatus,
    /// Whole rupiah before discounts and tax.
    #[schema(example = 387_000)]
    subtotal: Rupiah,
    /// Whole rupiah taken off.
    #[schema(example = 19_350)]
    discount: Rupiah,
    /// What PPN is computed on.
    #[schema(example = 337_013)]
    tax_base: Rupiah,
    /// PPN in whole rupiah.
    #[schema(example = 40_442)]
    tax: Rupiah,
    /// PPN rate on `tax_base` in hundredths of a percent.
    #[schema(example = 1200)]
    tax_rate_bp: i32,
    /// Whole rupiah to be paid.
    #[schema(example = 408_092)]
    total: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    issued_at: DateTime<Utc>,
    /// Until when it is to be paid.
    due_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
}

/// A bill. Its lines and its tax add up to its total.
#[derive(Debug, Serialize, ToSchema)]
struct Invoice {
    #[serde(flatten)]
    summary: InvoiceSummary,
    lines: Vec<InvoiceLine>,
    /// What of it went back to the balance.
    credit_notes: Vec<InvoiceCreditNote>,
}

/// List my invoices, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/invoices", tag = "billing", operation_id = "list_invoices",
    security(("bearer" = [])), params(SortedPaging<InvoiceSort>, InvoiceQuery),
    responses((status = 200, description = "A part of the list, without lines.", body = Paged<InvoiceSummary>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: SortedPaging<InvoiceSort>,
    Params(query): Params<InvoiceQuery>,
) -> Result<Paged<InvoiceSummary>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.invoices_of(me.id, &query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, InvoiceSummary::from))
}

/// Read one of my invoices with its lines and credit notes.
#[utoipa::path(
    get, path = "/invoices/{id}", tag = "billing", operation_id = "get_invoice",
    security(("bearer" = [])), params(("id" = InvoiceId, Path, description = "The invoice.")),
    responses(
        (status = 200, description = "The invoice.", body = Invoice),
        (status = 404, description = "`not_found`: I have no such invoice.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
) -> Result<Json<Invoice>, Problem> {
    let (invoice, lines) = state.store.invoice(id, me.id).await?;
    let credit_notes = state.store.credit_notes(id, me.id).await?;
    Ok(Json(Invoice {
        summary: invoice.into(),
        lines: lines.iter().map(|line| InvoiceLine::in_language(line, me.language)).collect(),
        credit_notes: credit_notes
            .into_iter()
            .map(|note| InvoiceCreditNote::in_language(note, me.language))
            .collect(),
    }))
}

impl From<store::invoices::Invoice> for InvoiceSummary {
    fn from(row: store::invoices::Invoice) -> Self {
        Self {
            id: row.id,
            number: row.number,
            order_id: row.order_id,
            status: row.status,
            subtotal: row.subtotal,
            discount: row.discount,
            tax_base: row.tax_base,
            tax: row.tax,
            tax_rate_bp: row.tax_bp,
            total: row.total,
            currency: CURRENCY,
            issued_at: row.issued_at,
            due_at: row.due_at,
            paid_at: row.paid_at,
        }
    }
}
