//! The rules of servers' lives.

/// The rules of servers' lives. A change is a new version; all durations are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LifePolicy {
    /// So long before its end a term is reminded of, the earliest first.
    pub remind_before_ms: [u64; 3],
    /// So long before its end a term is renewed from the balance, where that was wished.
    pub renew_before_ms: u64,
    /// From the end of the term, and from the word that it ended, to the suspension.
    pub grace_ms: u64,
    /// From the suspension to the deletion.
    pub retention_ms: u64,
    /// From the last warning to the deletion, at least.
    pub warn_before_ms: u64,
    /// What is held back is looked at again after so long.
    pub put_off_ms: u64,
    /// So long after the first time that an attempt to pay held a suspension or deletion back, attempts that are begun then
    /// no longer do. Rules from before it was one have the usual time.
    #[serde(default = "LifePolicy::usual_attempts_hold_ms")]
    pub attempts_hold_ms: u64,
}

/// Rules that can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidPolicy {
    /// The rule at fault.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: &'static str,
}

impl Default for LifePolicy {
    /// The production values: reminders at 7, 3 and 1 days, renewal at 3, three days of grace, two weeks of retention,
    /// three hours for attempts to pay.
    fn default() -> Self {
        const DAY: u64 = 24 * 3_600_000;
        Self {
            remind_before_ms: [7 * DAY, 3 * DAY, DAY],
            renew_before_ms: 3 * DAY,
            grace_ms: 3 * DAY,
            retention_ms: 14 * DAY,
            warn_before_ms: 3 * DAY,
            put_off_ms: 3_600_000,
            attempts_hold_ms: Self::usual_attempts_hold_ms(),
        }
    }
}

impl LifePolicy {
    /// The longest that a rule may be: a year.
    pub const LONGEST_MS: u64 = 366 * 24 * 3_600_000;

    const fn usual_attempts_hold_ms() -> u64 {
        3 * 3_600_000
    }

    /// Checks that the rules fit together.
    ///
    /// # Errors
    /// [`InvalidPolicy`] names the rule at fault.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let wrong = |field, message| Err(InvalidPolicy { field, message });
        let [first, second, third] = self.remind_before_ms;
        if first <= second || second <= third || third == 0 {
            return wrong("remind_before_ms", "reminders come one after the other, before the end");
        }
        if self.warn_before_ms > self.retention_ms {
            return wrong("warn_before_ms", "the warning falls into the retention");
        }
        let bounded: [(&'static str, u64); 7] = [
            ("remind_before_ms", first),
            ("renew_before_ms", self.renew_before_ms),
            ("grace_ms", self.grace_ms),
            ("retention_ms", self.retention_ms),
            ("warn_before_ms", self.warn_before_ms),
            ("put_off_ms", self.put_off_ms),
            ("attempts_hold_ms", self.attempts_hold_ms),
        ];
        match bounded.into_iter().find(|(_, ms)| *ms == 0 || *ms > Self::LONGEST_MS) {
            Some((field, _)) => wrong(field, "a rule is longer than nothing and at most a year"),
            None => Ok(()),
        }
    }
}
