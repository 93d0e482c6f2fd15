//! The words of papers, in each language.

use chrono::{DateTime, Utc};
use domain::{billing::InvoiceStatus, language::Language};

use crate::times;

/// What papers say in one language.
#[derive(Debug)]
pub struct Phrases {
    /// What an invoice is called.
    pub invoice: &'static str,
    /// What a credit note is called.
    pub credit_note: &'static str,
    /// Before who is billed.
    pub billed_to: &'static str,
    /// Before who gets the money back.
    pub credited_to: &'static str,
    /// Before the day of issue.
    pub issued: &'static str,
    /// Before the day it is to be paid by.
    pub due: &'static str,
    /// Before the day it was paid.
    pub paid: &'static str,
    /// Before the number of the invoice that a credit note is about.
    pub for_invoice: &'static str,
    /// Heads of the columns of lines.
    pub columns: [&'static str; 4],
    /// Before the sum of the lines.
    pub subtotal: &'static str,
    /// Before what is taken off.
    pub discount: &'static str,
    /// The tax base, when it is the whole price.
    pub tax_base: &'static str,
    /// The tax base, when it is a part of the price.
    pub other_tax_base: &'static str,
    /// What the tax is called.
    pub tax: &'static str,
    /// Before the total.
    pub total: &'static str,
    /// Before what a credit note gives back, without tax.
    pub net: &'static str,
    /// Before all that a credit note gives back.
    pub credited: &'static str,
    /// Before the total in words.
    pub in_words: &'static str,
    /// Heads how it was paid.
    pub payment: &'static str,
    /// Heads what went back.
    pub credit_notes: &'static str,
    /// At the foot of each page.
    pub footer: &'static str,
    /// Before the number of a page, and before the number of pages.
    pub page_of: [&'static str; 2],
    decimal_point: char,
    language: Language,
}

const INDONESIAN: Phrases = Phrases {
    invoice: "Faktur",
    credit_note: "Nota Kredit",
    billed_to: "Ditagihkan kepada",
    credited_to: "Diberikan kepada",
    issued: "Tanggal terbit",
    due: "Jatuh tempo",
    paid: "Tanggal bayar",
    for_invoice: "Untuk faktur",
    columns: ["Deskripsi", "Jumlah", "Harga satuan", "Total"],
    subtotal: "Subtotal",
    discount: "Diskon",
    tax_base: "Dasar pengenaan pajak (DPP)",
    other_tax_base: "DPP nilai lain",
    tax: "PPN",
    total: "Total",
    net: "Jumlah sebelum PPN",
    credited: "Total dikreditkan",
    in_words: "Terbilang",
    payment: "Pembayaran",
    credit_notes: "Nota kredit",
    footer: "Dokumen ini dibuat secara elektronik dan sah tanpa tanda tangan.",
    page_of: ["Halaman", "dari"],
    decimal_point: ',',
    language: Language::Indonesian,
};

const ENGLISH: Phrases = Phrases {
    invoice: "Invoice",
    credit_note: "Credit Note",
    billed_to: "Billed to",
    credited_to: "Credited to",
    issued: "Issued",
    due: "Due",
    paid: "Paid",
    for_invoice: "For invoice",
    columns: ["Description", "Quantity", "Unit price", "Total"],
    subtotal: "Subtotal",
    discount: "Discount",
    tax_base: "Tax base (DPP)",
    other_tax_base: "Tax base (DPP, other value)",
    tax: "VAT (PPN)",
    total: "Total",
    net: "Amount before VAT",
    credited: "Total credited",
    in_words: "In words",
    payment: "Payment",
    credit_notes: "Credit notes",
    footer: "This document was made electronically and is valid without a signature.",
    page_of: ["Page", "of"],
    decimal_point: '.',
    language: Language::English,
};

impl Phrases {
    /// Those of a language.
    #[must_use]
    pub const fn of(language: Language) -> &'static Self {
        match language {
            Language::Indonesian => &INDONESIAN,
            Language::English => &ENGLISH,
        }
    }

    /// A day in Jakarta: `28 November 2026`.
    #[must_use]
    pub fn day(&self, at: DateTime<Utc>) -> String {
        times::day(at, self.language)
    }

    /// A moment in Jakarta: `28 November 2026, 09:38 WIB`.
    #[must_use]
    pub fn moment(&self, at: DateTime<Utc>) -> String {
        times::moment(at, self.language)
    }

    /// A tax with its rate: `PPN 12%`.
    #[must_use]
    pub fn tax_at(&self, basis_points: i32) -> String {
        let (whole, rest) = (basis_points / 100, basis_points % 100);
        let decimals = match rest {
            0 => String::new(),
            rest => format!("{}{rest:02}", self.decimal_point).trim_end_matches('0').to_owned(),
        };
        format!("{} {whole}{decimals}%", self.tax)
    }
}

/// What an invoice's status is called on its stamp.
#[must_use]
pub const fn invoice_status(status: InvoiceStatus, language: Language) -> &'static str {
    match (status, language) {
        (InvoiceStatus::Draft, Language::Indonesian) => "Konsep",
        (InvoiceStatus::Draft, Language::English) => "Draft",
        (InvoiceStatus::Open, Language::Indonesian) => "Belum dibayar",
        (InvoiceStatus::Open, Language::English) => "Unpaid",
        (InvoiceStatus::Paid, Language::Indonesian) => "Lunas",
        (InvoiceStatus::Paid, Language::English) => "Paid",
        (InvoiceStatus::Void, Language::Indonesian) => "Dibatalkan",
        (InvoiceStatus::Void, Language::English) => "Void",
        (InvoiceStatus::Refunded, Language::Indonesian) => "Dikembalikan",
        (InvoiceStatus::Refunded, Language::English) => "Refunded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_decimals_they_need() {
        assert_eq!(INDONESIAN.tax_at(1_200), "PPN 12%");
        assert_eq!(INDONESIAN.tax_at(1_150), "PPN 11,5%");
        assert_eq!(ENGLISH.tax_at(1_105), "VAT (PPN) 11.05%");
        assert_eq!(INDONESIAN.tax_at(0), "PPN 0%");
    }
}
