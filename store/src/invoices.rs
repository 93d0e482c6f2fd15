//! Invoices as they are shown. An order's is issued with it ([`crate::orders`]), a further term's with the wish for it
//! ([`crate::renewals`]); what staff bill by hand begins as a draft ([`drafts`]). Once issued they never change.

mod close;
mod drafts;
mod own;
mod write;

use chrono::{DateTime, Utc};
use domain::{
    billing::InvoiceStatus,
    ids::{InvoiceId, OrderId, UserId},
    money::Rupiah,
    pricing::{LineDescription, StoredDescription},
};
use sqlx::PgConnection;

pub(crate) use close::{call_off_order, pay, void, void_of_order};
pub use drafts::{DraftedInvoice, NewDraft};
pub use own::OwnInvoiceFilter;
pub(crate) use write::{Draft, write_draft};

use crate::{Result, Store, StoreError, boxed};

/// A bill. `subtotal − discount + tax = total`.
#[derive(Debug, Clone)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Its number, sequential per year: `INV/2026/000123`.
    pub number: String,
    /// The order it is for, if it is an order's.
    pub order_id: Option<OrderId>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Sum of the lines that are not discounts.
    pub subtotal: Rupiah,
    /// What was taken off.
    pub discount: Rupiah,
    /// What PPN was computed on, rounded.
    pub tax_base: Rupiah,
    /// PPN.
    pub tax: Rupiah,
    /// PPN rate in basis points.
    pub tax_bp: i32,
    /// What is to be paid.
    pub total: Rupiah,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Until when it is to be paid.
    pub due_at: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
}

/// One line of a bill. Discounts are negative.
#[derive(Debug, Clone)]
pub struct InvoiceLine {
    /// What it is for.
    pub description: LineDescription,
    /// How many.
    pub quantity: i32,
    /// Rupiah each.
    pub unit_price: Rupiah,
    /// `quantity × unit_price`.
    pub total: Rupiah,
}

impl Store {
    /// One invoice of `owner` with its lines.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when `owner` has no such invoice.
    #[boxed]
    pub async fn invoice(&self, invoice: InvoiceId, owner: UserId) -> Result<(Invoice, Vec<InvoiceLine>)> {
        let found = sqlx::query_as!(
            Invoice,
            r#"SELECT id AS "id: InvoiceId", number AS "number!", order_id AS "order_id: OrderId", status AS "status: InvoiceStatus",
                      subtotal AS "subtotal: Rupiah", discount AS "discount: Rupiah",
                      tax_base AS "tax_base: Rupiah", tax AS "tax: Rupiah", tax_bp,
                      total AS "total: Rupiah", issued_at AS "issued_at!", due_at AS "due_at!", paid_at
               FROM invoices WHERE id = $1 AND user_id = $2 AND number IS NOT NULL"#,
            invoice.0,
            owner.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("invoice"))?;
        let lines = lines(&mut *self.pool.acquire().await?, invoice).await?;
        Ok((found, lines))
    }
}

/// The lines of an invoice, in their order.
pub(crate) async fn lines(connection: &mut PgConnection, invoice: InvoiceId) -> Result<Vec<InvoiceLine>> {
    let rows = sqlx::query!(
        r#"SELECT kind, params, description, quantity, unit_price AS "unit_price: Rupiah", total AS "total: Rupiah"
           FROM invoice_lines WHERE invoice_id = $1 ORDER BY position"#,
        invoice.0,
    )
    .fetch_all(connection)
    .await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let stored = StoredDescription { kind: row.kind, params: row.params, text: row.description };
        lines.push(InvoiceLine {
            description: LineDescription::read(stored)?,
            quantity: row.quantity,
            unit_price: row.unit_price,
            total: row.total,
        });
    }
    Ok(lines)
}
