//! Getting a server for a paid order, on a real Postgres: failover and retries elsewhere, and how people get in.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod credentials;
mod failover;
mod levers;
mod relocation;
mod ssh_keys;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    billing::PaymentMethod,
    failover::FailoverPolicy,
    hostname::Hostname,
    ids::{OrderId, SshKeyId, UserId},
    language::Language,
    policy::OrderPolicy,
    provisioning::FailureClass,
};
use sqlx::PgPool;
use store::{
    Store,
    audit::{Actor, Origin},
    credentials::CredentialsKeys,
    idempotency::Idempotency,
    orders::{NewOrder, Selection},
    provisioning::ProvisioningFailure,
    timeline::TimelineEntry,
};
use uuid::Uuid;

const PROVIDERS: [&str; 3] = ["digitalocean", "linode", "vultr"];

/// A step of a timeline in English.
fn step_words(step: &TimelineEntry) -> String {
    messages::timeline(step.event.as_ref().unwrap(), Language::English).unwrap()
}

/// A seeded shop at which every provider is set up, with one customer.
struct Shop {
    pool: PgPool,
    store: Store,
    customer: UserId,
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let store = Store::new(pool.clone()).with_credentials_keys(keys(1));
        store.seed().await.unwrap();
        let customer = person(&pool, "sari@example.com").await;
        Self { pool, store, customer }
    }

    /// A paid order of the smallest plan of DigitalOcean in Singapore whose provisioning has begun.
    async fn order(&self, failover: FailoverPolicy) -> OrderId {
        self.order_with_keys(failover, Vec::new()).await
    }

    async fn order_with_keys(&self, failover: FailoverPolicy, ssh_key_ids: Vec<SshKeyId>) -> OrderId {
        let new = NewOrder {
            user: self.customer,
            selection: Selection {
                plan_id: self.id("plans", "do-basic-1gb").await.into(),
                region: "sgp1".into(),
                image: "ubuntu-24-04".into(),
                term_months: 1,
                configured: configured(),
            },
            hostname: Hostname::parse("web-1").unwrap(),
            ssh_key_ids,
            auto_renew: false,
            policy: OrderPolicy { failover, ..OrderPolicy::default() },
            method: PaymentMethod::ManualTransfer,
            bank: None,
            gateway: None,
            promo: None,
        };
        let key = Uuid::now_v7().to_string();
        let promise = Idempotency::new("POST /orders", &key, &"an order").unwrap();
        let order = self.store.place_order(&new, &promise).await.unwrap().order_id;
        self.run("UPDATE orders SET status = 'PAID' WHERE id = $1", order).await;
        self.store.start_provisioning(order).await.unwrap();
        order
    }

    /// Ends a try for want of capacity.
    async fn sold_out(&self, order: OrderId, try_number: i64) -> Option<String> {
        let failure = failure(FailureClass::Capacity);
        let moved = self.store.fail_provisioning(order, try_number, &failure, &configured()).await.unwrap();
        moved.map(|moved| moved.provider)
    }

    async fn id(&self, table: &str, slug: &str) -> Uuid {
        let sql = format!("SELECT id FROM {table} WHERE slug = $1");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(slug).fetch_one(&self.pool).await.unwrap()
    }

    async fn run(&self, sql: &'static str, order: OrderId) {
        sqlx::query(sql).bind(order.0).execute(&self.pool).await.unwrap();
    }

    /// Changes the catalog.
    async fn change(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    async fn text(&self, sql: &'static str, order: OrderId) -> String {
        sqlx::query_scalar(sql).bind(order.0).fetch_one(&self.pool).await.unwrap()
    }

    async fn count(&self, sql: &'static str, order: OrderId) -> i64 {
        sqlx::query_scalar(sql).bind(order.0).fetch_one(&self.pool).await.unwrap()
    }

    async fn status(&self, order: OrderId) -> String {
        self.text("SELECT status FROM orders WHERE id = $1", order).await
    }

    /// Where the order was, is or is to be, as provider and reason.
    async fn places(&self, order: OrderId) -> Vec<(String, &'static str)> {
        let places = self.store.placements(order).await.unwrap();
        places.into_iter().map(|place| (place.provider, place.reason.as_str())).collect()
    }
}

fn place(provider: &str, reason: &'static str) -> (String, &'static str) {
    (provider.to_owned(), reason)
}

fn configured() -> Vec<String> {
    PROVIDERS.map(str::to_owned).to_vec()
}

fn failure(class: FailureClass) -> ProvisioningFailure {
    ProvisioningFailure { class, message: "in the provider's words".to_owned() }
}

fn keys(byte: u8) -> CredentialsKeys {
    CredentialsKeys::parse(&BASE64_STANDARD.encode([byte; 32]).into()).unwrap()
}

fn origin() -> Origin {
    Origin { actor: Actor::System, ip: None, request_id: None }
}

async fn person(pool: &PgPool, email: &str) -> UserId {
    let id = Uuid::now_v7();
    sqlx::query("INSERT INTO users (id, email, full_name, password_hash) VALUES ($1, $2, 'Sari', 'x')")
        .bind(id)
        .bind(email)
        .execute(pool)
        .await
        .unwrap();
    id.into()
}
