//! The circuit breakers of a provider, one per kind of call and one for the account: after some failed calls in a row, or
//! one refusal that is about us rather than about the request, nobody makes such calls for a while; then one call tries.

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

text_enum! {
    /// The calls that a circuit stands before. Trouble with one kind says nothing of the others: a chart that can't be
    /// drawn keeps no server from being made.
    CircuitScope {
        /// All of them: what the vendor says of our account.
        Account = "account",
        /// Creates of servers.
        Creates = "creates",
        /// Lists of servers.
        Lists = "lists",
        /// What is read of one server or done to it.
        Servers = "servers",
        /// Snapshots.
        Snapshots = "snapshots",
        /// Charts.
        Metrics = "metrics",
        /// Regions, sizes and images.
        Catalog = "catalog",
        /// Private networks.
        Networks = "networks",
    }
}

impl CircuitScope {
    /// Whether orders stand still while it is open. Without [`Self::Networks`] those of customers do who have no network in
    /// their region yet; all others go on.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        matches!(self, Self::Account | Self::Creates | Self::Lists | Self::Servers | Self::Networks)
    }

    /// Whether one refusal of such a call speaks for all of them. What is said of a single server may be about it alone.
    #[must_use]
    pub const fn is_refused_for_all(self) -> bool {
        matches!(self, Self::Account | Self::Creates | Self::Lists | Self::Catalog | Self::Networks)
    }
}

/// A circuit breaker.
///
/// ```
/// use chrono::{DateTime, TimeDelta};
/// use domain::circuit::{Admission, Breaker, CircuitState};
///
/// let now = DateTime::UNIX_EPOCH;
/// let mut breaker = Breaker::new(now);
/// breaker.failed(now, "503");
/// assert_eq!(breaker.admits(now), Admission::Yes, "one failure says nothing yet");
/// // A vendor that turns our account away is not asked on and on.
/// breaker.refused(now, "401");
/// assert!(matches!(breaker.admits(now), Admission::No(left) if left > TimeDelta::zero()));
/// assert_eq!(breaker.state, CircuitState::Open);
/// ```
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
    /// What the last failed call met.
    pub reason: Option<String>,
    /// The vendor turned us away, rather than that calls failed.
    pub refused: bool,
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
            reason: None,
            refused: false,
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

    /// A call failed; `reason` says what it met.
    pub fn failed(&mut self, now: DateTime<Utc>, reason: &str) {
        let failing_since = self.count(now, reason);
        self.refused = false;
        if self.state != CircuitState::Closed
            || self.failures >= FAILURES && now - failing_since >= FAILING_FOR
        {
            self.open(now);
        }
    }

    /// The vendor turned us away: no row of failures is waited for.
    pub fn refused(&mut self, now: DateTime<Utc>, reason: &str) {
        self.count(now, reason);
        self.refused = true;
        self.open(now);
    }

    fn count(&mut self, now: DateTime<Utc>, reason: &str) -> DateTime<Utc> {
        self.failures = self.failures.saturating_add(1);
        self.reason = Some(reason.to_owned());
        *self.failing_since.get_or_insert(now)
    }

    /// Opens, unless it is open: then the news is of a call that was under way before.
    fn open(&mut self, now: DateTime<Utc>) {
        match self.state {
            CircuitState::Open => return,
            CircuitState::Closed => self.since = now,
            CircuitState::HalfOpen => {}
        }
        let doubled = COOL_DOWN * (1 << self.openings.min(10));
        self.state = CircuitState::Open;
        self.retry_at = Some(now + doubled.min(LONGEST));
        self.openings += 1;
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
            breaker.failed(at(second), "HTTP 502");
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut breaker = opened();
        assert_eq!((breaker.state, breaker.since), (CircuitState::Open, at(5)));
        assert_eq!(breaker.admits(at(6)), Admission::No(TimeDelta::seconds(9)));
        breaker.failed(at(6), "HTTP 502");
        breaker.answered(at(6));
        assert_eq!(breaker.admits(at(6)), Admission::No(TimeDelta::seconds(9)), "late news change nothing");
    }

    #[test]
    fn a_success_in_between_begins_anew() {
        let mut breaker = Breaker::new(at(0));
        for second in 1..20 {
            breaker.failed(at(second), "HTTP 502");
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
            breaker.failed(at(1), "HTTP 502");
        }
        assert_eq!(breaker.state, CircuitState::Closed);
        breaker.failed(at(4), "HTTP 502");
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
            breaker.failed(now, "HTTP 502");
            assert_eq!(breaker.admits(now), Admission::No(TimeDelta::seconds(wait)));
            now += TimeDelta::seconds(wait);
        }
        assert_eq!(breaker.since, at(5));
    }

    #[test]
    fn one_refusal_of_our_account_opens_it_and_an_answer_closes_it() {
        let mut breaker = Breaker::new(at(0));
        breaker.refused(at(1), "Unable to authenticate you");
        assert_eq!((breaker.state, breaker.refused), (CircuitState::Open, true));
        assert_eq!(breaker.reason.as_deref(), Some("Unable to authenticate you"));
        assert_eq!(breaker.admits(at(2)), Admission::No(TimeDelta::seconds(9)));
        breaker.refused(at(2), "Unable to authenticate you");
        assert_eq!(breaker.admits(at(2)), Admission::No(TimeDelta::seconds(9)), "it was sent before");
        breaker.begin_trial(at(11));
        breaker.answered(at(11));
        assert_eq!(breaker, Breaker::new(at(11)));
    }
}
