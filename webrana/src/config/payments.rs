//! The gateways that money comes through.

use super::gateways::GatewaysConfig;
use super::strength::Guarded;
use adapters::payments::{self, Descriptor};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::billing::PaymentMethod;
use domain::payment_check::PaymentCheckPolicy;
use domain::payment_limits::PaymentLimits;
use domain::policy::StepPolicy;
use domain::refund::RefundPolicy;
use std::time::Duration;
use temporal::schedules::PaymentCheckSettings;

/// Methods that money comes in by through a gateway.
const GATEWAY_METHODS: [PaymentMethod; 2] = [PaymentMethod::Qris, PaymentMethod::VirtualAccount];

/// Takes the slug of a gateway.
fn gateway() -> impl TypedValueParser<Value = &'static Descriptor> {
    let known = PossibleValuesParser::new(payments::ALL.iter().map(|gateway| gateway.slug));
    known.try_map(|slug| payments::descriptor(&slug).ok_or("there is no such gateway"))
}

/// The gateways that money comes through.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Payments")]
pub struct PaymentsConfig {
    /// Our accounts at the gateways.
    #[command(flatten)]
    pub gateways: GatewaysConfig,

    /// The gateway for QRIS
    #[arg(
        id = "payments.gateway_qris",
        long = "payment-gateway-qris",
        env = "PAYMENT_GATEWAY_QRIS",
        value_name = "GATEWAY",
        default_value = "midtrans",
        value_parser = gateway()
    )]
    gateway_qris: &'static Descriptor,

    /// The gateway for virtual accounts
    #[arg(
        id = "payments.gateway_virtual_account",
        long = "payment-gateway-virtual-account",
        env = "PAYMENT_GATEWAY_VIRTUAL_ACCOUNT",
        value_name = "GATEWAY",
        default_value = "midtrans",
        value_parser = gateway()
    )]
    gateway_virtual_account: &'static Descriptor,

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
    /// The gateway for each method that needs one.
    pub fn by_method(&self) -> [(PaymentMethod, &'static Descriptor); 2] {
        GATEWAY_METHODS.map(|method| match method {
            PaymentMethod::Qris => (method, self.gateway_qris),
            _ => (method, self.gateway_virtual_account),
        })
    }

    /// How much each gateway takes at once: what is published, but for what the settings say.
    pub fn limits(&self) -> PaymentLimits {
        self.gateways.limits()
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

    /// The same settings with this patience before gateways are asked.
    #[must_use]
    pub const fn with_checks_after(mut self, patience: Duration) -> Self {
        self.check_after = patience;
        self
    }

    /// What nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        self.gateways.secrets()
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems = self.gateways.problems(production);
        if self.check_every.is_zero() {
            problems.push("PAYMENT_CHECK_EVERY must not be 0".to_owned());
        }
        if self.refund_give_up_after.is_zero() {
            problems.push("REFUND_GIVE_UP_AFTER must not be 0".to_owned());
        }
        if production {
            problems.extend(self.missing_credentials());
        }
        problems
    }

    /// A method whose gateway can't be reached can't be offered.
    fn missing_credentials(&self) -> Option<String> {
        let is_ready =
            |gateway: &Descriptor| self.gateways.usable().any(|(usable, ..)| usable.slug == gateway.slug);
        let (method, gateway) = self.by_method().into_iter().find(|(_, gateway)| !is_ready(gateway))?;
        let names: Vec<&str> = gateway.credentials.iter().map(|credential| credential.env).collect();
        let (first, others) = names.split_first()?;
        let others: String = others.iter().map(|name| format!(", or {name}")).collect();
        let them = if others.is_empty() { "it" } else { "them" };
        Some(format!("{first} is missing{others}: no payment by {method} can be taken without {them}"))
    }
}
