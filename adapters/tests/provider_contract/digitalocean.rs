//! DigitalOcean.

use std::sync::Arc;

use adapters::providers::{
    CloudProvider, CreateInstance,
    digitalocean::{DigitalOcean as Adapter, DigitalOceanConfig},
};
use domain::provisioning::FailureClass;
use simulators::{
    digitalocean::{Config, Settings, Simulator},
    handle::Handle,
};

use crate::vendor::{ACTION_SECONDS, Account, BOOT_SECONDS, Offer, Routes, TAG, TOKEN, Vendor, request};

pub struct DigitalOcean;

impl Vendor for DigitalOcean {
    const SLUG: &'static str = "digitalocean";
    const ROUTES: Routes = Routes {
        create: "POST /v2/droplets",
        list: "GET /v2/droplets",
        read: "GET /v2/droplets/{id}",
        delete: "DELETE /v2/droplets/{id}",
        reboot: "POST /v2/droplets/{id}/actions",
    };
    const OFFER: Offer = Offer {
        region: "sgp1",
        size: "s-1vcpu-1gb",
        larger: "s-1vcpu-2gb",
        image: "ubuntu-24-04-x64",
        other_image: "debian-12-x64",
    };
    const PAGE: usize = 200;
    const UNIQUE_NAMES: bool = false;
    const TAKES_TURNS: bool = true;
    const REAL_CREDENTIALS: &'static str = "CONTRACT_DIGITALOCEAN_TOKEN";
    const REAL_URL: &'static str = "https://api.digitalocean.com";

    type Simulator = Simulator;

    async fn start() -> Handle<Simulator> {
        let settings = Settings {
            boot_seconds: BOOT_SECONDS,
            action_seconds: ACTION_SECONDS,
            rate_limits: false,
            ..Settings::default()
        };
        Handle::<Simulator>::start(Config { token: TOKEN.to_owned(), settings, state: None }).await.unwrap()
    }

    fn adapter(account: Account) -> Arc<dyn CloudProvider> {
        let config = DigitalOceanConfig {
            base_url: account.url.parse().unwrap(),
            token: account.token.into(),
            request_timeout: account.request_timeout,
            listing_lag: account.listing_lag,
            pacer: account.pacer,
        };
        Arc::new(Adapter::new(config).unwrap())
    }

    fn impossible() -> Vec<(CreateInstance, FailureClass)> {
        let but = |change: fn(&mut CreateInstance)| {
            let mut request = request::<Self>(TAG);
            change(&mut request);
            request
        };
        vec![
            (but(|r| r.image = "templeos".to_owned()), FailureClass::Configuration),
            (but(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
            (
                but(|r| (r.region, r.size) = ("syd1".to_owned(), "g-2vcpu-8gb".to_owned())),
                FailureClass::Capacity,
            ),
            (but(|r| r.region = "ams2".to_owned()), FailureClass::Capacity),
            (but(|r| r.hostname = "no_host".to_owned()), FailureClass::Permanent),
        ]
    }
}

contract!(DigitalOcean);
