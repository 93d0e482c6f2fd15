use std::collections::BTreeSet;

use domain::{
    billing::{Bank, PaymentMethod},
    ids::{OrderId, PlanId},
    outbox::Message,
    tax::TaxRule,
};
use sqlx::{
    PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::{
    StoreError,
    orders::{NewOrder, OrderError, Placed, Refusal},
    outbox::Room,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{Shop, request};

/// Everything an order leaves behind, counted.
const TRACES: &str = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM invoices)
    + (SELECT count(*) FROM invoice_lines) + (SELECT count(*) FROM invoice_counters) + (SELECT count(*) FROM payments)
    + (SELECT count(*) FROM provisioning_tasks) + (SELECT count(*) FROM order_timeline)
    + (SELECT count(*) FROM in_app_notifications) + (SELECT count(*) FROM outbox)
    + (SELECT count(*) FROM idempotency_keys)";

#[sqlx::test(migrations = "../migrations")]
async fn an_order_commits_with_everything_around_it(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut order = shop.basket().await;
    order.selection.term_months = 3;
    order.method = PaymentMethod::VirtualAccount;
    order.bank = Some(Bank::Bri);
    order.gateway = Some("midtrans");
    let Placed { order_id, to_charge } = shop.place(&order, "k").await.unwrap();

    let row = sqlx::query(
        "SELECT o.status, o.total, o.expires_at - o.placed_at = interval '24 hours' AS a_day_to_pay, t.status AS task,
                t.provider_type, v.number, v.status AS invoice, v.subtotal, v.discount, v.tax, v.total AS billed,
                p.id AS payment_id, p.status AS payment, p.amount, p.gateway, p.gateway_order_id, p.bank,
                n.type AS notice, e.step,
                (SELECT array_agg(total ORDER BY position) FROM invoice_lines l WHERE l.invoice_id = v.id) AS lines
         FROM orders o JOIN provisioning_tasks t ON t.order_id = o.id JOIN invoices v ON v.order_id = o.id
         JOIN payments p ON p.order_id = o.id JOIN in_app_notifications n ON n.user_id = o.user_id
         JOIN order_timeline e ON e.order_id = o.id",
    )
    .fetch_one(&shop.pool)
    .await
    .unwrap();
    assert_eq!(row.get::<&str, _>("status"), "PENDING_PAYMENT");
    assert!(row.get::<bool, _>("a_day_to_pay"));
    assert_eq!(row.get::<&str, _>("task"), "PENDING");
    assert_eq!(row.get::<&str, _>("provider_type"), "digitalocean");
    assert!(row.get::<&str, _>("number").starts_with("INV/"));
    assert!(row.get::<&str, _>("number").ends_with("/000001"));
    assert_eq!(row.get::<&str, _>("invoice"), "OPEN");
    // 3 × 129.000 less 5 %, and 11 % PPN on the rest.
    assert_eq!(row.get::<i64, _>("subtotal"), 387_000);
    assert_eq!(row.get::<i64, _>("discount"), 19_350);
    assert_eq!(row.get::<i64, _>("tax"), 40_442);
    assert_eq!(row.get::<i64, _>("billed"), 408_092);
    assert_eq!(row.get::<i64, _>("total"), 408_092);
    assert_eq!(row.get::<Vec<i64>, _>("lines"), [387_000, -19_350]);
    assert_eq!(to_charge.map(|id| id.0), Some(row.get::<Uuid, _>("payment_id")));
    assert_eq!(row.get::<&str, _>("payment"), "PENDING");
    assert_eq!(row.get::<i64, _>("amount"), 408_092);
    assert_eq!(row.get::<&str, _>("gateway"), "midtrans");
    assert_eq!(row.get::<&str, _>("bank"), "BRI");
    assert_eq!(row.get::<String, _>("gateway_order_id"), format!("WB-{}-1", order_id.0.simple()));
    assert_eq!(row.get::<&str, _>("notice"), "ORDER_CREATED");
    assert_eq!(row.get::<&str, _>("step"), "order_placed");
    let [message] = shop.store.claim_outbox(Room::of(10), 1.0).await.unwrap().try_into().unwrap();
    let Ok(Message::StartOrder(start)) = message.message else { panic!("{:?}", message.message) };
    assert_eq!((start.order_id, start.customer_id), (order_id, shop.customer));
    assert_eq!((start.provider.as_str(), start.plan_slug.as_str()), ("digitalocean", "do-basic-1gb"));
    assert_eq!(start.policy, order.policy);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_had_is_refused_and_leaves_no_trace(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-2gb'").await;
    shop.run("UPDATE plans SET stock_limit = 0 WHERE slug = 'do-basic-4gb'").await;
    shop.run("DELETE FROM plan_regions WHERE plan_id = (SELECT id FROM plans WHERE slug = 'do-cpu-4gb')")
        .await;
    shop.run("UPDATE providers SET is_active = false WHERE slug = 'vultr'").await;
    shop.run("UPDATE regions SET is_active = false WHERE slug = 'nyc3'").await;
    shop.run("UPDATE images SET is_active = false WHERE slug = 'rocky-9'").await;
    shop.run(
        "DELETE FROM image_sources WHERE image_id = (SELECT id FROM images WHERE slug = 'debian-12')
         AND provider_id = (SELECT id FROM providers WHERE slug = 'digitalocean')",
    )
    .await;
    shop.run("UPDATE terms SET is_active = false WHERE months = 12").await;
    let good = shop.basket().await;
    let plan = |id: PlanId| {
        let mut order = good.clone();
        order.selection.plan_id = id;
        order
    };
    let with = |change: fn(&mut NewOrder)| {
        let mut order = good.clone();
        change(&mut order);
        order
    };
    let cases = [
        (plan(Uuid::now_v7().into()), Refusal::UnknownPlan),
        (plan(shop.plan("do-basic-2gb").await), Refusal::PlanInactive),
        (plan(shop.plan("vultr-regular-1gb").await), Refusal::ProviderDisabled),
        (plan(shop.plan("do-basic-4gb").await), Refusal::OutOfStock),
        (plan(shop.plan("do-cpu-4gb").await), Refusal::RegionWithoutPlan),
        (with(|o| o.selection.region = "mars1".into()), Refusal::RegionUnknown),
        (with(|o| o.selection.region = "nyc3".into()), Refusal::RegionUnknown),
        (with(|o| o.selection.region = "vultr-sgp".into()), Refusal::RegionWithoutPlan),
        (with(|o| o.selection.image = "minix-3".into()), Refusal::ImageUnknown),
        (with(|o| o.selection.image = "rocky-9".into()), Refusal::ImageUnknown),
        (with(|o| o.selection.image = "debian-12".into()), Refusal::ImageNotForProvider),
        (with(|o| o.ssh_key_ids = vec![Uuid::now_v7().into()]), Refusal::SshKeyUnknown),
        (with(|o| o.selection.term_months = 2), Refusal::TermNotOffered),
        (with(|o| o.selection.term_months = 12), Refusal::TermNotOffered),
        (with(|o| o.selection.term_months = u32::MAX), Refusal::TermNotOffered),
    ];
    for (order, expected) in cases {
        match shop.place(&order, "k").await {
            Err(OrderError::Refused(refusal)) => assert_eq!(refusal, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
        assert_eq!(shop.count(TRACES).await, 0, "{expected:?}");
    }
    // The key of a refused request is free.
    assert!(shop.place(&good, "k").await.unwrap().to_charge.is_some());
}

#[sqlx::test(migrations = "../migrations")]
async fn ten_identical_requests_at_once_make_one_order(options: PgPoolOptions, database: PgConnectOptions) {
    let shop = Shop::open(options.max_connections(12).connect_with(database).await.unwrap()).await;
    let order = shop.basket().await;
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        let (store, order) = (shop.store.clone(), order.clone());
        requests.spawn(async move { store.place_order(&order, &request(&order, "k")).await.unwrap() });
    }
    let answers = requests.join_all().await;
    let orders: BTreeSet<OrderId> = answers.iter().map(|placed| placed.order_id).collect();
    assert_eq!(orders.len(), 1);
    assert_eq!(answers.iter().filter(|placed| placed.to_charge.is_some()).count(), 1);
    for sql in ["SELECT count(*) FROM orders", "SELECT count(*) FROM outbox", "SELECT count(*) FROM payments"]
    {
        assert_eq!(shop.count(sql).await, 1, "{sql}");
    }
    shop.pool.close().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_means_one_request_of_one_customer(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.basket().await;
    let first = shop.place(&order, "k").await.unwrap();
    let again = shop.place(&order, "k").await.unwrap();
    assert_eq!(again, Placed { order_id: first.order_id, to_charge: None });

    let mut other = order.clone();
    other.selection.region = "syd1".into();
    let refused = shop.place(&other, "k").await;
    assert!(matches!(refused, Err(OrderError::Store(StoreError::IdempotencyMismatch))), "{refused:?}");
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 1);

    let neighbour = NewOrder { user: shop.customer().await, ..order };
    assert_ne!(shop.place(&neighbour, "k").await.unwrap().order_id, first.order_id);
}

#[sqlx::test(migrations = "../migrations")]
async fn invoice_numbers_have_no_gaps(options: PgPoolOptions, database: PgConnectOptions) {
    let shop = Shop::open(options.max_connections(12).connect_with(database).await.unwrap()).await;
    let good = shop.basket().await;
    let mut requests = JoinSet::new();
    for n in 0..60 {
        let (store, mut order) = (shop.store.clone(), good.clone());
        // Every sixth is refused, and must not use up a number.
        if n % 6 == 0 {
            order.selection.term_months = 7;
        }
        requests
            .spawn(async move { store.place_order(&order, &request(&order, &n.to_string())).await.is_ok() });
    }
    assert_eq!(requests.join_all().await.into_iter().filter(|placed| *placed).count(), 50);
    let numbers: Vec<String> = sqlx::query_scalar("SELECT right(number, 6) FROM invoices ORDER BY number")
        .fetch_all(&shop.pool)
        .await
        .unwrap();
    let expected: Vec<String> = (1..=50).map(|n| format!("{n:06}")).collect();
    assert_eq!(numbers, expected);
    shop.pool.close().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_number_beyond_six_digits_keeps_them_all(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.place(&shop.basket().await, "1").await.unwrap();
    shop.run("UPDATE invoice_counters SET last = 999999").await;
    shop.place(&shop.basket().await, "2").await.unwrap();
    assert_eq!(shop.count("SELECT count(*) FROM invoices WHERE number LIKE '%/1000000'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_last_one_in_stock_is_sold_once(options: PgPoolOptions, database: PgConnectOptions) {
    let shop = Shop::open(options.max_connections(12).connect_with(database).await.unwrap()).await;
    shop.run("UPDATE plans SET stock_limit = 3 WHERE slug = 'do-basic-1gb'").await;
    let order = shop.basket().await;
    let mut requests = JoinSet::new();
    for n in 0..10 {
        let (store, order) = (shop.store.clone(), order.clone());
        requests.spawn(async move { store.place_order(&order, &request(&order, &n.to_string())).await });
    }
    let (sold, refused): (Vec<_>, Vec<_>) = requests.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!((sold.len(), refused.len()), (3, 7));
    assert!(refused.iter().all(|r| matches!(r, Err(OrderError::Refused(Refusal::OutOfStock)))));

    let one = sold[0].as_ref().unwrap().order_id;
    shop.store.cancel_order(one, shop.customer).await.unwrap();
    shop.place(&order, "the freed one").await.unwrap();
    assert!(shop.place(&order, "none left").await.is_err());
    shop.pool.close().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_quote_is_the_price_that_is_billed(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let mut order = shop.basket().await;
    order.selection.term_months = 12;
    let quote = shop.store.quote_order(&order.selection).await.unwrap().quote;
    let placed = shop.place(&order, "k").await.unwrap();
    let billed = shop.store.any_order(placed.order_id).await.unwrap();
    assert_eq!((quote.total, quote.total), (billed.total, billed.invoice.total));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_tax_rate_is_the_one_in_force(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let selection = shop.basket().await.selection;
    let today = shop.store.quote_order(&selection).await.unwrap();
    assert_eq!(today.tax, TaxRule { rate: 1_200, base_numerator: 11, base_denominator: 12 });
    assert_eq!((today.quote.tax_base.get(), today.quote.tax.get()), (118_250, 14_190));
    shop.run("INSERT INTO tax_rates VALUES (current_date - 7, 1300, 2, 3), (current_date + 7, 1500, 1, 1)")
        .await;
    let later = shop.store.quote_order(&selection).await.unwrap();
    assert_eq!(later.tax, TaxRule { rate: 1_300, base_numerator: 2, base_denominator: 3 });
    assert_eq!((later.quote.tax_base.get(), later.quote.tax.get()), (86_000, 11_180));
}
