//! An account at a simulated payment gateway.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use adapters::payments::{self, Account, Descriptor, PaymentGateway};
use simulators::{Handle, gateway};

use crate::http::{Caller, control};

/// A payment gateway's simulator, and how our adapter reaches an account there. It runs until it is dropped.
#[derive(Debug)]
pub struct SimulatedGateway {
    /// The gateway.
    pub vendor: &'static Descriptor,
    /// Its simulator.
    pub simulator: Handle,
    /// How the account is reached: five seconds for an answer.
    pub account: Account,
    charge: &'static str,
    control: OnceLock<Caller>,
}

impl SimulatedGateway {
    /// Starts the simulator of a slug, with secrets that everybody knows.
    ///
    /// # Panics
    /// When there is no such gateway, or no port.
    pub async fn start(slug: &str) -> Self {
        Self::with(slug, |_| {}).await
    }

    /// Starts the simulator of a slug, set up otherwise.
    ///
    /// # Panics
    /// When there is no such gateway, or no port.
    pub async fn with(slug: &str, change: impl FnOnce(&mut gateway::Config)) -> Self {
        let vendor = payments::descriptor(slug).expect("a gateway");
        let descriptor = simulators::gateway(slug).expect("a gateway's simulator");
        let mut config = descriptor.config();
        change(&mut config);
        let credentials = config.credentials.iter().map(|secret| secret.clone().into()).collect();
        let simulator = descriptor.start(config).await.expect("the simulator starts");
        let base_url = simulator.url().parse().expect("its address");
        let account = Account { base_url, credentials, timeout: Duration::from_secs(5) };
        Self { vendor, simulator, account, charge: descriptor.charge, control: OnceLock::new() }
    }

    /// Our adapter for the account.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn adapter(&self) -> Arc<dyn PaymentGateway> {
        self.adapter_with(|_| {})
    }

    /// Our adapter for the same account, reached otherwise.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn adapter_with(&self, change: impl FnOnce(&mut Account)) -> Arc<dyn PaymentGateway> {
        let mut account = self.account.clone();
        change(&mut account);
        (self.vendor.connect)(account).expect("an adapter")
    }

    /// The vendor's route of a charge, as counters and faults name it.
    #[must_use]
    pub fn charge(&self) -> &'static str {
        self.charge
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
