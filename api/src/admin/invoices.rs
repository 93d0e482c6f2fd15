//! Everybody's invoices.

use axum::{extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InvoiceId, OrderId, UserId},
    money::CURRENCY,
    sorting::InvoiceSort,
};
use serde::{Deserialize, Serialize};
use store::{
    admin::{InvoiceDetail, InvoiceFilter},
    versions::Thing,
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Staff,
    bodies::{FileBytes, InvoiceCreditNote, InvoiceLine},
    documents::{
        answer::{self, PaperQuery},
        paper::Paper,
    },
    extract::{Id, Paged, Params, SortedPaging, Versioned},
    problem::Problem,
};

/// Which invoices are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AdminInvoiceQuery {
    /// Only invoices in this status.
    status: Option<InvoiceStatus>,
    /// Only invoices of this customer.
    customer_id: Option<UserId>,
    /// Only invoices whose number has this in it.
    #[param(example = "2026/000123")]
    number: Option<String>,
}

/// A bill without its lines, as staff see it. `subtotal − discount + tax = total`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminInvoiceSummary {
    id: InvoiceId,
    /// Sequential per year; null for drafts.
    #[schema(example = "INV/2026/000123")]
    number: Option<String>,
    customer_id: UserId,
    #[schema(example = "budi@example.com")]
    customer_email: String,
    /// The order it is for; null if it is none's.
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
    /// A remark of staff.
    note: Option<String>,
    created_at: DateTime<Utc>,
    /// Null for drafts.
    issued_at: Option<DateTime<Utc>>,
    /// Until when it is to be paid.
    due_at: Option<DateTime<Utc>>,
    paid_at: Option<DateTime<Utc>>,
}

/// A bill, as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminInvoiceDetail {
    #[serde(flatten)]
    summary: AdminInvoiceSummary,
    lines: Vec<InvoiceLine>,
    /// What of it went back.
    credit_notes: Vec<InvoiceCreditNote>,
}

/// List everybody's invoices, newest first where no other order is asked for, drafts too.
#[utoipa::path(
    get, path = "/admin/invoices", tag = "admin", operation_id = "admin_list_invoices", security(("bearer" = [])),
    params(SortedPaging<InvoiceSort>, AdminInvoiceQuery),
    responses((status = 200, description = "A part of the list, without lines.", body = Paged<AdminInvoiceSummary>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<InvoiceSort>,
    Params(query): Params<AdminInvoiceQuery>,
) -> Result<Paged<AdminInvoiceSummary>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.invoices_for_staff(&query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminInvoiceSummary::from))
}

/// Get anybody's invoice with its lines and credit notes.
#[utoipa::path(
    get, path = "/admin/invoices/{id}", tag = "admin", operation_id = "admin_get_invoice", security(("bearer" = [])),
    params(("id" = InvoiceId, Path, description = "The invoice.")),
    responses((status = 200, description = "The invoice.", body = AdminInvoiceDetail))
)]
pub(super) async fn get(
    staff: Staff,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
) -> Result<Versioned<AdminInvoiceDetail>, Problem> {
    let version = state.store.version(Thing::Invoice(id)).await?;
    let (invoice, lines) = state.store.invoice_for_staff(id).await?;
    let credit_notes = state.store.credit_notes(id, invoice.customer_id).await?;
    let body = AdminInvoiceDetail {
        summary: invoice.into(),
        lines: lines.iter().map(|line| InvoiceLine::in_language(line, staff.language)).collect(),
        credit_notes: credit_notes
            .into_iter()
            .map(|note| InvoiceCreditNote::in_language(note, staff.language))
            .collect(),
    };
    Ok(Versioned { version, body })
}

/// Read anybody's issued invoice as its customer sees it, as a page to print.
#[utoipa::path(
    get, path = "/admin/invoices/{id}/html", tag = "admin", operation_id = "admin_get_invoice_html",
    security(("bearer" = [])), params(("id" = InvoiceId, Path, description = "The invoice."), PaperQuery),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html",
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "It is the one that you have."),
    )
)]
pub(super) async fn html(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
    Params(query): Params<PaperQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = state.store.any_invoice_document(id).await?;
    answer::html(&headers, &Paper::of_invoice(&document, &state.seller, query.lang))
}

/// Read anybody's issued invoice as its customer sees it, as PDF.
#[utoipa::path(
    get, path = "/admin/invoices/{id}/pdf", tag = "admin", operation_id = "admin_get_invoice_pdf",
    security(("bearer" = [])), params(("id" = InvoiceId, Path, description = "The invoice."), PaperQuery),
    responses(
        (status = 200, description = "The file.", body = FileBytes, content_type = "application/pdf",
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "It is the one that you have."),
    )
)]
pub(super) async fn pdf(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
    Params(query): Params<PaperQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = state.store.any_invoice_document(id).await?;
    answer::pdf(&headers, Paper::of_invoice(&document, &state.seller, query.lang)).await
}

impl From<AdminInvoiceQuery> for InvoiceFilter {
    fn from(query: AdminInvoiceQuery) -> Self {
        Self { status: query.status, customer: query.customer_id, number: query.number }
    }
}

impl From<InvoiceDetail> for AdminInvoiceSummary {
    fn from(row: InvoiceDetail) -> Self {
        Self {
            id: row.id,
            number: row.number,
            customer_id: row.customer_id,
            customer_email: row.customer_email,
            order_id: row.order_id,
            status: row.status,
            subtotal: row.subtotal,
            discount: row.discount,
            tax_base: row.tax_base,
            tax: row.tax,
            tax_rate_bp: row.tax_bp,
            total: row.total,
            currency: CURRENCY,
            note: row.note,
            created_at: row.created_at,
            issued_at: row.issued_at,
            due_at: row.due_at,
            paid_at: row.paid_at,
        }
    }
}
