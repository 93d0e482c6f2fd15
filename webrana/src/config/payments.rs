//! The gateways that money comes through.

use super::payment_limits::{self, GatewayLimits};
use super::strength::{Guarded, SHORTEST_CREDENTIAL};
use domain::billing::PaymentMethod;
use domain::payment_check::PaymentCheckPolicy;
use domain::payment_limits::PaymentLimits;
use domain::policy::StepPolicy;
use domain::refund::RefundPolicy;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use temporal::schedules::PaymentCheckSettings;
use url::Url;

/// Methods that money comes in by through a gateway.
const GATEWAY_METHODS: [PaymentMethod; 2] = [PaymentMethod::Qris, PaymentMethod::VirtualAccount];

/// A payment gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Gateway {
    /// Midtrans' core API.
    Midtrans,
    /// Xendit's Payments API.
    Xendit,
}

impl Gateway {
    /// What it is called in the database and in URLs.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Midtrans => "midtrans",
            Self::Xendit => "xendit",
        }
    }
}

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

    /// Xendit's API
    #[arg(
        id = "payments.xendit_url",
        long = "xendit-url",
        env = "XENDIT_URL",
        value_name = "URL",
        default_value = "https://api.xendit.co"
    )]
    pub xendit_url: Url,

    /// Xendit's secret key: charges; `webrana dev` uses its simulator without one
    #[arg(
        id = "payments.xendit_secret_key",
        long = "xendit-secret-key",
        env = "XENDIT_SECRET_KEY",
        value_name = "KEY",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    xendit_secret_key: Option<SecretString>,

    /// Xendit's webhook verification token: proves where webhooks come from
    #[arg(
        id = "payments.xendit_callback_token",
        long = "xendit-callback-token",
        env = "XENDIT_CALLBACK_TOKEN",
        value_name = "TOKEN",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    xendit_callback_token: Option<SecretString>,

    /// The gateway for QRIS
    #[arg(
        id = "payments.gateway_qris",
        long = "payment-gateway-qris",
        env = "PAYMENT_GATEWAY_QRIS",
        value_name = "GATEWAY",
        default_value = "midtrans"
    )]
    gateway_qris: Gateway,

    /// The gateway for virtual accounts
    #[arg(
        id = "payments.gateway_virtual_account",
        long = "payment-gateway-virtual-account",
        env = "PAYMENT_GATEWAY_VIRTUAL_ACCOUNT",
        value_name = "GATEWAY",
        default_value = "midtrans"
    )]
    gateway_virtual_account: Gateway,

    /// How much Midtrans takes at once, where that is not what is published: QRIS and banks with the least and the most
    #[arg(
        id = "payments.midtrans_limits",
        long = "midtrans-limits",
        env = "MIDTRANS_LIMITS",
        value_name = "LIMITS",
        default_value = payment_limits::MIDTRANS
    )]
    midtrans_limits: GatewayLimits,

    /// The same of Xendit
    #[arg(
        id = "payments.xendit_limits",
        long = "xendit-limits",
        env = "XENDIT_LIMITS",
        value_name = "LIMITS",
        default_value = payment_limits::XENDIT
    )]
    xendit_limits: GatewayLimits,

    /// How often gateways are asked about payments that wait for too long
    #[arg(
        id = "payments.check_every",
        long = "payment-check-every",
        env = "PAYMENT_CHECK_EVERY",
        value_name = "DURATION",
        default_value = "1m",
        value_parser = super::value::duration
    )]
    check_every: Duration,

    /// How long a payment waits for its notification before its gateway is asked; one whose charge got no answer waits
    /// for half a minute at most
    #[arg(
        id = "payments.check_after",
        long = "payment-check-after",
        env = "PAYMENT_CHECK_AFTER",
        value_name = "DURATION",
        default_value = "2m",
        value_parser = super::value::duration
    )]
    check_after: Duration,

    /// How long a gateway is asked to give money back before it goes to the customer's balance instead
    #[arg(
        id = "payments.refund_give_up_after",
        long = "refund-give-up-after",
        env = "REFUND_GIVE_UP_AFTER",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = super::value::duration
    )]
    refund_give_up_after: Duration,

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

    /// Xendit's secret key and webhook token, when both are set.
    pub fn xendit_credentials(&self) -> Option<(&SecretString, &SecretString)> {
        super::given(self.xendit_secret_key.as_ref()).zip(super::given(self.xendit_callback_token.as_ref()))
    }

    /// The gateway for each method that needs one.
    pub fn by_method(&self) -> [(PaymentMethod, Gateway); 2] {
        GATEWAY_METHODS.map(|method| match method {
            PaymentMethod::Qris => (method, self.gateway_qris),
            _ => (method, self.gateway_virtual_account),
        })
    }

    /// How much each gateway takes at once: what is published, but for what the settings say.
    pub fn limits(&self) -> PaymentLimits {
        let set = [
            (Gateway::Midtrans, payment_limits::MIDTRANS, &self.midtrans_limits),
            (Gateway::Xendit, payment_limits::XENDIT, &self.xendit_limits),
        ];
        let mut limits = PaymentLimits::default();
        for (gateway, published, set) in set {
            let published = published.parse::<GatewayLimits>();
            for (way, bounds) in published.iter().flat_map(GatewayLimits::ways).chain(set.ways()) {
                limits = limits.with(gateway.slug(), way, bounds);
            }
        }
        limits
    }

    /// When gateways are asked about waiting payments.
    pub fn checks(&self) -> PaymentCheckSettings {
        let usual = PaymentCheckPolicy::default();
        let after = u64::try_from(self.check_after.as_millis()).unwrap_or(u64::MAX);
        let policy = PaymentCheckPolicy {
            pending_after_ms: after,
            unknown_after_ms: usual.unknown_after_ms.min(after),
            ..usual
        };
        PaymentCheckSettings { every: self.check_every, policy }
    }

    /// How patiently gateways are asked to give money back.
    pub fn refund_policy(&self) -> RefundPolicy {
        let give_up_after_ms = u64::try_from(self.refund_give_up_after.as_millis()).unwrap_or(u64::MAX);
        let usual = RefundPolicy::default();
        RefundPolicy { steps: StepPolicy { give_up_after_ms, ..usual.steps }, ..usual }
    }

    /// The same settings with Xendit's simulator.
    #[must_use]
    pub fn with_xendit(mut self, url: Url, secret_key: &str, callback_token: &str) -> Self {
        self.xendit_url = url;
        self.xendit_secret_key = Some(SecretString::from(secret_key));
        self.xendit_callback_token = Some(SecretString::from(callback_token));
        self
    }

    /// The same settings with Midtrans' simulator.
    #[must_use]
    pub fn with_midtrans(mut self, url: Url, server_key: &str) -> Self {
        self.midtrans_url = url;
        self.midtrans_server_key = Some(SecretString::from(server_key));
        self
    }

    /// The same settings with this patience before gateways are asked.
    #[must_use]
    pub const fn with_checks_after(mut self, patience: Duration) -> Self {
        self.check_after = patience;
        self
    }

    /// What nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        [
            ("MIDTRANS_SERVER_KEY", &self.midtrans_server_key),
            ("XENDIT_SECRET_KEY", &self.xendit_secret_key),
            ("XENDIT_CALLBACK_TOKEN", &self.xendit_callback_token),
        ]
        .into_iter()
        .filter_map(|(name, secret)| {
            let secret = super::given(secret.as_ref())?.expose_secret();
            Some(Guarded::text(name, secret, SHORTEST_CREDENTIAL))
        })
        .collect()
    }

    /// Keys of the gateways' test accounts: whoever has such an account pays with money that is none.
    fn test_keys(&self) -> Vec<String> {
        [
            ("MIDTRANS_SERVER_KEY", &self.midtrans_server_key, "SB-"),
            ("XENDIT_SECRET_KEY", &self.xendit_secret_key, "xnd_development_"),
        ]
        .into_iter()
        .filter(|(_, secret, prefix)| {
            super::given(secret.as_ref()).is_some_and(|secret| secret.expose_secret().starts_with(prefix))
        })
        .map(|(name, ..)| format!("{name} is a key of the gateway's sandbox: production takes real money"))
        .collect()
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let half_a_xendit = super::given(self.xendit_secret_key.as_ref()).is_some()
            != super::given(self.xendit_callback_token.as_ref()).is_some();
        if half_a_xendit {
            problems.push("XENDIT_SECRET_KEY and XENDIT_CALLBACK_TOKEN are only of use together".to_owned());
        }
        if self.check_every.is_zero() {
            problems.push("PAYMENT_CHECK_EVERY must not be 0".to_owned());
        }
        if self.refund_give_up_after.is_zero() {
            problems.push("REFUND_GIVE_UP_AFTER must not be 0".to_owned());
        }
        if production {
            problems.extend(super::not_the_vendor("MIDTRANS_URL", &self.midtrans_url));
            problems.extend(super::not_the_vendor("XENDIT_URL", &self.xendit_url));
            problems.extend(self.test_keys());
            problems.extend(self.missing_credentials());
        }
        problems
    }

    /// A method whose gateway can't be reached can't be offered.
    fn missing_credentials(&self) -> Option<String> {
        let is_ready = |gateway| match gateway {
            Gateway::Midtrans => self.midtrans_server_key().is_some(),
            Gateway::Xendit => self.xendit_credentials().is_some(),
        };
        let (method, gateway) = self.by_method().into_iter().find(|(_, gateway)| !is_ready(*gateway))?;
        Some(match gateway {
            Gateway::Midtrans => {
                format!("MIDTRANS_SERVER_KEY is missing: no payment by {method} can be taken without it")
            }
            Gateway::Xendit => format!(
                "XENDIT_SECRET_KEY is missing, or XENDIT_CALLBACK_TOKEN: no payment by {method} can be taken \
                 without them"
            ),
        })
    }
}
