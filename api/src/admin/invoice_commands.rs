//! What administrators bill by hand: drafting, changing, issuing and withdrawing invoices that belong to no order.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InvoiceId, UserId},
    language::Language,
    money::CURRENCY,
    pricing::{BilledItem, LineDescription},
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    idempotency::Idempotency,
    invoices::{DraftedInvoice, NewDraft},
};
use utoipa::ToSchema;

use super::order_commands::not_blank;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, IdempotencyKey, Seen},
    problem::Problem,
};

/// Most that one unit may cost, in rupiah.
const LARGEST_UNIT_PRICE: i64 = 10_000_000_000;

/// One thing to be billed.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BilledLine {
    /// The customer reads it: 3 to 200 characters.
    #[garde(length(chars, min = 3, max = 200), custom(not_blank))]
    #[schema(min_length = 3, max_length = 200, example = "Migration by our team, hours")]
    description: String,
    /// From 1 to 10,000.
    #[garde(range(min = 1, max = 10_000))]
    #[schema(example = 3, minimum = 1, maximum = 10_000)]
    quantity: u32,
    /// Whole rupiah each before tax, from 1 to 10,000,000,000.
    #[garde(custom(billable))]
    #[schema(example = 250_000, minimum = 1)]
    unit_price: Rupiah,
}

fn billable(amount: &Rupiah, _: &()) -> garde::Result {
    if (1..=LARGEST_UNIT_PRICE).contains(&amount.get()) {
        return Ok(());
    }
    Err(garde::Error::new("must be from 1 to 10000000000"))
}

/// A bill to be drafted.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftInvoice {
    /// Who is to pay.
    #[garde(skip)]
    user_id: UserId,
    /// 1 to 50 lines.
    #[garde(length(min = 1, max = 50), dive)]
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<BilledLine>,
    /// A remark for colleagues, at most 500 characters.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// What a draft is to say.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeDraft {
    /// 1 to 50 lines, in place of those before.
    #[garde(length(min = 1, max = 50), dive)]
    #[schema(min_items = 1, max_items = 50)]
    lines: Vec<BilledLine>,
    /// A remark for colleagues, at most 500 characters.
    #[garde(length(chars, max = 500))]
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// How long it can be paid.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueInvoice {
    /// Days, from 1 to 365; 14 when left out.
    #[garde(inner(range(min = 1, max = 365)))]
    #[schema(example = 14, minimum = 1, maximum = 365)]
    due_days: Option<u32>,
}

/// Why a bill is withdrawn.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VoidInvoice {
    /// The customer reads it: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "Billed twice")]
    reason: String,
}

/// A bill made by hand.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DraftedInvoiceBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: InvoiceId,
    /// Null before it is issued.
    #[schema(example = "INV/2026/000124")]
    number: Option<String>,
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    user_id: UserId,
    status: InvoiceStatus,
    lines: Vec<DraftedLine>,
    /// Whole rupiah before tax.
    #[schema(example = 750_000)]
    subtotal: Rupiah,
    /// What PPN is computed on. Of a draft, tax and total are a preview: they are computed anew on the day of issue.
    #[schema(example = 687_500)]
    tax_base: Rupiah,
    /// PPN in whole rupiah.
    #[schema(example = 82_500)]
    tax: Rupiah,
    /// PPN rate on `tax_base` in hundredths of a percent.
    #[schema(example = 1200)]
    tax_rate_bp: i32,
    /// Whole rupiah to be paid.
    #[schema(example = 832_500)]
    total: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// A remark for colleagues.
    note: Option<String>,
    created_at: DateTime<Utc>,
    issued_at: Option<DateTime<Utc>>,
    /// Until when it is to be paid.
    due_at: Option<DateTime<Utc>>,
    paid_at: Option<DateTime<Utc>>,
}

/// One line of a bill made by hand.
#[derive(Debug, Serialize, ToSchema)]
struct DraftedLine {
    #[schema(example = "Migration by our team, hours")]
    description: String,
    #[schema(example = 3)]
    quantity: i32,
    #[schema(example = 250_000)]
    unit_price: Rupiah,
    /// `quantity × unit_price`.
    #[schema(example = 750_000)]
    total: Rupiah,
}

impl DraftedInvoiceBody {
    fn in_language(invoice: DraftedInvoice, language: Language) -> Self {
        let lines = invoice.lines.iter().map(|line| DraftedLine {
            description: messages::invoice_line(&line.description, language),
            quantity: line.quantity,
            unit_price: line.unit_price,
            total: line.total,
        });
        Self {
            id: invoice.id,
            number: invoice.number,
            user_id: invoice.user_id,
            status: invoice.status,
            lines: lines.collect(),
            subtotal: invoice.subtotal,
            tax_base: invoice.tax_base,
            tax: invoice.tax,
            tax_rate_bp: invoice.tax_bp,
            total: invoice.total,
            currency: CURRENCY,
            note: invoice.note,
            created_at: invoice.created_at,
            issued_at: invoice.issued_at,
            due_at: invoice.due_at,
            paid_at: invoice.paid_at,
        }
    }
}

fn items(lines: Vec<BilledLine>) -> Vec<BilledItem> {
    let item = |line: BilledLine| BilledItem {
        description: LineDescription::Written(line.description.trim().to_owned()),
        quantity: line.quantity,
        unit_price: line.unit_price,
    };
    lines.into_iter().map(item).collect()
}

/// Draft a bill over something that is no order. It has no number, and its customer sees nothing of it, before it is
/// issued.
#[utoipa::path(
    post, path = "/admin/invoices", tag = "admin", operation_id = "admin_draft_invoice", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "New for each new draft, the same for a retry.")),
    request_body(content = DraftInvoice),
    responses(
        (status = 201, description = "The draft.", body = DraftedInvoiceBody),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such customer.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `invalid_body` or `idempotency_key_reused`.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn draft(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<DraftInvoice>,
) -> Result<(StatusCode, Json<DraftedInvoiceBody>), Problem> {
    let idempotency = Idempotency::new("POST /admin/invoices", &key, &request)?;
    let items = items(request.lines);
    let new =
        NewDraft { by: admin.id, customer: request.user_id, items: &items, note: request.note.as_deref() };
    let drafted = state.store.draft_invoice(&new, &client.origin(admin.actor()), &idempotency).await?;
    Ok((StatusCode::CREATED, Json(DraftedInvoiceBody::in_language(drafted, admin.language))))
}

/// Write a draft anew.
#[utoipa::path(
    put, path = "/admin/invoices/{id}/draft", tag = "admin", operation_id = "admin_change_draft",
    security(("bearer" = [])), params(("id" = InvoiceId, Path, description = "The draft.")),
    request_body(content = ChangeDraft),
    responses(
        (status = 200, description = "The draft as it is now.", body = DraftedInvoiceBody),
        (status = 403, description = "`own_money`: it bills you. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`invoice_conflict`: it is no draft any more; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(invoice): Id<InvoiceId>,
    Seen(condition): Seen,
    Body(request): Body<ChangeDraft>,
) -> Result<Json<DraftedInvoiceBody>, Problem> {
    let (items, origin) = (items(request.lines), client.origin(admin.actor()));
    let note = request.note.as_deref();
    let changed = state.store.change_draft(invoice, &items, note, &condition, &origin).await?;
    Ok(Json(DraftedInvoiceBody::in_language(changed, admin.language)))
}

/// Issue a draft: it gets its number and today's tax, never changes again, and the customer is told and can pay it.
#[utoipa::path(
    post, path = "/admin/invoices/{id}/issue", tag = "admin", operation_id = "admin_issue_invoice",
    security(("bearer" = [])), params(("id" = InvoiceId, Path, description = "The draft.")),
    request_body(content = IssueInvoice),
    responses(
        (status = 200, description = "The invoice.", body = DraftedInvoiceBody),
        (status = 409, description = "`invoice_conflict`: it is no draft any more; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn issue(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(invoice): Id<InvoiceId>,
    Body(request): Body<IssueInvoice>,
) -> Result<Json<DraftedInvoiceBody>, Problem> {
    let origin = client.origin(admin.actor());
    let issued = state.store.issue_invoice(invoice, request.due_days.unwrap_or(14), &origin).await?;
    tracing::info!(event = "invoice.issued", invoice_id = %invoice, "invoice issued by hand");
    Ok(Json(DraftedInvoiceBody::in_language(issued, admin.language)))
}

/// Withdraw a draft, or an unpaid invoice that belongs to no order. Money that comes all the same goes to the customer's
/// balance.
#[utoipa::path(
    post, path = "/admin/invoices/{id}/void", tag = "admin", operation_id = "admin_void_invoice",
    security(("bearer" = [])), params(("id" = InvoiceId, Path, description = "The invoice.")),
    request_body(content = VoidInvoice),
    responses(
        (status = 200, description = "The withdrawn invoice.", body = DraftedInvoiceBody),
        (status = 403, description = "`own_money`: it bills you. `forbidden`, `account_suspended`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`invoice_conflict`: it was paid or withdrawn before; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn void(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(invoice): Id<InvoiceId>,
    Body(request): Body<VoidInvoice>,
) -> Result<Json<DraftedInvoiceBody>, Problem> {
    let origin = client.origin(admin.actor());
    let voided = state.store.void_invoice(invoice, &origin, request.reason.trim()).await?;
    tracing::info!(event = "invoice.withdrawn", invoice_id = %invoice, "invoice withdrawn by hand");
    Ok(Json(DraftedInvoiceBody::in_language(voided, admin.language)))
}
