//! What is on an invoice.

use chrono::{DateTime, Utc};
use domain::{Rupiah, ids::CreditNoteId, language::Language};
use serde::Serialize;
use utoipa::ToSchema;

/// The paper for money of a bill that went back. `net + tax = total`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceCreditNote {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: CreditNoteId,
    /// Sequential per year.
    #[schema(example = "CN/2026/000001")]
    number: String,
    #[schema(example = "The region is sold out at the provider")]
    reason: String,
    /// Whole rupiah without tax.
    #[schema(example = 367_650)]
    net: Rupiah,
    /// PPN in whole rupiah.
    #[schema(example = 40_442)]
    tax: Rupiah,
    /// Whole rupiah that went back.
    #[schema(example = 408_092)]
    total: Rupiah,
    issued_at: DateTime<Utc>,
}

/// One line of a bill, before tax. Discounts are negative.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceLine {
    #[schema(example = "Basic 1 GB, 3 months")]
    description: String,
    #[schema(example = 3)]
    quantity: i32,
    #[schema(example = 129_000)]
    unit_price: Rupiah,
    /// `quantity × unit_price`.
    #[schema(example = 387_000)]
    total: Rupiah,
}

impl InvoiceCreditNote {
    /// A credit note, with its reason in words.
    pub(crate) fn in_language(row: store::refunds::CreditNote, language: Language) -> Self {
        Self {
            id: row.id,
            number: row.number,
            reason: messages::credit_reason(&row.reason, language),
            net: row.net,
            tax: row.tax,
            total: row.total,
            issued_at: row.issued_at,
        }
    }
}

impl InvoiceLine {
    /// A line in words.
    pub(crate) fn in_language(row: &store::invoices::InvoiceLine, language: Language) -> Self {
        Self {
            description: messages::invoice_line(&row.description, language),
            quantity: row.quantity,
            unit_price: row.unit_price,
            total: row.total,
        }
    }
}
