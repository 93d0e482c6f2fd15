//! The gateways that money comes through.

use secrecy::SecretString;
use std::time::Duration;
use url::Url;

/// The gateways that money comes through.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Payments")]
pub struct PaymentsConfig {
    /// Midtrans' API
    #[arg(
        id = "payments.midtrans_url",
        long = "midtrans-url",
        env = "MIDTRANS_URL",
        value_name = "URL",
        default_value = "https://api.midtrans.com"
    )]
    pub midtrans_url: Url,

    /// Midtrans' server key: charges, and proves notifications; `webrana dev` uses its simulator without one
    #[arg(
        id = "payments.midtrans_server_key",
        long = "midtrans-server-key",
        env = "MIDTRANS_SERVER_KEY",
        value_name = "KEY",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    midtrans_server_key: Option<SecretString>,

    /// Longest wait for a gateway while a customer waits for an answer
    #[arg(
        id = "payments.charge_timeout",
        long = "payment-charge-timeout",
        env = "PAYMENT_CHARGE_TIMEOUT",
        value_name = "DURATION",
        default_value = "2s",
        value_parser = super::value::duration
    )]
    pub charge_timeout: Duration,

    /// Longest wait for a gateway's answer when nobody waits for ours
    #[arg(
        id = "payments.request_timeout",
        long = "payment-request-timeout",
        env = "PAYMENT_REQUEST_TIMEOUT",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = super::value::duration
    )]
    pub request_timeout: Duration,
}

impl PaymentsConfig {
    /// Midtrans' server key, when one is set.
    pub fn midtrans_server_key(&self) -> Option<&SecretString> {
        super::given(self.midtrans_server_key.as_ref())
    }

    /// The same settings with Midtrans' simulator.
    #[must_use]
    pub fn with_midtrans(mut self, url: Url, server_key: &str) -> Self {
        self.midtrans_url = url;
        self.midtrans_server_key = Some(SecretString::from(server_key));
        self
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems = Vec::new();
        if production {
            problems.extend(super::not_the_vendor("MIDTRANS_URL", &self.midtrans_url));
            if self.midtrans_server_key().is_none() {
                problems
                    .push("MIDTRANS_SERVER_KEY is missing: no payment can be taken without it".to_owned());
            }
        }
        problems
    }
}
