//! Payment gateways: from settings to adapters, and their simulators where no credentials are set.

use crate::config::Config;
use crate::config::payments::{Gateway, PaymentsConfig};
use crate::simulate;
use crate::stack::env_file::EnvFile;
use crate::stack::ports::PortChoice;
use crate::stack::secrets::StackSecrets;
use crate::tasks::Tasks;
use activities::credentials_watch::watched;
use adapters::payments::midtrans::{Midtrans, MidtransConfig};
use adapters::payments::xendit::{Xendit, XenditConfig};
use adapters::payments::{Gateways, PaymentGateway};
use anyhow::{Context, Result};
use api::PaymentConfig;
use secrecy::ExposeSecret;
use std::path::Path;
use std::sync::Arc;
use store::Store;
use temporal::worker::PaymentWork;
use tokio::net::TcpListener;
use url::Url;

/// Every gateway that has credentials. Whether it accepts them is kept in the database.
///
/// # Errors
/// When an adapter cannot be made.
fn gateways(config: &PaymentsConfig, store: &Store) -> Result<Gateways> {
    let mut gateways: Vec<Arc<dyn PaymentGateway>> = Vec::new();
    let timeout = config.request_timeout;
    if let Some(server_key) = config.midtrans_server_key() {
        let (base_url, server_key) = (config.midtrans_url.clone(), server_key.clone());
        let midtrans = Midtrans::new(MidtransConfig { base_url, server_key, timeout });
        gateways.push(Arc::new(midtrans.context("Midtrans' adapter cannot be made")?));
    }
    if let Some((secret_key, callback_token)) = config.xendit_credentials() {
        let xendit = Xendit::new(XenditConfig {
            base_url: config.xendit_url.clone(),
            secret_key: secret_key.clone(),
            callback_token: callback_token.clone(),
            timeout,
        });
        gateways.push(Arc::new(xendit.context("Xendit's adapter cannot be made")?));
    }
    let gateways = gateways.into_iter().map(|gateway| (gateway.slug(), gateway)).collect();
    Ok(watched(gateways, store))
}

/// What the API charges through. A method whose gateway has no credentials is not offered.
///
/// # Errors
/// When an adapter cannot be made.
pub fn payments(config: &PaymentsConfig, store: &Store) -> Result<PaymentConfig> {
    let gateways = gateways(config, store)?;
    let served = config.by_method().map(|(method, gateway)| (method, gateway.slug()));
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
pub struct GatewayListeners {
    midtrans: TcpListener,
    xendit: TcpListener,
}

impl GatewayListeners {
    /// Opens them all.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn open(ports: PortChoice) -> Result<Self> {
        Ok(Self {
            midtrans: ports.listen(simulate::MIDTRANS_PORT, "Midtrans' simulator")?,
            xendit: ports.listen(simulate::XENDIT_PORT, "Xendit's simulator")?,
        })
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
        if config.payments.midtrans_server_key().is_none() {
            let (url, key) = (super::local::url_of(&self.midtrans)?, &secrets.midtrans_server_key);
            config.payments = config.payments.clone().with_midtrans(url.clone(), key);
            let webhook = simulate::webhook(api_url, Gateway::Midtrans);
            let simulator = simulate::midtrans(key, Some(webhook), Some(state_dir))?;
            let stop = tasks.stop_token().cancelled_owned();
            tasks.spawn("Midtrans' simulator", async move {
                Ok(simulators::midtrans::serve(self.midtrans, simulator, stop).await?)
            });
            env.set("SIM_MIDTRANS_URL", super::local::plain(&url));
        }
        if config.payments.xendit_credentials().is_none() {
            let url = super::local::url_of(&self.xendit)?;
            let (key, token) = (&secrets.xendit_secret_key, &secrets.xendit_callback_token);
            config.payments = config.payments.clone().with_xendit(url.clone(), key, token);
            let webhook = simulate::webhook(api_url, Gateway::Xendit);
            let simulator = simulate::xendit(key, token, Some(webhook), Some(state_dir))?;
            let stop = tasks.stop_token().cancelled_owned();
            tasks.spawn("Xendit's simulator", async move {
                Ok(simulators::xendit::serve(self.xendit, simulator, stop).await?)
            });
            env.set("SIM_XENDIT_URL", super::local::plain(&url));
        }
        Ok(())
    }
}

/// What a person or a program needs to act as a gateway, or as its customer.
pub fn set_credentials(env: &mut EnvFile, config: &PaymentsConfig) {
    env.set("MIDTRANS_URL", super::local::plain(&config.midtrans_url));
    env.set("XENDIT_URL", super::local::plain(&config.xendit_url));
    if let Some(key) = config.midtrans_server_key() {
        env.set("MIDTRANS_SERVER_KEY", key.expose_secret());
    }
    if let Some((key, token)) = config.xendit_credentials() {
        env.set("XENDIT_SECRET_KEY", key.expose_secret());
        env.set("XENDIT_CALLBACK_TOKEN", token.expose_secret());
    }
}
