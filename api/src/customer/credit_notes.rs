//! A customer's credit notes. As papers they are in [`super::documents`].

use axum::{Json, extract::State};
use domain::{
    ids::{CreditNoteId, InvoiceId, OrderId},
    language::Language,
    money::CURRENCY,
    sorting::CreditNoteSort,
};
use serde::{Deserialize, Serialize};
use store::refunds::OwnCreditNote;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::InvoiceCreditNote,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Routes under `/credit-notes`, except the papers.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// Which credit notes are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CreditNoteQuery {
    /// Only those of this invoice.
    invoice_id: Option<InvoiceId>,
}

/// The paper for money of mine that went back, with what it is about.
#[derive(Debug, Serialize, ToSchema)]
struct CreditNote {
    #[serde(flatten)]
    note: InvoiceCreditNote,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// The invoice of which money went back.
    invoice_id: InvoiceId,
    /// Its number.
    #[schema(example = "INV/2026/000123")]
    invoice_number: String,
    /// The order that the invoice is for; null for one of no order.
    order_id: Option<OrderId>,
}

impl CreditNote {
    fn in_language(row: OwnCreditNote, language: Language) -> Self {
        let OwnCreditNote { note, invoice_id, invoice_number, order_id } = row;
        let note = InvoiceCreditNote::in_language(note, language);
        Self { note, currency: CURRENCY, invoice_id, invoice_number, order_id }
    }
}

/// List my credit notes, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/credit-notes", tag = "billing", operation_id = "list_credit_notes", security(("bearer" = [])),
    params(SortedPaging<CreditNoteSort>, CreditNoteQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<CreditNote>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: SortedPaging<CreditNoteSort>,
    Params(query): Params<CreditNoteQuery>,
) -> Result<Paged<CreditNote>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.credit_notes_of(me.id, query.invoice_id, sort, request).await?;
    Ok(Paged::sorted(page, sort, |note| CreditNote::in_language(note, me.language)))
}

/// Read one of my credit notes.
#[utoipa::path(
    get, path = "/credit-notes/{id}", tag = "billing", operation_id = "get_credit_note", security(("bearer" = [])),
    params(("id" = CreditNoteId, Path, description = "The credit note.")),
    responses((status = 200, description = "The credit note.", body = CreditNote))
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(note): Id<CreditNoteId>,
) -> Result<Json<CreditNote>, Problem> {
    Ok(Json(CreditNote::in_language(state.store.credit_note_of(me.id, note).await?, me.language)))
}
