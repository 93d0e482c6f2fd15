//! What staff bill by hand: drafted, changed, issued, withdrawn. The tax of a draft is a preview; it is computed anew
//! by the rule of the day on which the invoice is issued.

use chrono::{DateTime, Utc};
use domain::{
    billing::InvoiceStatus,
    event::{InvoiceIssued, InvoiceVoided},
    ids::{InvoiceId, UserId},
    money::Rupiah,
    pricing::{BilledItem, bill},
};
use serde_json::json;
use sqlx::PgConnection;

use super::{Draft, InvoiceLine, void, write::rewrite_draft, write_draft};
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    idempotency::{self, Claim, Idempotency},
    new_id, numbers, tax,
    versions::{IfMatch, Thing},
};

/// A bill to be drafted.
#[derive(Debug, Clone, Copy)]
pub struct NewDraft<'a> {
    /// The administrator.
    pub by: UserId,
    /// Who is to pay.
    pub customer: UserId,
    /// What for; at least one.
    pub items: &'a [BilledItem],
    /// A remark for colleagues.
    pub note: Option<&'a str>,
}

/// A bill made by hand, as its makers see it.
#[derive(Debug, Clone)]
pub struct DraftedInvoice {
    /// Its id.
    pub id: InvoiceId,
    /// Its number; none before it is issued.
    pub number: Option<String>,
    /// Who is to pay.
    pub user_id: UserId,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Lines before tax.
    pub subtotal: Rupiah,
    /// What PPN is computed on, rounded.
    pub tax_base: Rupiah,
    /// PPN.
    pub tax: Rupiah,
    /// PPN rate in basis points.
    pub tax_bp: i32,
    /// What is to be paid.
    pub total: Rupiah,
    /// A remark for colleagues.
    pub note: Option<String>,
    /// When it was drafted.
    pub created_at: DateTime<Utc>,
    /// When it was issued.
    pub issued_at: Option<DateTime<Utc>>,
    /// Until when it is to be paid.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// What it is for.
    pub lines: Vec<InvoiceLine>,
}

impl Store {
    /// Drafts a bill. The same `request` again answers with the same draft.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such customer, [`StoreError::Amount`] when the sum leaves the range,
    /// [`StoreError::IdempotencyMismatch`] when the key was used for another request.
    #[boxed]
    pub async fn draft_invoice(
        &self,
        new: &NewDraft<'_>,
        origin: &Origin,
        request: &Idempotency,
    ) -> Result<DraftedInvoice> {
        let id: InvoiceId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(earlier) = idempotency::claim(&mut tx, new.by, request, id.0).await? {
            return read(&mut tx, earlier.into()).await;
        }
        let known = sqlx::query_scalar!("SELECT id FROM users WHERE id = $1", new.customer.0);
        known.fetch_optional(&mut *tx).await?.ok_or(StoreError::NotFound("user"))?;
        let tax = tax::rule_of_today(&mut tx).await?;
        let quote = bill(new.items, tax)?;
        let draft = Draft { id, user: new.customer, order: None, quote: &quote, tax, note: new.note };
        write_draft(&mut tx, &draft).await?;
        let drafted = read(&mut tx, id).await?;
        record(&mut tx, origin, "invoice.draft", None, &drafted, None).await?;
        tx.commit().await?;
        Ok(drafted)
    }

    /// Writes a draft anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such invoice made by hand, [`StoreError::Conflict`] naming its status
    /// when it is no draft any more, [`StoreError::OwnMoney`] when it bills the administrator.
    #[boxed]
    pub async fn change_draft(
        &self,
        invoice: InvoiceId,
        items: &[BilledItem],
        note: Option<&str>,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<DraftedInvoice> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, invoice, InvoiceStatus::Draft).await?;
        condition.require(&mut tx, Thing::Invoice(invoice)).await?;
        origin.refuse_own(before.user_id)?;
        rewrite(&mut tx, &before, items, note).await?;
        let after = read(&mut tx, invoice).await?;
        record(&mut tx, origin, "invoice.change", Some(&before), &after, None).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Issues a draft: it gets its number and today's tax, can be paid for `due_days`, and the customer is told.
    ///
    /// # Errors
    /// As [`Store::change_draft`], but for `OwnMoney`.
    #[boxed]
    pub async fn issue_invoice(
        &self,
        invoice: InvoiceId,
        due_days: u32,
        origin: &Origin,
    ) -> Result<DraftedInvoice> {
        let mut tx = self.pool.begin().await?;
        let before = lock(&mut tx, invoice, InvoiceStatus::Draft).await?;
        let items: Vec<BilledItem> = before.lines.iter().map(item).collect();
        rewrite(&mut tx, &before, &items, before.note.as_deref()).await?;
        let due_at = sqlx::query_scalar!(
            r#"SELECT now() + make_interval(hours => 24 * $1::integer) AS "due_at!""#,
            i32::try_from(due_days).unwrap_or(i32::MAX),
        )
        .fetch_one(&mut *tx)
        .await?;
        numbers::issue_invoice(&mut tx, invoice, due_at).await?;
        let issued = read(&mut tx, invoice).await?;
        record(&mut tx, origin, "invoice.issue", Some(&before), &issued, None).await?;
        tell_of_issue(&mut tx, &issued).await?;
        tx.commit().await?;
        Ok(issued)
    }

    /// Withdraws a draft or an unpaid invoice that belongs to no order. Whoever got it is told with `reason`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such invoice, [`StoreError::Conflict`] naming its status when it was
    /// paid or withdrawn before, [`StoreError::OwnMoney`] when it bills the administrator.
    #[boxed]
    pub async fn void_invoice(
        &self,
        invoice: InvoiceId,
        origin: &Origin,
        reason: &str,
    ) -> Result<DraftedInvoice> {
        let mut tx = self.pool.begin().await?;
        lock_row(&mut tx, invoice).await?;
        let before = read(&mut tx, invoice).await?;
        origin.refuse_own(before.user_id)?;
        if !void(&mut tx, invoice).await? {
            return Err(StoreError::Conflict { object: Object::Invoice, state: before.status.to_string() });
        }
        let after = read(&mut tx, invoice).await?;
        record(&mut tx, origin, "invoice.void", Some(&before), &after, Some(reason)).await?;
        if let Some(number) = &before.number {
            tell_of_withdrawal(&mut tx, &after, number, reason).await?;
        }
        tx.commit().await?;
        Ok(after)
    }
}

async fn rewrite(
    tx: &mut PgConnection,
    before: &DraftedInvoice,
    items: &[BilledItem],
    note: Option<&str>,
) -> Result<()> {
    let tax = tax::rule_of_today(tx).await?;
    let quote = bill(items, tax)?;
    let draft = Draft { id: before.id, user: before.user_id, order: None, quote: &quote, tax, note };
    rewrite_draft(tx, &draft).await
}

fn item(line: &InvoiceLine) -> BilledItem {
    BilledItem {
        description: line.description.clone(),
        quantity: line.quantity.unsigned_abs(),
        unit_price: line.unit_price,
    }
}

async fn lock_row(tx: &mut PgConnection, invoice: InvoiceId) -> Result<InvoiceStatus> {
    sqlx::query_scalar!(
        r#"SELECT status AS "status: InvoiceStatus" FROM invoices WHERE id = $1 AND order_id IS NULL FOR NO KEY UPDATE"#,
        invoice.0
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("invoice"))
}

async fn lock(tx: &mut PgConnection, invoice: InvoiceId, wanted: InvoiceStatus) -> Result<DraftedInvoice> {
    let status = lock_row(tx, invoice).await?;
    if status != wanted {
        return Err(StoreError::Conflict { object: Object::Invoice, state: status.to_string() });
    }
    read(tx, invoice).await
}

async fn read(tx: &mut PgConnection, invoice: InvoiceId) -> Result<DraftedInvoice> {
    let lines = super::lines(&mut *tx, invoice).await?;
    let row = sqlx::query!(
        r#"SELECT number, user_id AS "user_id: UserId", status AS "status: InvoiceStatus", subtotal AS "subtotal: Rupiah",
                  tax_base AS "tax_base: Rupiah", tax AS "tax: Rupiah", tax_bp,
                  total AS "total: Rupiah", note, created_at, issued_at, due_at, paid_at
           FROM invoices WHERE id = $1"#,
        invoice.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("invoice"))?;
    Ok(DraftedInvoice {
        id: invoice,
        number: row.number,
        user_id: row.user_id,
        status: row.status,
        subtotal: row.subtotal,
        tax_base: row.tax_base,
        tax: row.tax,
        tax_bp: row.tax_bp,
        total: row.total,
        note: row.note,
        created_at: row.created_at,
        issued_at: row.issued_at,
        due_at: row.due_at,
        paid_at: row.paid_at,
        lines,
    })
}

async fn record(
    tx: &mut PgConnection,
    origin: &Origin,
    action: &str,
    before: Option<&DraftedInvoice>,
    after: &DraftedInvoice,
    reason: Option<&str>,
) -> Result<()> {
    let show = |invoice: &DraftedInvoice| {
        json!({
            "status": invoice.status,
            "number": invoice.number,
            "user_id": invoice.user_id,
            "total": invoice.total,
            "lines": invoice.lines.iter().map(item).collect::<Vec<_>>(),
            "note": invoice.note,
        })
    };
    let mut shown = show(after);
    if let Some(reason) = reason {
        shown["reason"] = json!(reason);
    }
    let act = AuditEntry {
        action,
        object_kind: "invoice",
        object_id: Some(after.id.0),
        before: before.map(show),
        after: Some(shown),
    };
    audit::record(tx, origin, &act).await
}

async fn tell_of_issue(tx: &mut PgConnection, invoice: &DraftedInvoice) -> Result<()> {
    let number = invoice.number.as_deref().unwrap_or_default();
    let issued = InvoiceIssued { invoice_id: invoice.id, number: number.to_owned(), total: invoice.total };
    Entry::of(issued).tell(tx, invoice.user_id).await
}

async fn tell_of_withdrawal(
    tx: &mut PgConnection,
    invoice: &DraftedInvoice,
    number: &str,
    reason: &str,
) -> Result<()> {
    let withdrawn =
        InvoiceVoided { invoice_id: invoice.id, number: number.to_owned(), reason: reason.to_owned() };
    Entry::of(withdrawn).tell(tx, invoice.user_id).await
}
