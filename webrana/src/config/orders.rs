//! The rules orders are placed under.

use domain::{
    failover::FailoverPolicy,
    policy::{OrderPolicy, StepPolicy},
};
use std::time::Duration;

/// The rules orders are placed under.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Orders")]
pub struct OrdersConfig {
    /// Unpaid orders expire after this
    #[arg(
        id = "orders.payment_window",
        long = "order-payment-window",
        env = "ORDER_PAYMENT_WINDOW",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = super::value::duration
    )]
    pub payment_window: Duration,

    /// The reminder to pay goes out after this; none when it is not before the window's end
    #[arg(
        id = "orders.remind_after",
        long = "order-remind-after",
        env = "ORDER_REMIND_AFTER",
        value_name = "DURATION",
        default_value = "20h",
        value_parser = super::value::duration
    )]
    pub remind_after: Duration,

    /// Longest silence of a provisioning step before another worker takes over
    #[arg(
        id = "orders.heartbeat_timeout",
        long = "order-heartbeat-timeout",
        env = "ORDER_HEARTBEAT_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = super::value::duration
    )]
    pub heartbeat_timeout: Duration,

    /// First wait before a failed call to a provider is tried again; it doubles each time
    #[arg(
        id = "orders.retry_initial",
        long = "order-retry-initial",
        env = "ORDER_RETRY_INITIAL",
        value_name = "DURATION",
        default_value = "1s",
        value_parser = super::value::duration
    )]
    pub retry_initial: Duration,

    /// Longest wait between two tries
    #[arg(
        id = "orders.retry_max",
        long = "order-retry-max",
        env = "ORDER_RETRY_MAX",
        value_name = "DURATION",
        default_value = "2m",
        value_parser = super::value::duration
    )]
    pub retry_max: Duration,

    /// Tries go on this long in all, then an admin has to look
    #[arg(
        id = "orders.give_up_after",
        long = "order-give-up-after",
        env = "ORDER_GIVE_UP_AFTER",
        value_name = "DURATION",
        default_value = "6h",
        value_parser = super::value::duration
    )]
    pub give_up_after: Duration,

    /// Whether orders whose provider is sold out go to an equal or larger plan of another provider in the same
    /// country by themselves
    #[arg(
        id = "orders.failover_enabled",
        long = "order-failover-enabled",
        env = "ORDER_FAILOVER_ENABLED",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_value_t = false,
        default_missing_value = "true"
    )]
    pub failover_enabled: bool,

    /// How much more such a plan may cost us than the ordered one, in basis points (1000 is 10 %)
    #[arg(
        id = "orders.failover_margin_bp",
        long = "order-failover-margin-bp",
        env = "ORDER_FAILOVER_MARGIN_BP",
        value_name = "BASIS_POINTS",
        default_value_t = 1_000
    )]
    pub failover_margin_bp: u32,

    /// Whether an account with an unverified email may order; by default in development only
    #[arg(
        id = "orders.unverified_may_order",
        long = "order-unverified-email",
        env = "ORDER_UNVERIFIED_EMAIL",
        value_name = "BOOL",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        default_missing_value = "true"
    )]
    unverified_may_order: Option<bool>,
}

impl OrdersConfig {
    /// The policy new orders carry.
    pub fn policy(&self) -> OrderPolicy {
        OrderPolicy {
            payment_window_ms: milliseconds(self.payment_window),
            remind_after_ms: milliseconds(self.remind_after),
            steps: StepPolicy {
                heartbeat_timeout_ms: milliseconds(self.heartbeat_timeout),
                retry_initial_ms: milliseconds(self.retry_initial),
                retry_max_ms: milliseconds(self.retry_max),
                give_up_after_ms: milliseconds(self.give_up_after),
            },
            failover: FailoverPolicy { enabled: self.failover_enabled, margin_bp: self.failover_margin_bp },
            ..OrderPolicy::default()
        }
    }

    /// Whether an account with an unverified email may order.
    pub fn unverified_may_order(&self, production: bool) -> bool {
        self.unverified_may_order.unwrap_or(!production)
    }

    /// What is wrong with these settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.payment_window.is_zero() {
            problems.push("ORDER_PAYMENT_WINDOW is zero: every order would expire at once".to_owned());
        }
        if self.retry_initial.is_zero() || self.retry_initial > self.retry_max {
            problems
                .push("ORDER_RETRY_INITIAL must be more than zero and at most ORDER_RETRY_MAX".to_owned());
        }
        problems
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
