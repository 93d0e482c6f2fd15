//! Giving money back to the balance: whole, in parts, of running orders and of invoices without an order.

use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentStatus as P},
    ids::{InvoiceId, OrderId},
    ledger::{Position, Service},
    order::OrderStatus,
    refund::{RefundDestination as To, RefundPolicy, RefundStatus},
};
use sqlx::PgPool;
use store::{
    StoreError,
    money_act::MoneyAct,
    page::PageRequest,
    refunds::{NewRefund, Part, Refund, RefundError, RefundFilter, RefundedOrder},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{MIDTRANS, Shop, webhook_event};

impl Shop {
    pub(crate) fn new_refund(&self, part: Part, destination: To) -> NewRefund<'static> {
        NewRefund {
            part,
            destination,
            reason: "sold out",
            gateways: &[MIDTRANS],
            policy: RefundPolicy::default(),
        }
    }

    pub(crate) async fn refund(
        &self,
        order: OrderId,
        part: Part,
        destination: To,
    ) -> Result<RefundedOrder, RefundError> {
        let new = self.new_refund(part, destination);
        self.store.refund_order(order, &new, &self.anew()).await
    }

    /// An order that was paid by QRIS.
    pub(crate) async fn paid_order(&self) -> (OrderId, i64) {
        let (order, qris) = self.order().await;
        self.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
        (order, qris.amount.get())
    }

    pub(crate) async fn in_order(&self, order: OrderId) -> Position {
        self.store.position(Service::Order(order)).await.unwrap()
    }

    async fn invoice_status(&self, order: OrderId) -> InvoiceStatus {
        self.store.any_order(order).await.unwrap().invoice.status
    }

    /// A paid invoice that belongs to no order, with what it brought: 111,000, of which 11,000 are tax.
    async fn paid_invoice(&self) -> InvoiceId {
        let invoice = self.invoice(self.customer, Rupiah::new(100_000)).await;
        let payment = self.pay_invoice(invoice, PaymentMethod::Qris, "invoice").await.unwrap();
        assert_eq!(payment.amount, Rupiah::new(111_000));
        self.receive(&webhook_event(&payment, P::Paid, "invoice:paid")).await;
        invoice
    }
}

fn some(amount: i64) -> Part {
    Part::Amount(Rupiah::new(amount))
}

fn conflict<T>(outcome: &Result<T, RefundError>) -> bool {
    matches!(outcome, Err(RefundError::Store(StoreError::Conflict { .. })))
}

#[sqlx::test(migrations = "../migrations")]
async fn parts_leave_a_paid_order_where_it_is_until_nothing_is_left(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let first = shop.refund(order, some(10_001), To::Wallet).await.unwrap();
    assert_eq!((first.status, first.refund.status), (OrderStatus::Paid, RefundStatus::Completed));
    assert_eq!(first.refund.net.plus(first.refund.tax), Ok(Rupiah::new(10_001)));
    assert_eq!(shop.invoice_status(order).await, InvoiceStatus::Paid);
    assert_eq!(shop.wallet().await, (10_001, 0));
    shop.refund(order, some(1), To::Wallet).await.unwrap();
    let too_much = shop.refund(order, some(total - 10_001), To::Wallet).await;
    assert!(
        matches!(too_much, Err(RefundError::TooMuch { available }) if available.get() == total - 10_002),
        "{too_much:?}"
    );
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'order_closed'").await, 0);

    let last = shop.refund(order, some(total - 10_002), To::Wallet).await.unwrap();
    assert_eq!(last.status, OrderStatus::Refunded);
    assert_eq!(shop.invoice_status(order).await, InvoiceStatus::Refunded);
    assert_eq!(shop.wallet().await, (total, 0));
    assert_eq!(shop.in_order(order).await, Position::default());
    let exact = "SELECT count(*) FROM (SELECT sum(c.net) AS net, sum(c.tax) AS tax, i.tax AS billed, i.total
                 FROM credit_notes c JOIN invoices i ON i.id = c.invoice_id GROUP BY i.id) s
                 WHERE s.tax = s.billed AND s.net = s.total - s.billed";
    assert_eq!(shop.count(exact).await, 1);
    assert_eq!(shop.texts("SELECT number FROM credit_notes ORDER BY number").await.len(), 3);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'order_closed'").await, 1);
    assert!(conflict(&shop.refund(order, Part::Whole, To::Wallet).await));
    assert!(conflict(&shop.refund(order, some(1), To::Wallet).await));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_part_of_what_is_set_aside_goes_back_and_the_rest_is_taken(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.deposit(500_000, "deposit").await;
    let order = shop.order_from_balance("order").await.unwrap().order_id;
    let billed = shop.store.any_order(order).await.unwrap();
    let total = billed.total.get();
    let refunded = shop.refund(order, some(33_333), To::Wallet).await.unwrap();
    assert_eq!(shop.wallet().await, (500_000 - total + 33_333, total - 33_333));
    shop.activate(order).await;
    let position = shop.in_order(order).await;
    assert_eq!((position.held, position.total()), (Rupiah::ZERO, Ok(Rupiah::new(total - 33_333))));
    let tax: i64 = sqlx::query_scalar("SELECT tax FROM invoices WHERE order_id = $1")
        .bind(order.0)
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    assert_eq!(position.tax.get() + refunded.refund.tax.get(), tax);
    shop.assert_books_are_sound().await;

    let other = shop.order_from_balance("other").await.unwrap().order_id;
    shop.refund(other, some(1_000), To::Wallet).await.unwrap();
    shop.store.cancel_order_for_staff(other, "sold out", &shop.anew()).await.unwrap();
    assert_eq!(shop.wallet().await, (500_000 - total + 33_333, 0));
    assert_eq!(shop.invoice_status(other).await, InvoiceStatus::Refunded);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_running_order_stays_active_and_earns_the_rest_over_the_rest_of_its_term(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    shop.activate(order).await;
    let half = "UPDATE instances SET starts_at = now() - (now() + interval '1 month' - now()) / 2";
    sqlx::query(half).execute(&shop.pool).await.unwrap();
    assert!(conflict(&shop.refund(order, Part::Whole, To::Wallet).await));

    let goodwill = shop.refund(order, some(11_100), To::Wallet).await.unwrap();
    assert_eq!((goodwill.status, goodwill.refund.tax.get()), (OrderStatus::Active, 1_100));
    let after = shop.in_order(order).await;
    let share = after.revenue.get() * 100 / (total * 100 / 111);
    assert!((45..=55).contains(&share), "what was served by then is earned: {share} %");
    // At three quarters of the term, half of what was left after the refund is earned.
    let quarter = "UPDATE instances SET starts_at = starts_at - interval '1 month' / 4";
    sqlx::query(quarter).execute(&shop.pool).await.unwrap();
    let aged = "ALTER TABLE ledger_movements DISABLE TRIGGER ledger_movements_append_only;
                UPDATE ledger_movements SET at = at - interval '1 month' / 4;
                ALTER TABLE ledger_movements ENABLE TRIGGER ledger_movements_append_only;";
    sqlx::raw_sql(aged).execute(&shop.pool).await.unwrap();
    shop.store.recognise_revenue(None, 10).await.unwrap();
    let later = shop.in_order(order).await;
    let earned = (later.revenue.get() - after.revenue.get()) * 100 / after.deferred.get();
    assert!((44..=56).contains(&earned), "{earned} %");
    assert!(later.is_sound());

    let unserved = shop.refund(order, Part::Unserved, To::Wallet).await.unwrap();
    assert_eq!(unserved.refund.net, later.deferred);
    assert_eq!(shop.in_order(order).await.deferred, Rupiah::ZERO);
    assert!(conflict(&shop.refund(order, Part::Unserved, To::Wallet).await));
    // Even what was served may be given back: the server stays.
    let rest = shop.in_order(order).await.total().unwrap();
    let all = shop.refund(order, Part::Amount(rest), To::Wallet).await.unwrap();
    assert_eq!((all.status, shop.wallet().await), (OrderStatus::Active, (total, 0)));
    assert_eq!(shop.invoice_status(order).await, InvoiceStatus::Refunded);
    assert_eq!(shop.store.recognise_revenue(None, 10).await.unwrap().made, 0);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_waits_or_is_being_made_is_not_given_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, transfer) = shop.order_by(PaymentMethod::ManualTransfer, "order").await;
    let part = store::payments::Approval { arrived: Some(Rupiah::new(50_000)), ..Default::default() };
    shop.store.approve_payment(order, &part, &shop.anew()).await.unwrap();
    assert!(conflict(&shop.refund(order, some(1_000), To::Wallet).await));
    shop.store.approve_payment(order, &Default::default(), &shop.anew()).await.unwrap();
    shop.store.start_provisioning(order).await.unwrap();
    for part in [Part::Whole, Part::Unserved, some(1_000)] {
        assert!(conflict(&shop.refund(order, part, To::Wallet).await));
    }
    assert_eq!(shop.in_order(order).await.total(), Ok(transfer.amount));
    assert_eq!(shop.count("SELECT count(*) FROM refunds").await, 0);
    let unknown = shop.refund(OrderId(Uuid::now_v7()), Part::Whole, To::Wallet).await;
    assert!(matches!(unknown, Err(RefundError::Store(StoreError::NotFound("order")))), "{unknown:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_request_gives_money_back_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, _) = shop.paid_order().await;
    let mut copies = JoinSet::new();
    for _ in 0..8 {
        let own = shop.clone();
        copies.spawn(async move {
            let new = own.new_refund(some(20_000), To::Gateway);
            own.store.refund_order(order, &new, &own.act("once")).await.unwrap()
        });
    }
    let ids: std::collections::BTreeSet<_> =
        copies.join_all().await.into_iter().map(|refunded| refunded.refund.id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(shop.count("SELECT count(*) FROM refunds").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'start_refund'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'order.refund'").await, 1);
    let other = shop.new_refund(some(20_001), To::Gateway);
    let request = store::idempotency::Idempotency::new("test", "once", &"another").unwrap();
    let reused = shop.store.refund_order(order, &other, &MoneyAct { request, ..shop.anew() }).await;
    assert!(matches!(reused, Err(RefundError::Store(StoreError::IdempotencyMismatch))), "{reused:?}");
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn of_many_parts_at_once_as_many_go_back_as_there_is_money_for(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, total) = shop.paid_order().await;
    let each = total / 4 + 1;
    let mut parts = JoinSet::new();
    for n in 0..12 {
        let own = shop.clone();
        let destination = if n % 2 == 0 { To::Wallet } else { To::Gateway };
        parts.spawn(async move { own.refund(order, some(each), destination).await });
    }
    let outcomes = parts.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    let mut refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(refused.all(|error| matches!(error, RefundError::TooMuch { .. })));
    assert_eq!(shop.in_order(order).await.total(), Ok(Rupiah::new(total - 3 * each)));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_invoice_without_an_order_goes_back_in_parts_and_both_ways(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let invoice = shop.paid_invoice().await;
    let told = "SELECT type FROM in_app_notifications ORDER BY id";
    let before = shop.texts(told).await.len();
    let give = async |part, destination| -> Result<Refund, RefundError> {
        let new = shop.new_refund(part, destination);
        shop.store.refund_invoice(invoice, &new, &shop.anew()).await
    };
    let part = give(some(11_100), To::Wallet).await.unwrap();
    assert_eq!((part.order_id, part.invoice_id, part.tax.get()), (None, invoice, 1_100));
    assert_eq!(shop.wallet().await, (11_100, 0));
    let rest = give(Part::Whole, To::Gateway).await.unwrap();
    assert_eq!((rest.status, rest.amount.get()), (RefundStatus::Requested, 99_900));
    assert!(conflict(&give(Part::Whole, To::Wallet).await));
    shop.assert_books_are_sound().await;
    shop.store.begin_refund_call(rest.id).await.unwrap();
    shop.store.settle_refund(rest.id, Some("rfd-1")).await.unwrap();
    assert_eq!(shop.texts(told).await[before..], ["INVOICE_REFUNDED"; 3]);
    let page = PageRequest { before: None, limit: 10 };
    let of_it = RefundFilter { invoice: Some(invoice), ..RefundFilter::default() };
    assert_eq!(shop.store.refunds(&of_it, page).await.unwrap().data.len(), 2);
    shop.assert_books_are_sound().await;

    let (order, _) = shop.paid_order().await;
    let of_order = shop.store.any_order(order).await.unwrap().invoice.id;
    let new = shop.new_refund(Part::Whole, To::Wallet);
    let refused = shop.store.refund_invoice(of_order, &new, &shop.anew()).await;
    assert!(conflict(&refused), "{refused:?}");
}
