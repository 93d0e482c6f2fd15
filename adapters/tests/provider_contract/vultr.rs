//! Vultr.

use std::sync::Arc;

use adapters::providers::{
    CloudProvider, CreateInstance,
    vultr::{Vultr as Adapter, VultrConfig},
};
use domain::provisioning::FailureClass;
use simulators::{
    handle::Handle,
    vultr::{Config, Settings, Simulator},
};

use crate::vendor::{ACTION_SECONDS, Account, BOOT_SECONDS, Offer, Routes, TAG, TOKEN, Vendor, request};

pub struct Vultr;

impl Vendor for Vultr {
    const SLUG: &'static str = "vultr";
    const ROUTES: Routes = Routes {
        create: "POST /v2/instances",
        list: "GET /v2/instances",
        read: "GET /v2/instances/{id}",
        delete: "DELETE /v2/instances/{id}",
        reboot: "POST /v2/instances/{id}/reboot",
    };
    const OFFER: Offer =
        Offer { region: "sgp", size: "vc2-1c-1gb", larger: "vc2-1c-2gb", image: "2284", other_image: "2136" };
    const PAGE: usize = 500;
    const UNIQUE_NAMES: bool = false;
    // Only what changes the disk locks a server: halts and starts may follow each other as they like.
    const TAKES_TURNS: bool = false;
    const REAL_CREDENTIALS: &'static str = "CONTRACT_VULTR_API_KEY";
    const REAL_URL: &'static str = "https://api.vultr.com";

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
        let config = VultrConfig {
            base_url: account.url.parse().unwrap(),
            api_key: account.token.into(),
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
            (but(|r| r.image = "1".to_owned()), FailureClass::Configuration),
            (but(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
            (but(|r| r.region = "mars".to_owned()), FailureClass::Configuration),
            // A plan that other regions have.
            (but(|r| r.size = "vc2-1c-0.5gb".to_owned()), FailureClass::Capacity),
            (but(|r| r.hostname = "no_host".to_owned()), FailureClass::Permanent),
        ]
    }
}

contract!(Vultr);
