//! Asking gateways what became of payments that wait for too long: what the janitor's workflow starts with.

use crate::policy::StepPolicy;

/// When a payment is asked about, and how patient a run is. All durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PaymentCheckPolicy {
    /// How long a payment waits for its notification before the gateway is asked. Later questions come less and less
    /// often: each a quarter of the payment's age after the one before.
    pub pending_after_ms: u64,
    /// The same for a payment whose charge got no answer. Longer than a gateway may take for one.
    pub unknown_after_ms: u64,
    /// After so long nobody asks any more.
    pub forget_after_ms: u64,
    /// How patiently the step is tried; the next scheduled run begins afresh.
    #[serde(flatten)]
    pub steps: StepPolicy,
}

impl Default for PaymentCheckPolicy {
    /// The production values: two minutes for a notification, half a minute for a charge without an answer.
    fn default() -> Self {
        Self {
            pending_after_ms: 120_000,
            unknown_after_ms: 30_000,
            forget_after_ms: 30 * 24 * 3_600_000,
            steps: StepPolicy {
                retry_max_ms: 30_000,
                give_up_after_ms: 10 * 60_000,
                ..StepPolicy::OF_UPKEEP
            },
        }
    }
}

/// What one look at the waiting payments starts with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PaymentCheckStart {
    /// What is due, and how patient the run is.
    pub policy: PaymentCheckPolicy,
}
