//! How an invoice that belongs to no order comes into the world: as a draft, then as a document with a number, and out
//! of it when it is withdrawn.

use chrono::{DateTime, Utc};
use domain::{
    billing::InvoiceStatus,
    ids::{InvoiceId, UserId},
    pricing::Quote,
    tax::TaxRule,
};
use sqlx::PgConnection;

use crate::{
    Result,
    numbers::{self, Series},
};

/// What a draft says.
pub(crate) struct Draft<'a> {
    /// Its id.
    pub id: InvoiceId,
    /// Who is to pay.
    pub user: UserId,
    /// Lines and amounts.
    pub quote: &'a Quote,
    /// By which the tax was computed.
    pub tax: TaxRule,
    /// A remark for colleagues.
    pub note: Option<&'a str>,
}

/// Writes a draft, or writes it anew: amounts and lines are those of its quote then. Whose it is stays.
pub(crate) async fn write_draft(tx: &mut PgConnection, draft: &Draft<'_>) -> Result<()> {
    let quote = draft.quote;
    sqlx::query!(
        "INSERT INTO invoices (id, user_id, status, subtotal, discount, tax_base, tax, tax_bp, total, note, issued_at)
         VALUES ($1, $2, 'DRAFT', $3, $4, $5, $6, $7, $8, $9, NULL)
         ON CONFLICT (id) DO UPDATE SET subtotal = EXCLUDED.subtotal, discount = EXCLUDED.discount,
             tax_base = EXCLUDED.tax_base, tax = EXCLUDED.tax, tax_bp = EXCLUDED.tax_bp, total = EXCLUDED.total,
             note = EXCLUDED.note",
        draft.id.0,
        draft.user.0,
        quote.subtotal.get(),
        quote.discount.get(),
        quote.tax_base.get(),
        quote.tax.get(),
        i32::try_from(draft.tax.rate).unwrap_or(i32::MAX),
        quote.total.get(),
        draft.note,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM invoice_lines WHERE invoice_id = $1", draft.id.0).execute(&mut *tx).await?;
    for (position, line) in (1..).zip(&quote.lines) {
        let stored = line.description.store()?;
        sqlx::query!(
            "INSERT INTO invoice_lines (invoice_id, position, kind, params, description, quantity, unit_price, total)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            draft.id.0,
            position,
            stored.kind,
            stored.params,
            stored.text,
            i32::try_from(line.quantity).unwrap_or(i32::MAX),
            line.unit_price.get(),
            line.total.get(),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Makes a draft a document with the year's next number. Like [`numbers::take`] it comes after everything that locks.
/// `None` when it is no draft.
pub(crate) async fn issue(
    tx: &mut PgConnection,
    invoice: InvoiceId,
    due_at: DateTime<Utc>,
) -> Result<Option<String>> {
    let draft = sqlx::query_scalar!(
        "SELECT id FROM invoices WHERE id = $1 AND status = $2 FOR NO KEY UPDATE",
        invoice.0,
        InvoiceStatus::Draft.as_str(),
    );
    if draft.fetch_optional(&mut *tx).await?.is_none() {
        return Ok(None);
    }
    let number = numbers::take(tx, Series::Invoice).await?;
    sqlx::query!(
        "UPDATE invoices SET status = 'OPEN', issued_at = now(), due_at = $2, number = $3 WHERE id = $1",
        invoice.0,
        due_at,
        number,
    )
    .execute(tx)
    .await?;
    Ok(Some(number))
}
