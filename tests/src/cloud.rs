//! The simulated providers, seen and steered from outside.

use std::collections::BTreeMap;

use adapters::providers::{self, Account, Descriptor};
use futures::future::join_all;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use simulators::provider::{Routes, Settings};
use testkit::{
    SimulatedCloud, at_once,
    http::{Caller, Expect, control},
};

use crate::{stack::Stack, wait_until::until};

/// A provider.
#[derive(Debug, Clone, Copy)]
pub struct Cloud(&'static Descriptor);

impl Cloud {
    /// DigitalOcean, where customers buy who name no provider.
    pub const DIGITALOCEAN: Self = Self(&providers::digitalocean::DESCRIPTOR);
    /// Vultr, the nearest to DigitalOcean.
    pub const VULTR: Self = Self(&providers::vultr::DESCRIPTOR);
    /// Linode.
    pub const LINODE: Self = Self(&providers::linode::DESCRIPTOR);

    /// All of them.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        providers::ALL.iter().copied().map(Self)
    }

    /// The catalog's slug.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.0.slug
    }

    /// What is known of it.
    #[must_use]
    pub const fn vendor(self) -> &'static Descriptor {
        self.0
    }

    /// The simulator's routes.
    ///
    /// # Panics
    /// When it has no simulator.
    #[must_use]
    pub fn routes(self) -> Routes {
        simulators::provider(self.slug()).expect("its simulator").routes
    }
}

/// The simulators of one system, without limits and without boot time.
#[derive(Debug)]
pub struct Clouds(BTreeMap<&'static str, SimulatedCloud>);

impl Clouds {
    /// Starts them all.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        let unlimited = Settings { action_seconds: 1.0, account_limit: None, ..at_once() };
        let starting = Cloud::all().map(|cloud| SimulatedCloud::start(cloud.slug(), unlimited.clone()));
        Self(join_all(starting).await.into_iter().map(|cloud| (cloud.vendor.slug, cloud)).collect())
    }

    /// One of them.
    #[must_use]
    pub fn at(&self, cloud: Cloud) -> &SimulatedCloud {
        &self.0[cloud.slug()]
    }

    /// Where one listens.
    #[must_use]
    pub fn url(&self, cloud: Cloud) -> String {
        self.at(cloud).simulator.url()
    }

    /// How our account there is reached.
    #[must_use]
    pub fn account(&self, cloud: Cloud) -> &Account {
        &self.at(cloud).account
    }

    /// How often a route was called.
    #[must_use]
    pub fn calls(&self, cloud: Cloud, route: &str) -> u64 {
        self.at(cloud).simulator.calls(route)
    }
}

/// How many servers of any provider carry an order's tag.
pub async fn servers_of(stack: &Stack, order: &Value) -> usize {
    let tag = format!("wb-{}", order["id"].as_str().expect("an id"));
    let mut count = 0;
    for cloud in Cloud::all() {
        count += servers_with(stack, cloud, &tag).await;
    }
    count
}

/// How many servers at a provider carry a tag, also those that are not listed yet.
pub async fn servers_with(stack: &Stack, cloud: Cloud, tag: &str) -> usize {
    let listed = simulator(stack, cloud).get(&format!("/servers?tag={tag}")).await.expect_success();
    listed["servers"].as_array().expect("servers").len()
}

/// Makes a provider misbehave.
pub async fn fault(stack: &Stack, cloud: Cloud, fault: Value) {
    simulator(stack, cloud).post("/faults", &fault).await.expect_success();
}

/// Ends all that a provider was made to do wrong.
pub async fn clear_faults(stack: &Stack, cloud: Cloud) {
    simulator(stack, cloud).delete("/faults").await.expect_success();
}

fn simulator(stack: &Stack, cloud: Cloud) -> Caller {
    control(&stack.clouds.at(cloud).simulator)
}

/// Refuses DigitalOcean's next create for its image: only staff can mend that.
pub async fn image_is_unknown(stack: &Stack) {
    let message = "You specified an invalid image for Droplet creation.";
    let body = json!({ "id": "unprocessable_entity", "message": message });
    let refusal = json!({ "route": Cloud::DIGITALOCEAN.routes().create, "kind": "status", "status": 422, "body": body });
    fault(stack, Cloud::DIGITALOCEAN, refusal).await;
}

/// Makes a server at DigitalOcean without us, as its console does; answers with its id once it has an address.
pub async fn droplet_by_hand(stack: &Stack) -> String {
    let token = stack.clouds.account(Cloud::DIGITALOCEAN).credential.expose_secret();
    let console =
        simulator(stack, Cloud::DIGITALOCEAN).at(&stack.clouds.url(Cloud::DIGITALOCEAN)).as_user(token);
    let wish =
        json!({ "name": "by-hand", "region": "sgp1", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64" });
    let made = console.post("/v2/droplets", &wish).await.expect_success();
    let id = made["droplet"]["id"].as_u64().expect("an id");
    until("the droplet has an address", || async {
        let seen = console.get(&format!("/v2/droplets/{id}")).await.expect_success();
        let addresses = seen["droplet"]["networks"]["v4"].as_array().cloned().unwrap_or_default();
        addresses.iter().any(|address| address["type"] == "public").then_some(())
    })
    .await;
    id.to_string()
}

/// Changes a provider's pace and limits.
pub async fn configure(stack: &Stack, cloud: Cloud, change: Value) {
    simulator(stack, cloud).post("/config", &change).await.expect_success();
}
