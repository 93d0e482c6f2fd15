//! Looking for what waits for a workflow that is not there: somebody terminated it, or the engine was restored from a
//! backup. What is open in the database is compared with the engine, and what is missing there is started again.

use crate::{policy::StepPolicy, refund::RefundPolicy};

/// What counts as lost, and how much of it is started again at once. All durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SweepRules {
    /// What changed more recently is on its way and left alone.
    pub settle_ms: u64,
    /// What has a workflow that should have gone on for so long is woken.
    pub stalled_after_ms: u64,
    /// What has a workflow and was woken is left alone for so long.
    pub again_after_ms: u64,
    /// What is being worked on, by the database, and has not moved for so long is woken: an engine that was put back has a workflow
    /// that knows nothing of that work and sleeps. To a workflow at work it says nothing new.
    #[serde(default = "SweepRules::usual_asleep_after_ms")]
    pub asleep_after_ms: u64,
    /// A refund that was begun again is left alone for so long: its workflow ends when its gateway says nothing final.
    pub refunds_again_after_ms: u64,
    /// Workflows that a run starts or wakes at most, what is paid first.
    pub most: u32,
}

impl Default for SweepRules {
    /// With a run each minute, what is lost is back within two.
    fn default() -> Self {
        Self {
            settle_ms: 45_000,
            stalled_after_ms: 120_000,
            again_after_ms: 600_000,
            asleep_after_ms: Self::usual_asleep_after_ms(),
            refunds_again_after_ms: 24 * 3_600_000,
            most: 1_000,
        }
    }
}

impl SweepRules {
    const fn usual_asleep_after_ms() -> u64 {
        15 * 60_000
    }
}

/// What a sweep starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SweepStart {
    /// What counts as lost.
    pub rules: SweepRules,
    /// How patiently a gateway is asked for a refund that is begun again.
    pub refund: RefundPolicy,
    /// How patient the run is.
    pub policy: StepPolicy,
}

impl SweepStart {
    /// With the usual rules. A run that takes longer than a few minutes is given up: the next one begins soon.
    #[must_use]
    pub fn of(refund: RefundPolicy) -> Self {
        let policy = StepPolicy { give_up_after_ms: 5 * 60_000, ..StepPolicy::OF_UPKEEP };
        Self { rules: SweepRules::default(), refund, policy }
    }
}
