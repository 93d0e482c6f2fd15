//! A customer's invoices and credit notes as papers.

use axum::{extract::State, http::HeaderMap, response::Response};
use domain::ids::{CreditNoteId, InvoiceId};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::FileBytes,
    documents::{
        answer::{self, PaperQuery},
        paper::Paper,
    },
    extract::{Id, Params},
    problem::Problem,
};

/// `html` and `pdf` under `/invoices/{id}` and `/credit-notes/{id}`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(invoice_html))
        .routes(routes!(invoice_pdf))
        .routes(routes!(credit_note_html))
        .routes(routes!(credit_note_pdf))
}

/// Read one of my invoices as a page to print. It loads nothing from elsewhere.
#[utoipa::path(
    get, path = "/invoices/{id}/html", tag = "billing", operation_id = "get_invoice_html", security(("bearer" = [])),
    params(("id" = InvoiceId, Path, description = "The invoice."), PaperQuery),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html",
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "It is the one that you have."),
    )
)]
async fn invoice_html(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
    Params(query): Params<PaperQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = state.store.invoice_document_of(me.id, id).await?;
    answer::html(&headers, &Paper::of_invoice(&document, &state.seller, query.lang))
}

/// Read one of my invoices as PDF.
#[utoipa::path(
    get, path = "/invoices/{id}/pdf", tag = "billing", operation_id = "get_invoice_pdf", security(("bearer" = [])),
    params(("id" = InvoiceId, Path, description = "The invoice."), PaperQuery),
    responses(
        (status = 200, description = "The file: the same bytes as long as the invoice is the same.",
         body = FileBytes, content_type = "application/pdf",
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "It is the one that you have."),
    )
)]
async fn invoice_pdf(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
    Params(query): Params<PaperQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = state.store.invoice_document_of(me.id, id).await?;
    answer::pdf(&headers, Paper::of_invoice(&document, &state.seller, query.lang)).await
}

/// Read one of my credit notes as a page to print. It loads nothing from elsewhere.
#[utoipa::path(
    get, path = "/credit-notes/{id}/html", tag = "billing", operation_id = "get_credit_note_html",
    security(("bearer" = [])), params(("id" = CreditNoteId, Path, description = "The credit note."), PaperQuery),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html",
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "It is the one that you have."),
    )
)]
async fn credit_note_html(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<CreditNoteId>,
    Params(query): Params<PaperQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = state.store.credit_note_document_of(me.id, id).await?;
    answer::html(&headers, &Paper::of_credit_note(&document, &state.seller, query.lang))
}

/// Read one of my credit notes as PDF.
#[utoipa::path(
    get, path = "/credit-notes/{id}/pdf", tag = "billing", operation_id = "get_credit_note_pdf",
    security(("bearer" = [])), params(("id" = CreditNoteId, Path, description = "The credit note."), PaperQuery),
    responses(
        (status = 200, description = "The file: always the same bytes in a language.",
         body = FileBytes, content_type = "application/pdf",
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "It is the one that you have."),
    )
)]
async fn credit_note_pdf(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<CreditNoteId>,
    Params(query): Params<PaperQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let document = state.store.credit_note_document_of(me.id, id).await?;
    answer::pdf(&headers, Paper::of_credit_note(&document, &state.seller, query.lang)).await
}
