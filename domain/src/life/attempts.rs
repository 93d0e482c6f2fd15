//! Attempts to pay whose outcome is not known: nothing is taken from who may have paid. That is bounded, since whoever begins
//! one attempt after the other would else never be suspended.

use chrono::{DateTime, TimeDelta, Utc};

use super::{LifePolicy, span};

/// An attempt to pay for a server at a gateway, not known to be paid or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// When it was begun.
    pub begun_at: DateTime<Utc>,
    /// When its gateway was asked last.
    pub asked_at: Option<DateTime<Utc>>,
}

impl Attempt {
    /// Whether a suspension or deletion may wait for it. `held_since` is when an attempt first held this step back; one that was
    /// begun later than the rules allow after that is not waited for, whatever it comes to.
    #[must_use]
    pub fn is_in_time(&self, held_since: Option<DateTime<Utc>>, policy: &LifePolicy) -> bool {
        held_since.is_none_or(|since| self.begun_at <= since + span(policy.attempts_hold_ms))
    }

    /// Whether a suspension or deletion waits until its gateway was asked: it was not since that is due, or not lately. An answer of
    /// before says nothing of what was paid since, while nobody could hear of it.
    ///
    /// Where one holds a step back, all that are [in time](Self::is_in_time) are to be asked about, for the next look has to find all
    /// answers still good: asked about by turns, each would be old again when the others are not. So the wait is no longer than the
    /// rules allow and one answer of the gateway, however many attempts there are, and who began in time is asked about, however long
    /// nobody could ask.
    #[must_use]
    pub fn holds_back(
        &self,
        held_since: Option<DateTime<Utc>>,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
        policy: &LifePolicy,
    ) -> bool {
        let lately = now - (span(policy.put_off_ms) * 2).max(TimeDelta::hours(1));
        self.is_in_time(held_since, policy) && self.asked_at.is_none_or(|asked| asked < due.max(lately))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: LifePolicy = LifePolicy {
        remind_before_ms: [3, 2, 1],
        renew_before_ms: 1,
        grace_ms: 1,
        retention_ms: 1,
        warn_before_ms: 1,
        put_off_ms: 20 * 60_000,
        attempts_hold_ms: 180 * 60_000,
    };

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn holds(begun: i64, asked: Option<i64>, held_since: Option<i64>, now: i64) -> bool {
        let attempt = Attempt { begun_at: at(begun), asked_at: asked.map(at) };
        attempt.holds_back(held_since.map(at), at(0), at(now), &POLICY)
    }

    #[test]
    fn who_began_in_time_is_asked_about_and_who_begins_again_and_again_is_not_waited_for() {
        assert!(holds(-30, None, None, 100), "never asked");
        assert!(holds(-30, Some(-1), None, 100), "asked before it was due");
        assert!(!holds(-30, Some(50), None, 100), "asked lately");
        assert!(holds(-30, Some(50), None, 500), "asked long ago");
        // It held the step back first at 100: until 280 further attempts do, too.
        assert!(holds(280, None, Some(100), 281));
        assert!(!holds(281, None, Some(100), 282));
        // However late somebody can ask.
        assert!(holds(200, None, Some(100), 100_000));
    }

    proptest! {
        /// Whoever begins attempts as often as they like, each asked about within minutes, delays a step by no more than the
        /// rules allow, one answer and one look.
        #[test]
        fn attempts_in_a_row_delay_a_step_by_a_bounded_time(
            gaps in prop::collection::vec(1..90_i64, 1..80),
            answer_after in 1..15_i64,
        ) {
            let begun: Vec<i64> = gaps.iter().scan(-60, |at, gap| { *at += gap; Some(*at) }).collect();
            let look_every = i64::try_from(POLICY.put_off_ms / 60_000).unwrap();
            let allowed = i64::try_from(POLICY.attempts_hold_ms / 60_000).unwrap();
            let (mut now, mut first, mut asked) = (0, None, vec![None; begun.len()]);
            loop {
                // The janitor asks about each attempt once, and again about what a look wants to know.
                for (begun, asked) in begun.iter().zip(&mut asked) {
                    if asked.is_none() && begun + answer_after <= now {
                        *asked = Some(begun + answer_after);
                    }
                }
                let is_begun = |n: &usize| begun[*n] <= now;
                if !(0..begun.len()).filter(is_begun).any(|n| holds(begun[n], asked[n], first, now)) {
                    break;
                }
                for n in (0..begun.len()).filter(is_begun) {
                    let attempt = Attempt { begun_at: at(begun[n]), asked_at: None };
                    if attempt.is_in_time(first.map(at), &POLICY) {
                        asked[n] = Some(now + answer_after);
                    }
                }
                first = first.or(Some(now));
                now += look_every;
                prop_assert!(now <= allowed + 3 * look_every + answer_after, "it waits for ever: {now}");
            }
        }

        /// Who began before anything was held back is waited for until somebody asked, however long that takes.
        #[test]
        fn nobody_who_began_in_time_is_passed_over(begun in -1_000..0_i64, now in 0..1_000_000_i64) {
            prop_assert!(holds(begun, None, None, now));
            prop_assert!(holds(begun, None, Some(now / 2), now));
        }
    }
}
