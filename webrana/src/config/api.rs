//! The HTTP side.

use ipnet::IpNet;
use std::net::IpAddr;
use std::time::Duration;

/// The HTTP side.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "API")]
pub struct ApiConfig {
    /// Address the API listens on
    #[arg(
        id = "api.bind",
        long = "api-bind",
        env = "API_BIND",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    pub bind: IpAddr,

    /// Port of the API
    #[arg(id = "api.port", long = "api-port", env = "API_PORT", value_name = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// Address the internal API listens on: a private one
    #[arg(
        id = "api.internal_bind",
        long = "api-internal-bind",
        env = "API_INTERNAL_BIND",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    pub internal_bind: IpAddr,

    /// Port of the internal API, for a private network
    #[arg(
        id = "api.internal_port",
        long = "api-internal-port",
        env = "API_INTERNAL_PORT",
        value_name = "PORT",
        default_value_t = 3007
    )]
    pub internal_port: u16,

    /// Largest request body, in bytes
    #[arg(
        id = "api.body_limit",
        long = "api-body-limit",
        env = "API_BODY_LIMIT",
        value_name = "BYTES",
        default_value_t = 1_048_576
    )]
    pub body_limit: usize,

    /// Longest time one request may take
    #[arg(
        id = "api.request_timeout",
        long = "api-request-timeout",
        env = "API_REQUEST_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = super::value::duration
    )]
    pub request_timeout: Duration,

    /// Requests per minute and network that only look; 0 lifts the limit; by default 600, and in development plenty
    #[arg(
        id = "api.requests_per_minute",
        long = "api-requests-per-minute",
        env = "API_REQUESTS_PER_MINUTE",
        value_name = "N"
    )]
    requests_per_minute: Option<u32>,

    /// The same of one account from wherever, and of one API token; by default 600, and in development plenty
    #[arg(
        id = "api.account_requests_per_minute",
        long = "api-account-requests-per-minute",
        env = "API_ACCOUNT_REQUESTS_PER_MINUTE",
        value_name = "N"
    )]
    account_requests_per_minute: Option<u32>,

    /// Requests per minute and account that change something, five times as many of a network; 0 lifts the limit; by default
    /// 120, and in development plenty
    #[arg(
        id = "api.writes_per_minute",
        long = "api-writes-per-minute",
        env = "API_WRITES_PER_MINUTE",
        value_name = "N"
    )]
    writes_per_minute: Option<u32>,

    /// The same that order, pay or move money; by default 30, and in development plenty
    #[arg(
        id = "api.money_per_minute",
        long = "api-money-per-minute",
        env = "API_MONEY_PER_MINUTE",
        value_name = "N"
    )]
    money_per_minute: Option<u32>,

    /// Requests per minute and client on the internal port; 0 lifts the limit
    #[arg(
        id = "api.internal_requests_per_minute",
        long = "api-internal-requests-per-minute",
        env = "API_INTERNAL_REQUESTS_PER_MINUTE",
        value_name = "N",
        default_value_t = 6_000
    )]
    pub internal_requests_per_minute: u32,

    /// Proxies whose X-Forwarded-For is believed: addresses and networks (CIDR), separated by commas
    #[arg(
        id = "api.trusted_proxies",
        long = "api-trusted-proxies",
        env = "API_TRUSTED_PROXIES",
        value_name = "NETWORK,…",
        value_delimiter = ',',
        value_parser = super::value::network
    )]
    trusted_proxies: Vec<Option<IpNet>>,

    /// How long to go on serving after SIGTERM while /readyz says no, so that a load balancer can look away
    #[arg(
        id = "api.drain_delay",
        long = "drain-delay",
        env = "DRAIN_DELAY",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = super::value::duration
    )]
    pub drain_delay: Duration,

    /// How long running requests and workflow steps may take to finish after SIGTERM
    #[arg(
        id = "api.shutdown_grace",
        long = "shutdown-grace",
        env = "SHUTDOWN_GRACE",
        value_name = "DURATION",
        default_value = "20s",
        value_parser = super::value::duration
    )]
    pub shutdown_grace: Duration,
}

/// What a person's browser and a few scripts never reach.
const PRODUCTION_REQUESTS: u32 = 600;
/// The same of what changes something, and of money.
const PRODUCTION_WRITES: u32 = 120;
const PRODUCTION_MONEY: u32 = 30;
/// Room for bursts of tests, which all come from one address.
const DEVELOPMENT_REQUESTS: u32 = 60_000;
const DEVELOPMENT_WRITES: u32 = 12_000;
const DEVELOPMENT_MONEY: u32 = 6_000;

impl ApiConfig {
    /// The same settings with no limit on requests.
    #[must_use]
    pub fn without_request_limit(mut self) -> Self {
        self.requests_per_minute = Some(0);
        self.account_requests_per_minute = Some(0);
        self.writes_per_minute = Some(0);
        self.money_per_minute = Some(0);
        self.internal_requests_per_minute = 0;
        self
    }

    /// Networks of proxies whose X-Forwarded-For is believed.
    pub fn trusted_proxies(&self) -> Vec<IpNet> {
        self.trusted_proxies.iter().copied().flatten().collect()
    }

    /// Requests per minute and client; 0 means no limit.
    pub fn requests_per_minute(&self, production: bool) -> u32 {
        self.requests_per_minute.unwrap_or(if production {
            PRODUCTION_REQUESTS
        } else {
            DEVELOPMENT_REQUESTS
        })
    }

    /// The same of one account, and of one API token.
    pub fn account_requests_per_minute(&self, production: bool) -> u32 {
        let usual = if production { PRODUCTION_REQUESTS } else { DEVELOPMENT_REQUESTS };
        self.account_requests_per_minute.unwrap_or(usual)
    }

    /// Of those that change something; 0 means no limit.
    pub fn writes_per_minute(&self, production: bool) -> u32 {
        let usual = if production { PRODUCTION_WRITES } else { DEVELOPMENT_WRITES };
        self.writes_per_minute.unwrap_or(usual)
    }

    /// Of those that order, pay or move money; 0 means no limit.
    pub fn money_per_minute(&self, production: bool) -> u32 {
        let usual = if production { PRODUCTION_MONEY } else { DEVELOPMENT_MONEY };
        self.money_per_minute.unwrap_or(usual)
    }
}
