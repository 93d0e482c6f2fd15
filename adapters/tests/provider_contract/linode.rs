//! Linode.

use std::sync::Arc;

use adapters::providers::{
    CloudProvider, CreateInstance,
    linode::{Linode as Adapter, LinodeConfig},
};
use domain::provisioning::FailureClass;
use simulators::{
    handle::Handle,
    linode::{Config, Settings, Simulator},
};

use crate::vendor::{ACTION_SECONDS, Account, BOOT_SECONDS, Offer, Routes, TAG, TOKEN, Vendor, request};

pub struct Linode;

impl Vendor for Linode {
    const SLUG: &'static str = "linode";
    const ROUTES: Routes = Routes {
        create: "POST /v4/linode/instances",
        list: "GET /v4/linode/instances",
        read: "GET /v4/linode/instances/{id}",
        delete: "DELETE /v4/linode/instances/{id}",
        reboot: "POST /v4/linode/instances/{id}/reboot",
    };
    const OFFER: Offer = Offer {
        region: "id-cgk",
        size: "g6-nanode-1",
        larger: "g6-standard-1",
        image: "linode/ubuntu24.04",
        other_image: "linode/debian12",
    };
    const PAGE: usize = 500;
    const UNIQUE_NAMES: bool = true;
    const TAKES_TURNS: bool = true;
    const REAL_CREDENTIALS: &'static str = "CONTRACT_LINODE_API_TOKEN";
    const REAL_URL: &'static str = "https://api.linode.com";

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
        let config = LinodeConfig {
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
            (but(|r| r.image = "linode/templeos".to_owned()), FailureClass::Configuration),
            (but(|r| r.size = "huge".to_owned()), FailureClass::Configuration),
            (but(|r| r.region = "mars".to_owned()), FailureClass::Configuration),
            (
                but(|r| (r.region, r.size) = ("ap-south".to_owned(), "g7-premium-2".to_owned())),
                FailureClass::Capacity,
            ),
            (but(|r| r.tag = "no--label".to_owned()), FailureClass::Permanent),
            (but(|r| r.root_password = Some("short".into())), FailureClass::Permanent),
        ]
    }
}

contract!(Linode);
