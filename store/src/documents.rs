//! Invoices and credit notes with all that their papers say.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    billing_profile::BuyerKind,
    ids::{CreditNoteId, InvoiceId, UserId},
    language::Language,
};

use crate::{
    Result, Store, StoreError, boxed,
    invoices::{Invoice, InvoiceLine},
    refunds::CreditNote,
};

/// Who is billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// Their name.
    pub full_name: String,
    /// Their address for mail.
    pub email: String,
    /// What they said they are, if they did.
    pub kind: Option<BuyerKind>,
    /// NPWP or NIK, if they gave one.
    pub tax_id: Option<String>,
    /// Lines of their address, if they gave one.
    pub address: Option<String>,
    /// What they read.
    pub language: Language,
}

/// How an invoice was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePayment {
    /// By what.
    pub method: PaymentMethod,
    /// Through which bank, for virtual accounts.
    pub bank: Option<Bank>,
    /// When.
    pub paid_at: Option<DateTime<Utc>>,
}

/// An issued invoice with all that its paper says.
#[derive(Debug, Clone)]
pub struct InvoiceDocument {
    /// The bill.
    pub invoice: Invoice,
    /// Its lines.
    pub lines: Vec<InvoiceLine>,
    /// Who is billed.
    pub buyer: Buyer,
    /// How it was paid, if it was.
    pub payment: Option<InvoicePayment>,
    /// What of it went back, the first first.
    pub credit_notes: Vec<CreditNote>,
}

/// A credit note with all that its paper says.
#[derive(Debug, Clone)]
pub struct CreditNoteDocument {
    /// The note.
    pub note: CreditNote,
    /// Number of the invoice that it is about.
    pub invoice_number: String,
    /// PPN rate of that invoice in basis points.
    pub tax_bp: i32,
    /// Who gets it.
    pub buyer: Buyer,
}

impl Store {
    /// A customer's issued invoice with all that its paper says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such invoice, or it is not issued.
    #[boxed]
    pub async fn invoice_document_of(&self, owner: UserId, invoice: InvoiceId) -> Result<InvoiceDocument> {
        self.find_invoice_document(invoice, Some(owner)).await
    }

    /// Anybody's issued invoice with all that its paper says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such invoice, or it is not issued.
    #[boxed]
    pub async fn any_invoice_document(&self, invoice: InvoiceId) -> Result<InvoiceDocument> {
        self.find_invoice_document(invoice, None).await
    }

    async fn find_invoice_document(
        &self,
        invoice: InvoiceId,
        owner: Option<UserId>,
    ) -> Result<InvoiceDocument> {
        let customer = sqlx::query_scalar!(
            r#"SELECT user_id AS "user_id: UserId" FROM invoices WHERE id = $1 AND ($2::uuid IS NULL OR user_id = $2)"#,
            invoice.0,
            owner.map(|id| id.0),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("invoice"))?;
        let (invoice, lines) = self.invoice(invoice, customer).await?;
        let payment = sqlx::query_as!(
            InvoicePayment,
            r#"SELECT method AS "method: PaymentMethod", bank AS "bank: Bank", paid_at FROM payments
               WHERE invoice_id = $1 AND outcome IN ('APPLIED', 'REVIVED')"#,
            invoice.id.0,
        )
        .fetch_optional(&self.pool)
        .await?;
        let credit_notes = self.credit_notes(invoice.id, customer).await?;
        Ok(InvoiceDocument { buyer: self.buyer(invoice.id).await?, invoice, lines, payment, credit_notes })
    }

    /// A customer's credit note with all that its paper says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the customer has no such credit note.
    #[boxed]
    pub async fn credit_note_document_of(
        &self,
        owner: UserId,
        note: CreditNoteId,
    ) -> Result<CreditNoteDocument> {
        self.find_credit_note_document(note, Some(owner)).await
    }

    /// Anybody's credit note with all that its paper says.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such credit note.
    #[boxed]
    pub async fn any_credit_note_document(&self, note: CreditNoteId) -> Result<CreditNoteDocument> {
        self.find_credit_note_document(note, None).await
    }

    async fn find_credit_note_document(
        &self,
        note: CreditNoteId,
        owner: Option<UserId>,
    ) -> Result<CreditNoteDocument> {
        let row = sqlx::query!(
            r#"SELECT c.number, c.reason, c.net AS "net: Rupiah", c.tax AS "tax: Rupiah", c.total AS "total: Rupiah",
                      c.issued_at, c.invoice_id AS "invoice_id: InvoiceId", i.number AS "invoice_number!", i.tax_bp
               FROM credit_notes c JOIN invoices i ON i.id = c.invoice_id
               WHERE c.id = $1 AND ($2::uuid IS NULL OR c.user_id = $2)"#,
            note.0,
            owner.map(|id| id.0),
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("credit note"))?;
        let note = CreditNote {
            id: note,
            number: row.number,
            reason: row.reason.into(),
            net: row.net,
            tax: row.tax,
            total: row.total,
            issued_at: row.issued_at,
        };
        Ok(CreditNoteDocument {
            note,
            invoice_number: row.invoice_number,
            tax_bp: row.tax_bp,
            buyer: self.buyer(row.invoice_id).await?,
        })
    }

    /// As the invoice names them, in the language that they read now.
    async fn buyer(&self, invoice: InvoiceId) -> Result<Buyer> {
        sqlx::query_as!(
            Buyer,
            r#"SELECT i.buyer_name AS "full_name!", i.buyer_email AS "email!", i.buyer_kind AS "kind: BuyerKind",
                      i.buyer_tax_id AS tax_id, i.buyer_address AS address, u.language AS "language: Language"
               FROM invoices i JOIN users u ON u.id = i.user_id WHERE i.id = $1"#,
            invoice.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("invoice"))
    }
}
