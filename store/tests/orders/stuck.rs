//! A transaction that is stuck with the invoices' counter: it stops nobody but those who need a number, and not for long.

use std::time::{Duration, Instant};

use domain::billing::PaymentMethod;
use sqlx::{
    Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use store::{
    PoolSettings, Store, deadline,
    orders::{NewOrder, OrderError},
};
use tokio::task::JoinSet;

use crate::{Shop, request};

const MINUTE: Duration = Duration::from_secs(60);

/// A shop whose connections are bounded as the product's are, with an order placed before.
async fn shop(pools: PgPoolOptions, options: PgConnectOptions, lock_timeout: Duration) -> Shop {
    let mut shop = Shop::open(pools.connect_with(options.clone()).await.unwrap()).await;
    let settings = PoolSettings {
        max_connections: 8,
        acquire_timeout: MINUTE,
        lock_timeout,
        statement_timeout: MINUTE,
        idle_in_transaction_timeout: MINUTE,
        ..PoolSettings::default()
    };
    shop.app.store = Store::connect_with(options, &settings).await.unwrap();
    let basket = shop.basket().await;
    shop.place(&basket, "the first").await.unwrap();
    shop
}

impl Shop {
    async fn stick(&self) -> Transaction<'static, Postgres> {
        let mut stuck = self.pool.begin().await.unwrap();
        sqlx::query("SELECT FROM invoice_counters FOR UPDATE").execute(&mut *stuck).await.unwrap();
        stuck
    }

    /// Until so many statements wait for a lock.
    async fn until_waiting(&self, wanted: i64) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.count(waiting).await < wanted {
            tokio::task::yield_now().await;
        }
    }

    async fn orders(&self) -> i64 {
        self.count("SELECT count(*) FROM orders").await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn reads_go_on_while_orders_wait_for_a_number(pools: PgPoolOptions, options: PgConnectOptions) {
    let shop = shop(pools, options, MINUTE).await;
    // Each order is another customer's: one customer's own wait for each other anyway.
    let mut customers = Vec::new();
    for _ in 0..19 {
        customers.push(shop.customer().await);
    }
    let stuck = shop.stick().await;
    let mut orders = JoinSet::new();
    for (number, customer) in customers.into_iter().enumerate() {
        let (store, basket) = (shop.store.clone(), NewOrder { user: customer, ..shop.basket().await });
        orders.spawn(async move {
            store.place_order(&basket, &request(&basket, &format!("order {number}"))).await
        });
    }
    // Three quarters of the eight connections wait, and no more of them.
    shop.until_waiting(6).await;
    for _ in 0..50 {
        shop.store.wallet(shop.customer).await.unwrap();
    }
    assert!(orders.try_join_next().is_none(), "an order got past the counter");

    // Those who hang up leave nothing behind.
    orders.abort_all();
    while orders.join_next().await.is_some() {}
    stuck.rollback().await.unwrap();
    let basket = shop.basket().await;
    shop.place(&basket, "the second").await.unwrap();
    assert_eq!(shop.orders().await, 2);
    let numbers = "SELECT last::bigint FROM invoice_counters";
    assert_eq!(shop.count(numbers).await, 2, "a number was lost");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_that_waited_too_long_is_not_there_later(pools: PgPoolOptions, options: PgConnectOptions) {
    let shop = shop(pools, options, Duration::from_millis(200)).await;
    let stuck = shop.stick().await;
    let basket = shop.basket().await;
    let refused = |error: OrderError| {
        let passing = matches!(&error, OrderError::Store(error) if error.is_transient());
        assert!(passing, "{error:?}");
    };
    refused(shop.place(&basket, "again and again").await.unwrap_err());
    // Time enough for the lock, but not for whatever might follow.
    let soon = Instant::now() + MINUTE;
    refused(deadline::until(soon, shop.place(&basket, "again and again")).await.unwrap_err());
    stuck.rollback().await.unwrap();
    assert_eq!(shop.orders().await, 1);

    let placed = shop.place(&basket, "again and again").await.unwrap();
    assert!(placed.to_charge.is_some());
    assert_eq!(shop.place(&basket, "again and again").await.unwrap().order_id, placed.order_id);
    assert_eq!((shop.orders().await, basket.method), (2, PaymentMethod::ManualTransfer));
}
