//! What every handler can reach.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use adapters::{payments::Gateways, providers::Registry};
use domain::{billing::PaymentMethod, policy::OrderPolicy, refund::RefundPolicy, upkeep::ReconcileSettings};
use futures::future::BoxFuture;
use secrecy::SecretString;
use store::{Store, sessions::SessionPolicy};

use crate::{
    live::{Live, LiveSettings},
    password::PasswordCost,
};

const DAY: Duration = Duration::from_secs(86_400);

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// Tokens and passwords.
    pub auth: Arc<AuthConfig>,
    /// How orders are taken.
    pub orders: Arc<OrderConfig>,
    /// Who sells, for the head of invoices.
    pub seller: Arc<Seller>,
    /// Gateways by slug, and which one serves which method.
    pub payments: Arc<PaymentConfig>,
    /// The clouds that are set up in this installation.
    pub providers: Arc<Registry>,
    /// What a comparison of a provider with the database may do, where nobody says otherwise.
    pub reconcile: ReconcileSettings,
    /// Bounds on what a client may ask for.
    pub limits: Arc<Limits>,
    /// Connections that are told what happens as it does.
    pub live: Live,
    /// Our namespace in Temporal's web UI, such as `http://127.0.0.1:8233/namespaces/default`, for links that admins
    /// follow; `None` when there is no UI.
    pub temporal_ui_url: Option<String>,
    /// Name of the bot that messages by Telegram come from, such as `webrana_bot`; `None` where there is none.
    pub telegram_bot: Option<Arc<str>>,
    /// Whether the words of events can be looked at under `/api/v1/dev`: not in production.
    pub previews: bool,
    /// Turned off when the process drains: `/readyz` then answers 503.
    pub ready: Arc<AtomicBool>,
    /// Dependencies that `/health` asks about besides the database.
    pub probes: Arc<Vec<Arc<dyn Probe>>>,
}

impl AppState {
    /// The state of an installation on a developer's machine, with these parts. What differs is said over it:
    /// `AppState { limits, ..AppState::new(…) }`. It is the one place where a state is made from nothing.
    pub fn new(store: Store, providers: Arc<Registry>, payments: PaymentConfig, auth: AuthConfig) -> Self {
        Self {
            live: Live::new(store.clone(), LiveSettings::default()),
            store,
            auth: Arc::new(auth),
            orders: Arc::new(OrderConfig { policy: OrderPolicy::default(), unverified_may_order: true }),
            seller: Arc::new(Seller::of_development()),
            payments: Arc::new(payments),
            providers,
            reconcile: ReconcileSettings::default(),
            limits: Arc::default(),
            temporal_ui_url: None,
            telegram_bot: None,
            previews: true,
            ready: Arc::new(AtomicBool::new(true)),
            probes: Arc::default(),
        }
    }

    /// Slugs of the clouds that are set up in this installation.
    pub(crate) fn configured(&self) -> Vec<String> {
        self.providers.slugs().map(str::to_owned).collect()
    }
}

/// Tokens and passwords.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Key of the HS256 access tokens that are issued, 32 bytes or more.
    pub jwt_secret: SecretString,
    /// The key before it, whose tokens are accepted until they end.
    pub jwt_secret_previous: Option<SecretString>,
    /// Life of an access token.
    pub access_ttl: Duration,
    /// Life of logins and refresh tokens.
    pub sessions: SessionPolicy,
    /// Work of one password hash: `PasswordCost::STANDARD` outside of tests.
    pub password_cost: PasswordCost,
}

impl AuthConfig {
    /// Access tokens of a quarter of an hour, logins of thirty days, and passwords hashed with the standard's work.
    pub fn new(jwt_secret: SecretString) -> Self {
        Self {
            jwt_secret,
            jwt_secret_previous: None,
            access_ttl: Duration::from_secs(15 * 60),
            sessions: SessionPolicy {
                refresh_ttl: 30 * DAY,
                longest: 90 * DAY,
                grace: Duration::from_secs(10),
            },
            password_cost: PasswordCost::STANDARD,
        }
    }
}

/// How orders are taken.
#[derive(Debug, Clone)]
pub struct OrderConfig {
    /// The rules a new order is placed under.
    pub policy: OrderPolicy,
    /// Whether an account with an unverified email may order.
    pub unverified_may_order: bool,
}

/// Payment gateways.
#[derive(Clone)]
pub struct PaymentConfig {
    /// Gateways by slug.
    pub gateways: Gateways,
    /// The gateway that serves a method. A method that is missing here is not offered.
    pub by_method: BTreeMap<PaymentMethod, &'static str>,
    /// Longest wait for a gateway's answer while the customer waits for ours.
    pub charge_timeout: Duration,
    /// How patiently a gateway is asked to give money back.
    pub refund_policy: RefundPolicy,
}

impl PaymentConfig {
    /// No gateway: customers can pay by bank transfer only, and from their balance.
    pub fn none() -> Self {
        Self {
            gateways: Gateways::new(),
            by_method: BTreeMap::new(),
            charge_timeout: Duration::from_secs(2),
            refund_policy: RefundPolicy::default(),
        }
    }
}

/// Bounds on what a client may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body in bytes.
    pub body_bytes: usize,
    /// Longest time one request may take.
    pub request_timeout: Duration,
    /// Longest time its body may take to arrive.
    pub body_timeout: Duration,
    /// The same for a file.
    pub upload_timeout: Duration,
    /// Whether browsers are told to come by TLS only.
    pub hsts: bool,
    /// Requests per minute and client that show a password, or make an account; 0 lifts the limit.
    pub auth_per_minute: u32,
    /// Refreshes and logouts per minute and client; 0 lifts the limit.
    pub refresh_per_minute: u32,
    /// Requests per minute and network that only look; 0 lifts the limit.
    pub per_minute: u32,
    /// The same of one account, from wherever, and of one API token; 0 lifts the limit.
    pub account_per_minute: u32,
    /// Requests per minute and account, or API token, that change something; five times as many of a network; 0 lifts the limit.
    pub writes_per_minute: u32,
    /// The same that order, pay or move money; 0 lifts the limit.
    pub money_per_minute: u32,
    /// Requests per minute and network on the internal port; 0 lifts the limit.
    pub internal_per_minute: u32,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<ipnet::IpNet>,
}

/// Who sells: what stands at the head of invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// The company's name.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Its NPWP, Indonesia's tax number.
    pub tax_id: String,
}

impl Seller {
    /// A seller that nobody takes for a real one.
    #[must_use]
    pub fn of_development() -> Self {
        Self {
            name: "WeBrana Cloud (development)".to_owned(),
            address: "Jalan Contoh No. 1\nJakarta 10110, Indonesia".to_owned(),
            tax_id: "00.000.000.0-000.000".to_owned(),
        }
    }
}

/// A dependency that can be asked whether it is there.
pub trait Probe: Send + Sync {
    /// What it is called in the answer of `/health`.
    fn name(&self) -> &'static str;
    /// Asks it. The error names the reason in a few words, without addresses or credentials: the answer is public.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}

impl Default for Limits {
    /// What holds on a developer's machine where nobody says otherwise.
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            upload_timeout: Duration::from_secs(120),
            hsts: false,
            auth_per_minute: 30,
            refresh_per_minute: 600,
            per_minute: 60_000,
            account_per_minute: 60_000,
            writes_per_minute: 12_000,
            money_per_minute: 6_000,
            internal_per_minute: 6_000,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Limits {
    /// Those of [`Limits::default`], but that nobody's requests are counted.
    #[must_use]
    pub fn uncounted() -> Self {
        Self {
            auth_per_minute: 0,
            refresh_per_minute: 0,
            per_minute: 0,
            account_per_minute: 0,
            writes_per_minute: 0,
            money_per_minute: 0,
            internal_per_minute: 0,
            ..Self::default()
        }
    }
}
