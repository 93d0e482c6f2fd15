//! Durations a process lives by. They travel in a workflow's input, so that tests run in seconds and a running
//! order keeps the rules it was placed under.

use crate::failover::FailoverPolicy;

/// How patiently a step is tried that asks somebody outside: a provider, a gateway, or the database about very much. All
/// durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StepPolicy {
    /// Longest silence of the step before another worker takes over.
    pub heartbeat_timeout_ms: u64,
    /// First wait before a retryable failure is tried again; doubles up to `retry_max_ms`.
    pub retry_initial_ms: u64,
    /// Longest wait between two tries.
    pub retry_max_ms: u64,
    /// Retryable failures are retried this long in all.
    pub give_up_after_ms: u64,
}

impl StepPolicy {
    /// The production values for scheduled work, whose next run begins afresh: half an hour of retries.
    pub const OF_UPKEEP: Self = Self {
        heartbeat_timeout_ms: 30_000,
        retry_initial_ms: 1_000,
        retry_max_ms: 60_000,
        give_up_after_ms: 30 * 60_000,
    };
    /// The production values for the books, which take long where there are many orders: six hours in all.
    pub const OF_THE_BOOKS: Self = Self { give_up_after_ms: 6 * 3_600_000, ..Self::OF_UPKEEP };
}

/// How long an order waits for money and how it is provisioned. All durations are milliseconds.
///
/// ```
/// use domain::policy::OrderPolicy;
///
/// let policy = OrderPolicy::default();
/// assert_eq!((policy.payment_window_ms, policy.remind_after_ms), (24 * 3_600_000, 20 * 3_600_000));
/// // It stands flat in a workflow's input, and an order keeps the one it was placed under.
/// let input = serde_json::to_value(policy)?;
/// assert_eq!(input["give_up_after_ms"], 6 * 3_600_000);
/// assert_eq!(serde_json::from_value::<OrderPolicy>(input)?, policy);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OrderPolicy {
    /// Unpaid orders expire this long after they were placed.
    pub payment_window_ms: u64,
    /// The reminder goes out this long after the order was placed; at or past the window: no reminder.
    pub remind_after_ms: u64,
    /// How patiently the provider is asked; then the order fails for an admin to look at.
    #[serde(flatten)]
    pub steps: StepPolicy,
    /// A server that is not ready this long after it was made is told of; it is waited for all the same.
    #[serde(default = "ready_patience_ms")]
    pub ready_patience_ms: u64,
    /// What may be done by itself when the provider is sold out. Orders of before there was a choice: nothing.
    #[serde(default)]
    pub failover: FailoverPolicy,
}

impl Default for OrderPolicy {
    /// The production values: a day to pay, a reminder at 20 hours, six hours of retries, no failover.
    fn default() -> Self {
        const SECOND: u64 = 1_000;
        const HOUR: u64 = 3_600 * SECOND;
        Self {
            payment_window_ms: 24 * HOUR,
            remind_after_ms: 20 * HOUR,
            steps: StepPolicy {
                heartbeat_timeout_ms: 30 * SECOND,
                retry_initial_ms: SECOND,
                retry_max_ms: 120 * SECOND,
                give_up_after_ms: 6 * HOUR,
            },
            ready_patience_ms: ready_patience_ms(),
            failover: FailoverPolicy::OFF,
        }
    }
}

/// A quarter of an hour: vendors' servers come up within a minute or two.
const fn ready_patience_ms() -> u64 {
    15 * 60 * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_before_failover_has_none() {
        let stored = r#"{"payment_window_ms":1,"remind_after_ms":2,"heartbeat_timeout_ms":3,"retry_initial_ms":4,
                         "retry_max_ms":5,"give_up_after_ms":6}"#;
        let policy: OrderPolicy = serde_json::from_str(stored).unwrap();
        assert_eq!((policy.failover, policy.ready_patience_ms), (FailoverPolicy::OFF, 900_000));
        assert_eq!((policy.steps.heartbeat_timeout_ms, policy.steps.give_up_after_ms), (3, 6));
    }
}
