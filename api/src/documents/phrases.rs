//! The words of papers, in each language.

use chrono::{DateTime, Datelike, FixedOffset, Timelike, Utc};
use domain::{
    billing::{Bank, InvoiceStatus, PaymentMethod},
    language::Language,
};

/// Jakarta's distance from UTC, all the year.
const WIB: i32 = 7 * 3600;

const MONTHS_ID: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// What papers say in one language.
pub(super) struct Phrases {
    pub invoice: &'static str,
    pub credit_note: &'static str,
    pub billed_to: &'static str,
    pub credited_to: &'static str,
    pub issued: &'static str,
    pub due: &'static str,
    pub paid: &'static str,
    pub for_invoice: &'static str,
    /// Heads of the columns of lines.
    pub columns: [&'static str; 4],
    pub subtotal: &'static str,
    pub discount: &'static str,
    /// The tax base, when it is the whole price.
    pub tax_base: &'static str,
    /// The tax base, when it is a part of the price.
    pub other_tax_base: &'static str,
    pub tax: &'static str,
    pub total: &'static str,
    pub net: &'static str,
    pub credited: &'static str,
    pub in_words: &'static str,
    pub payment: &'static str,
    pub credit_notes: &'static str,
    pub footer: &'static str,
    /// Before the number of a page, and before the number of pages.
    pub page_of: [&'static str; 2],
    decimal_point: char,
    months: [&'static str; 12],
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
    months: MONTHS_ID,
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
    months: MONTHS_EN,
};

impl Phrases {
    /// Those of a language.
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::Indonesian => &INDONESIAN,
            Language::English => &ENGLISH,
        }
    }

    /// A day in Jakarta: `28 November 2026`.
    pub(super) fn day(&self, at: DateTime<Utc>) -> String {
        let at = in_jakarta(at);
        let month = at.month0().try_into().ok().and_then(|month: usize| self.months.get(month));
        format!("{} {} {}", at.day(), month.copied().unwrap_or_default(), at.year())
    }

    /// A moment in Jakarta: `28 November 2026, 09:38 WIB`.
    pub(super) fn moment(&self, at: DateTime<Utc>) -> String {
        let local = in_jakarta(at);
        let colon = if self.decimal_point == ',' { '.' } else { ':' };
        format!("{}, {:02}{colon}{:02} WIB", self.day(at), local.hour(), local.minute())
    }

    /// A tax with its rate: `PPN 12%`.
    pub(super) fn tax_at(&self, basis_points: i32) -> String {
        let (whole, rest) = (basis_points / 100, basis_points % 100);
        let decimals = match rest {
            0 => String::new(),
            rest => format!("{}{rest:02}", self.decimal_point).trim_end_matches('0').to_owned(),
        };
        format!("{} {whole}{decimals}%", self.tax)
    }
}

fn in_jakarta(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    FixedOffset::east_opt(WIB).map_or_else(|| at.fixed_offset(), |zone| at.with_timezone(&zone))
}

/// What an invoice's status is called on its stamp.
pub(super) const fn status(status: InvoiceStatus, language: Language) -> &'static str {
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

/// What a way of paying is called.
pub(super) fn method(method: PaymentMethod, bank: Option<Bank>, language: Language) -> String {
    let words = match (method, language) {
        (PaymentMethod::Qris, _) => "QRIS",
        (PaymentMethod::VirtualAccount, _) => "Virtual account",
        (PaymentMethod::ManualTransfer, Language::Indonesian) => "Transfer bank",
        (PaymentMethod::ManualTransfer, Language::English) => "Bank transfer",
        (PaymentMethod::Wallet, Language::Indonesian) => "Saldo WeBrana",
        (PaymentMethod::Wallet, Language::English) => "WeBrana balance",
    };
    match bank {
        None => words.to_owned(),
        Some(Bank::Mandiri) => format!("{words} Mandiri"),
        Some(Bank::Permata) => format!("{words} Permata"),
        Some(bank @ (Bank::Bca | Bank::Bni | Bank::Bri)) => format!("{words} {bank}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_jakartas_in_the_language() {
        let late: DateTime<Utc> = "2026-12-31T17:05:00Z".parse().unwrap();
        assert_eq!(INDONESIAN.day(late), "1 Januari 2027");
        assert_eq!(INDONESIAN.moment(late), "1 Januari 2027, 00.05 WIB");
        let august: DateTime<Utc> = "2026-08-17T03:00:00Z".parse().unwrap();
        assert_eq!(INDONESIAN.day(august), "17 Agustus 2026");
        assert_eq!(ENGLISH.moment(august), "17 August 2026, 10:00 WIB");
    }

    #[test]
    fn rates_have_the_decimals_they_need() {
        assert_eq!(INDONESIAN.tax_at(1_200), "PPN 12%");
        assert_eq!(INDONESIAN.tax_at(1_150), "PPN 11,5%");
        assert_eq!(ENGLISH.tax_at(1_105), "VAT (PPN) 11.05%");
        assert_eq!(INDONESIAN.tax_at(0), "PPN 0%");
    }
}
