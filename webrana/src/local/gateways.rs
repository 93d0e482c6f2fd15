//! The payment gateways' simulators, where no credentials are set.

use super::services::{plain, url_of};
use crate::config::Config;
use crate::config::payments::PaymentsConfig;
use crate::config::vendor_setting::possessive;
use crate::stack::env_file::EnvFile;
use crate::stack::ports::PortChoice;
use crate::stack::secrets::StackSecrets;
use crate::tasks::Tasks;
use crate::vendors::{self, SimulatedGateway};
use anyhow::Result;
use secrecy::ExposeSecret;
use std::path::Path;
use tokio::net::TcpListener;
use url::Url;

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
        Ok(Self(vendors::gateways().iter().map(open).collect::<Result<_>>()?))
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
            let url = url_of(&listener)?;
            config.payments.gateways.simulate(vendor.slug, url.clone(), &credentials);
            let app = which.app(&credentials, api_url, Some(state_dir))?;
            let stop = tasks.stop_token().cancelled_owned();
            tasks
                .spawn(vendor.name, async move { Ok(simulators::server::serve(listener, app, stop).await?) });
            env.set(&which.url_env, plain(&url));
        }
        Ok(())
    }
}

/// What a person or a program needs to act as a gateway, or as its customer.
pub fn set_credentials(env: &mut EnvFile, config: &PaymentsConfig) {
    for (gateway, account) in config.gateways.all() {
        env.set(gateway.url_env, plain(&account.url));
        let secrets = account.credentials().unwrap_or_default();
        for (known, secret) in gateway.credentials.iter().zip(secrets) {
            env.set(known.env, secret.expose_secret());
        }
    }
}
