//! The simulated providers, seen and steered from outside.

use serde_json::{Value, json};
use simulators::{digitalocean, linode, vultr};

use crate::{patience::until, stack::Stack};

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// DigitalOcean.
    DigitalOcean,
    /// Vultr.
    Vultr,
    /// Linode.
    Linode,
}

use Cloud::{DigitalOcean, Linode, Vultr};

impl Cloud {
    /// All of them.
    pub const ALL: [Self; 3] = [DigitalOcean, Vultr, Linode];

    /// The catalog's slug.
    pub const fn slug(self) -> &'static str {
        match self {
            DigitalOcean => "digitalocean",
            Vultr => "vultr",
            Linode => "linode",
        }
    }

    /// The simulator's route of a create.
    pub const fn create(self) -> &'static str {
        match self {
            DigitalOcean => "POST /v2/droplets",
            Vultr => "POST /v2/instances",
            Linode => "POST /v4/linode/instances",
        }
    }

    /// The simulator's route that a server's snapshots are listed by.
    pub const fn snapshots(self) -> &'static str {
        match self {
            DigitalOcean => "GET /v2/droplets/{id}/snapshots",
            Vultr => "GET /v2/snapshots",
            Linode => "GET /v4/images",
        }
    }

    /// The simulator's route of a list.
    pub const fn list(self) -> &'static str {
        match self {
            DigitalOcean => "GET /v2/droplets",
            Vultr => "GET /v2/instances",
            Linode => "GET /v4/linode/instances",
        }
    }
}

/// The simulators of one system, without limits and without boot time.
#[derive(Debug)]
pub struct Clouds {
    digitalocean: digitalocean::Handle,
    vultr: vultr::Handle,
    linode: linode::Handle,
}

impl Clouds {
    /// Starts them all.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> std::io::Result<Self> {
        macro_rules! unlimited {
            ($vendor:ident) => {
                $vendor::Handle::start($vendor::Config {
                    settings: $vendor::Settings {
                        boot_seconds: 0.0,
                        rate_limits: false,
                        account_limit: None,
                        ..Default::default()
                    },
                    ..Default::default()
                })
            };
        }
        let (digitalocean, vultr, linode) =
            futures::try_join!(unlimited!(digitalocean), unlimited!(vultr), unlimited!(linode))?;
        Ok(Self { digitalocean, vultr, linode })
    }

    /// Where one listens.
    #[must_use]
    pub fn url(&self, cloud: Cloud) -> String {
        match cloud {
            DigitalOcean => self.digitalocean.url(),
            Vultr => self.vultr.url(),
            Linode => self.linode.url(),
        }
    }

    /// The credential it accepts.
    #[must_use]
    pub fn credential(cloud: Cloud) -> String {
        match cloud {
            DigitalOcean => digitalocean::Config::default().token,
            Vultr => vultr::Config::default().token,
            Linode => linode::Config::default().token,
        }
    }

    /// How often a route was called.
    #[must_use]
    pub fn calls(&self, cloud: Cloud, route: &str) -> u64 {
        match cloud {
            DigitalOcean => self.digitalocean.calls(route),
            Vultr => self.vultr.calls(route),
            Linode => self.linode.calls(route),
        }
    }
}

/// How many servers of any provider carry an order's tag.
pub async fn servers_of(stack: &Stack, order: &Value) -> usize {
    let tag = format!("wb-{}", order["id"].as_str().expect("an id"));
    let mut count = 0;
    for cloud in Cloud::ALL {
        count += servers_with(stack, cloud, &tag).await;
    }
    count
}

/// How many servers at a provider carry a tag, also those that are not listed yet.
pub async fn servers_with(stack: &Stack, cloud: Cloud, tag: &str) -> usize {
    let url = format!("{}/__sim/servers?tag={tag}", stack.clouds.url(cloud));
    let listed: Value = ask(reqwest::Client::new().get(url)).await;
    listed["servers"].as_array().expect("servers").len()
}

/// Makes a provider misbehave.
pub async fn fault(stack: &Stack, cloud: Cloud, fault: Value) {
    ask(reqwest::Client::new().post(format!("{}/__sim/faults", stack.clouds.url(cloud))).json(&fault)).await;
}

/// Refuses DigitalOcean's next create for its image: only staff can mend that.
pub async fn image_is_unknown(stack: &Stack) {
    let message = "You specified an invalid image for Droplet creation.";
    let body = json!({ "id": "unprocessable_entity", "message": message });
    let refusal = json!({ "route": DigitalOcean.create(), "kind": "status", "status": 422, "body": body });
    fault(stack, DigitalOcean, refusal).await;
}

/// Makes a server at DigitalOcean without us, as its console does; answers with its id once it has an address.
pub async fn droplet_by_hand(stack: &Stack) -> String {
    let http = reqwest::Client::new();
    let droplets = format!("{}/v2/droplets", stack.clouds.url(DigitalOcean));
    let wish =
        json!({ "name": "by-hand", "region": "sgp1", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64" });
    let token = Clouds::credential(DigitalOcean);
    let made: Value = ask(http.post(&droplets).bearer_auth(&token).json(&wish)).await;
    let id = made["droplet"]["id"].as_u64().expect("an id");
    until("the droplet has an address", || async {
        let seen: Value = ask(http.get(format!("{droplets}/{id}")).bearer_auth(&token)).await;
        let addresses = seen["droplet"]["networks"]["v4"].as_array().cloned().unwrap_or_default();
        addresses.iter().any(|address| address["type"] == "public").then_some(())
    })
    .await;
    id.to_string()
}

/// Changes a provider's pace and limits.
pub async fn configure(stack: &Stack, cloud: Cloud, change: Value) {
    ask(reqwest::Client::new().post(format!("{}/__sim/config", stack.clouds.url(cloud))).json(&change)).await;
}

async fn ask(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.expect("the simulator answers");
    let status = response.status();
    let text = response.text().await.expect("its body arrives");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
