//! The clouds that servers are bought from.

use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// The clouds that servers are bought from.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Providers")]
pub struct ProvidersConfig {
    /// DigitalOcean's API
    #[arg(
        id = "providers.digitalocean_url",
        long = "digitalocean-url",
        env = "DIGITALOCEAN_URL",
        value_name = "URL",
        default_value = "https://api.digitalocean.com"
    )]
    pub digitalocean_url: Url,

    /// DigitalOcean's API token; `webrana dev` uses its simulator without one
    #[arg(
        id = "providers.digitalocean_token",
        long = "digitalocean-token",
        env = "DIGITALOCEAN_TOKEN",
        value_name = "TOKEN",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    digitalocean_token: Option<SecretString>,

    /// How long a new server may be missing from DigitalOcean's lists
    #[arg(
        id = "providers.digitalocean_listing_lag",
        long = "digitalocean-listing-lag",
        env = "DIGITALOCEAN_LISTING_LAG",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = super::value::duration
    )]
    pub digitalocean_listing_lag: Duration,

    /// Longest wait for one answer of a provider
    #[arg(
        id = "providers.request_timeout",
        long = "provider-request-timeout",
        env = "PROVIDER_REQUEST_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = super::value::duration
    )]
    pub request_timeout: Duration,
}

impl ProvidersConfig {
    /// DigitalOcean's token, when one is set.
    pub fn digitalocean_token(&self) -> Option<&SecretString> {
        super::given(self.digitalocean_token.as_ref())
    }

    /// The same settings with DigitalOcean's simulator.
    #[must_use]
    pub fn with_digitalocean(mut self, url: Url, token: &str) -> Self {
        self.digitalocean_url = url;
        self.digitalocean_token = Some(SecretString::from(token));
        self
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems = Vec::new();
        if production {
            problems.extend(super::not_the_vendor("DIGITALOCEAN_URL", &self.digitalocean_url));
            if self.digitalocean_token().is_none() {
                problems.push(
                    "DIGITALOCEAN_TOKEN is missing: no server can be provisioned without it".to_owned(),
                );
            }
        }
        problems
    }
}
