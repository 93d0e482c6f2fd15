//! The circuit breaker of a provider: after some failed calls in a row nobody calls it for a while, then one call
//! tries whether it is back.

use chrono::{DateTime, TimeDelta, Utc};

use crate::text_enum::text_enum;

/// So many failed calls in a row open the circuit ...
const FAILURES: u32 = 5;
/// ... when nothing has gone well for this long: a handful of calls that were lost together is no outage.
const FAILING_FOR: TimeDelta = TimeDelta::seconds(3);
/// An open circuit stays open this long at first; doubled each time the trying call fails, up to [`LONGEST`].
const COOL_DOWN: TimeDelta = TimeDelta::seconds(10);
const LONGEST: TimeDelta = TimeDelta::seconds(120);
/// After this long the outcome of a trying call is given up on and another one tries.
const TRIAL: TimeDelta = TimeDelta::seconds(30);
/// When those come back that have to wait for the trying call.
const WAIT_FOR_TRIAL: TimeDelta = TimeDelta::seconds(2);

text_enum! {
    /// Where a circuit stands.
    CircuitState {
        /// Calls are made.
        Closed = "closed",
        /// One call tries whether the provider is back.
        HalfOpen = "half_open",
        /// No calls are made.
        Open = "open",
    }
}

/// A provider's circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Where it stands.
    pub state: CircuitState,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Failed calls in a row.
    pub failures: u32,
    /// When the first of them failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// How often it opened in a row.
    pub openings: u32,
    /// Open: when a call may try whether the provider is back. Half open: when to try with another one.
    pub retry_at: Option<DateTime<Utc>>,
}

/// What a breaker says to somebody who wants to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Call.
    Yes,
    /// One call may try.
    Trial,
    /// Come back after this long.
    No(TimeDelta),
}

impl Breaker {
    /// A breaker of a provider that was never called.
    #[must_use]
    pub const fn new(now: DateTime<Utc>) -> Self {
        Self {
            state: CircuitState::Closed,
            since: now,
            failures: 0,
            failing_since: None,
            openings: 0,
            retry_at: None,
        }
    }

    /// Whether a call may be made. Who is told to try must be remembered by [`Self::begin_trial`].
    #[must_use]
    pub fn admits(&self, now: DateTime<Utc>) -> Admission {
        let left = self.retry_at.map_or(TimeDelta::zero(), |at| at - now);
        match self.state {
            CircuitState::Closed => Admission::Yes,
            _ if left <= TimeDelta::zero() => Admission::Trial,
            CircuitState::HalfOpen => Admission::No(WAIT_FOR_TRIAL),
            CircuitState::Open => Admission::No(left),
        }
    }

    /// One call tries from now on; others wait for it.
    pub fn begin_trial(&mut self, now: DateTime<Utc>) {
        self.state = CircuitState::HalfOpen;
        self.retry_at = Some(now + TRIAL);
    }

    /// A call failed.
    pub fn failed(&mut self, now: DateTime<Utc>) {
        self.failures = self.failures.saturating_add(1);
        let failing_since = *self.failing_since.get_or_insert(now);
        let opens = match self.state {
            CircuitState::Closed => self.failures >= FAILURES && now - failing_since >= FAILING_FOR,
            CircuitState::HalfOpen => true,
            // Calls that were under way when it opened.
            CircuitState::Open => false,
        };
        if opens {
            if self.state == CircuitState::Closed {
                self.since = now;
            }
            let doubled = COOL_DOWN * (1 << self.openings.min(10));
            self.state = CircuitState::Open;
            self.retry_at = Some(now + doubled.min(LONGEST));
            self.openings += 1;
        }
    }

    /// A call was answered: the row of failures is over, and a circuit that was tried closes. An open one stays so:
    /// the answer is to a call from before.
    pub fn answered(&mut self, now: DateTime<Utc>) {
        if self.state == CircuitState::Open {
            return;
        }
        let since = if self.state == CircuitState::Closed { self.since } else { now };
        *self = Self { since, ..Self::new(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(at(0));
        for second in 1..=5 {
            breaker.failed(at(second));
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut breaker = opened();
        assert_eq!((breaker.state, breaker.since), (CircuitState::Open, at(5)));
        assert_eq!(breaker.admits(at(6)), Admission::No(TimeDelta::seconds(9)));
        breaker.failed(at(6));
        breaker.answered(at(6));
        assert_eq!(breaker.admits(at(6)), Admission::No(TimeDelta::seconds(9)), "late news change nothing");
    }

    #[test]
    fn a_success_in_between_begins_anew() {
        let mut breaker = Breaker::new(at(0));
        for second in 1..20 {
            breaker.failed(at(second));
            if second % 4 == 0 {
                breaker.answered(at(second));
            }
            assert_eq!(breaker.admits(at(second)), Admission::Yes);
        }
        assert_eq!(breaker.since, at(0));
    }

    #[test]
    fn calls_that_are_lost_together_do_not_open_it() {
        let mut breaker = Breaker::new(at(0));
        for _ in 0..50 {
            breaker.failed(at(1));
        }
        assert_eq!(breaker.state, CircuitState::Closed);
        breaker.failed(at(4));
        assert_eq!(breaker.state, CircuitState::Open);
    }

    #[test]
    fn one_call_tries_and_closes_it() {
        let mut breaker = opened();
        assert_eq!(breaker.admits(at(15)), Admission::Trial);
        breaker.begin_trial(at(15));
        assert_eq!(breaker.admits(at(16)), Admission::No(WAIT_FOR_TRIAL));
        assert_eq!(breaker.admits(at(45)), Admission::Trial, "the trying call was never heard of again");
        breaker.answered(at(17));
        assert_eq!(breaker, Breaker::new(at(17)));
    }

    #[test]
    fn each_failed_try_doubles_the_wait_up_to_two_minutes() {
        let mut breaker = opened();
        let mut now = at(15);
        for wait in [20, 40, 80, 120, 120] {
            breaker.begin_trial(now);
            breaker.failed(now);
            assert_eq!(breaker.admits(now), Admission::No(TimeDelta::seconds(wait)));
            now += TimeDelta::seconds(wait);
        }
        assert_eq!(breaker.since, at(5));
    }
}
