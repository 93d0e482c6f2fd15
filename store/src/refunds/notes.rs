//! A customer's credit notes in lists.

use domain::{
    Rupiah,
    ids::{CreditNoteId, InvoiceId, OrderId, UserId},
    sorting::CreditNoteSort,
};

use super::CreditNote;
use crate::{
    Result, Store, StoreError, boxed,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// A credit note with what it is about.
#[derive(Debug, Clone)]
pub struct OwnCreditNote {
    /// The paper.
    pub note: CreditNote,
    /// The invoice of which money went back.
    pub invoice_id: InvoiceId,
    /// Its number.
    pub invoice_number: String,
    /// The order that the invoice is for, if it is an order's.
    pub order_id: Option<OrderId>,
}

struct Row {
    id: CreditNoteId,
    number: String,
    reason: String,
    net: Rupiah,
    tax: Rupiah,
    total: Rupiah,
    issued_at: chrono::DateTime<chrono::Utc>,
    invoice_id: InvoiceId,
    invoice_number: String,
    order_id: Option<OrderId>,
}

impl From<Row> for OwnCreditNote {
    fn from(row: Row) -> Self {
        Self {
            note: CreditNote {
                id: row.id,
                number: row.number,
                reason: row.reason.into(),
                net: row.net,
                tax: row.tax,
                total: row.total,
                issued_at: row.issued_at,
            },
            invoice_id: row.invoice_id,
            invoice_number: row.invoice_number,
            order_id: row.order_id,
        }
    }
}

/// Credit notes in lists. One macro, so that each sorting is a query of its own.
macro_rules! list_notes {
    ($store:expr, $owner:expr, $invoice:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Row,
            r#"SELECT c.id AS "id: CreditNoteId", c.number, c.reason, c.net AS "net: Rupiah", c.tax AS "tax: Rupiah",
                      c.total AS "total: Rupiah", c.issued_at, c.invoice_id AS "invoice_id: InvoiceId",
                      i.number AS "invoice_number!", c.order_id AS "order_id: OrderId"
               FROM credit_notes c JOIN invoices i ON i.id = c.invoice_id
               WHERE c.user_id = $1 AND ($2::uuid IS NULL OR c.invoice_id = $2) AND ($3::uuid IS NULL OR c.id = $3)
                 AND ($4::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $6",
            $owner.0,
            $invoice.map(|invoice: InvoiceId| invoice.0),
            $only.map(|note: CreditNoteId| note.0),
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all(&$store.pool)
        .await?
    };
}

impl Store {
    /// A customer's credit notes, of one invoice or of all.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn credit_notes_of(
        &self,
        owner: UserId,
        invoice: Option<InvoiceId>,
        sort: CreditNoteSort,
        page: SortedRequest,
    ) -> Result<Page<OwnCreditNote, SortCursor>> {
        let rows = self.own_credit_notes(owner, invoice, None, sort, &page).await?;
        let key = |note: &OwnCreditNote| match sort {
            CreditNoteSort::Newest | CreditNoteSort::Oldest => SortKey::Age,
            CreditNoteSort::Largest | CreditNoteSort::Smallest => SortKey::Number(note.note.total.get()),
        };
        let notes = rows.into_iter().map(OwnCreditNote::from).collect();
        Ok(page.cut(notes, |note| SortCursor { key: key(note), id: note.note.id.0 }))
    }

    /// One of a customer's credit notes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such credit note.
    #[boxed]
    pub async fn credit_note_of(&self, owner: UserId, note: CreditNoteId) -> Result<OwnCreditNote> {
        let first = SortedRequest::first(1);
        self.own_credit_notes(owner, None, Some(note), CreditNoteSort::Newest, &first)
            .await?
            .pop()
            .map(OwnCreditNote::from)
            .ok_or(StoreError::NotFound("credit note"))
    }

    async fn own_credit_notes(
        &self,
        owner: UserId,
        invoice: Option<InvoiceId>,
        only: Option<CreditNoteId>,
        sort: CreditNoteSort,
        page: &SortedRequest,
    ) -> Result<Vec<Row>> {
        Ok(match sort {
            CreditNoteSort::Newest => {
                list_notes!(self, owner, invoice, only, page, "c.id < $5", "c.id DESC")
            }
            CreditNoteSort::Oldest => list_notes!(self, owner, invoice, only, page, "c.id > $5", "c.id"),
            CreditNoteSort::Largest => list_notes!(
                self,
                owner,
                invoice,
                only,
                page,
                "(c.total, c.id) < ($4::text::bigint, $5)",
                "c.total DESC, c.id DESC"
            ),
            CreditNoteSort::Smallest => list_notes!(
                self,
                owner,
                invoice,
                only,
                page,
                "(c.total, c.id) > ($4::text::bigint, $5)",
                "c.total, c.id"
            ),
        })
    }
}
