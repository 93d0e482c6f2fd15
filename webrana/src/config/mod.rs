//! Configuration: one struct per concern. A setting is declared once, as a flag with its environment variable; its id
//! (`database.url`) is its place in the TOML file. Precedence: flag, environment variable, `*_FILE` variable (secrets
//! only), TOML, default.

pub mod api;
pub mod auth;
pub mod connections;
pub mod credentials;
pub mod database;
pub mod gateways;
pub mod general;
pub mod layers;
pub mod notifications;
pub mod observability;
pub mod orders;
mod payment_limits;
pub mod payments;
pub mod provider_shares;
pub mod providers;
pub mod seller;
pub mod strength;
pub mod temporal;
pub mod unpaid;
pub mod upkeep;
pub mod value;
pub mod vendor_setting;
pub mod versions;
pub mod websocket;

use self::strength::Guarded;
use anyhow::{Result, bail};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// All settings of the product.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// What kind of installation this is.
    #[command(flatten)]
    pub general: general::GeneralConfig,
    /// Postgres.
    #[command(flatten)]
    pub database: database::DatabaseConfig,
    /// Temporal.
    #[command(flatten)]
    pub temporal: temporal::TemporalConfig,
    /// The HTTP side.
    #[command(flatten)]
    pub api: api::ApiConfig,
    /// What one connection may take.
    #[command(flatten)]
    pub connections: connections::ConnectionsConfig,
    /// Open connections.
    #[command(flatten)]
    pub websocket: websocket::WebSocketConfig,
    /// Tokens and passwords.
    #[command(flatten)]
    pub auth: auth::AuthConfig,
    /// The key that root passwords of servers are kept under.
    #[command(flatten)]
    pub credentials: credentials::CredentialsConfig,
    /// The clouds that servers are bought from.
    #[command(flatten)]
    pub providers: providers::ProvidersConfig,
    /// How much of the clouds' rate limits each kind of caller may take.
    #[command(flatten)]
    pub provider_shares: provider_shares::ProviderSharesConfig,
    /// Who sells.
    #[command(flatten)]
    pub seller: seller::SellerConfig,
    /// The gateways that money comes through.
    #[command(flatten)]
    pub payments: payments::PaymentsConfig,
    /// By what people are told outside of the app.
    #[command(flatten)]
    pub notifications: notifications::NotificationsConfig,
    /// The rules orders are placed under.
    #[command(flatten)]
    pub orders: orders::OrdersConfig,
    /// How much one account may leave unpaid.
    #[command(flatten)]
    pub unpaid: unpaid::UnpaidConfig,
    /// What is done without anybody asking.
    #[command(flatten)]
    pub upkeep: upkeep::UpkeepConfig,
    /// Versions of the workflow code.
    #[command(flatten)]
    pub versions: versions::VersionsConfig,
    /// What is seen of a running process.
    #[command(flatten)]
    pub observability: observability::ObservabilityConfig,
}

impl Config {
    /// Everything that is wrong with the settings, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let production = self.general.is_production();
        let mut problems = self.secrecy_problems();
        problems.extend(self.general.problems());
        problems.extend(self.database.problems(self.api.request_timeout));
        problems.extend(self.temporal.problems(production));
        problems.extend(self.connections.problems());
        problems.extend(self.websocket.problems());
        problems.extend(self.auth.problems());
        problems.extend(self.credentials.problems());
        problems.extend(self.providers.problems(production));
        problems.extend(self.provider_shares.problems(production));
        problems.extend(self.seller.problems(production));
        problems.extend(self.payments.problems(production));
        problems.extend(self.notifications.problems(production));
        problems.extend(self.orders.problems());
        problems.extend(self.upkeep.problems());
        problems.extend(self.versions.problems());
        problems
    }

    /// Everything that nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        let mut secrets = self.auth.secrets();
        secrets.extend(self.credentials.secrets());
        secrets.extend(self.database.secrets());
        secrets.extend(self.temporal.secrets());
        secrets.extend(self.providers.secrets());
        secrets.extend(self.payments.secrets());
        secrets.extend(self.notifications.secrets());
        secrets
    }

    /// A secret has to be what somebody meant to set; in production every secret has to be one; and whatever the mode, none that everybody knows guards what others
    /// reach.
    fn secrecy_problems(&self) -> Vec<String> {
        let production = self.general.is_production();
        let reached = [self.api.bind, self.api.internal_bind].into_iter().find(|bind| !bind.is_loopback());
        let problem = |secret: Guarded<'_>| match reached {
            _ if secret.garbled().is_some() => secret.garbled(),
            _ if production => secret.weakness(),
            Some(bind) if secret.is_ours && secret.is_published() => Some(format!(
                "{} stands in the public repository, and this process listens on {bind}: set one of your own, or \
                 listen on 127.0.0.1",
                secret.name
            )),
            _ => None,
        };
        self.secrets().into_iter().filter_map(problem).collect()
    }

    /// Refuses settings that cannot work or, in production, must not.
    ///
    /// # Errors
    /// All the problems in one message.
    pub fn validate(&self) -> Result<()> {
        let problems = self.problems();
        if !problems.is_empty() {
            bail!("{}", problems.join("\n"));
        }
        Ok(())
    }
}

/// An empty variable means that it is not set: compose files and shells leave such ones behind.
fn given(secret: Option<&SecretString>) -> Option<&SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

/// In production a vendor is reached by TLS, and not on this machine, where simulators are, nor at its sandbox.
fn not_the_vendor(name: &str, url: &Url) -> Option<String> {
    if url.host_str().is_some_and(|host| host.split('.').any(|label| label.contains("sandbox"))) {
        return Some(format!("{name} is {url}: production talks to the vendor itself, not to its sandbox"));
    }
    let local = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unspecified(),
        None => true,
    };
    (local || url.scheme() != "https").then(|| {
        format!("{name} is {url}: production talks to the vendor itself over https, never to a simulator")
    })
}

#[cfg(test)]
pub(crate) mod tests;
