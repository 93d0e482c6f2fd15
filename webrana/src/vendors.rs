//! Vendors and their simulators, joined by slug: the one place that knows both registries.

use crate::config::vendor_setting::possessive;
use adapters::{payments, providers};
use anyhow::{Context, Result};
use axum::Router;
use simulators::{gateway, provider};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use url::Url;

/// A provider and its simulator.
#[derive(Debug)]
pub struct SimulatedProvider {
    /// The vendor.
    pub vendor: &'static providers::Descriptor,
    /// What stands in for it.
    pub simulator: &'static provider::Descriptor,
    /// The variable that tells where the simulator is.
    pub url_env: String,
    /// The variable of the simulator's port.
    pub port_env: String,
}

/// A payment gateway and its simulator.
#[derive(Debug)]
pub struct SimulatedGateway {
    /// The vendor.
    pub vendor: &'static payments::Descriptor,
    /// What stands in for it.
    pub simulator: &'static gateway::Descriptor,
    /// The variable that tells where the simulator is.
    pub url_env: String,
    /// The variable of the simulator's port.
    pub port_env: String,
}

/// A secret that a simulator shares with whoever uses it.
#[derive(Debug, Clone, Copy)]
pub struct SimulatorCredential {
    /// The variable of its setting.
    pub env: &'static str,
    /// What the vendor's begin with.
    pub prefix: &'static str,
}

/// Whether a simulator limits how often it is called and how much an account may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// As its vendor does.
    AsTheVendor,
    /// Not at all.
    Lifted,
}

static PROVIDERS: LazyLock<Vec<SimulatedProvider>> = LazyLock::new(|| {
    let join = |vendor: &&'static providers::Descriptor| {
        Some(SimulatedProvider {
            vendor,
            simulator: simulators::provider(vendor.slug)?,
            url_env: variable(vendor.slug, "URL"),
            port_env: variable(vendor.slug, "PORT"),
        })
    };
    providers::ALL.iter().filter_map(join).collect()
});

static GATEWAYS: LazyLock<Vec<SimulatedGateway>> = LazyLock::new(|| {
    let join = |vendor: &&'static payments::Descriptor| {
        Some(SimulatedGateway {
            vendor,
            simulator: simulators::gateway(vendor.slug)?,
            url_env: variable(vendor.slug, "URL"),
            port_env: variable(vendor.slug, "PORT"),
        })
    };
    payments::ALL.iter().filter_map(join).collect()
});

fn variable(slug: &str, what: &str) -> String {
    format!("SIM_{}_{what}", slug.to_uppercase())
}

/// The providers that can be simulated: all of them.
pub fn providers() -> &'static [SimulatedProvider] {
    &PROVIDERS
}

/// The gateways that can be simulated: all of them.
pub fn gateways() -> &'static [SimulatedGateway] {
    &GATEWAYS
}

/// A provider and its simulator, by slug.
pub fn provider_of(slug: &str) -> Option<&'static SimulatedProvider> {
    providers().iter().find(|provider| provider.vendor.slug == slug)
}

/// A gateway and its simulator, by slug.
pub fn gateway_of(slug: &str) -> Option<&'static SimulatedGateway> {
    gateways().iter().find(|gateway| gateway.vendor.slug == slug)
}

/// The secrets of all simulators.
pub fn credentials() -> impl Iterator<Item = SimulatorCredential> {
    let of_provider = |it: &SimulatedProvider| SimulatorCredential {
        env: it.vendor.environment.credential,
        prefix: it.simulator.credential_prefix,
    };
    let of_gateway = |it: &'static SimulatedGateway| {
        let both = it.vendor.credentials.iter().zip(it.simulator.credentials);
        both.map(|(vendor, simulator)| SimulatorCredential { env: vendor.env, prefix: simulator.prefix })
    };
    providers().iter().map(of_provider).chain(gateways().iter().flat_map(of_gateway))
}

impl SimulatedProvider {
    /// The HTTP service of the simulator.
    ///
    /// # Errors
    /// When its state cannot be read.
    pub fn app(
        &self,
        credential: &str,
        boot_seconds: f64,
        limits: Limits,
        state_dir: Option<&Path>,
    ) -> Result<Router> {
        let mut settings = provider::Settings { boot_seconds, ..Default::default() };
        if limits == Limits::Lifted {
            (settings.rate_limits, settings.account_limit) = (false, None);
        }
        let state = state_dir.map(|directory| state_file(directory, self.vendor.slug));
        let config = provider::Config { token: credential.to_owned(), settings, state };
        let service =
            (self.simulator.open)(config).with_context(|| unreadable(self.vendor.slug, self.vendor.name))?;
        Ok(service.router)
    }
}

impl SimulatedGateway {
    /// The HTTP service of the simulator; it notifies an API of payments.
    ///
    /// # Errors
    /// When its state cannot be read.
    pub fn app(&self, credentials: &[&str], api_url: &Url, state_dir: Option<&Path>) -> Result<Router> {
        let config = gateway::Config {
            credentials: credentials.iter().map(|credential| (*credential).to_owned()).collect(),
            settings: gateway::Settings {
                notification_url: Some(webhook(api_url, self.vendor.slug)),
                ..Default::default()
            },
            state: state_dir.map(|directory| state_file(directory, self.vendor.slug)),
        };
        let service =
            (self.simulator.open)(config).with_context(|| unreadable(self.vendor.slug, self.vendor.name))?;
        Ok(service.router)
    }
}

fn state_file(directory: &Path, slug: &str) -> PathBuf {
    directory.join(format!("{slug}.json"))
}

fn unreadable(slug: &str, name: &str) -> String {
    format!("the state of {} simulator cannot be read: remove {slug}.json", possessive(name))
}

/// Where an API takes a gateway's notifications.
fn webhook(api_url: &Url, gateway: &str) -> String {
    format!("{}/api/v1/webhooks/{gateway}", api_url.as_str().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_provider_has_its_simulator_and_every_simulator_its_provider() {
        let vendors: BTreeSet<_> = providers::ALL.iter().map(|vendor| vendor.slug).collect();
        let simulators: BTreeSet<_> = simulators::PROVIDERS.iter().map(|simulator| simulator.slug).collect();
        assert_eq!(vendors, simulators);
        assert_eq!(vendors.len(), providers::ALL.len(), "a slug is one vendor's");
    }

    #[test]
    fn every_gateway_has_its_simulator_and_every_simulator_its_gateway() {
        let vendors: BTreeSet<_> = payments::ALL.iter().map(|vendor| vendor.slug).collect();
        let simulators: BTreeSet<_> = simulators::GATEWAYS.iter().map(|simulator| simulator.slug).collect();
        assert_eq!(vendors, simulators);
        for gateway in gateways() {
            let slug = gateway.vendor.slug;
            assert_eq!(gateway.vendor.credentials.len(), gateway.simulator.credentials.len(), "{slug}");
        }
    }

    #[test]
    fn ports_and_variables_are_one_vendors_each() {
        let ports = providers().iter().map(|it| it.simulator.port);
        let ports: Vec<u16> = ports.chain(gateways().iter().map(|it| it.simulator.port)).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
        let variables: Vec<_> = credentials().map(|credential| credential.env).collect();
        assert_eq!(variables.iter().collect::<BTreeSet<_>>().len(), variables.len());
    }
}
