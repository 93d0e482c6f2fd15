//! Who takes an invoice's or a credit note's number waits for nobody from then on: all others wait for it.

use domain::{billing::PaymentMethod, refund::RefundDestination as To};
use sqlx::PgPool;
use store::refunds::Part;
use tokio::task::JoinHandle;

use crate::Shop;

/// What a transaction of ours may lock besides a counter, as it locks it.
const LOCKS: &[&str] = &[
    "SELECT FROM users FOR NO KEY UPDATE",
    "SELECT FROM ledger_accounts FOR NO KEY UPDATE",
    "SELECT FROM orders FOR NO KEY UPDATE",
    "SELECT FROM invoices FOR NO KEY UPDATE",
    "SELECT FROM payments FOR NO KEY UPDATE",
    "SELECT FROM provisioning_tasks FOR NO KEY UPDATE",
    "SELECT FROM instances FOR NO KEY UPDATE",
    "SELECT FROM renewals FOR NO KEY UPDATE",
    "SELECT FROM promos FOR NO KEY UPDATE",
    "SELECT FROM plans FOR NO KEY UPDATE",
];

impl Shop {
    /// Does `work` while somebody else holds each of [`LOCKS`] in turn: whenever it waits, both counters are free.
    async fn assert_counters_are_free<T: Send + 'static>(&self, begin: impl Fn(&str) -> JoinHandle<T>) {
        for lock in LOCKS {
            let mut holder = self.pool.begin().await.unwrap();
            sqlx::query(*lock).execute(&mut *holder).await.unwrap();
            let work = begin(lock);
            self.until_blocked_or_done(&work).await;
            let mut another = self.pool.begin().await.unwrap();
            for counter in ["invoice_counters", "credit_note_counters"] {
                let free = match counter {
                    "invoice_counters" => "SELECT FROM invoice_counters FOR UPDATE NOWAIT",
                    _ => "SELECT FROM credit_note_counters FOR UPDATE NOWAIT",
                };
                let free = sqlx::query(free).execute(&mut *another).await;
                assert!(free.is_ok(), "{counter} is held by one who waits for: {lock}");
            }
            another.rollback().await.unwrap();
            holder.rollback().await.unwrap();
            work.await.unwrap();
        }
    }

    async fn until_blocked_or_done<T>(&self, work: &JoinHandle<T>) {
        // For a row, that is: those who commit a message wait for each other, in all databases of the server, with all
        // they hold.
        let blocked = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'
                         AND wait_event IN ('tuple', 'transactionid')";
        while !work.is_finished() && self.count(blocked).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Both counters have a row that can be held.
    async fn numbered(&self) {
        self.deposit(50_000_000, "numbering/deposit").await;
        let order = self.order_from_balance("numbering/first").await.unwrap().order_id;
        self.refund(order, Part::Whole, To::Wallet).await.unwrap();
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn orders_from_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.numbered().await;
    shop.assert_counters_are_free(|lock| {
        let (shop, key) = (shop.clone(), format!("order/{lock}"));
        tokio::spawn(async move { shop.order_from_balance(&key).await.unwrap() })
    })
    .await;
}

#[sqlx::test(migrations = "../migrations")]
async fn renewals_from_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.numbered().await;
    let (_, server) = shop.server(1_000_000).await;
    shop.assert_counters_are_free(|lock| {
        let (shop, key) = (shop.clone(), format!("renewal/{lock}"));
        tokio::spawn(async move { shop.renew(server, 1, PaymentMethod::Wallet, &key).await.unwrap() })
    })
    .await;
}

#[sqlx::test(migrations = "../migrations")]
async fn what_staff_bill(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.numbered().await;
    shop.assert_counters_are_free(|lock| {
        let (shop, key) = (shop.clone(), format!("draft/{lock}"));
        tokio::spawn(async move {
            let draft = shop.draft(1, &key).await;
            shop.issue(draft.id).await.unwrap()
        })
    })
    .await;
}

#[sqlx::test(migrations = "../migrations")]
async fn refunds(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.numbered().await;
    let mut orders = Vec::new();
    for lock in LOCKS {
        orders.push(shop.order_from_balance(&format!("refund/{lock}")).await.unwrap().order_id);
    }
    shop.assert_counters_are_free(|lock| {
        let order = orders[LOCKS.iter().position(|known| *known == lock).unwrap()];
        let shop = shop.clone();
        tokio::spawn(async move { shop.refund(order, Part::Whole, To::Wallet).await.unwrap() })
    })
    .await;
}

#[sqlx::test(migrations = "../migrations")]
async fn orders_that_staff_call_off(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.numbered().await;
    let mut orders = Vec::new();
    for lock in LOCKS {
        orders.push(shop.order_from_balance(&format!("cancel/{lock}")).await.unwrap().order_id);
    }
    shop.assert_counters_are_free(|lock| {
        let order = orders[LOCKS.iter().position(|known| *known == lock).unwrap()];
        let shop = shop.clone();
        tokio::spawn(async move {
            shop.store.cancel_order_for_staff(order, "sold out", &shop.anew()).await.unwrap()
        })
    })
    .await;
}
