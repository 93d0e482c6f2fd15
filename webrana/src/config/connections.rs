//! What one connection, and one address, may take of the process.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api::serve::Bounds;

/// What one connection, and one address, may take of the process.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Connections")]
pub struct ConnectionsConfig {
    /// Longest time the head of a request may take to arrive
    #[arg(
        id = "connections.header_timeout",
        long = "api-header-timeout",
        env = "API_HEADER_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = super::value::duration
    )]
    pub header_timeout: Duration,

    /// Longest time the body of a request may take to arrive
    #[arg(
        id = "connections.body_timeout",
        long = "api-body-timeout",
        env = "API_BODY_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = super::value::duration
    )]
    pub body_timeout: Duration,

    /// The same for a file: proofs of bank transfers
    #[arg(
        id = "connections.upload_timeout",
        long = "api-upload-timeout",
        env = "API_UPLOAD_TIMEOUT",
        value_name = "DURATION",
        default_value = "2m",
        value_parser = super::value::duration
    )]
    pub upload_timeout: Duration,

    /// How long a connection stays open between two requests; longer than the proxy in front keeps it
    #[arg(
        id = "connections.idle_timeout",
        long = "api-idle-timeout",
        env = "API_IDLE_TIMEOUT",
        value_name = "DURATION",
        default_value = "75s",
        value_parser = super::value::duration
    )]
    pub idle_timeout: Duration,

    /// Most connections of a port; further ones wait
    #[arg(
        id = "connections.max",
        long = "api-max-connections",
        env = "API_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 2000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max: u32,

    /// Most connections of one address, proxies aside; by default 100, and in development plenty
    #[arg(
        id = "connections.max_per_address",
        long = "api-max-connections-per-address",
        env = "API_MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    max_per_address: Option<u32>,
}

/// More than the browsers behind one address use; a proxy that speaks for many is a trusted one.
const PRODUCTION_PER_ADDRESS: u32 = 100;
/// Room for tests and benches, which all come from one address, and still less than there is.
const DEVELOPMENT_PER_ADDRESS: u32 = 1_000;

impl ConnectionsConfig {
    /// The bounds of a port. `is_proxy` tells whom the bound per address does not hold for.
    pub fn bounds(
        &self,
        production: bool,
        is_proxy: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Bounds {
        let per_address = self.max_per_address.unwrap_or(if production {
            PRODUCTION_PER_ADDRESS
        } else {
            DEVELOPMENT_PER_ADDRESS
        });
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Bounds {
            head: self.header_timeout,
            idle: self.idle_timeout,
            connections: count(self.max),
            per_address: count(per_address),
            exempt: Arc::new(is_proxy),
            ..Bounds::default()
        }
    }

    /// What is wrong with the settings, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let times = [
            ("API_HEADER_TIMEOUT", self.header_timeout),
            ("API_BODY_TIMEOUT", self.body_timeout),
            ("API_UPLOAD_TIMEOUT", self.upload_timeout),
            ("API_IDLE_TIMEOUT", self.idle_timeout),
        ];
        times
            .iter()
            .filter(|(_, time)| time.is_zero())
            .map(|(name, _)| format!("{name} must be more than nothing"))
            .collect()
    }
}
