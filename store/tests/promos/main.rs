//! Promo codes on a real Postgres: their uses by orders and deposits, the limits under concurrency, what the database
//! refuses by itself, and what staff do with them. Each test has a database of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod deposits;
mod guards;
mod limits;
mod orders;
mod staff;

use domain::{
    Rupiah,
    billing::{Evidence, PaymentMethod, PaymentStatus},
    gateway::{About, GatewayReport, Instructions, Outcome, WebhookEvent},
    hostname::Hostname,
    ids::{DepositId, OrderId, PromoId, UserId},
    policy::OrderPolicy,
    promo::{PromoCode, PromoKind, PromoRefusal, PromoTerms},
    role::Role,
};
use sqlx::PgPool;
use store::{
    Store, StoreError,
    audit::{Actor, Origin},
    idempotency::Idempotency,
    money_act::MoneyAct,
    orders::{NewOrder, OrderError, Placed, Refusal, Selection},
    payments::Payment,
    promos::NewPromo,
    users::NewUser,
    wallet::{Deposit, NewDeposit, OpenedDeposit},
};

const MIDTRANS: &str = "midtrans";
const CODE: &str = "HEMAT10";

/// A seeded shop with one customer and one administrator.
#[derive(Clone)]
struct Shop {
    pool: PgPool,
    store: Store,
    customer: UserId,
    admin: UserId,
    plan: uuid::Uuid,
}

impl Shop {
    async fn open(pool: PgPool) -> Self {
        let store = Store::new(pool.clone());
        store.seed().await.unwrap();
        let customer = account(&store, "sari@example.com", Role::Customer).await;
        let admin = account(&store, "admin@example.com", Role::Admin).await;
        let plan = sqlx::query_scalar("SELECT id FROM plans WHERE slug = 'do-basic-1gb'");
        let plan = plan.fetch_one(&pool).await.unwrap();
        Self { pool, store, customer, admin, plan }
    }

    /// The same shop as another customer sees it.
    async fn visited_by(&self, name: &str) -> Self {
        let customer = account(&self.store, &format!("{name}@example.com"), Role::Customer).await;
        Self { customer, ..self.clone() }
    }

    /// Makes [`CODE`].
    async fn promo(&self, kind: PromoKind, value: i64, change: impl FnOnce(&mut PromoTerms)) -> PromoId {
        let mut new = new_promo(CODE, kind, value);
        change(&mut new.terms);
        self.store.create_promo(&new, self.admin, &self.admins_origin()).await.unwrap().id
    }

    fn new_order(&self, method: PaymentMethod, code: Option<&str>) -> NewOrder {
        NewOrder {
            user: self.customer,
            selection: Selection {
                plan_id: self.plan.into(),
                region: "sgp1".into(),
                image: "ubuntu-24-04".into(),
                term_months: 1,
                configured: vec!["digitalocean".to_owned()],
            },
            hostname: Hostname::parse("web-1").unwrap(),
            ssh_key_ids: Vec::new(),
            auto_renew: false,
            policy: OrderPolicy::default(),
            method,
            bank: None,
            gateway: (method == PaymentMethod::Qris).then_some(MIDTRANS),
            promo: code.map(|code| PromoCode::parse(code).unwrap()),
        }
    }

    /// Places an order with [`CODE`], to be paid by QRIS.
    async fn try_order(&self, key: &str) -> Result<Placed, OrderError> {
        self.store.place_order(&self.new_order(PaymentMethod::Qris, Some(CODE)), &promise(key)).await
    }

    async fn order(&self, key: &str) -> (OrderId, Payment) {
        let placed = self.try_order(key).await.unwrap();
        (placed.order_id, self.store.any_payment(placed.to_charge.unwrap()).await.unwrap())
    }

    /// Opens a deposit with [`CODE`], to be paid by QRIS.
    async fn try_deposit(&self, amount: i64, key: &str) -> Result<OpenedDeposit, StoreError> {
        let new = NewDeposit {
            user: self.customer,
            amount: Rupiah::new(amount),
            method: PaymentMethod::Qris,
            bank: None,
            gateway: MIDTRANS,
            pay_within_ms: 3_600_000,
            promo: Some(PromoCode::parse(CODE).unwrap()),
        };
        self.store.open_deposit(&new, &promise(key)).await
    }

    async fn deposit(&self, amount: i64, key: &str) -> Deposit {
        let opened = self.try_deposit(amount, key).await.unwrap();
        self.store.deposit(opened.deposit_id, self.customer).await.unwrap()
    }

    async fn tell(&self, payment: &Payment, status: PaymentStatus) -> Outcome {
        let key = format!("{}:{status}", payment.id);
        self.store.apply_webhook_event(&told(payment, status, &key)).await.unwrap()
    }

    async fn wallet(&self) -> i64 {
        self.store.wallet(self.customer).await.unwrap().wallet.get()
    }

    async fn state_of_order(&self, order: OrderId) -> String {
        let sql = "SELECT state FROM promo_redemptions WHERE order_id = $1";
        sqlx::query_scalar(sql).bind(order.0).fetch_one(&self.pool).await.unwrap()
    }

    async fn state_of_deposit(&self, deposit: DepositId) -> String {
        let sql = "SELECT state FROM promo_redemptions WHERE deposit_id = $1";
        sqlx::query_scalar(sql).bind(deposit.0).fetch_one(&self.pool).await.unwrap()
    }

    /// How often [`CODE`] is used, by the database's own count.
    async fn uses(&self) -> i64 {
        let sql = "SELECT uses FROM promos WHERE code = $1";
        sqlx::query_scalar(sql).bind(CODE).fetch_one(&self.pool).await.unwrap()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    /// Gives the order's server what an active one must have, and makes the order active.
    async fn activate(&self, order: OrderId) {
        self.store.start_provisioning(order).await.unwrap();
        let sql =
            "UPDATE instances SET provider_instance_id = id::text, ipv4 = '192.0.2.1' WHERE order_id = $1";
        sqlx::query(sql).bind(order.0).execute(&self.pool).await.unwrap();
        self.store.activate_order(order).await.unwrap();
    }

    async fn assert_books_are_sound(&self) {
        let report = self.store.check_ledger().await.unwrap();
        assert!(report.sound, "{:#?}", report.findings);
    }

    fn admins_origin(&self) -> Origin {
        Origin { actor: Actor::User(self.admin), ip: None, request_id: Some("promos".into()) }
    }

    /// The administrator acts on somebody's money, by a request like no other.
    fn act(&self) -> MoneyAct {
        let request = promise(&uuid::Uuid::now_v7().to_string());
        MoneyAct { by: self.admin, origin: self.admins_origin(), request }
    }
}

fn new_promo(code: &str, kind: PromoKind, value: i64) -> NewPromo {
    let terms = PromoTerms {
        kind,
        value,
        min_amount: None,
        max_amount: None,
        per_user_limit: None,
        global_limit: None,
        starts_at: None,
        ends_at: None,
    };
    NewPromo { code: PromoCode::parse(code).unwrap(), terms }
}

/// Why an order was refused for its code.
fn refusal<T: std::fmt::Debug>(placed: Result<T, OrderError>) -> PromoRefusal {
    match placed {
        Err(OrderError::Refused(Refusal::Promo(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Why a deposit was refused for its code.
fn deposit_refusal(opened: Result<OpenedDeposit, StoreError>) -> PromoRefusal {
    match opened {
        Err(StoreError::Promo(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What Midtrans says about a payment.
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
