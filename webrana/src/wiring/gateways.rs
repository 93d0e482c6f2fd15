//! Payment gateways: from settings to adapters, and their simulators where no credentials are set.

use crate::config::Config;
use crate::config::payments::PaymentsConfig;
use crate::config::vendor_setting::possessive;
use crate::simulate::{self, SimulatedGateway};
use crate::stack::env_file::EnvFile;
use crate::stack::ports::PortChoice;
use crate::stack::secrets::StackSecrets;
use crate::tasks::Tasks;
use activities::credentials_watch::watched;
use adapters::payments::{Account, Gateways};
use anyhow::{Context, Result};
use api::PaymentConfig;
use secrecy::ExposeSecret;
use std::path::Path;
use store::Store;
use temporal::worker::PaymentWork;
use tokio::net::TcpListener;
use url::Url;

/// Every gateway that has credentials. Whether it accepts them is kept in the database.
///
/// # Errors
/// When an adapter cannot be made.
fn gateways(config: &PaymentsConfig, store: &Store) -> Result<Gateways> {
    let mut gateways = Gateways::new();
    for (gateway, account, credentials) in config.gateways.usable() {
        let account = Account {
            base_url: account.url.clone(),
            credentials: credentials.into_iter().cloned().collect(),
            timeout: config.request_timeout,
        };
        let adapter = (gateway.connect)(account)
            .with_context(|| format!("{} adapter cannot be made", possessive(gateway.name)))?;
        gateways.insert(gateway.slug, adapter);
    }
    Ok(watched(gateways, store))
}

/// What the API charges through. A method whose gateway has no credentials is not offered.
///
/// # Errors
/// When an adapter cannot be made.
pub fn payments(config: &PaymentsConfig, store: &Store) -> Result<PaymentConfig> {
    let gateways = gateways(config, store)?;
    let served = config.by_method().map(|(method, gateway)| (method, gateway.slug));
    let by_method = served.into_iter().filter(|(_, slug)| gateways.contains_key(slug)).collect();
    let refund_policy = config.refund_policy();
    Ok(PaymentConfig { gateways, by_method, charge_timeout: config.charge_timeout, refund_policy })
}

/// What a worker asks the gateways.
///
/// # Errors
/// When an adapter cannot be made.
pub fn payment_work(config: &PaymentsConfig, store: &Store) -> Result<PaymentWork> {
    Ok(PaymentWork { gateways: gateways(config, store)?, checks: Some(config.checks()) })
}

/// Ports of the gateways' simulators, held from the start so that nobody takes them meanwhile.
pub struct GatewayListeners(Vec<(&'static SimulatedGateway, TcpListener)>);

impl GatewayListeners {
    /// Opens them all.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn open(ports: PortChoice) -> Result<Self> {
        let open = |which: &'static SimulatedGateway| -> Result<_> {
            let what = format!("{} simulator", possessive(which.vendor.name));
            Ok((which, ports.listen(which.simulator.port, &what)?))
        };
        Ok(Self(simulate::gateways().iter().map(open).collect::<Result<_>>()?))
    }

    /// Starts a simulator for each gateway that has no credentials and sets `config` to it. Adds to `env` where they
    /// are.
    ///
    /// # Errors
    /// When a simulator's state cannot be read.
    pub fn simulate(
        self,
        config: &mut Config,
        secrets: &StackSecrets,
        api_url: &Url,
        state_dir: &Path,
        tasks: &mut Tasks,
        env: &mut EnvFile,
    ) -> Result<()> {
        for (which, listener) in self.0 {
            let vendor = which.vendor;
            if config.payments.gateways.usable().any(|(usable, ..)| usable.slug == vendor.slug) {
                continue;
            }
            let credentials = vendor.credentials.iter().map(|known| secrets.of_simulator(known.env));
            let credentials = credentials.collect::<Result<Vec<&str>>>()?;
            let url = super::local::url_of(&listener)?;
            config.payments.gateways.simulate(vendor.slug, url.clone(), &credentials);
            let app = which.app(&credentials, api_url, Some(state_dir))?;
            let stop = tasks.stop_token().cancelled_owned();
            tasks
                .spawn(vendor.name, async move { Ok(simulators::server::serve(listener, app, stop).await?) });
            env.set(&which.url_env, super::local::plain(&url));
        }
        Ok(())
    }
}

/// What a person or a program needs to act as a gateway, or as its customer.
pub fn set_credentials(env: &mut EnvFile, config: &PaymentsConfig) {
    for (gateway, account) in config.gateways.all() {
        env.set(gateway.url_env, super::local::plain(&account.url));
        let secrets = account.credentials().unwrap_or_default();
        for (known, secret) in gateway.credentials.iter().zip(secrets) {
            env.set(known.env, secret.expose_secret());
        }
    }
}

#[cfg(test)]
mod tests {
    /// A gateway that stands in the registry and can't notify is found here.
    #[test]
    fn every_gateway_has_a_route_for_its_notifications() {
        let document = serde_json::to_value(api::document()).unwrap();
        for gateway in adapters::payments::ALL {
            let path = format!("/api/v1/webhooks/{}", gateway.slug);
            assert!(document["paths"].get(&path).is_some(), "{path}");
        }
    }
}
