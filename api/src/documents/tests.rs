//! Papers of made-up invoices: what stands on them, and that any invoice has one.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, InvoiceStatus, PaymentMethod},
    billing_profile::BuyerKind,
    language::Language,
    pricing::LineDescription,
    refund::CreditReason,
};
use proptest::{collection::vec, option, prelude::*};
use sha2::{Digest, Sha256};
use store::{
    documents::{Buyer, CreditNoteDocument, InvoiceDocument, InvoicePayment},
    invoices::{Invoice, InvoiceLine},
    refunds::CreditNote,
};
use uuid::Uuid;

use super::{html, paper::Paper, pdf};
use crate::Seller;

fn seller() -> Seller {
    Seller {
        name: "PT WeBrana Awan Nusantara".to_owned(),
        address: "Jalan Jenderal Sudirman Kav. 52-53\nJakarta Selatan 12190, Indonesia".to_owned(),
        tax_id: "01.234.567.8-901.000".to_owned(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn line(description: LineDescription, quantity: i32, unit_price: i64) -> InvoiceLine {
    InvoiceLine {
        description,
        quantity,
        unit_price: Rupiah::new(unit_price),
        total: Rupiah::new(unit_price * i64::from(quantity)),
    }
}

/// Three months of a server at 5 % off, paid by virtual account.
fn paid() -> InvoiceDocument {
    InvoiceDocument {
        invoice: Invoice {
            id: Uuid::nil().into(),
            number: "INV/2026/000123".to_owned(),
            order_id: None,
            status: InvoiceStatus::Paid,
            subtotal: Rupiah::new(387_000),
            discount: Rupiah::new(56_115),
            tax_base: Rupiah::new(303_311),
            tax: Rupiah::new(36_397),
            tax_bp: 1_200,
            total: Rupiah::new(367_282),
            issued_at: at("2026-11-28T02:38:14Z"),
            due_at: at("2026-11-29T02:38:14Z"),
            paid_at: Some(at("2026-11-28T17:05:00Z")),
        },
        lines: vec![
            line(LineDescription::Plan { plan: "Basic 1 GB".to_owned(), months: 3 }, 3, 129_000),
            line(LineDescription::TermDiscount { months: 3 }, 1, -19_350),
            line(LineDescription::Promo { code: "HEMAT10".to_owned() }, 1, -36_765),
        ],
        buyer: Buyer {
            full_name: "Siti Aminah".to_owned(),
            email: "siti@example.com".to_owned(),
            kind: None,
            tax_id: None,
            address: None,
            language: Language::Indonesian,
        },
        payment: Some(InvoicePayment {
            method: PaymentMethod::VirtualAccount,
            bank: Some(Bank::Bca),
            paid_at: Some(at("2026-11-28T17:05:00Z")),
        }),
        credit_notes: Vec::new(),
    }
}

fn note() -> CreditNote {
    CreditNote {
        id: Uuid::nil().into(),
        number: "CN/2026/000007".to_owned(),
        reason: CreditReason::Written("The region is sold out at the provider".to_owned()),
        net: Rupiah::new(330_885),
        tax: Rupiah::new(36_397),
        total: Rupiah::new(367_282),
        issued_at: at("2026-11-29T09:00:00Z"),
    }
}

fn in_language(document: &InvoiceDocument, language: Language) -> Paper {
    Paper::of_invoice(document, &seller(), Some(language))
}

/// The page, with slashes as a browser shows them.
fn page(paper: &Paper) -> String {
    html::render(paper).unwrap().replace("&#x2f;", "/")
}

/// Whether the file shows `text`, which has to be ASCII: pages are not compressed.
fn shows(file: &[u8], text: &str) -> bool {
    let wanted = format!("({text})");
    file.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

fn pages(file: &[u8]) -> usize {
    let text = String::from_utf8_lossy(file);
    text.matches("/Type /Page\n").count() + text.matches("/Type /Page ").count()
}

#[test]
fn an_invoice_says_everything_in_indonesian() {
    let paper = Paper::of_invoice(&paid(), &seller(), None);
    let (page, file) = (page(&paper), pdf::render(&paper));
    assert!(page.contains(r#"<html lang="id">"#));
    assert!(file.starts_with(b"%PDF-1.7") && file.ends_with(b"%%EOF"));
    for text in [
        "PT WeBrana Awan Nusantara",
        "Jalan Jenderal Sudirman Kav. 52-53",
        "NPWP 01.234.567.8-901.000",
        "INV/2026/000123",
        "Siti Aminah",
        "siti@example.com",
        "28 November 2026",
        "29 November 2026",
        "Basic 1 GB, 3 bulan",
        "Diskon untuk 3 bulan",
        "Kode promo HEMAT10",
        "Rp129.000",
        "-Rp19.350",
        "Rp387.000",
        "-Rp56.115",
        "DPP nilai lain",
        "Rp303.311",
        "PPN 12%",
        "Rp36.397",
        "Rp367.282",
        "Tiga ratus enam puluh tujuh ribu dua ratus delapan puluh dua rupiah",
        "Virtual account BCA, 29 November 2026, 00.05 WIB",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
        assert!(shows(&file, text), "the file lacks {text}");
    }
    assert!(page.contains(">Lunas<") && shows(&file, "LUNAS"));
    assert!(shows(&file, "Halaman 1 dari 1"));
}

#[test]
fn an_invoice_says_everything_in_english() {
    let paper = in_language(&paid(), Language::English);
    let (page, file) = (page(&paper), pdf::render(&paper));
    assert!(page.contains(r#"<html lang="en">"#));
    for text in [
        "Basic 1 GB, 3 months",
        "Discount for 3 months",
        "VAT (PPN) 12%",
        "Three hundred sixty-seven thousand two hundred eighty-two rupiah",
        "Virtual account BCA, 29 November 2026, 00:05 WIB",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
        assert!(shows(&file, text), "the file lacks {text}");
    }
    assert!(page.contains(">Paid<") && shows(&file, "PAID"));
    assert!(shows(&file, "Page 1 of 1"));
}

#[test]
fn the_stamp_says_what_became_of_it() {
    for (status, id, en) in [
        (InvoiceStatus::Open, "BELUM DIBAYAR", "UNPAID"),
        (InvoiceStatus::Void, "DIBATALKAN", "VOID"),
        (InvoiceStatus::Refunded, "DIKEMBALIKAN", "REFUNDED"),
    ] {
        let mut document = paid();
        document.invoice.status = status;
        for (language, stamp) in [(Language::Indonesian, id), (Language::English, en)] {
            let paper = in_language(&document, language);
            assert!(shows(&pdf::render(&paper), stamp), "{stamp}");
            assert!(page(&paper).to_uppercase().contains(&format!(">{stamp}<")), "{stamp}");
        }
    }
}

#[test]
fn what_went_back_is_on_the_invoice_and_has_a_paper_of_its_own() {
    let mut document = paid();
    document.invoice.status = InvoiceStatus::Refunded;
    document.credit_notes.push(note());
    let paper = in_language(&document, Language::English);
    let entry = "CN/2026/000007, 29 November 2026: The region is sold out at the provider";
    assert!(page(&paper).contains(entry) && shows(&pdf::render(&paper), entry));

    let document = CreditNoteDocument {
        note: note(),
        invoice_number: "INV/2026/000123".to_owned(),
        tax_bp: 1_200,
        buyer: document.buyer,
    };
    let paper = Paper::of_credit_note(&document, &seller(), None);
    assert_eq!(paper.file_name("pdf"), "CN-2026-000007.pdf");
    for text in ["CN/2026/000007", "INV/2026/000123", "Rp330.885", "PPN 12%", "Rp367.282"] {
        assert!(page(&paper).contains(text) && shows(&pdf::render(&paper), text), "{text}");
    }
}

#[test]
fn a_company_is_billed_with_its_number_and_address() {
    let mut document = paid();
    document.buyer.kind = Some(BuyerKind::Company);
    document.buyer.tax_id = Some("0013123456051000".to_owned());
    document.buyer.address = Some("Jl. Sudirman Kav. 52\nJakarta 12190\nDKI Jakarta".to_owned());
    let paper = in_language(&document, Language::Indonesian);
    let (page, file) = (page(&paper), pdf::render(&paper));
    for line in
        ["NPWP 0013123456051000", "Jl. Sudirman Kav. 52", "Jakarta 12190", "DKI Jakarta", "siti@example.com"]
    {
        assert!(page.contains(&format!("<p>{line}</p>")) && shows(&file, line), "{line}");
    }
    document.buyer.kind = Some(BuyerKind::Person);
    assert!(shows(&pdf::render(&in_language(&document, Language::English)), "NPWP/NIK 0013123456051000"));
}

#[test]
fn what_customers_wrote_is_text() {
    let mut document = paid();
    document.buyer.full_name = r#"<script>alert("x")</script> & "Söhne" (北京)\"#.to_owned();
    document.lines[0].description = LineDescription::Written("<img src=x onerror=alert(1)>".to_owned());
    let paper = in_language(&document, Language::English);
    let page = page(&paper);
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;script&gt;") && page.contains("Söhne") && page.contains("北京"));
    let file = pdf::render(&paper);
    assert!(shows(&file, "<img src=x onerror=alert(1)>"));
}

#[test]
fn a_page_loads_nothing_and_allows_its_own_style_only() {
    let page = page(&in_language(&paid(), Language::Indonesian));
    for loader in ["<script", "<link", "<img", "src=", "url(", "@import", "style="] {
        assert!(!page.contains(loader), "{loader}");
    }
    let (_, style) = page.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = html::content_security_policy();
    assert!(policy.starts_with(&format!("default-src 'none'; style-src 'sha256-{hash}';")), "{policy}");
    assert!(!policy.contains("unsafe"));
}

#[test]
fn many_lines_go_on_over_pages() {
    let mut document = paid();
    let server = |number| LineDescription::Plan { plan: format!("Server {number}"), months: 1 };
    document.lines = (1..=90).map(|number| line(server(number), 1, 1_000)).collect();
    let file = pdf::render(&in_language(&document, Language::Indonesian));
    let count = pages(&file);
    assert!(count >= 3, "{count}");
    for number in 1..=count {
        assert!(shows(&file, &format!("Halaman {number} dari {count}")));
    }
    let text = String::from_utf8_lossy(&file);
    assert_eq!(text.matches("(DESKRIPSI)").count(), count, "the heads of the columns are repeated");
    assert_eq!(text.matches("(Faktur INV/2026/000123) Tj").count(), count - 1);
    for number in 1..=90 {
        assert!(shows(&file, &format!("Server {number}, 1 bulan")));
    }
}

#[test]
fn a_name_that_is_longer_than_a_page_is_no_trouble() {
    let mut document = paid();
    document.lines[0].description = LineDescription::Written("very long ".repeat(5_000));
    document.lines[1].description = LineDescription::Written("x".repeat(5_000));
    assert!(pages(&pdf::render(&in_language(&document, Language::English))) > 3);
}

fn amount() -> impl Strategy<Value = Rupiah> {
    any::<i64>().prop_map(Rupiah::new)
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..4_000_000_000).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

prop_compose! {
    fn any_line()(description in any::<String>(), quantity in any::<i32>(), unit_price in amount(), total in amount())
        -> InvoiceLine {
        InvoiceLine { description: LineDescription::Written(description), quantity, unit_price, total }
    }
}

prop_compose! {
    fn any_note()(number in any::<String>(), reason in any::<String>(), net in amount(), tax in amount(),
                  total in amount(), issued_at in moment()) -> CreditNote {
        CreditNote { id: Uuid::nil().into(), number, reason: CreditReason::Written(reason), net, tax, total, issued_at }
    }
}

prop_compose! {
    fn any_payment()(method in proptest::sample::select(PaymentMethod::ALL),
                     bank in option::of(proptest::sample::select(Bank::ALL)), paid_at in option::of(moment()))
        -> InvoicePayment {
        InvoicePayment { method, bank, paid_at }
    }
}

prop_compose! {
    fn any_invoice()(status in proptest::sample::select(InvoiceStatus::ALL), number in any::<String>(),
                     amounts in proptest::array::uniform5(amount()), tax_bp in 0..=10_000_i32,
                     issued_at in moment(), due_at in moment(), paid_at in option::of(moment())) -> Invoice {
        let [subtotal, discount, tax_base, tax, total] = amounts;
        Invoice { id: Uuid::nil().into(), number, order_id: None, status, subtotal, discount, tax_base, tax, tax_bp,
                  total, issued_at, due_at, paid_at }
    }
}

prop_compose! {
    fn any_document()(invoice in any_invoice(), lines in vec(any_line(), 0..40), full_name in any::<String>(),
                      email in any::<String>(), tax_id in option::of(any::<String>()),
                      address in option::of(any::<String>()), language in proptest::sample::select(Language::ALL),
                      payment in option::of(any_payment()), credit_notes in vec(any_note(), 0..4))
        -> InvoiceDocument {
        let buyer = Buyer { full_name, email, kind: Some(BuyerKind::Company), tax_id, address, language };
        InvoiceDocument { invoice, lines, buyer, payment, credit_notes }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_invoice_has_a_page_and_a_file(document in any_document()) {
        let paper = Paper::of_invoice(&document, &seller(), None);
        let page = html::render(&paper).unwrap();
        prop_assert!(page.trim_end().ends_with("</html>"));
        let file = pdf::render(&paper);
        prop_assert!(pages(&file) >= 1);
        prop_assert_eq!(file, pdf::render(&Paper::of_invoice(&document, &seller(), None)));
    }
}
