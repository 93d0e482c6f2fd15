//! What the contract must know of a vendor, and a simulated account to ask it of.

use std::{collections::BTreeSet, marker::PhantomData, sync::Arc, time::Duration};

use adapters::providers::{self, Account, CloudProvider, CreateServer, Descriptor, ProviderError};
use domain::{provisioning::FailureClass, server::ProviderServer};
use serde_json::{Value, json};
use simulators::{
    Handle,
    provider::{Config, Routes, Settings},
};
use testkit::SimulatedCloud;

/// One vendor: its adapter, its simulator, and how the two are to be asked.
pub trait Vendor: Sized + 'static {
    /// The catalog's slug.
    const SLUG: &'static str;
    /// Things the vendor sells.
    const OFFER: Offer;
    /// The most servers the vendor lists in one answer.
    const PAGE: usize;
    /// Whether the vendor refuses a second server of one name, so that a second create of one order is a conflict.
    const UNIQUE_NAMES: bool;
    /// Whether the vendor refuses an action while another is under way.
    const TAKES_TURNS: bool;

    /// The vendor, as the registry has it.
    fn descriptor() -> &'static Descriptor {
        providers::descriptor(Self::SLUG).unwrap()
    }

    /// The simulator's names of the routes that faults are ordered for.
    fn routes() -> Routes {
        simulators::provider(Self::SLUG).unwrap().routes
    }

    /// The private networks that a server is in, from the vendor's own description of it.
    fn networks(server: &Value) -> BTreeSet<String>;

    /// Creates that can't be, each with the class of its failure.
    fn impossible() -> Vec<(CreateServer, FailureClass)>;
}

/// Slugs at the vendor. `region` has both sizes, and there is an image that fits all of them.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    pub region: &'static str,
    pub size: &'static str,
    /// A size with more of everything.
    pub larger: &'static str,
    pub image: &'static str,
    pub other_image: &'static str,
}

/// The credentials a simulator is started with.
pub const TOKEN: &str = "contract-token";
pub const BOOT_SECONDS: f64 = 0.2;
pub const ACTION_SECONDS: f64 = 0.2;

/// The tag of an installation.
pub const FLEET: &str = "webrana-contract";
/// A tag of an order.
pub const TAG: &str = "wb-01932c07-9a53-7c3e-8f3c-1f2d3c4b5a69";
/// The tag of the orders of an hour.
pub const COHORT: &str = "wbc-2026010203";

/// The tag of the `number`th order.
pub fn tag(number: usize) -> String {
    format!("wb-01932c07-9a53-7c3e-8f3c-{number:012}")
}

/// What is ordered for a tag.
pub fn request<V: Vendor>(tag: &str) -> CreateServer {
    CreateServer {
        tag: tag.to_owned(),
        fleet: FLEET.to_owned(),
        cohort: COHORT.to_owned(),
        hostname: "web-1.example.com".to_owned(),
        size: V::OFFER.size.to_owned(),
        region: V::OFFER.region.to_owned(),
        image: V::OFFER.image.to_owned(),
        ssh_public_keys: vec![PUBLIC_KEY.to_owned()],
        root_password: None,
        user_data: None,
        network: None,
    }
}

const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl andi@laptop";

/// An adapter and the simulator it talks to.
pub struct Lab<V: Vendor> {
    pub provider: Arc<dyn CloudProvider>,
    pub simulator: Handle,
    account: Account,
    vendor: PhantomData<V>,
}

impl<V: Vendor> Lab<V> {
    /// [`TOKEN`] is accepted, there are no rate limits, [`BOOT_SECONDS`] to boot and [`ACTION_SECONDS`] for an action.
    pub async fn open() -> Self {
        let settings = Settings {
            boot_seconds: BOOT_SECONDS,
            action_seconds: ACTION_SECONDS,
            rate_limits: false,
            ..Settings::default()
        };
        let config = Config { token: TOKEN.to_owned(), settings, state: None };
        let cloud = SimulatedCloud::with(V::SLUG, config).await;
        let provider = cloud.adapter();
        Self { provider, simulator: cloud.simulator, account: cloud.account, vendor: PhantomData }
    }

    /// An adapter for the same account, set up otherwise.
    pub fn adapter(&self, change: impl FnOnce(&mut Account)) -> Arc<dyn CloudProvider> {
        let mut account = self.account.clone();
        change(&mut account);
        (V::descriptor().connect)(account).unwrap()
    }

    pub async fn configure(&self, change: Value) {
        self.control("config", change).await;
    }

    pub async fn fault(&self, route: &str, kind: &str, more: Value) {
        let mut fault = json!({ "route": route, "kind": kind });
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.control("faults", fault).await;
    }

    async fn control(&self, path: &str, body: Value) {
        let url = format!("{}/__sim/{path}", self.simulator.url());
        let answer = client().post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// A server in the vendor's own words.
    pub async fn raw(&self, id: &str) -> Value {
        let path = V::routes().read.trim_start_matches("GET ").replace("{id}", id);
        let asked = client().get(format!("{}{path}", self.simulator.url())).bearer_auth(TOKEN);
        serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    /// Removes a server behind the account's back.
    pub async fn vanish(&self, id: &str) {
        let url = format!("{}/__sim/servers/{id}", self.simulator.url());
        assert_eq!(client().delete(url).send().await.unwrap().status(), 204);
    }

    /// How many calls the vendor has seen.
    pub async fn calls(&self) -> u64 {
        let url = format!("{}/__sim/counters", self.simulator.url());
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        let counters: Value = serde_json::from_str(&text).unwrap();
        counters["calls"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
    }

    /// Creates the server of an order.
    pub async fn make(&self, tag: &str) -> ProviderServer {
        create(&self.provider, &request::<V>(tag)).await.unwrap()
    }

    /// Creates one and waits until a customer can log in.
    pub async fn make_ready(&self, tag: &str) -> ProviderServer {
        let made = self.make(tag).await;
        until(async || self.read(&made.id).await, |i| i.ready).await
    }

    pub async fn read(&self, id: &str) -> ProviderServer {
        self.provider.get_server(id).await.unwrap()
    }

    /// The failure of a create that can't be.
    pub async fn refusal(&self, request: &CreateServer) -> ProviderError {
        let error = create(&self.provider, request).await.unwrap_err();
        assert_eq!(error.provider, V::SLUG);
        assert!(!format!("{error} {error:?}").contains(TOKEN));
        error
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Creates a server, as its turn comes.
pub async fn create(
    provider: &Arc<dyn CloudProvider>,
    request: &CreateServer,
) -> Result<ProviderServer, ProviderError> {
    let ticket = provider.ready_to_create().await?;
    provider.create_server(ticket, request).await
}

/// Asks until `condition` holds, for 20 seconds at most.
pub async fn until<T>(ask: impl AsyncFnMut() -> T, condition: impl Fn(&T) -> bool) -> T {
    until_within(Duration::from_secs(20), Duration::from_millis(5), ask, condition).await
}

/// Asks every `pause` until `condition` holds.
pub async fn until_within<T>(
    patience: Duration,
    pause: Duration,
    mut ask: impl AsyncFnMut() -> T,
    condition: impl Fn(&T) -> bool,
) -> T {
    let answered = async {
        loop {
            let answer = ask().await;
            if condition(&answer) {
                return answer;
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::time::timeout(patience, answered).await.expect("it never came about")
}
