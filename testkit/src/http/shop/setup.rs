//! How a shop's API is set up.

use std::{sync::Arc, time::Duration};

use adapters::{
    payments::{self, Gateways},
    providers::{self, Account, CloudProvider, Paced, Registry},
};
use api::{AppState, AuthConfig, Limits, PasswordCost, PaymentConfig, Seller};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod},
    payment_limits::{AmountLimits, PaymentLimits, Way},
};
use serde_json::json;
use sqlx::PgPool;
use store::credentials::CredentialsKeys;

use super::TestApi;
use crate::{SimulatedCloud, SimulatedGateway, TestApp, http::Expect};

/// What root passwords are sealed under.
const CREDENTIALS_KEY: &str = "dGhlIGtleSBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVzLi4=";
/// Long enough for any charge that is answered at all.
const PATIENT: Duration = Duration::from_secs(10);

/// A shop that is to be opened with its API: seeded, with every limit on requests lifted, no gateway, and a DigitalOcean that never
/// answers, where nothing else is said.
#[must_use = "a shop has to be opened"]
pub struct Setup {
    pool: PgPool,
    gateways: Vec<SimulatedGateway>,
    charging_through: Option<&'static str>,
    charge_timeout: Duration,
    clouds: Vec<(SimulatedCloud, Arc<dyn CloudProvider>)>,
    change: Box<dyn FnOnce(AppState) -> AppState + Send>,
    is_seeded: bool,
}

impl Setup {
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            gateways: Vec::new(),
            charging_through: None,
            charge_timeout: PATIENT,
            clouds: Vec::new(),
            change: Box::new(|state| state),
            is_seeded: true,
        }
    }

    /// Without a catalog.
    pub fn unseeded(mut self) -> Self {
        self.is_seeded = false;
        self
    }

    /// With this gateway, which sends its notifications to the API, on a real port, and doesn't try a second time. The first one is
    /// charged through.
    pub fn gateway(mut self, gateway: SimulatedGateway) -> Self {
        self.charging_through = self.charging_through.or(Some(gateway.vendor.slug));
        self.gateways.push(gateway);
        self
    }

    /// Charges through this gateway.
    pub fn charging_through(mut self, slug: &'static str) -> Self {
        self.charging_through = Some(slug);
        self
    }

    /// Waits so long for a charge.
    pub fn charge_timeout(mut self, timeout: Duration) -> Self {
        self.charge_timeout = timeout;
        self
    }

    /// With an account at this cloud, reached like this.
    pub fn cloud(mut self, cloud: SimulatedCloud, change: impl FnOnce(&mut Account)) -> Self {
        let adapter = cloud.adapter_with(change);
        self.clouds.push((cloud, adapter));
        self
    }

    /// With a state that differs like this.
    pub fn state(mut self, change: impl FnOnce(AppState) -> AppState + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// Opens it.
    ///
    /// # Panics
    /// When the database has no schema, or there is no port.
    pub async fn open(self) -> TestApi {
        let (payments, providers) = (self.payments(), self.providers());
        let settings = |store: store::Store| {
            let keys = CredentialsKeys::parse(&CREDENTIALS_KEY.into()).expect("keys");
            store
                .with_credentials_keys(keys)
                .with_payment_limits(payment_limits())
                .with_first_boot_limits(adapters::providers::first_boot_limits())
        };
        let mut shop = match self.is_seeded {
            true => TestApp::with(self.pool, settings).await,
            false => TestApp::unseeded_with(self.pool, settings),
        };
        let auth = AuthConfig {
            password_cost: PasswordCost::QUICK,
            ..AuthConfig::new("a secret of at least thirty-two bytes".into())
        };
        let state = (self.change)(AppState {
            seller: Arc::new(seller()),
            limits: Arc::new(Limits { body_bytes: 64 * 1024, ..Limits::uncounted() }),
            temporal_ui_url: Some("http://127.0.0.1:8233/namespaces/default".to_owned()),
            ..AppState::new(shop.store.clone(), Arc::new(providers), payments, auth)
        });
        shop.store = state.store.clone();
        let clouds = self.clouds.into_iter().map(|(cloud, _)| cloud).collect();
        let slugs: Vec<_> = self.gateways.iter().map(|gateway| gateway.vendor.slug).collect();
        let api = TestApi::of(shop, state, self.gateways, clouds);
        if !slugs.is_empty() {
            listen_to(&api, &slugs).await;
        }
        api
    }

    fn payments(&self) -> PaymentConfig {
        let adapter = |gateway: &SimulatedGateway| {
            let adapter = gateway.adapter_with(|account| account.timeout = PATIENT);
            (gateway.vendor.slug, adapter)
        };
        let methods = [PaymentMethod::Qris, PaymentMethod::VirtualAccount].into_iter();
        let through = self.charging_through.into_iter();
        PaymentConfig {
            gateways: self.gateways.iter().map(adapter).collect::<Gateways>(),
            by_method: through.flat_map(|slug| methods.clone().map(move |method| (method, slug))).collect(),
            charge_timeout: self.charge_timeout,
            ..PaymentConfig::none()
        }
    }

    fn providers(&self) -> Registry {
        if self.clouds.is_empty() {
            return Registry::new(vec![mute_digitalocean()]);
        }
        Registry::new(self.clouds.iter().map(|(_, adapter)| Arc::clone(adapter)).collect())
    }
}

/// Has the gateways send their notifications to the API.
async fn listen_to(api: &TestApi, slugs: &[&str]) {
    let address = api.listen().await;
    for slug in slugs {
        let url = format!("{address}/api/v1/webhooks/{slug}");
        // No second try comes while a test looks at what the first one did.
        let settings = json!({ "notification_url": url, "retry_interval_seconds": 3600 });
        api.gateway(slug).control().post("/config", &settings).await.expect_success();
    }
}

fn seller() -> Seller {
    Seller {
        name: "PT WeBrana Cloud".to_owned(),
        address: "Jakarta".to_owned(),
        tax_id: "01.234.567.8-901.000".to_owned(),
    }
}

/// What the gateways take, by QRIS and into accounts of BCA.
fn payment_limits() -> PaymentLimits {
    let bounds = |least, most| AmountLimits { minimum: Rupiah::new(least), maximum: Some(Rupiah::new(most)) };
    let qris = Way { method: PaymentMethod::Qris, bank: None };
    let bca = Way { method: PaymentMethod::VirtualAccount, bank: Some(Bank::Bca) };
    payments::ALL.iter().fold(PaymentLimits::default(), |limits, gateway| {
        let limits = limits.with(gateway.slug, qris, bounds(1, 10_000_000));
        limits.with(gateway.slug, bca, bounds(10_000, 50_000_000))
    })
}

/// A provider that is set up and never answers.
fn mute_digitalocean() -> Arc<dyn CloudProvider> {
    let account = Account {
        base_url: "http://127.0.0.1:9".parse().expect("an address"),
        credential: "a token".into(),
        request_timeout: Duration::from_secs(1),
        listing_lag: Duration::from_secs(1),
        pacer: Paced::unpaced(),
    };
    (providers::digitalocean::DESCRIPTOR.connect)(account).expect("an adapter")
}
