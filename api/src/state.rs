//! What every handler can reach.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use adapters::{payments::Gateways, providers::Registry};
use domain::{billing::PaymentMethod, policy::OrderPolicy, refund::RefundPolicy, upkeep::ReconcileSettings};
use futures::future::BoxFuture;
use secrecy::SecretString;
use store::{Store, sessions::SessionPolicy};

use crate::password::PasswordCost;

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
    /// Our namespace in Temporal's web UI, such as `http://127.0.0.1:8233/namespaces/default`, for links that admins
    /// follow; `None` when there is no UI.
    pub temporal_ui_url: Option<String>,
    /// Turned off when the process drains: `/readyz` then answers 503.
    pub ready: Arc<std::sync::atomic::AtomicBool>,
    /// Dependencies that `/health` asks about besides the database.
    pub probes: Arc<Vec<Arc<dyn Probe>>>,
}

impl AppState {
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

/// Bounds on what a client may ask for.
#[derive(Debug, Clone)]
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
    /// Requests per minute and client elsewhere; 0 lifts the limit.
    pub per_minute: u32,
    /// The same on the internal port.
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

/// A dependency that can be asked whether it is there.
pub trait Probe: Send + Sync {
    /// What it is called in the answer of `/health`.
    fn name(&self) -> &'static str;
    /// Asks it. The error names the reason in a few words, without addresses or credentials: the answer is public.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}
