//! Nobody begins more than they may without paying, however many requests come at once, and nobody else waits for it.

use std::ops::Deref;

use domain::{
    Rupiah,
    billing::PaymentMethod,
    ids::{OrderId, PaymentId, UserId},
    promo::{PromoCode, PromoKind},
    proof::ProofKind,
    unpaid::{TooMuchUnpaid, UnpaidLimits},
};
use sqlx::PgPool;
use store::{
    StoreError,
    orders::{OrderError, Placed},
    payments::{NewAttempt, NewProof, ProofError},
    renewals::NewRenewal,
    wallet::NewDeposit,
};
use testkit::{TestApp, request};
use tokio::task::JoinSet;
use uuid::Uuid;

const AT_ONCE: usize = 50;
const FIVE: u32 = 5;
const CODE: &str = "HEMAT10";

/// A seeded shop with one customer.
#[derive(Clone)]
struct Shop {
    app: TestApp,
    customer: UserId,
}

impl Deref for Shop {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Shop {
    async fn open(pool: PgPool, limits: UnpaidLimits) -> Self {
        let app = TestApp::with(pool, |store| store.with_unpaid_limits(limits)).await;
        let customer = app.customer().await;
        Self { app, customer }
    }

    async fn visited_by_another(&self) -> Self {
        Self { customer: self.customer().await, ..self.clone() }
    }

    async fn try_order(
        &self,
        method: PaymentMethod,
        code: Option<&str>,
        key: &str,
    ) -> Result<Placed, OrderError> {
        let order = self.app.order().by(self.customer).paid_by(method).maybe_promo(code);
        order.request(request(key)).try_place().await
    }

    async fn order(&self, method: PaymentMethod, key: &str) -> (OrderId, PaymentId) {
        let placed = self.try_order(method, None, key).await.unwrap();
        (placed.order_id, placed.to_charge.unwrap())
    }

    async fn try_deposit(&self, code: Option<&str>, key: &str) -> Result<(), StoreError> {
        let new = NewDeposit {
            user: self.customer,
            amount: Rupiah::new(100_000),
            method: PaymentMethod::Qris,
            bank: None,
            gateway: "midtrans",
            pay_within_ms: 3_600_000,
            promo: code.map(|code| PromoCode::parse(code).unwrap()),
        };
        self.store.open_deposit(&new, &request(key)).await.map(drop)
    }

    async fn try_pay(&self, order: OrderId, method: PaymentMethod, key: &str) -> Result<(), StoreError> {
        let gateway = (method == PaymentMethod::Qris).then_some("midtrans");
        let attempt = NewAttempt { user: self.customer, order, method, bank: None, gateway };
        self.store.open_payment(&attempt, &request(key)).await.map(drop)
    }

    async fn try_proof(&self, payment: PaymentId, bytes: &[u8]) -> Result<(), StoreError> {
        let new = NewProof { customer: self.customer, payment, content_type: ProofKind::Pdf, bytes };
        match self.store.add_proof(&new).await {
            Ok(_) => Ok(()),
            Err(ProofError::Store(error)) => Err(error),
            Err(error) => panic!("{error}"),
        }
    }

    /// Makes [`CODE`], for so many uses in all.
    async fn promo(&self, kind: PromoKind, global_limit: Option<i64>) {
        self.app.promo(CODE, kind, 10).terms(|terms| terms.global_limit = global_limit).await;
    }

    /// Puts money on the balance.
    async fn give(&self, amount: i64) {
        self.adjust(self.customer, Rupiah::new(amount)).await;
    }
}

/// The bound that was in the way.
fn too_much<T: std::fmt::Debug>(refused: Result<T, impl Into<OrderError>>) -> TooMuchUnpaid {
    match refused.map_err(Into::into) {
        Err(OrderError::Store(StoreError::TooMuchUnpaid(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Fifty requests at once; how many were granted, and what the others were told.
async fn at_once<T, E, F>(request: impl Fn(String) -> F) -> (usize, Vec<TooMuchUnpaid>)
where
    T: std::fmt::Debug + Send + 'static,
    E: Into<OrderError> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut requests = JoinSet::new();
    for n in 0..AT_ONCE {
        requests.spawn(request(format!("{n}")));
    }
    let (granted, refused): (Vec<_>, Vec<_>) = requests.join_all().await.into_iter().partition(Result::is_ok);
    (granted.len(), refused.into_iter().map(too_much).collect())
}

#[sqlx::test(migrations = "../migrations")]
async fn of_fifty_unpaid_orders_at_once_five_are_taken(pool: PgPool) {
    let shop = Shop::open(pool, UnpaidLimits { orders: FIVE, ..UnpaidLimits::NONE }).await;
    let (granted, refused) = at_once(|key| {
        let shop = shop.clone();
        async move { shop.try_order(PaymentMethod::Qris, None, &key).await }
    })
    .await;
    assert_eq!((granted, refused.len()), (5, AT_ONCE - 5));
    assert!(refused.iter().all(|refusal| *refusal == TooMuchUnpaid::Orders { limit: FIVE }), "{refused:?}");
    // Who was refused has nothing: no order, no key, no number missing between the invoices.
    for (sql, expected) in [
        ("SELECT count(*) FROM orders", 5),
        ("SELECT count(*) FROM idempotency_keys", 5),
        ("SELECT last::bigint FROM invoice_counters", 5),
    ] {
        assert_eq!(shop.count(sql).await, expected, "{sql}");
    }
    // Another customer has room of their own, and money that is there needs none.
    shop.visited_by_another().await.order(PaymentMethod::Qris, "another's").await;
    shop.give(500_000).await;
    shop.order(PaymentMethod::Wallet, "paid at once").await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_repeated_request_is_answered_also_at_the_bound_and_what_ends_makes_room(pool: PgPool) {
    let shop = Shop::open(pool, UnpaidLimits { orders: 2, ..UnpaidLimits::NONE }).await;
    let (first, _) = shop.order(PaymentMethod::Qris, "first").await;
    let (second, _) = shop.order(PaymentMethod::Qris, "second").await;
    let again = shop.try_order(PaymentMethod::Qris, None, "first").await.unwrap();
    assert_eq!(again, Placed { order_id: first, to_charge: None });
    let refused = shop.try_order(PaymentMethod::Qris, None, "third").await;
    assert_eq!(too_much(refused), TooMuchUnpaid::Orders { limit: 2 });

    shop.store.cancel_order(first, shop.customer).await.unwrap();
    let (third, _) = shop.order(PaymentMethod::Qris, "third").await;
    shop.store.expire_order(second).await.unwrap();
    shop.order(PaymentMethod::Qris, "fourth").await;
    shop.give(500_000).await;
    shop.try_pay(third, PaymentMethod::Wallet, "paid").await.unwrap();
    shop.order(PaymentMethod::Qris, "fifth").await;
    too_much(shop.try_order(PaymentMethod::Qris, None, "sixth").await);
}

#[sqlx::test(migrations = "../migrations")]
async fn customers_do_not_wait_for_each_other(pool: PgPool) {
    let shop = Shop::open(pool, UnpaidLimits::STANDARD).await;
    let mut held = shop.pool.begin().await.unwrap();
    sqlx::query("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE")
        .bind(shop.customer.0)
        .execute(&mut *held)
        .await
        .unwrap();
    let other = shop.visited_by_another().await;
    other.order(PaymentMethod::Qris, "order").await;
    other.try_deposit(None, "deposit").await.unwrap();
    held.rollback().await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn of_fifty_unpaid_deposits_at_once_five_are_opened(pool: PgPool) {
    let shop = Shop::open(pool, UnpaidLimits { deposits: FIVE, ..UnpaidLimits::NONE }).await;
    let (granted, refused) = at_once(|key| {
        let shop = shop.clone();
        async move { shop.try_deposit(None, &key).await }
    })
    .await;
    assert_eq!(granted, 5);
    assert!(refused.iter().all(|refusal| *refusal == TooMuchUnpaid::Deposits { limit: FIVE }), "{refused:?}");
    assert_eq!(shop.count("SELECT count(*) FROM deposits").await, 5);
    // What can't be paid any more waits for nothing, told or not.
    shop.run("UPDATE payments SET expires_at = now() - interval '1 second'").await;
    shop.try_deposit(None, "later").await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn one_account_holds_few_uses_of_a_limited_code(pool: PgPool) {
    let limits = UnpaidLimits { reservations: 2, ..UnpaidLimits::NONE };
    let shop = Shop::open(pool, limits).await;
    shop.promo(PromoKind::OrderPercent, Some(10)).await;
    let (granted, refused) = at_once(|key| {
        let shop = shop.clone();
        async move { shop.try_order(PaymentMethod::Qris, Some(CODE), &key).await }
    })
    .await;
    assert_eq!(granted, 2);
    assert!(refused.iter().all(|refusal| *refusal == TooMuchUnpaid::OfCode { limit: 2 }), "{refused:?}");
    assert_eq!(shop.count("SELECT uses FROM promos").await, 2);
    // Others are not refused for it, nor is an order without the code.
    let other = shop.visited_by_another().await;
    other.try_order(PaymentMethod::Qris, Some(CODE), "another's").await.unwrap();
    let (plain, _) = shop.order(PaymentMethod::Qris, "without the code").await;
    // What is paid holds its use for good, and makes room for another.
    shop.give(1_000_000).await;
    shop.try_pay(plain, PaymentMethod::Wallet, "the plain one").await.unwrap();
    too_much(shop.try_order(PaymentMethod::Qris, Some(CODE), "still two").await);
    let held: Uuid = sqlx::query_scalar("SELECT order_id FROM promo_redemptions WHERE user_id = $1 LIMIT 1")
        .bind(shop.customer.0)
        .fetch_one(&shop.pool)
        .await
        .unwrap();
    shop.try_pay(held.into(), PaymentMethod::Wallet, "one of the two").await.unwrap();
    shop.try_order(PaymentMethod::Qris, Some(CODE), "room again").await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn deposits_hold_few_uses_of_a_limited_code_and_codes_for_all_are_not_held(pool: PgPool) {
    let limits = UnpaidLimits { reservations: 2, ..UnpaidLimits::NONE };
    let shop = Shop::open(pool, limits).await;
    shop.promo(PromoKind::DepositPercent, Some(10)).await;
    for n in 0..2 {
        shop.try_deposit(Some(CODE), &format!("{n}")).await.unwrap();
    }
    assert_eq!(too_much(shop.try_deposit(Some(CODE), "third").await), TooMuchUnpaid::OfCode { limit: 2 });
    shop.run("UPDATE promos SET global_limit = NULL").await;
    shop.try_deposit(Some(CODE), "third").await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn one_account_holds_few_of_a_plans_stock(pool: PgPool) {
    let limits = UnpaidLimits { reservations: 2, ..UnpaidLimits::NONE };
    let shop = Shop::open(pool, limits).await;
    shop.run("UPDATE plans SET stock_limit = 10 WHERE slug = 'do-basic-1gb'").await;
    let (granted, refused) = at_once(|key| {
        let shop = shop.clone();
        async move { shop.try_order(PaymentMethod::Qris, None, &key).await }
    })
    .await;
    assert_eq!(granted, 2);
    assert!(refused.iter().all(|refusal| *refusal == TooMuchUnpaid::OfPlan { limit: 2 }), "{refused:?}");
    shop.visited_by_another().await.order(PaymentMethod::Qris, "another's").await;
    // An expired order gives its place back.
    let held = sqlx::query_scalar("SELECT id FROM orders WHERE user_id = $1 LIMIT 1").bind(shop.customer.0);
    let held: Uuid = held.fetch_one(&shop.pool).await.unwrap();
    shop.store.expire_order(held.into()).await.unwrap();
    shop.order(PaymentMethod::Qris, "room again").await;
    shop.run("UPDATE plans SET stock_limit = NULL").await;
    shop.order(PaymentMethod::Qris, "enough for all").await;
}

#[sqlx::test(migrations = "../migrations")]
async fn of_fifty_attempts_to_pay_at_once_five_are_begun(pool: PgPool) {
    let shop = Shop::open(pool, UnpaidLimits { attempts: FIVE, ..UnpaidLimits::NONE }).await;
    let (order, _) = shop.order(PaymentMethod::Qris, "order").await;
    let (granted, refused) = at_once(|key| {
        let shop = shop.clone();
        async move { shop.try_pay(order, PaymentMethod::Qris, &format!("pay {key}")).await }
    })
    .await;
    // The first came with the order.
    assert_eq!((granted, shop.count("SELECT count(*) FROM payments").await), (4, 5));
    for refusal in refused {
        assert!(matches!(refusal, domain::unpaid::TooMuchUnpaid::Attempts { .. }));
        let seconds = refusal.frees_in_seconds().unwrap();
        assert!((86_000..=86_400).contains(&seconds), "{refusal:?}");
    }
    // Another order is another thing, a day later is another day, and the balance is always there.
    let (other, _) = shop.order(PaymentMethod::Qris, "other").await;
    shop.try_pay(other, PaymentMethod::Qris, "other").await.unwrap();
    shop.run(
        "UPDATE payments SET created_at = created_at - interval '25 hours' WHERE gateway_order_id LIKE '%-1'",
    )
    .await;
    shop.try_pay(order, PaymentMethod::Qris, "a day later").await.unwrap();
    too_much(shop.try_pay(order, PaymentMethod::Qris, "one more").await);
    shop.give(500_000).await;
    shop.try_pay(order, PaymentMethod::Wallet, "from the balance").await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_further_term_is_asked_for_so_often_a_day(pool: PgPool) {
    let shop = Shop::open(pool, UnpaidLimits { renewals: FIVE, attempts: 2, ..UnpaidLimits::NONE }).await;
    shop.give(1_000_000).await;
    let (order, _) = shop.order(PaymentMethod::Wallet, "server").await;
    let instance = shop.activate(order).await;
    let renew = |method, key: String| {
        let shop = shop.clone();
        let new = NewRenewal {
            user: shop.customer,
            instance,
            term_months: 1,
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some("midtrans"),
            pay_within_ms: 3_600_000,
        };
        async move { shop.store.open_renewal(&new, &request(&key)).await }
    };
    let (granted, refused) = at_once(|key| renew(PaymentMethod::Qris, key)).await;
    assert_eq!(granted, 5);
    assert!(
        refused.iter().all(|refusal| matches!(refusal, domain::unpaid::TooMuchUnpaid::Renewals { .. })),
        "{refused:?}"
    );
    // One paid is no wish any more.
    renew(PaymentMethod::Wallet, "paid".to_owned()).await.unwrap();
    shop.run("UPDATE renewals SET created_at = now() - interval '25 hours'").await;
    let opened = renew(PaymentMethod::Qris, "a day later".to_owned()).await.unwrap();
    let invoice = shop.store.renewal(opened.renewal_id, shop.customer).await.unwrap().invoice.id;
    let attempt = |key: &'static str| {
        let new = store::payments::NewInvoiceAttempt {
            user: shop.customer,
            invoice,
            method: PaymentMethod::Qris,
            bank: None,
            gateway: Some("midtrans"),
            pay_within_ms: 3_600_000,
        };
        let store = shop.store.clone();
        async move { store.open_invoice_payment(&new, &request(key)).await }
    };
    attempt("second").await.unwrap();
    assert!(matches!(too_much(attempt("third").await), domain::unpaid::TooMuchUnpaid::Attempts { .. }));
}

#[sqlx::test(migrations = "../migrations")]
async fn proofs_are_bounded_per_order_and_per_day_in_number_and_bytes(pool: PgPool) {
    let limits = UnpaidLimits { proofs_of_order: 7, proofs: 9, proof_bytes: 100, ..UnpaidLimits::NONE };
    let shop = Shop::open(pool, limits).await;
    let (order, first) = shop.order(PaymentMethod::ManualTransfer, "order").await;
    shop.try_pay(order, PaymentMethod::ManualTransfer, "second").await.unwrap();
    let second = shop.store.latest_payment(order).await.unwrap().id;
    // Ten at once for two attempts at one order, five places each.
    let (granted, refused) = {
        let mut requests = JoinSet::new();
        for n in 0..10_u8 {
            let (shop, payment) = (shop.clone(), if n % 2 == 0 { first } else { second });
            requests.spawn(async move { shop.try_proof(payment, &[b'%', n]).await });
        }
        let (granted, refused): (Vec<_>, Vec<_>) =
            requests.join_all().await.into_iter().partition(Result::is_ok);
        (granted.len(), refused.into_iter().map(too_much).collect::<Vec<_>>())
    };
    assert_eq!(granted, 7);
    assert!(refused.iter().all(|r| *r == TooMuchUnpaid::ProofsOfOrder { limit: 7 }), "{refused:?}");

    let (_, other) = shop.order(PaymentMethod::ManualTransfer, "other").await;
    let large = too_much(shop.try_proof(other, &[b'x'; 87]).await);
    assert!(matches!(large, TooMuchUnpaid::ProofBytes { limit: 100, .. }), "{large:?}");
    shop.try_proof(other, &[b'x'; 86]).await.unwrap();
    too_much(shop.try_proof(other, b"y").await);
    let sender = shop.visited_by_another().await;
    let (_, theirs) = sender.order(PaymentMethod::ManualTransfer, "theirs").await;
    sender.try_proof(theirs, b"y").await.unwrap();

    let mut shop = shop;
    shop.app.store = shop.store.clone().with_unpaid_limits(UnpaidLimits { proof_bytes: 0, ..limits });
    shop.try_proof(other, b"ninth").await.unwrap();
    let tenth = too_much(shop.try_proof(other, b"tenth").await);
    assert!(matches!(tenth, TooMuchUnpaid::Proofs { limit: 9, .. }), "{tenth:?}");
    assert!(tenth.frees_in_seconds().unwrap() > 86_000, "{tenth:?}");
    // The same file again is the same proof, and none more.
    shop.try_proof(other, b"ninth").await.unwrap();
}
