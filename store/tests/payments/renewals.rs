//! Further terms of a server: paid from the balance or through a gateway, replaced, refused.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentStatus as P},
    ids::{InstanceId, InvoiceId, OrderId},
    instance::InstanceAction,
    language::Language,
    ledger::{MovementKind as K, Service},
    term::{self, AnchorDay},
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use store::{
    Store, StoreError,
    instance_actions::{NewAction, RequestedBy},
    ledger::Recognised,
    orders::{OrderError, Refusal},
    page::PageRequest,
    payments::{NewInvoiceAttempt, Opened},
    renewals::{NewRenewal, OpenedRenewal, Renewal},
};
use tokio::task::JoinSet;

use crate::{MIDTRANS, Shop, request, webhook_event};

/// A term of one month at Rp129.000 with 11 % PPN.
const MONTH: i64 = 143_190;

impl Shop {
    /// A running server with a month paid from the balance, and what is left of `deposited` on it.
    pub(crate) async fn server(&self, deposited: i64) -> (OrderId, InstanceId) {
        self.deposit(deposited, "server/deposit").await;
        let instance = self.another_server("server").await;
        (self.store.any_instance(instance).await.unwrap().order_id, instance)
    }

    pub(crate) async fn renew(
        &self,
        instance: InstanceId,
        months: u32,
        method: PaymentMethod,
        key: &str,
    ) -> Result<OpenedRenewal, OrderError> {
        let new = NewRenewal {
            user: self.customer,
            instance,
            term_months: months,
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some(MIDTRANS),
            pay_within_ms: 3_600_000,
        };
        self.store.open_renewal(&new, &request(key)).await
    }

    async fn renewal(&self, opened: OpenedRenewal) -> Renewal {
        self.store.renewal(opened.renewal_id, self.customer).await.unwrap()
    }

    async fn expires_at(&self, instance: InstanceId) -> DateTime<Utc> {
        self.store.any_instance(instance).await.unwrap().expires_at.unwrap()
    }

    /// One more server with a month paid from the balance.
    async fn another_server(&self, key: &str) -> InstanceId {
        let order = self.order_from_balance(key).await.unwrap().order_id;
        self.activate(order).await
    }

    /// Moves the end of the only server's term.
    async fn move_end(&self, end: &str, anchor: i16) {
        sqlx::query("UPDATE instances SET expires_at = $1::text::timestamptz, anchor_day = $2")
            .bind(end)
            .bind(anchor)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// The customer pays an invoice in the given way.
    async fn pay(&self, invoice: InvoiceId, method: PaymentMethod, key: &str) -> Result<Opened, StoreError> {
        let new = NewInvoiceAttempt {
            user: self.customer,
            invoice,
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some(MIDTRANS),
            pay_within_ms: 3_600_000,
        };
        self.store.open_invoice_payment(&new, &request(key)).await
    }

    async fn ask_to_delete(&self, instance: InstanceId) {
        let action = InstanceAction::Delete;
        let origin = self.admins_origin();
        let new = NewAction {
            instance,
            by: RequestedBy::Program,
            action: &action,
            origin: &origin,
            idempotency_key: None,
        };
        self.store.request_action(&new).await.unwrap();
    }

    /// The provider confirms that a server which is being deleted is gone.
    async fn terminate(&self, instance: InstanceId) {
        let turn = self.store.next_action(instance).await.unwrap();
        self.store.terminate_instance(turn.work.unwrap().action_id).await.unwrap();
    }

    async fn status_of(&self, invoice: InvoiceId) -> InvoiceStatus {
        self.store.invoice(invoice, self.customer).await.unwrap().0.status
    }
}

fn later(at: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    term::end(at, months, AnchorDay::of(at))
}

#[sqlx::test(migrations = "../migrations")]
async fn a_term_paid_from_the_balance_is_had_at_once_and_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(1_000_000).await;
    let before = shop.expires_at(instance).await;
    let opened = shop.renew(instance, 3, PaymentMethod::Wallet, "renew").await.unwrap();
    let again = shop.renew(instance, 3, PaymentMethod::Wallet, "renew").await.unwrap();
    assert_eq!((again.renewal_id, again.to_charge), (opened.renewal_id, None));

    let renewal = shop.renewal(opened).await;
    assert_eq!((renewal.starts_at, renewal.ends_at), (Some(before), Some(later(before, 3))));
    assert_eq!(shop.expires_at(instance).await, later(before, 3));
    assert_eq!(
        (renewal.invoice.status, renewal.payment.as_ref().unwrap().status),
        (InvoiceStatus::Paid, P::Paid)
    );
    let (invoice, lines) = shop.store.invoice(renewal.invoice.id, shop.customer).await.unwrap();
    let words = messages::invoice_line(&lines[0].description, Language::English);
    assert_eq!(words, "Renewal of web-1: Basic 1 GB, 3 months");
    assert_eq!(invoice.order_id, None);
    assert!(invoice.number.ends_with("/000002"), "{}", invoice.number);

    let price = invoice.total.get();
    assert_eq!(shop.wallet().await, (1_000_000 - MONTH - price, 0));
    assert_eq!(shop.kinds().await[0], (K::Hold, -price, 1_000_000 - MONTH - price));
    let position = shop.store.position(Service::Invoice(invoice.id)).await.unwrap();
    assert_eq!((position.held, position.tax), (Rupiah::ZERO, invoice.tax));
    assert_eq!(position.total().unwrap(), invoice.total);
    let told = "SELECT count(*) FROM outbox WHERE kind = 'action_requested'";
    assert_eq!(shop.count(told).await, 1);
    let noticed = "SELECT count(*) FROM in_app_notifications WHERE type = 'VPS_RENEWED'";
    assert_eq!(shop.count(noticed).await, 1);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_notification_told_many_times_at_once_renews_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(200_000).await;
    let before = shop.expires_at(instance).await;
    let opened = shop.renew(instance, 1, PaymentMethod::Qris, "renew").await.unwrap();
    let payment = shop.renewal(opened).await.payment.unwrap();
    assert_eq!(payment.id, opened.to_charge.unwrap());
    assert_eq!(shop.expires_at(instance).await, before);
    let mut copies = JoinSet::new();
    for n in 0..20 {
        let (store, payment) = (shop.store.clone(), payment.clone());
        copies.spawn(async move {
            store
                .apply_webhook_event(&webhook_event(&payment, P::Paid, &format!("t:{}", n % 2)))
                .await
                .unwrap()
        });
    }
    copies.join_all().await;
    assert_eq!(shop.expires_at(instance).await, later(before, 1));
    assert_eq!(shop.wallet().await.0, 200_000 - MONTH);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_last_wish_counts_and_money_for_an_earlier_one_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(150_000).await;
    let before = shop.expires_at(instance).await;
    let first = shop.renew(instance, 12, PaymentMethod::Qris, "a year").await.unwrap();
    let first = shop.renewal(first).await;
    let second = shop.renew(instance, 1, PaymentMethod::Qris, "a month").await.unwrap();
    let second = shop.renewal(second).await;
    assert_eq!(shop.status_of(first.invoice.id).await, InvoiceStatus::Void);
    assert_eq!(shop.payment_status(first.payment.as_ref().unwrap().id).await, P::Cancelled);

    let left = shop.wallet().await.0;
    shop.receive(&webhook_event(first.payment.as_ref().unwrap(), P::Paid, "first")).await;
    assert_eq!(shop.wallet().await.0, left + first.invoice.total.get());
    assert_eq!(shop.expires_at(instance).await, before);
    shop.receive(&webhook_event(second.payment.as_ref().unwrap(), P::Paid, "second")).await;
    assert_eq!(shop.expires_at(instance).await, later(before, 1));
    let page = PageRequest { before: None, limit: 10 };
    let all = shop.store.renewals_of(instance, shop.customer, &page).await.unwrap().data;
    assert_eq!(all.iter().map(|r| r.id).collect::<Vec<_>>(), [second.id, first.id]);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_renewed_is_refused_and_nothing_stays(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, instance) = shop.server(150_000).await;
    let balance = PaymentMethod::Wallet;
    let traces = "SELECT (SELECT count(*) FROM renewals) + (SELECT count(*) FROM invoices)
                       + (SELECT last FROM invoice_counters)";
    let before = shop.count(traces).await;
    let short = shop.renew(instance, 1, balance, "short").await;
    assert!(matches!(short, Err(OrderError::Store(StoreError::InsufficientBalance))), "{short:?}");
    let odd = shop.renew(instance, 2, balance, "odd").await;
    assert!(matches!(odd, Err(OrderError::Refused(Refusal::TermNotOffered))), "{odd:?}");
    let unknown = shop.renew(InstanceId(order.0), 1, balance, "unknown").await;
    assert!(matches!(unknown, Err(OrderError::Store(StoreError::NotFound("instance")))), "{unknown:?}");
    sqlx::query("UPDATE instances SET status = 'TERMINATED'").execute(&shop.pool).await.unwrap();
    let gone = shop.renew(instance, 1, PaymentMethod::Qris, "gone").await;
    let conflict =
        matches!(&gone, Err(OrderError::Store(StoreError::Conflict { state, .. })) if state == "TERMINATED");
    assert!(conflict, "{gone:?}");
    assert_eq!(shop.count(traces).await, before);
}

#[sqlx::test(migrations = "../migrations")]
async fn money_for_a_server_that_is_gone_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(150_000).await;
    let opened = shop.renew(instance, 1, PaymentMethod::Qris, "renew").await.unwrap();
    let renewal = shop.renewal(opened).await;
    sqlx::query("UPDATE instances SET status = 'TERMINATED'").execute(&shop.pool).await.unwrap();
    shop.receive(&webhook_event(renewal.payment.as_ref().unwrap(), P::Paid, "late")).await;
    assert_eq!(shop.wallet().await.0, 150_000 - MONTH + renewal.invoice.total.get());
    assert_eq!(shop.renewal(opened).await.starts_at, None);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn wishes_and_payments_at_once_do_not_wait_in_circles_and_each_paid_month_is_had(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(3_000_000).await;
    let before = shop.expires_at(instance).await;
    let mut all = JoinSet::new();
    for n in 0..24 {
        let shop = shop.clone();
        all.spawn(async move {
            let method = if n % 3 == 0 { PaymentMethod::Wallet } else { PaymentMethod::Qris };
            let opened = shop.renew(instance, 1, method, &format!("{n}")).await.unwrap();
            let payment = shop.renewal(opened).await.payment.unwrap();
            if method == PaymentMethod::Qris {
                shop.receive(&webhook_event(&payment, P::Paid, &format!("{n}:paid"))).await;
            }
        });
    }
    all.join_all().await;
    let had =
        u32::try_from(shop.count("SELECT count(*) FROM renewals WHERE starts_at IS NOT NULL").await).unwrap();
    assert!(had >= 8, "the balance pays all of its own");
    assert_eq!(shop.expires_at(instance).await, later(before, had));
    let gapless = "SELECT count(*) FROM invoices WHERE number IS NOT NULL";
    assert_eq!(shop.count(gapless).await, shop.count("SELECT last::bigint FROM invoice_counters").await);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_renewal_is_earned_over_its_own_term(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, instance) = shop.server(1_000_000).await;
    let opened = shop.renew(instance, 1, PaymentMethod::Wallet, "renew").await.unwrap();
    let invoice = shop.renewal(opened).await.invoice.id;
    for sql in [
        "UPDATE instances SET starts_at = now() - interval '3 months'",
        "UPDATE renewals SET starts_at = now() - interval '10 days', ends_at = now() + interval '20 days'",
    ] {
        sqlx::query(sql).execute(&shop.pool).await.unwrap();
    }
    let run = shop.store.recognise_revenue(None, 10).await.unwrap();
    assert_eq!((run.made, run.failed), (2, 0));
    assert_eq!(shop.store.recognise_revenue(run.last, 10).await.unwrap(), Recognised::default());
    let first = shop.store.position(Service::Order(order)).await.unwrap();
    assert_eq!((first.deferred.get(), first.revenue.get()), (0, 129_000));
    let second = shop.store.position(Service::Invoice(invoice)).await.unwrap();
    assert_eq!((second.deferred.get(), second.revenue.get()), (86_000, 43_000));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_wish_ends_with_its_server_and_brings_no_money_from_nowhere(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (_, instance) = shop.server(MONTH).await;
    let before = shop.expires_at(instance).await;
    let opened = shop.renew(instance, 1, PaymentMethod::Qris, "renew").await.unwrap();
    let renewal = shop.renewal(opened).await;
    let invoice = renewal.invoice.id;
    assert_eq!(shop.wallet().await, (0, 0));

    shop.ask_to_delete(instance).await;
    assert_eq!(shop.status_of(invoice).await, InvoiceStatus::Void);
    assert_eq!(shop.payment_status(renewal.payment.as_ref().unwrap().id).await, P::Cancelled);
    let refused = |outcome: Result<Opened, StoreError>| {
        assert!(
            matches!(outcome, Err(StoreError::Conflict { object: store::Object::Invoice, .. })),
            "{outcome:?}"
        );
    };
    refused(shop.pay(invoice, PaymentMethod::Wallet, "being deleted").await);
    shop.terminate(instance).await;
    for n in 0..3 {
        refused(shop.pay(invoice, PaymentMethod::Wallet, &format!("gone {n}")).await);
    }
    refused(shop.pay(invoice, PaymentMethod::Qris, "by code").await);
    assert_eq!(shop.wallet().await, (0, 0));
    assert_eq!(shop.count("SELECT count(*) FROM payments WHERE method = 'WALLET'").await, 1);

    // The code was paid all the same: that is money, and the server is gone.
    shop.receive(&webhook_event(renewal.payment.as_ref().unwrap(), P::Paid, "late")).await;
    assert_eq!(shop.wallet().await, (MONTH, 0));
    assert_eq!(shop.expires_at(instance).await, before);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_invoice_left_open_by_another_version_is_not_paid_for_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_unsound_books();
    let (_, instance) = shop.server(2 * MONTH).await;
    let opened = shop.renew(instance, 1, PaymentMethod::Qris, "renew").await.unwrap();
    let invoice = shop.renewal(opened).await.invoice.id;
    sqlx::query("UPDATE instances SET status = 'TERMINATED'").execute(&shop.pool).await.unwrap();
    let report = shop.store.check_ledger().await.unwrap();
    let broken: Vec<_> = report.findings.iter().filter(|finding| finding.count > 0).collect();
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].rule.starts_with("no further term is for sale"), "{broken:?}");
    let refused = shop.pay(invoice, PaymentMethod::Wallet, "from balance").await;
    assert!(
        matches!(refused, Err(StoreError::Conflict { object: store::Object::Invoice, .. })),
        "{refused:?}"
    );
    assert_eq!(shop.wallet().await, (MONTH, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_term_that_is_paid_while_its_server_is_being_deleted_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for round in 0..6 {
        shop.deposit(MONTH, &format!("deposit {round}")).await;
        let instance = shop.another_server(&format!("server {round}")).await;
        let before = shop.expires_at(instance).await;
        let opened = shop.renew(instance, 1, PaymentMethod::Qris, &format!("renew {round}")).await.unwrap();
        let payment = shop.renewal(opened).await.payment.unwrap();
        let key = format!("paid {round}");
        let paid = webhook_event(&payment, P::Paid, &key);
        let left = shop.wallet().await.0;
        tokio::join!(shop.ask_to_delete(instance), shop.receive(&paid));
        // Whichever was first: the term is had, or the money is on the balance, and never both.
        let had = shop.expires_at(instance).await != before;
        let credited = shop.wallet().await.0 - left;
        assert_eq!(credited, if had { 0 } else { MONTH });
        shop.terminate(instance).await;
    }
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn terms_are_counted_in_jakarta_from_their_anchor(pool: PgPool) {
    let shop = Shop::open(pool).await;
    // Wherever the database thinks it is.
    let elsewhere = PgPoolOptions::new()
        .after_connect(|connection, _| {
            Box::pin(async move {
                sqlx::query("SET TIME ZONE 'America/New_York'").execute(connection).await.map(drop)
            })
        })
        .connect_with((*shop.pool.connect_options()).clone())
        .await
        .unwrap();
    let zone: String = sqlx::query_scalar("SHOW timezone").fetch_one(&elsewhere).await.unwrap();
    assert_eq!(zone, "America/New_York");
    let mut shop = shop;
    shop.app.store = Store::new(elsewhere);

    let (_, instance) = shop.server(1_000_000).await;
    let server = shop.store.any_instance(instance).await.unwrap();
    let (starts_at, ends_at) = (server.starts_at.unwrap(), server.expires_at.unwrap());
    assert_eq!(ends_at, later(starts_at, 1));
    let kept = shop.count("SELECT anchor_day::bigint FROM instances").await;
    assert_eq!(kept, i64::from(AnchorDay::of(starts_at).day()));

    // 31 January in Jakarta is still the 30th in UTC and in New York.
    shop.move_end("2027-01-31T00:30:00+07:00", 31).await;
    let ends = ["2027-02-28T00:30:00+07:00", "2027-03-31T00:30:00+07:00", "2027-04-30T00:30:00+07:00"];
    for end in ends {
        shop.renew(instance, 1, PaymentMethod::Wallet, end).await.unwrap();
        assert_eq!(shop.expires_at(instance).await, end.parse::<DateTime<Utc>>().unwrap());
    }
    // Where the end of a term was moved, the next one is counted from there.
    shop.move_end("2027-05-30T12:00:00+07:00", 31).await;
    shop.renew(instance, 1, PaymentMethod::Wallet, "anchored").await.unwrap();
    let end = "2027-06-30T12:00:00+07:00".parse::<DateTime<Utc>>().unwrap();
    assert_eq!(shop.expires_at(instance).await, end);
    assert_eq!(shop.count("SELECT anchor_day::bigint FROM instances").await, 30);
    shop.assert_books_are_sound().await;
}
