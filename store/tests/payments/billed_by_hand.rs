//! Invoices that staff make: drafted, changed, issued, withdrawn, paid.

use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentStatus as P},
    ids::InvoiceId,
    ledger::Service,
    pricing::{BilledItem, LineDescription},
};
use sqlx::PgPool;
use store::{
    StoreError,
    invoices::{DraftedInvoice, NewDraft, OwnInvoiceFilter},
    page::SortedRequest,
    payments::{NewInvoiceAttempt, Payment},
    versions::IfMatch,
};
use tokio::task::JoinSet;

use crate::{MIDTRANS, Shop, request, webhook_event};

fn hours(quantity: u32) -> Vec<BilledItem> {
    vec![BilledItem {
        description: LineDescription::Written("Migration by our team, hours".into()),
        quantity,
        unit_price: Rupiah::new(250_000),
    }]
}

impl Shop {
    pub(crate) async fn draft(&self, quantity: u32, key: &str) -> DraftedInvoice {
        let items = hours(quantity);
        let new =
            NewDraft { by: self.admin, customer: self.customer, items: &items, note: Some("as agreed") };
        self.store.draft_invoice(&new, &self.admins_origin(), &request(key)).await.unwrap()
    }

    pub(crate) async fn issue(&self, draft: InvoiceId) -> Result<DraftedInvoice, StoreError> {
        self.store.issue_invoice(draft, 14, &self.admins_origin()).await
    }

    pub(crate) async fn pay_invoice(
        &self,
        invoice: InvoiceId,
        method: PaymentMethod,
        key: &str,
    ) -> Result<Payment, StoreError> {
        let attempt = NewInvoiceAttempt {
            user: self.customer,
            invoice,
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some(MIDTRANS),
            pay_within_ms: 3_600_000,
        };
        let opened = self.store.open_invoice_payment(&attempt, &request(key)).await?;
        self.store.any_payment(opened.payment_id).await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_draft_becomes_a_document_and_is_paid_from_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let draft = shop.draft(3, "draft").await;
    assert_eq!(shop.draft(3, "draft").await.id, draft.id);
    assert_eq!((draft.number.as_deref(), draft.status), (None, InvoiceStatus::Draft));
    assert_eq!((draft.subtotal.get(), draft.tax.get(), draft.total.get()), (750_000, 82_500, 832_500));
    // Its customer sees nothing of it, and can't pay it.
    let (any, page) = (OwnInvoiceFilter::default(), SortedRequest::first(10));
    let seen = shop
        .store
        .invoices_of(shop.customer, &any, domain::sorting::InvoiceSort::Newest, page)
        .await
        .unwrap();
    assert!(seen.data.is_empty());
    let hidden = shop.pay_invoice(draft.id, PaymentMethod::Wallet, "early").await;
    assert!(matches!(hidden, Err(StoreError::NotFound("invoice"))), "{hidden:?}");

    let changed = shop
        .store
        .change_draft(draft.id, &hours(2), None, &IfMatch::Anyhow, &shop.admins_origin())
        .await
        .unwrap();
    assert_eq!((changed.total.get(), changed.lines.len(), changed.note), (555_000, 1, None));
    let issued = shop.issue(draft.id).await.unwrap();
    assert!(issued.number.is_some_and(|number| number.ends_with("/000001")));
    let again = shop.issue(draft.id).await;
    assert!(matches!(again, Err(StoreError::Conflict { object: store::Object::Invoice, .. })), "{again:?}");
    let changed =
        shop.store.change_draft(draft.id, &hours(1), None, &IfMatch::Anyhow, &shop.admins_origin()).await;
    assert!(matches!(changed, Err(StoreError::Conflict { .. })), "{changed:?}");

    let short = shop.pay_invoice(draft.id, PaymentMethod::Wallet, "short").await;
    assert!(matches!(short, Err(StoreError::InsufficientBalance)), "{short:?}");
    shop.adjust(600_000, "gift").await.unwrap();
    let paid = shop.pay_invoice(draft.id, PaymentMethod::Wallet, "pay").await.unwrap();
    assert_eq!(paid.status, P::Paid);
    assert_eq!(shop.wallet().await, (45_000, 0));
    let twice = shop.pay_invoice(draft.id, PaymentMethod::Wallet, "twice").await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");

    // What was done is earned at once.
    sqlx::query("UPDATE invoices SET paid_at = now() - interval '1 minute'")
        .execute(&shop.pool)
        .await
        .unwrap();
    assert_eq!(shop.store.recognise_revenue(None, 10).await.unwrap().made, 1);
    let position = shop.store.position(Service::Invoice(draft.id)).await.unwrap();
    assert_eq!((position.deferred.get(), position.revenue.get(), position.tax.get()), (0, 500_000, 55_000));
    let audited = "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE object_kind = 'invoice'";
    assert_eq!(shop.texts(audited).await, ["invoice.draft invoice.change invoice.issue"]);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn money_for_a_withdrawn_invoice_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let draft = shop.draft(1, "draft").await;
    shop.issue(draft.id).await.unwrap();
    let payment = shop.pay_invoice(draft.id, PaymentMethod::Qris, "pay").await.unwrap();
    let voided = shop.store.void_invoice(draft.id, &shop.admins_origin(), "billed twice").await.unwrap();
    assert_eq!(voided.status, InvoiceStatus::Void);
    assert_eq!(shop.payment_status(payment.id).await, P::Cancelled);
    shop.receive(&webhook_event(&payment, P::Paid, "late")).await;
    assert_eq!(shop.wallet().await, (277_500, 0));
    let again = shop.store.void_invoice(draft.id, &shop.admins_origin(), "again").await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn numbers_have_no_gaps_whoever_issues_and_drops_at_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut all = JoinSet::new();
    for n in 0..30 {
        let shop = shop.clone();
        all.spawn(async move {
            if n % 3 == 0 {
                shop.order_by(PaymentMethod::Qris, &format!("order {n}")).await;
                return;
            }
            let draft = shop.draft(n, &format!("draft {n}")).await;
            if n % 3 == 1 {
                shop.issue(draft.id).await.unwrap();
            } else {
                shop.store.void_invoice(draft.id, &shop.admins_origin(), "dropped").await.unwrap();
            }
        });
    }
    all.join_all().await;
    let in_year = "SELECT split_part(number, '/', 3) FROM invoices WHERE number IS NOT NULL ORDER BY number";
    let numbers = shop.texts(in_year).await;
    let expected: Vec<String> = (1..=20).map(|n| format!("{n:06}")).collect();
    assert_eq!(numbers, expected);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_tax_is_that_of_the_day_of_issue(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let draft = shop.draft(1, "draft").await;
    assert_eq!(draft.tax.get(), 27_500);
    let raised = "INSERT INTO tax_rates VALUES (current_date - 1, 1500, 1, 1)";
    sqlx::query(raised).execute(&shop.pool).await.unwrap();
    let issued = shop.issue(draft.id).await.unwrap();
    assert_eq!((issued.tax.get(), issued.tax_base.get(), issued.tax_bp), (37_500, 250_000, 1_500));
}
