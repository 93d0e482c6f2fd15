//! An API on a database of its own, called without a network.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::{sync::Arc, time::Duration};

use adapters::providers::{self, Account, CloudProvider, Paced, Registry};
use api::{AppState, AuthConfig, Limits, PasswordCost, PaymentConfig, Seller};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, request},
};
use domain::{
    Rupiah,
    api_key::Scope,
    billing::{Bank, PaymentMethod},
    ids::UserId,
    payment_limits::{AmountLimits, PaymentLimits, Way},
    role::Role,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{
    Store,
    api_keys::NewApiKey,
    audit::{Actor, Origin},
    credentials::CredentialsKeys,
    sessions::SessionPolicy,
    users::NewUser,
};
use tower::ServiceExt;

/// What root passwords are sealed under.
const KEY: &str = "dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4=";

/// The password of every account made here.
pub const PASSWORD: &str = "kuda-hitam-lari-7";

/// State with every limit lifted and no gateway. Change what the test is about before building the [`App`].
pub fn state(pool: &PgPool) -> AppState {
    let store = Store::new(pool.clone())
        .with_credentials_keys(CredentialsKeys::parse(&KEY.into()).unwrap())
        .with_payment_limits(limits());
    let auth = AuthConfig {
        sessions: SessionPolicy {
            refresh_ttl: Duration::from_secs(3600),
            longest: Duration::from_secs(90 * 86_400),
            grace: Duration::from_secs(10),
        },
        password_cost: PasswordCost::QUICK,
        ..AuthConfig::new("a secret of at least thirty-two bytes".into())
    };
    let providers = Arc::new(Registry::new(vec![digitalocean()]));
    AppState {
        seller: Arc::new(Seller {
            name: "PT WeBrana Cloud".to_owned(),
            address: "Jakarta".to_owned(),
            tax_id: "01.234.567.8-901.000".to_owned(),
        }),
        limits: Arc::new(Limits { body_bytes: 64 * 1024, ..Limits::uncounted() }),
        temporal_ui_url: Some("http://127.0.0.1:8233/namespaces/default".to_owned()),
        ..AppState::new(store, providers, PaymentConfig::none(), auth)
    }
}

/// What the gateways take, by QRIS and into accounts of BCA.
fn limits() -> PaymentLimits {
    let bounds = |least, most| AmountLimits { minimum: Rupiah::new(least), maximum: Some(Rupiah::new(most)) };
    let qris = Way { method: PaymentMethod::Qris, bank: None };
    let bca = Way { method: PaymentMethod::VirtualAccount, bank: Some(Bank::Bca) };
    ["midtrans", "xendit"].into_iter().fold(PaymentLimits::default(), |limits, gateway| {
        let limits = limits.with(gateway, qris, bounds(1, 10_000_000));
        limits.with(gateway, bca, bounds(10_000, 50_000_000))
    })
}

/// A provider that is set up and never answers.
fn digitalocean() -> Arc<dyn CloudProvider> {
    let account = Account {
        base_url: "http://127.0.0.1:9".parse().unwrap(),
        credential: SecretString::from("a token"),
        request_timeout: Duration::from_secs(1),
        listing_lag: Duration::from_secs(1),
        pacer: Paced::unpaced(),
    };
    (providers::digitalocean::DESCRIPTOR.connect)(account).unwrap()
}

/// The API under test.
#[derive(Clone)]
pub struct App {
    /// Its database, for preparing and looking.
    pub store: Store,
    router: Router,
}

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
pub enum As<'a> {
    /// Nobody.
    Nobody,
    /// A user by access token.
    Token(&'a str),
    /// A program by key.
    Key(&'a str),
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `null` when the body is not JSON.
    pub body: Value,
}

impl Answer {
    /// The problem's `code`.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl App {
    /// The API in the given state.
    pub fn new(state: AppState) -> Self {
        Self { store: state.store.clone(), router: api::router(state) }
    }

    /// The routes themselves, for answers that are not JSON.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Calls `path` under `/api/v1`, with a JSON body unless it is `null`.
    pub async fn call(&self, method: Method, path: &str, who: As<'_>, body: &Value) -> Answer {
        self.send(with_body(Self::request(method, path, who), body)).await
    }

    /// A request of somebody who reads English.
    fn request(method: Method, path: &str, who: As<'_>) -> request::Builder {
        Self::request_without_language(method, path, who).header("accept-language", "en")
    }

    fn request_without_language(method: Method, path: &str, who: As<'_>) -> request::Builder {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        match who {
            As::Nobody => request,
            As::Token(token) => request.header("authorization", format!("Bearer {token}")),
            As::Key(key) => request.header("x-api-key", key),
        }
    }

    /// Reads `path` under `/api/v1`.
    pub async fn get(&self, path: &str, who: As<'_>) -> Answer {
        self.call(Method::GET, path, who, &Value::Null).await
    }

    /// Reads `path` under `/api/v1` with this `Accept-Language`, or none.
    pub async fn get_in(&self, language: Option<&str>, path: &str, who: As<'_>) -> Answer {
        let request = Self::request_without_language(Method::GET, path, who);
        let request = language.into_iter().fold(request, |r, language| r.header("accept-language", language));
        self.send(with_body(request, &Value::Null)).await
    }

    /// Posts to `path` under `/api/v1` with an `Idempotency-Key` like no other.
    pub async fn post_anew(&self, path: &str, who: As<'_>, body: &Value) -> Answer {
        let key = uuid::Uuid::now_v7().to_string();
        let request = Self::request(Method::POST, path, who).header("idempotency-key", key);
        self.send(with_body(request, body)).await
    }

    /// Posts to `path` under `/api/v1`.
    pub async fn post(&self, path: &str, who: As<'_>, body: &Value) -> Answer {
        self.call(Method::POST, path, who, body).await
    }

    /// Makes an account of the given role and logs it in; answers with its id and an access token.
    pub async fn user(&self, role: Role) -> (UserId, String) {
        let email = format!("{role}-{}@example.com", uuid::Uuid::now_v7());
        let hash = api::hash_password(SecretString::from(PASSWORD), PasswordCost::QUICK).await.unwrap();
        let new = NewUser {
            email: email.clone(),
            full_name: "Siti Aminah".to_owned(),
            password_hash: hash,
            role,
            email_verified: true,
        };
        let user = self.store.create_user(&new, &origin()).await.unwrap();
        let login = json!({ "email": email, "password": PASSWORD });
        let answer = self.post("/auth/login", As::Nobody, &login).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        (user.id, answer.body["access_token"].as_str().unwrap().to_owned())
    }

    /// Makes a key for the internal endpoints that may do everything.
    pub async fn api_key(&self) -> String {
        self.api_key_for("tests", Scope::ALL).await
    }

    /// Makes a key for the internal endpoints with these rights.
    pub async fn api_key_for(&self, name: &str, scopes: &[Scope]) -> String {
        let new = NewApiKey { name, scopes, life: None };
        self.store.create_api_key(&new, &origin()).await.unwrap().1
    }
}

fn with_body(request: request::Builder, body: &Value) -> Request<Body> {
    let request = match body {
        Value::Null => request.body(Body::empty()),
        body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
    };
    request.unwrap()
}

/// The origin of what a test does behind the API's back.
pub fn origin() -> Origin {
    Origin { actor: Actor::System, ip: None, request_id: None }
}
