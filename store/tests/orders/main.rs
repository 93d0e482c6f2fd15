//! Placing, cancelling and reading orders, and the catalog they are placed from, on a real Postgres: each test has
//! a database of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod cancelling;
mod catalog;
mod outbox;
mod placing;
mod reading;
mod rules;
mod stuck;
mod sweep;

use domain::{
    billing::PaymentMethod, hostname::Hostname, ids::UserId, policy::OrderPolicy, unpaid::UnpaidLimits,
};
use sqlx::PgPool;
use store::{
    Store,
    idempotency::Idempotency,
    orders::{NewOrder, OrderError, Placed, Selection},
};
use uuid::Uuid;

const BASIC: &str = "do-basic-1gb";

/// A seeded shop with one customer.
struct Shop {
    pool: PgPool,
    store: Store,
    customer: UserId,
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let store = Store::new(pool.clone()).with_unpaid_limits(UnpaidLimits::NONE);
        store.seed().await.unwrap();
        let customer = register(&pool, "sari@example.com").await;
        Self { pool, store, customer }
    }

    /// An order of the smallest plan, paid by bank transfer.
    async fn basket(&self) -> NewOrder {
        NewOrder {
            user: self.customer,
            selection: Selection {
                plan_id: self.plan(BASIC).await.into(),
                region: "sgp1".into(),
                image: "ubuntu-24-04".into(),
                term_months: 1,
                configured: ["digitalocean", "linode", "vultr"].map(str::to_owned).to_vec(),
            },
            hostname: Hostname::parse("web-1").unwrap(),
            ssh_key_ids: Vec::new(),
            auto_renew: false,
            policy: OrderPolicy::default(),
            method: PaymentMethod::ManualTransfer,
            bank: None,
            gateway: None,
            promo: None,
        }
    }

    async fn place(&self, order: &NewOrder, key: &str) -> Result<Placed, OrderError> {
        self.store.place_order(order, &request(order, key)).await
    }

    async fn plan(&self, slug: &str) -> Uuid {
        sqlx::query_scalar("SELECT id FROM plans WHERE slug = $1")
            .bind(slug)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }
}

/// The key together with what it is sent with, as the API makes it.
fn request(order: &NewOrder, key: &str) -> Idempotency {
    let body = serde_json::json!({
        "plan_id": order.selection.plan_id,
        "region": order.selection.region,
        "term_months": order.selection.term_months,
        "hostname": order.hostname,
    });
    Idempotency::new("POST /orders", key, &body).unwrap()
}

async fn register(pool: &PgPool, email: &str) -> UserId {
    let id = Uuid::now_v7();
    sqlx::query("INSERT INTO users (id, email, full_name, password_hash) VALUES ($1, $2, 'Sari', 'x')")
        .bind(id)
        .bind(email)
        .execute(pool)
        .await
        .unwrap();
    id.into()
}
