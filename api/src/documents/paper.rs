//! What stands on a paper: an invoice or a credit note as words and numbers in one language, without a look yet.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah, billing::InvoiceStatus, billing_profile::BuyerKind, in_words::in_words, language::Language,
};
use messages::Phrases;
use serde::Serialize;
use store::{
    documents::{Buyer, CreditNoteDocument, InvoiceDocument},
    refunds::CreditNote,
};

use crate::Seller;

/// A paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Paper {
    pub language: Language,
    /// What kind of paper it is.
    pub title: &'static str,
    /// Its number: `INV/2026/000123`.
    pub number: String,
    pub stamp: Option<Stamp>,
    pub seller: SellerLines,
    pub buyer_heading: &'static str,
    pub buyer: BuyerLines,
    /// Its dates, and what it refers to.
    pub facts: Vec<Fact>,
    /// Heads of the columns of `lines`.
    pub columns: [&'static str; 4],
    pub lines: Vec<Line>,
    /// From the subtotal to the tax.
    pub sums: Vec<Fact>,
    pub total: Fact,
    /// The total in words.
    pub in_words: Fact,
    pub sections: Vec<Section>,
    pub footer: &'static str,
    /// Before the number of a page, and before the number of pages.
    #[serde(skip)]
    pub page_of: [&'static str; 2],
    /// When it was issued: the date of the file too.
    #[serde(skip)]
    pub issued_at: DateTime<Utc>,
}

/// What became of the invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Stamp {
    pub text: &'static str,
    pub tone: Tone,
}

/// How a stamp looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tone {
    /// It is paid.
    Good,
    /// Something is to be done.
    Waiting,
    /// It does not count any more.
    Ended,
}

/// Who sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SellerLines {
    pub name: String,
    pub address: Vec<String>,
    pub tax_id: String,
}

/// Who buys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BuyerLines {
    pub name: String,
    /// Their taxpayer's number with its name, their address and their email address, as far as they gave them.
    pub more: Vec<String>,
}

/// Something with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub label: Cow<'static, str>,
    pub value: String,
}

/// A line of what was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub description: String,
    pub quantity: String,
    pub unit_price: String,
    pub total: String,
}

/// More about the invoice: how it was paid, what went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Section {
    pub heading: &'static str,
    pub entries: Vec<Entry>,
}

/// A line of a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub text: String,
    pub amount: String,
}

impl Paper {
    /// The paper of an invoice, in its buyer's language unless another is wished for.
    pub(crate) fn of_invoice(document: &InvoiceDocument, seller: &Seller, wish: Option<Language>) -> Self {
        let language = Language::of_reader(wish, document.buyer.language);
        let words = Phrases::of(language);
        let invoice = &document.invoice;
        let lines = document.lines.iter().map(|line| Line {
            description: messages::invoice_line(&line.description, language),
            quantity: line.quantity.to_string(),
            unit_price: line.unit_price.to_string(),
            total: line.total.to_string(),
        });
        Self {
            title: words.invoice,
            number: invoice.number.clone(),
            stamp: Some(Stamp {
                text: messages::invoice_status(invoice.status, language),
                tone: tone(invoice.status),
            }),
            buyer_heading: words.billed_to,
            facts: dates(document, words),
            lines: lines.collect(),
            sums: sums(document, words),
            total: fact(words.total, invoice.total.to_string()),
            in_words: fact(words.in_words, in_words(invoice.total, language)),
            sections: [payment(document, words, language), given_back(&document.credit_notes, language)]
                .into_iter()
                .flatten()
                .collect(),
            ..Self::blank(language, seller, &document.buyer, invoice.issued_at)
        }
    }

    /// The paper of a credit note, in its receiver's language unless another is wished for.
    pub(crate) fn of_credit_note(
        document: &CreditNoteDocument,
        seller: &Seller,
        wish: Option<Language>,
    ) -> Self {
        let language = Language::of_reader(wish, document.buyer.language);
        let words = Phrases::of(language);
        let note = &document.note;
        let line = Line {
            description: messages::credit_reason(&note.reason, language),
            quantity: "1".to_owned(),
            unit_price: note.net.to_string(),
            total: note.net.to_string(),
        };
        Self {
            title: words.credit_note,
            number: note.number.clone(),
            buyer_heading: words.credited_to,
            facts: vec![
                fact(words.issued, words.day(note.issued_at)),
                fact(words.for_invoice, document.invoice_number.clone()),
            ],
            lines: vec![line],
            sums: vec![
                fact(words.net, note.net.to_string()),
                fact(words.tax_at(document.tax_bp), note.tax.to_string()),
            ],
            total: fact(words.credited, note.total.to_string()),
            in_words: fact(words.in_words, in_words(note.total, language)),
            ..Self::blank(language, seller, &document.buyer, note.issued_at)
        }
    }

    /// What its file is called: `INV-2026-000123.pdf`.
    pub(crate) fn file_name(&self, extension: &str) -> String {
        let safe = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        format!("{}.{extension}", self.number.chars().map(safe).collect::<String>())
    }

    /// A paper with everything that all papers have, and nothing else.
    fn blank(language: Language, seller: &Seller, buyer: &Buyer, issued_at: DateTime<Utc>) -> Self {
        let words = Phrases::of(language);
        Self {
            language,
            title: words.invoice,
            number: String::new(),
            stamp: None,
            seller: SellerLines {
                name: seller.name.clone(),
                address: seller.address.lines().map(str::to_owned).collect(),
                tax_id: seller.tax_id.clone(),
            },
            buyer_heading: words.billed_to,
            buyer: buyer_lines(buyer),
            facts: Vec::new(),
            columns: words.columns,
            lines: Vec::new(),
            sums: Vec::new(),
            total: fact(words.total, String::new()),
            in_words: fact(words.in_words, String::new()),
            sections: Vec::new(),
            footer: words.footer,
            page_of: words.page_of,
            issued_at,
        }
    }
}

fn buyer_lines(buyer: &Buyer) -> BuyerLines {
    let number = match buyer.kind {
        Some(BuyerKind::Person) => "NPWP/NIK",
        Some(BuyerKind::Company) | None => "NPWP",
    };
    let tax_id = buyer.tax_id.iter().map(|id| format!("{number} {id}"));
    let address = buyer.address.iter().flat_map(|address| address.lines()).map(str::to_owned);
    BuyerLines {
        name: buyer.full_name.clone(),
        more: tax_id.chain(address).chain([buyer.email.clone()]).collect(),
    }
}

fn fact(label: impl Into<Cow<'static, str>>, value: String) -> Fact {
    Fact { label: label.into(), value }
}

const fn tone(status: InvoiceStatus) -> Tone {
    match status {
        InvoiceStatus::Paid => Tone::Good,
        InvoiceStatus::Draft | InvoiceStatus::Open => Tone::Waiting,
        InvoiceStatus::Void | InvoiceStatus::Refunded => Tone::Ended,
    }
}

fn dates(document: &InvoiceDocument, words: &Phrases) -> Vec<Fact> {
    let invoice = &document.invoice;
    let mut facts = vec![fact(words.issued, words.day(invoice.issued_at))];
    match invoice.paid_at {
        Some(paid_at) => {
            facts.push(fact(words.due, words.day(invoice.due_at)));
            facts.push(fact(words.paid, words.day(paid_at)));
        }
        None => facts.push(fact(words.due, words.moment(invoice.due_at))),
    }
    facts
}

fn sums(document: &InvoiceDocument, words: &Phrases) -> Vec<Fact> {
    let invoice = &document.invoice;
    let mut sums = vec![fact(words.subtotal, invoice.subtotal.to_string())];
    if invoice.discount > Rupiah::ZERO {
        sums.push(fact(words.discount, negative(invoice.discount)));
    }
    let whole = invoice.subtotal.minus(invoice.discount) == Ok(invoice.tax_base);
    let base = if whole { words.tax_base } else { words.other_tax_base };
    sums.push(fact(base, invoice.tax_base.to_string()));
    sums.push(fact(words.tax_at(invoice.tax_bp), invoice.tax.to_string()));
    sums
}

fn payment(document: &InvoiceDocument, words: &Phrases, language: Language) -> Option<Section> {
    let payment = document.payment.as_ref()?;
    let method = messages::capital(&messages::payment_method(payment.method, payment.bank, language));
    let text = match payment.paid_at {
        Some(paid_at) => format!("{method}, {}", words.moment(paid_at)),
        None => method,
    };
    let entry = Entry { text, amount: document.invoice.total.to_string() };
    Some(Section { heading: words.payment, entries: vec![entry] })
}

fn given_back(notes: &[CreditNote], language: Language) -> Option<Section> {
    let words = Phrases::of(language);
    let entries = notes.iter().map(|note| {
        let reason = messages::credit_reason(&note.reason, language);
        Entry {
            text: format!("{}, {}: {reason}", note.number, words.day(note.issued_at)),
            amount: negative(note.total),
        }
    });
    (!notes.is_empty()).then(|| Section { heading: words.credit_notes, entries: entries.collect() })
}

/// An amount that is taken off.
fn negative(amount: Rupiah) -> String {
    Rupiah::ZERO.minus(amount).map_or_else(|_| amount.to_string(), |amount| amount.to_string())
}
