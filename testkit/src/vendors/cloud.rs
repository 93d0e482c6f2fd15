//! An account at a simulated provider.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use adapters::providers::{self, Account, CloudProvider, Descriptor, Paced};
use simulators::{
    Handle,
    provider::{self, Routes, Settings},
};

use crate::http::{Caller, control};

/// A provider's simulator, and how our adapter reaches an account there. It runs until it is dropped.
#[derive(Debug)]
pub struct SimulatedCloud {
    /// The provider.
    pub vendor: &'static Descriptor,
    /// Its simulator.
    pub simulator: Handle,
    /// How the account is reached: five seconds for an answer, a lag of a second, and no budget.
    pub account: Account,
    routes: Routes,
    control: OnceLock<Caller>,
}

/// Nothing takes any time, and nothing limits how often calls are made.
#[must_use]
pub fn at_once() -> Settings {
    Settings { boot_seconds: 0.0, action_seconds: 0.0, rate_limits: false, ..Settings::default() }
}

impl SimulatedCloud {
    /// Starts the simulator of a slug.
    ///
    /// # Panics
    /// When there is no such provider, or no port.
    pub async fn start(slug: &str, settings: Settings) -> Self {
        let simulator = simulators::provider(slug).expect("a provider's simulator");
        Self::with(slug, provider::Config { settings, ..simulator.config() }).await
    }

    /// The same, with everything said.
    ///
    /// # Panics
    /// When there is no such provider, or no port.
    pub async fn with(slug: &str, config: provider::Config) -> Self {
        let vendor = providers::descriptor(slug).expect("a provider");
        let descriptor = simulators::provider(slug).expect("a provider's simulator");
        let credential = config.token.clone().into();
        let simulator = descriptor.start(config).await.expect("the simulator starts");
        let account = Account {
            base_url: simulator.url().parse().expect("its address"),
            credential,
            request_timeout: Duration::from_secs(5),
            listing_lag: Duration::from_secs(1),
            pacer: Paced::unpaced(),
        };
        Self { vendor, simulator, account, routes: descriptor.routes, control: OnceLock::new() }
    }

    /// Starts one of every provider.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn every(settings: &Settings) -> Vec<Self> {
        let mut all = Vec::new();
        for vendor in providers::ALL {
            all.push(Self::start(vendor.slug, settings.clone()).await);
        }
        all
    }

    /// Our adapter for the account.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn adapter(&self) -> Arc<dyn CloudProvider> {
        self.adapter_with(|_| {})
    }

    /// Our adapter for the same account, reached otherwise.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn adapter_with(&self, change: impl FnOnce(&mut Account)) -> Arc<dyn CloudProvider> {
        let mut account = self.account.clone();
        change(&mut account);
        (self.vendor.connect)(account).expect("an adapter")
    }

    /// The vendor's routes, as counters and faults name them.
    #[must_use]
    pub fn routes(&self) -> Routes {
        self.routes
    }

    /// The simulator's control API: paths below `/__sim`, such as `/faults`.
    ///
    /// # Panics
    /// When no client can be made.
    #[must_use]
    pub fn control(&self) -> &Caller {
        self.control.get_or_init(|| control(&self.simulator))
    }
}
