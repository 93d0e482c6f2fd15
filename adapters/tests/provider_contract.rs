//! What every cloud provider's adapter must do, asked through `&dyn CloudProvider` of each adapter against its
//! vendor's simulator. What a provider is told to do wrong goes through [`Vendor`], which each one implements.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use adapters::providers::{
    CloudProvider, CreateInstance, ProviderError, ProviderInstance, Registry, UnknownProvider, Unpaced,
    digitalocean::{DigitalOcean, DigitalOceanConfig},
};
use domain::{
    instance::PowerState,
    provisioning::{FLEET_TAG, FailureClass},
};
use serde_json::{Value, json};
use simulators::digitalocean;

/// One adapter with the simulator it talks to.
struct Vendor {
    provider: Arc<dyn CloudProvider>,
    simulator: digitalocean::Handle,
    /// The simulator's route names.
    routes: Routes,
}

#[derive(Clone, Copy)]
struct Routes {
    create: &'static str,
    list: &'static str,
    read: &'static str,
    delete: &'static str,
}

const TIMEOUT: Duration = Duration::from_secs(5);
const TOKEN: &str = "contract-token";

fn adapter(url: &str, token: &str, request_timeout: Duration) -> Arc<dyn CloudProvider> {
    let config = DigitalOceanConfig {
        base_url: url.parse().unwrap(),
        token: token.into(),
        request_timeout,
        listing_lag: Duration::from_secs(1),
        pacer: Arc::new(Unpaced),
    };
    Arc::new(DigitalOcean::new(config).unwrap())
}

impl Vendor {
    async fn digitalocean() -> Self {
        let settings = digitalocean::Settings { boot_seconds: 0.2, rate_limits: false, ..Default::default() };
        let config = digitalocean::Config { token: TOKEN.to_owned(), settings, state: None };
        let simulator = digitalocean::Handle::start(config).await.unwrap();
        Self {
            provider: adapter(&simulator.url(), TOKEN, TIMEOUT),
            simulator,
            routes: Routes {
                create: "POST /v2/droplets",
                list: "GET /v2/droplets",
                read: "GET /v2/droplets/{id}",
                delete: "DELETE /v2/droplets/{id}",
            },
        }
    }

    async fn control(&self, path: &str, body: Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/__sim/{path}", self.simulator.url());
        let answer = client.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    async fn fault(&self, route: &str, kind: &str, more: Value) {
        let mut fault = json!({ "route": route, "kind": kind });
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.control("faults", fault).await;
    }

    async fn make(&self, tag: &str) -> ProviderInstance {
        create(&self.provider, &request(tag)).await.unwrap()
    }

    async fn refusal(&self, request: &CreateInstance) -> ProviderError {
        let error = create(&self.provider, request).await.unwrap_err();
        assert_eq!(error.provider, self.provider.slug());
        assert!(!error.to_string().contains(TOKEN));
        error
    }
}

fn request(tag: &str) -> CreateInstance {
    CreateInstance {
        tag: tag.to_owned(),
        cohort: "wbc-2026010203".to_owned(),
        hostname: "web-1.example.com".to_owned(),
        size: "s-1vcpu-1gb".to_owned(),
        region: "sgp1".to_owned(),
        image: "ubuntu-24-04-x64".to_owned(),
        ssh_public_keys: vec!["ssh-ed25519 AAAA andi@laptop".to_owned()],
        root_password: None,
    }
}

fn order_tag() -> String {
    "wb-01932c07-9a53-7c3e-8f3c-1f2d3c4b5a69".to_owned()
}

/// Asks until `condition` holds, for 10 seconds at most.
async fn until<T>(mut ask: impl AsyncFnMut() -> T, condition: impl Fn(&T) -> bool) -> T {
    let answered = async {
        loop {
            let answer = ask().await;
            if condition(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), answered).await.expect("it never came about")
}

#[tokio::test]
async fn a_server_is_created_found_ready_deleted_and_gone() {
    let vendor = Vendor::digitalocean().await;
    let (provider, tag) = (&vendor.provider, order_tag());
    assert_eq!(provider.find_by_tag(&tag).await.unwrap(), []);

    let made = vendor.make(&tag).await;
    assert!(!made.ready);
    assert_eq!((made.power, made.ipv4), (PowerState::Unknown, None));
    assert_eq!(made.tags.iter().map(String::as_str).collect::<BTreeSet<_>>(), [FLEET_TAG, &tag].into());

    let found = provider.find_by_tag(&tag).await.unwrap();
    assert_eq!(found.iter().map(|i| &i.id).collect::<Vec<_>>(), [&made.id]);
    let ready = until(async || provider.get_instance(&made.id).await.unwrap(), |i| i.ready).await;
    assert_eq!((ready.power, ready.id), (PowerState::On, made.id.clone()));
    assert!(ready.ipv4.is_some());
    assert!(ready.ipv6.is_some());

    provider.delete_instance(&made.id).await.unwrap();
    assert_eq!(provider.get_instance(&made.id).await.unwrap_err().class, FailureClass::NotFound);
    assert_eq!(provider.find_by_tag(&tag).await.unwrap(), []);
    provider.delete_instance(&made.id).await.expect("gone already counts as deleted");
}

#[tokio::test]
async fn every_server_of_a_tag_is_found_oldest_first_and_no_other() {
    let vendor = Vendor::digitalocean().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(vendor.make("wb-a").await.id);
        vendor.make("wb-b").await;
    }
    let ids = |found: Vec<ProviderInstance>| found.into_iter().map(|i| i.id).collect::<Vec<_>>();
    assert_eq!(ids(vendor.provider.find_by_tag("wb-a").await.unwrap()), made);
    let fleet = vendor.provider.find_by_tag(FLEET_TAG).await.unwrap();
    assert_eq!(fleet.len(), 6);
}

#[tokio::test]
async fn a_long_list_is_read_to_its_end() {
    let vendor = Vendor::digitalocean().await;
    for _ in 0..205 {
        vendor.make("wb-a").await;
    }
    assert_eq!(vendor.provider.find_by_tag("wb-a").await.unwrap().len(), 205);
    assert_eq!(vendor.simulator.calls(vendor.routes.list), 2);
}

#[tokio::test]
async fn refusals_are_sorted() {
    let vendor = Vendor::digitalocean().await;
    let ask = |change: fn(&mut CreateInstance)| {
        let mut request = request("wb-a");
        change(&mut request);
        request
    };
    for (request, class) in [
        (ask(|r| r.image = "templeos".to_owned()), FailureClass::Configuration),
        (ask(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
        (ask(|r| (r.region, r.size) = ("syd1".to_owned(), "g-2vcpu-8gb".to_owned())), FailureClass::Capacity),
        (ask(|r| r.region = "ams2".to_owned()), FailureClass::Capacity),
        (ask(|r| r.hostname = "no_host".to_owned()), FailureClass::Permanent),
    ] {
        let error = vendor.refusal(&request).await;
        assert_eq!((error.class, error.ambiguous, error.status), (class, false, Some(422)), "{error}");
        assert!(error.request_id.is_some());
    }
    vendor.fault(vendor.routes.create, "capacity", json!({})).await;
    assert_eq!(vendor.refusal(&request("wb-a")).await.class, FailureClass::Capacity);

    vendor.control("config", json!({ "account_limit": 0 })).await;
    let full = vendor.refusal(&request("wb-a")).await;
    assert_eq!(full.class, FailureClass::Configuration);
    assert!(full.message.contains("droplet limit"));

    let unknown = vendor.provider.get_instance("not-an-id").await.unwrap_err();
    assert_eq!(unknown.class, FailureClass::NotFound);
    assert_eq!(vendor.provider.find_by_tag("wb-a").await.unwrap(), []);
}

#[tokio::test]
async fn wrong_credentials_are_a_matter_of_configuration() {
    let vendor = Vendor::digitalocean().await;
    let stranger = adapter(&vendor.simulator.url(), "wrong-token", TIMEOUT);
    let error = create(&stranger, &request("wb-a")).await.unwrap_err();
    assert_eq!((error.class, error.ambiguous, error.status), (FailureClass::Configuration, false, Some(401)));
    assert!(!format!("{error} {error:?} {stranger:?}").contains("wrong-token"));
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_the_server_exists() {
    let vendor = Vendor::digitalocean().await;
    vendor.fault(vendor.routes.create, "drop_after_create", json!({})).await;
    let error = vendor.refusal(&request("wb-a")).await;
    assert_eq!((error.class, error.is_ambiguous(), error.status), (FailureClass::Retryable, true, None));
    assert_eq!(vendor.provider.find_by_tag("wb-a").await.unwrap().len(), 1);
    assert_eq!(vendor.simulator.calls(vendor.routes.create), 1, "nothing below us tried again");
}

#[tokio::test]
async fn a_late_answer_is_ambiguous_and_the_server_exists() {
    let vendor = Vendor::digitalocean().await;
    let hasty = adapter(&vendor.simulator.url(), TOKEN, Duration::from_secs(1));
    vendor.fault(vendor.routes.create, "delay", json!({ "seconds": 30 })).await;
    let error = create(&hasty, &request("wb-a")).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Retryable, true));
    assert_eq!(error.message, "no answer in time");
    assert_eq!(vendor.provider.find_by_tag("wb-a").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_error_is_ambiguous_only_where_something_changes() {
    let vendor = Vendor::digitalocean().await;
    for (route, ambiguous) in
        [(vendor.routes.create, true), (vendor.routes.read, false), (vendor.routes.list, false)]
    {
        vendor.fault(route, "status", json!({ "status": 502, "body": "<html>Bad gateway</html>" })).await;
        let error = match route {
            _ if route == vendor.routes.create => create(&vendor.provider, &request("wb-a")).await.map(drop),
            _ if route == vendor.routes.read => vendor.provider.get_instance("1").await.map(drop),
            _ => vendor.provider.find_by_tag("wb-a").await.map(drop),
        }
        .unwrap_err();
        assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Retryable, ambiguous), "{route}");
        assert_eq!(error.message, "HTTP 502 Bad Gateway without an explanation");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_was_told_nothing() {
    let vendor = Vendor::digitalocean().await;
    vendor.simulator.stop().await.unwrap();
    let error = create(&vendor.provider, &request("wb-a")).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous(), error.status), (FailureClass::Retryable, false, None));
}

#[tokio::test]
async fn too_many_calls_say_when_to_come_back() {
    let vendor = Vendor::digitalocean().await;
    vendor.fault(vendor.routes.create, "status", json!({ "status": 429, "seconds": 17 })).await;
    let error = vendor.refusal(&request("wb-a")).await;
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Retryable, false));
    assert_eq!(error.retry_after, Some(Duration::from_secs(17)));

    vendor.control("config", json!({ "rate_limits": true })).await;
    let error = until(async || vendor.provider.find_by_tag("wb-a").await, Result::is_err).await.unwrap_err();
    assert_eq!((error.class, error.status), (FailureClass::Retryable, Some(429)));
    assert!(error.retry_after.is_some_and(|wait| wait > Duration::ZERO && wait <= Duration::from_secs(60)));
}

#[tokio::test]
async fn a_new_server_shows_up_within_the_listing_lag() {
    let vendor = Vendor::digitalocean().await;
    let lag = vendor.provider.listing_lag();
    vendor.control("config", json!({ "listing_lag_seconds": lag.as_secs_f64() })).await;
    let made = vendor.make("wb-a").await;
    assert_eq!(vendor.provider.find_by_tag("wb-a").await.unwrap(), []);
    assert_eq!(vendor.provider.get_instance(&made.id).await.unwrap().id, made.id);
    let found = until(async || vendor.provider.find_by_tag("wb-a").await.unwrap(), |f| !f.is_empty()).await;
    assert_eq!(found[0].id, made.id);
}

#[tokio::test]
async fn active_without_an_address_is_not_ready() {
    let vendor = Vendor::digitalocean().await;
    vendor.control("config", json!({ "boot_seconds": 0 })).await;
    vendor.fault(vendor.routes.create, "active_without_ip", json!({ "seconds": 1 })).await;
    let made = vendor.make("wb-a").await;
    let bare = vendor.provider.get_instance(&made.id).await.unwrap();
    assert_eq!((bare.power, bare.ready, bare.ipv4), (PowerState::On, false, None));
    until(async || vendor.provider.get_instance(&made.id).await.unwrap(), |i| i.ready).await;
}

#[tokio::test]
async fn a_locked_server_refuses_its_delete_as_a_conflict() {
    let vendor = Vendor::digitalocean().await;
    let made = vendor.make("wb-a").await;
    vendor.fault(vendor.routes.delete, "locked_on_delete", json!({})).await;
    let error = vendor.provider.delete_instance(&made.id).await.unwrap_err();
    assert_eq!((error.class, error.is_ambiguous()), (FailureClass::Conflict, false));
    vendor.provider.delete_instance(&made.id).await.unwrap();
}

#[tokio::test]
async fn providers_are_found_by_their_slug() {
    let vendor = Vendor::digitalocean().await;
    let registry = Registry::new(vec![Arc::clone(&vendor.provider)]);
    assert_eq!(registry.get("digitalocean").unwrap().slug(), "digitalocean");
    assert_eq!(registry.get("clouds-r-us").unwrap_err(), UnknownProvider { slug: "clouds-r-us".to_owned() });
    assert_eq!(registry.slugs().collect::<Vec<_>>(), ["digitalocean"]);
}

async fn create(
    provider: &Arc<dyn CloudProvider>,
    request: &CreateInstance,
) -> Result<ProviderInstance, ProviderError> {
    let ticket = provider.ready_to_create().await?;
    provider.create_instance(ticket, request).await
}
