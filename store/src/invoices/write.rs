//! How an invoice comes into the world: as a draft. It becomes a document with its number ([`crate::numbers`]).

use domain::{
    Rupiah,
    ids::{InvoiceId, OrderId, UserId},
    pricing::{PriceLine, Quote, StoredDescription},
    tax::TaxRule,
};
use sqlx::PgConnection;

use crate::Result;

/// What a draft says.
pub(crate) struct Draft<'a> {
    /// Its id.
    pub id: InvoiceId,
    /// Who is to pay.
    pub user: UserId,
    /// The order it is over, if it is over one.
    pub order: Option<OrderId>,
    /// Lines and amounts.
    pub quote: &'a Quote,
    /// By which the tax was computed.
    pub tax: TaxRule,
    /// A remark for colleagues.
    pub note: Option<&'a str>,
}

/// Writes a draft, in one round trip: customers wait for an order's.
pub(crate) async fn write_draft(tx: &mut PgConnection, draft: &Draft<'_>) -> Result<()> {
    let quote = draft.quote;
    sqlx::query!(
        "WITH invoice AS (
             INSERT INTO invoices (id, user_id, order_id, status, subtotal, discount, tax_base, tax, tax_bp, total, note,
                                   issued_at)
             VALUES ($1, $2, $3, 'DRAFT', $4, $5, $6, $7, $8, $9, $10, NULL) RETURNING id)
         INSERT INTO invoice_lines (invoice_id, position, kind, params, description, quantity, unit_price, total)
         SELECT invoice.id, l.position, l.kind, l.params, l.description, l.quantity, l.unit_price, l.total
         FROM invoice, ROWS FROM (jsonb_to_recordset($11) AS (kind text, params jsonb, description text,
                                                              quantity integer, unit_price bigint, total bigint))
              WITH ORDINALITY AS l (kind, params, description, quantity, unit_price, total, position)",
        draft.id.0,
        draft.user.0,
        draft.order.map(|order| order.0),
        quote.subtotal.get(),
        quote.discount.get(),
        quote.tax_base.get(),
        quote.tax.get(),
        rate(draft.tax),
        quote.total.get(),
        draft.note,
        Line::all(&quote.lines)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes a draft anew: amounts, lines and remark. Whose it is stays. It is locked by the caller.
pub(super) async fn rewrite_draft(tx: &mut PgConnection, draft: &Draft<'_>) -> Result<()> {
    let quote = draft.quote;
    sqlx::query!(
        "UPDATE invoices SET subtotal = $2, discount = $3, tax_base = $4, tax = $5, tax_bp = $6, total = $7, note = $8
         WHERE id = $1",
        draft.id.0,
        quote.subtotal.get(),
        quote.discount.get(),
        quote.tax_base.get(),
        quote.tax.get(),
        rate(draft.tax),
        quote.total.get(),
        draft.note,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM invoice_lines WHERE invoice_id = $1", draft.id.0).execute(&mut *tx).await?;
    sqlx::query!(
        "INSERT INTO invoice_lines (invoice_id, position, kind, params, description, quantity, unit_price, total)
         SELECT $1, l.position, l.kind, l.params, l.description, l.quantity, l.unit_price, l.total
         FROM ROWS FROM (jsonb_to_recordset($2) AS (kind text, params jsonb, description text, quantity integer,
                                                    unit_price bigint, total bigint))
              WITH ORDINALITY AS l (kind, params, description, quantity, unit_price, total, position)",
        draft.id.0,
        Line::all(&quote.lines)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn rate(tax: TaxRule) -> i32 {
    i32::try_from(tax.rate).unwrap_or(i32::MAX)
}

/// A line by its columns.
#[derive(serde::Serialize)]
struct Line {
    #[serde(flatten)]
    description: StoredDescription,
    quantity: u32,
    unit_price: Rupiah,
    total: Rupiah,
}

impl Line {
    fn all(lines: &[PriceLine]) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(lines.iter().map(Self::of).collect::<serde_json::Result<Vec<_>>>()?)
    }

    fn of(line: &PriceLine) -> serde_json::Result<Self> {
        let PriceLine { quantity, unit_price, total, .. } = *line;
        Ok(Self { description: line.description.store()?, quantity, unit_price, total })
    }
}
