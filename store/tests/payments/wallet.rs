//! The balance: deposits, orders paid from it, corrections, refunds.

use domain::{
    Rupiah,
    billing::{InvoiceStatus, PaymentMethod, PaymentStatus as P},
    gateway::{GatewayReport, Outcome, WebhookEvent},
    ledger::{MovementKind as K, Service},
    order::OrderStatus,
    promo::PromoCode,
    refund::RefundDestination as To,
};
use sqlx::PgPool;
use store::{
    StoreError,
    ledger::Recognised,
    orders::{OrderError, Placed},
    page::PageRequest,
    payments::{NewAttempt, Payment},
    refunds::{Part, RefundError},
    wallet::{NewAdjustment, NewDeposit, OpenedDeposit, StatementFilter},
};
use tokio::task::JoinSet;

use crate::{MIDTRANS, Shop, request, webhook_event};

impl Shop {
    pub(crate) async fn open_deposit(&self, amount: i64, key: &str) -> Payment {
        let opened = self.try_deposit(amount, None, key).await.unwrap();
        self.store.deposit(opened.deposit_id, self.customer).await.unwrap().payment
    }

    pub(crate) async fn try_deposit(
        &self,
        amount: i64,
        code: Option<&str>,
        key: &str,
    ) -> Result<OpenedDeposit, StoreError> {
        let new = NewDeposit {
            user: self.customer,
            amount: Rupiah::new(amount),
            method: PaymentMethod::Qris,
            bank: None,
            gateway: MIDTRANS,
            pay_within_ms: 3_600_000,
            promo: code.map(|code| PromoCode::parse(code).unwrap()),
        };
        self.store.open_deposit(&new, &request(key)).await
    }

    pub(crate) async fn deposit(&self, amount: i64, key: &str) {
        let payment = self.open_deposit(amount, key).await;
        self.receive(&webhook_event(&payment, P::Paid, &format!("{key}:settlement"))).await;
    }

    pub(crate) async fn order_from_balance(&self, key: &str) -> Result<Placed, OrderError> {
        self.try_order_by(PaymentMethod::Wallet, None, key).await
    }

    pub(crate) async fn wallet(&self) -> (i64, i64) {
        let balances = self.store.wallet(self.customer).await.unwrap();
        (balances.wallet.get(), balances.holds.get())
    }

    pub(crate) async fn adjust(&self, amount: i64, key: &str) -> Result<i64, StoreError> {
        let new =
            NewAdjustment { customer: self.customer, amount: Rupiah::new(amount), reason: "a correction" };
        let made = self.store.adjust_wallet(&new, &self.act(key)).await?;
        Ok(made.balance.get())
    }

    pub(crate) async fn kinds(&self) -> Vec<(K, i64, i64)> {
        let page = PageRequest { before: None, limit: 100 };
        let filter = StatementFilter::default();
        let statement = self.store.wallet_statement(self.customer, &filter, page).await.unwrap().data;
        statement.iter().map(|t| (t.kind, t.amount.get(), t.balance.get())).collect()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_told_of_fifty_times_at_once_is_credited_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.open_deposit(500_000, "deposit").await;
    assert_eq!(shop.wallet().await, (0, 0));
    let mut copies = JoinSet::new();
    for n in 0..50 {
        let (store, payment) = (shop.store.clone(), payment.clone());
        copies.spawn(async move {
            // Half of them under another name, as if the gateway had told of two events.
            let key = format!("t:{}", n % 2);
            store.apply_webhook_event(&webhook_event(&payment, P::Paid, &key)).await.unwrap()
        });
    }
    let applied =
        copies.join_all().await.into_iter().filter(|i| matches!(i, Outcome::Applied { .. })).count();
    assert_eq!(applied, 1);
    assert_eq!(shop.wallet().await, (500_000, 0));
    assert_eq!(shop.kinds().await, [(K::Deposit, 500_000, 500_000)]);
    let deposits =
        shop.store.deposits_of(shop.customer, PageRequest { before: None, limit: 10 }).await.unwrap();
    assert!(deposits.data[0].credited_at.is_some());
    assert_eq!(
        shop.count("SELECT count(*) FROM in_app_notifications WHERE type = 'DEPOSIT_RECEIVED'").await,
        1
    );
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_deposit_of_another_amount_or_that_failed_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let payment = shop.open_deposit(500_000, "deposit").await;
    let wrong = {
        let event = webhook_event(&payment, P::Paid, "t:wrong");
        WebhookEvent { report: GatewayReport { amount: Some(Rupiah::new(500_001)), ..event.report }, ..event }
    };
    assert!(matches!(shop.receive(&wrong).await, Outcome::Mismatch { .. }));
    shop.receive(&webhook_event(&payment, P::Expired, "t:expire")).await;
    assert_eq!(shop.wallet().await, (0, 0));
    assert_eq!(shop.payment_status(payment.id).await, P::Expired);
    // The money came after all.
    shop.receive(&webhook_event(&payment, P::Paid, "t:settlement")).await;
    assert_eq!(shop.wallet().await, (500_000, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_money_of_an_order_is_held_and_taken_when_it_runs(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.deposit(500_000, "deposit").await;
    let placed = shop.order_from_balance("order").await.unwrap();
    let again = shop.order_from_balance("order").await.unwrap();
    assert_eq!((again.order_id, again.to_charge), (placed.order_id, None));
    let order = shop.store.any_order(placed.order_id).await.unwrap();
    let total = order.total.get();
    assert_eq!((order.status, order.invoice.status), (OrderStatus::Paid, InvoiceStatus::Paid));
    assert_eq!(shop.wallet().await, (500_000 - total, total));
    let kinds = shop.texts("SELECT kind FROM outbox ORDER BY id").await;
    assert_eq!(kinds, ["start_order", "payment_confirmed"]);

    shop.activate(order.id).await;
    assert_eq!(shop.wallet().await, (500_000 - total, 0));
    let position = shop.store.position(Service::Order(order.id)).await.unwrap();
    assert_eq!((position.held, position.deferred.plus(position.tax).unwrap()), (Rupiah::ZERO, order.total));
    let kinds = [(K::Hold, -total, 500_000 - total), (K::Deposit, 500_000, 500_000)];
    assert_eq!(shop.kinds().await, kinds);
    shop.assert_books_are_sound().await;

    let refused = shop.refund(order.id, Part::Whole, To::Wallet).await;
    assert!(matches!(refused, Err(RefundError::Store(StoreError::Conflict { .. }))), "{refused:?}");
    assert_eq!(shop.wallet().await, (500_000 - total, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn revenue_is_recognised_as_the_term_goes_by(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    assert_eq!(shop.store.recognise_revenue(None, 10).await.unwrap(), Recognised::default());
    shop.activate(order).await;
    // As if half of the term were over. Half a month is not a whole number of seconds before now, so within a rupiah.
    let half = "UPDATE instances SET starts_at = now() - (now() + interval '1 month' - now()) / 2";
    sqlx::query(half).execute(&shop.pool).await.unwrap();
    let before = shop.store.position(Service::Order(order)).await.unwrap();
    let once = Recognised { last: Some(order.0), made: 1, failed: 0 };
    assert_eq!(shop.store.recognise_revenue(None, 10).await.unwrap(), once);
    let after = shop.store.position(Service::Order(order)).await.unwrap();
    assert_eq!(after.deferred.plus(after.revenue).unwrap(), before.deferred);
    let share = after.revenue.get() * 100 / before.deferred.get();
    assert!((45..=55).contains(&share), "{share} %");
    // Once a day, and not of the order that is before the cursor.
    assert_eq!(shop.store.recognise_revenue(None, 10).await.unwrap(), Recognised { made: 0, ..once });
    assert_eq!(shop.store.recognise_revenue(Some(order.0), 10).await.unwrap(), Recognised::default());
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_that_the_balance_does_not_cover_is_not_there(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.deposit(50_000, "deposit").await;
    for key in ["order", "order", "other"] {
        let refused = shop.order_from_balance(key).await;
        assert!(matches!(refused, Err(OrderError::Store(StoreError::InsufficientBalance))), "{refused:?}");
    }
    for table in ["orders", "invoices", "outbox", "provisioning_tasks"] {
        let sql: &'static str = match table {
            "orders" => "SELECT count(*) FROM orders",
            "invoices" => "SELECT count(*) FROM invoices",
            "outbox" => "SELECT count(*) FROM outbox",
            _ => "SELECT count(*) FROM provisioning_tasks",
        };
        assert_eq!(shop.count(sql).await, 0, "{table}");
    }
    assert_eq!(shop.wallet().await, (50_000, 0));
    shop.deposit(500_000, "more").await;
    shop.order_from_balance("order").await.unwrap();
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn of_a_hundred_orders_at_once_as_many_are_placed_as_the_balance_covers(pool: PgPool) {
    let shop = std::sync::Arc::new(Shop::open(pool).await);
    let (_, probe) = shop.order().await;
    let price = probe.amount.get();
    shop.deposit(price * 7 + 1_000, "deposit").await;
    let mut orders = JoinSet::new();
    for n in 0..100 {
        let shop = shop.clone();
        orders.spawn(async move { shop.order_from_balance(&format!("order-{n}")).await });
    }
    let outcomes = orders.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
    let mut refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(refused.all(|e| matches!(e, OrderError::Store(StoreError::InsufficientBalance))));
    assert_eq!(shop.wallet().await, (1_000, price * 7));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_waiting_order_is_paid_from_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    let attempt =
        NewAttempt { user: shop.customer, order, method: PaymentMethod::Wallet, bank: None, gateway: None };
    let refused = shop.store.open_payment(&attempt, &request("wallet")).await;
    assert!(matches!(refused, Err(StoreError::InsufficientBalance)), "{refused:?}");
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 1);

    shop.deposit(500_000, "deposit").await;
    shop.store.open_payment(&attempt, &request("wallet")).await.unwrap();
    assert_eq!(shop.status(order).await, OrderStatus::Paid);
    assert_eq!(shop.payment_status(qris.id).await, P::Cancelled);
    assert_eq!(shop.wallet().await, (500_000 - qris.amount.get(), qris.amount.get()));

    // The code is paid nevertheless.
    shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    assert_eq!(shop.wallet().await, (500_000, qris.amount.get()));
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_hold_survives_failures_and_ends_with_the_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.deposit(500_000, "deposit").await;
    let order = shop.order_from_balance("order").await.unwrap().order_id;
    let held = shop.wallet().await;
    shop.store.start_provisioning(order).await.unwrap();
    for try_number in [1, 2] {
        let failure = store::provisioning::ProvisioningFailure {
            class: domain::provisioning::FailureClass::Capacity,
            message: "sold out".into(),
        };
        shop.store.fail_provisioning(order, try_number, &failure, &[]).await.unwrap();
        assert_eq!(shop.wallet().await, held);
        if try_number == 1 {
            shop.store.retry_provisioning(order, &shop.admins_origin()).await.unwrap();
            shop.store.start_provisioning(order).await.unwrap();
        }
    }
    let cancelled = shop.store.cancel_order_for_staff(order, "sold out", &shop.anew()).await.unwrap();
    assert_eq!(cancelled.returned.get(), held.1);
    assert_eq!(shop.wallet().await, (500_000, 0));
    let order = shop.store.any_order(order).await.unwrap();
    assert_eq!((order.status, order.invoice.status), (OrderStatus::Cancelled, InvoiceStatus::Refunded));
    assert_eq!(shop.texts("SELECT number FROM credit_notes").await.len(), 1);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn of_five_refunds_at_once_one_gives_the_money_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let (order, qris) = shop.order().await;
    shop.receive(&webhook_event(&qris, P::Paid, "t:settlement")).await;
    let mut refunds = JoinSet::new();
    for _ in 0..5 {
        let own = shop.clone();
        refunds.spawn(async move { own.refund(order, Part::Whole, To::Wallet).await });
    }
    let done: Vec<_> = refunds.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(done.len(), 1);
    assert_eq!((done[0].refund.amount, done[0].status), (qris.amount, OrderStatus::Refunded));
    assert_eq!(shop.wallet().await, (qris.amount.get(), 0));
    let papers = "SELECT count(*) FROM credit_notes c JOIN invoices i ON i.id = c.invoice_id
                  WHERE c.total = i.total AND c.tax = i.tax AND c.number LIKE 'CN/%/000001' AND i.status = 'REFUNDED'";
    assert_eq!(shop.count(papers).await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'order_closed'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'order.refund'").await, 1);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn corrections_need_a_reason_to_exist_and_money_to_take(pool: PgPool) {
    let shop = Shop::open(pool).await;
    assert_eq!(shop.adjust(100_000, "up").await.unwrap(), 100_000);
    assert_eq!(shop.adjust(100_000, "up").await.unwrap(), 100_000);
    assert_eq!(shop.adjust(-40_000, "down").await.unwrap(), 60_000);
    let refused = shop.adjust(-60_001, "too-much").await;
    assert!(matches!(refused, Err(StoreError::InsufficientBalance)), "{refused:?}");
    assert!(shop.adjust(0, "nothing").await.is_err());
    assert_eq!(shop.wallet().await, (60_000, 0));
    assert_eq!(shop.count("SELECT count(*) FROM audit_log WHERE action = 'wallet.adjust'").await, 2);
    let told = "SELECT type FROM in_app_notifications ORDER BY id";
    assert_eq!(shop.texts(told).await, ["WALLET_CREDITED", "WALLET_DEBITED"]);
    shop.assert_books_are_sound().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_statement_comes_in_parts_and_by_kind(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for n in 1..=5 {
        shop.adjust(n * 1_000, &format!("n{n}")).await.unwrap();
    }
    shop.deposit(50_000, "deposit").await;
    let (mut all, mut page) = (Vec::new(), PageRequest { before: None, limit: 2 });
    loop {
        let part =
            shop.store.wallet_statement(shop.customer, &StatementFilter::default(), page).await.unwrap();
        all.extend(part.data.iter().map(|t| (t.amount.get(), t.balance.get())));
        match part.next {
            Some(next) => page.before = Some(next),
            None => break,
        }
    }
    let expected =
        [(50_000, 65_000), (5_000, 15_000), (4_000, 10_000), (3_000, 6_000), (2_000, 3_000), (1_000, 1_000)];
    assert_eq!(all, expected);
    let only = StatementFilter { kind: Some(K::Deposit), ..StatementFilter::default() };
    let page = PageRequest { before: None, limit: 10 };
    assert_eq!(shop.store.wallet_statement(shop.customer, &only, page).await.unwrap().data.len(), 1);
    let none = StatementFilter { until: Some(chrono::DateTime::UNIX_EPOCH), ..StatementFilter::default() };
    assert!(shop.store.wallet_statement(shop.customer, &none, page).await.unwrap().data.is_empty());
    assert!(shop.store.wallet_statement(shop.admin, &only, page).await.unwrap().data.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_there_is_trouble_with_does_not_stop_the_revenue_of_those_behind_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut orders = Vec::new();
    for key in ["a", "b", "c"] {
        let (order, qris) = shop.order_by(PaymentMethod::Qris, key).await;
        shop.receive(&webhook_event(&qris, P::Paid, key)).await;
        shop.activate(order).await;
        orders.push(order);
    }
    let served = "UPDATE instances SET starts_at = now() - interval '10 days'";
    sqlx::query(served).execute(&shop.pool).await.unwrap();
    let poison = format!(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.order_id = '{}' THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW;
         END $$;
         CREATE TRIGGER poison BEFORE INSERT ON ledger_movements FOR EACH ROW EXECUTE FUNCTION poison();",
        orders[0]
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(poison)).execute(&shop.pool).await.unwrap();
    let run = shop.store.recognise_revenue(None, 10).await.unwrap();
    assert_eq!(run, Recognised { last: Some(orders[2].0), made: 2, failed: 1 });
}
