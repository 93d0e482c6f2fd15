//! Paying on a real Postgres: notifications in any order and number, further attempts, administrators' decisions.
//! Each test has a database of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod archive;
mod attempts;
mod billed_by_hand;
mod disputes;
mod guards;
mod interleaving;
mod notifications;
mod numbering;
mod payer_fee;
mod proofs;
mod refund_saga;
mod refunds;
mod renewals;
mod requery;
mod review;
mod taken_back_meanwhile;
mod transfers;
mod wallet;

use domain::{
    Rupiah,
    billing::{Evidence, PaymentMethod, PaymentStatus},
    event::Event,
    gateway::{About, GatewayReport, Instructions, Outcome, WebhookEvent},
    hostname::Hostname,
    ids::{OrderId, PaymentId, UserId},
    language::Language,
    order::OrderStatus,
    policy::OrderPolicy,
    promo::PromoCode,
    role::Role,
};
use serde_json::Value;
use sqlx::PgPool;
use store::{
    Store,
    audit::{Actor, Origin},
    idempotency::Idempotency,
    money_act::MoneyAct,
    orders::{NewOrder, OrderError, Placed, Selection},
    payments::Payment,
    timeline::TimelineEntry,
    users::NewUser,
};

const MIDTRANS: &str = "midtrans";
const PLAN: &str = "do-basic-1gb";

/// A step of a timeline in English.
fn step_words(step: &TimelineEntry) -> String {
    messages::timeline(step.event.as_ref().unwrap(), Language::English).unwrap()
}

/// A seeded shop with one customer and one administrator.
struct Shop {
    pool: PgPool,
    store: Store,
    customer: UserId,
    admin: UserId,
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let store = Store::new(pool.clone());
        store.seed().await.unwrap();
        let customer = account(&store, "sari@example.com", Role::Customer).await;
        let admin = account(&store, "admin@example.com", Role::Admin).await;
        Self { pool, store, customer, admin }
    }

    /// Places an order to be paid in the given way.
    async fn order_by(&self, method: PaymentMethod, key: &str) -> (OrderId, Payment) {
        let placed = self.try_order_by(method, None, key).await.unwrap();
        (placed.order_id, self.store.any_payment(placed.to_charge.unwrap()).await.unwrap())
    }

    /// Places an order to be paid in the given way, with a promo code.
    async fn try_order_by(
        &self,
        method: PaymentMethod,
        code: Option<&str>,
        key: &str,
    ) -> Result<Placed, OrderError> {
        let plan: uuid::Uuid = sqlx::query_scalar("SELECT id FROM plans WHERE slug = $1")
            .bind(PLAN)
            .fetch_one(&self.pool)
            .await
            .unwrap();
        let new = NewOrder {
            user: self.customer,
            selection: Selection {
                plan_id: plan.into(),
                region: "sgp1".into(),
                image: "ubuntu-24-04".into(),
                term_months: 1,
                configured: ["digitalocean", "linode", "vultr"].map(str::to_owned).to_vec(),
            },
            hostname: Hostname::parse("web-1").unwrap(),
            ssh_key_ids: Vec::new(),
            auto_renew: false,
            policy: OrderPolicy::default(),
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some(MIDTRANS),
            promo: code.map(|code| PromoCode::parse(code).unwrap()),
        };
        self.store.place_order(&new, &promise(key)).await
    }

    /// Places an order to be paid by QRIS.
    async fn order(&self) -> (OrderId, Payment) {
        self.order_by(PaymentMethod::Qris, "order").await
    }

    /// The same shop for a task of its own.
    fn again(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            store: self.store.clone(),
            customer: self.customer,
            admin: self.admin,
        }
    }

    async fn status(&self, order: OrderId) -> OrderStatus {
        self.store.any_order(order).await.unwrap().status
    }

    async fn payment_status(&self, payment: PaymentId) -> PaymentStatus {
        self.store.any_payment(payment).await.unwrap().status
    }

    async fn tell(&self, told: &WebhookEvent) -> Outcome {
        self.store.apply_webhook_event(told).await.unwrap()
    }

    async fn assert_books_are_sound(&self) {
        let report = self.store.check_ledger().await.unwrap();
        assert!(report.sound, "{:#?}", report.findings);
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.unwrap()
    }

    /// The messages of all notifications of a type, in English.
    async fn told(&self, kind: &str) -> Vec<String> {
        let sql = "SELECT e.kind, e.data FROM in_app_notifications n JOIN events e ON e.id = n.event_id
                   WHERE n.type = $1 ORDER BY n.id";
        let rows: Vec<(String, Value)> = sqlx::query_as(sql).bind(kind).fetch_all(&self.pool).await.unwrap();
        let message = |(kind, data): (String, Value)| {
            messages::in_app(&Event::read(&kind, data).unwrap(), Language::English).unwrap().message
        };
        rows.into_iter().map(message).collect()
    }

    fn admins_origin(&self) -> Origin {
        Origin { actor: Actor::User(self.admin), ip: None, request_id: Some("review".into()) }
    }

    /// The administrator acts on somebody's money; the same key means the same request.
    fn act(&self, key: &str) -> MoneyAct {
        MoneyAct { by: self.admin, origin: self.admins_origin(), request: promise(key) }
    }

    /// The same by a request like no other.
    fn anew(&self) -> MoneyAct {
        self.act(&uuid::Uuid::now_v7().to_string())
    }
}

/// What Midtrans says about a payment when it is asked.
fn told(payment: &Payment, status: PaymentStatus, key: &str) -> WebhookEvent {
    WebhookEvent {
        gateway: MIDTRANS,
        dedupe_key: key.into(),
        about: About::Attempt(payment.gateway_order_id.clone()),
        evidence: Some(Evidence::Asked),
        body: br#"{"raw":true}"#.to_vec(),
        report: GatewayReport {
            transaction_id: Some("transaction-1".into()),
            status,
            amount: Some(payment.amount),
            payer_fee: None,
            amount_as_received: "as charged".into(),
            reversals: Vec::new(),
            instructions: Instructions::default(),
        },
    }
}

fn plus_one(amount: Rupiah) -> Rupiah {
    amount.plus(Rupiah::new(1)).unwrap()
}

fn promise(key: &str) -> Idempotency {
    Idempotency::new("test", key, &key).unwrap()
}

async fn account(store: &Store, email: &str, role: Role) -> UserId {
    let new = NewUser {
        email: email.to_owned(),
        full_name: "Sari".to_owned(),
        password_hash: "x".to_owned(),
        role,
        email_verified: true,
    };
    let origin = Origin { actor: Actor::System, ip: None, request_id: None };
    store.create_user(&new, &origin).await.unwrap().id
}
