//! How often lists are made: soon for the few, seldom when each list takes the place of a create that waits.

use std::time::Duration;

use tokio::time::Instant;

use super::Question;

/// So many waiting orders are worth an unhurried list each; more share one less often.
const FEW: u32 = 4;
/// An idle system's first questions are answered at once.
const LONE: u32 = 2;
const QUICK: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_secs(3);
/// More waiting creates than this, and calls are scarce.
const CREATES: usize = 2;
/// Longest time between two lists, however many pages they have.
const LONGEST: Duration = Duration::from_secs(15);

/// What those who wait want, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand {
    waiting: u32,
    look_ups: bool,
    /// Somebody asks for the first time.
    fresh: bool,
    /// How long the youngest has waited for its server.
    youngest: Duration,
}

impl Demand {
    /// `None` when nobody waits.
    pub(super) fn of(questions: impl Iterator<Item = Question>, now: Instant) -> Option<Self> {
        let mut demand: Option<Self> = None;
        for question in questions {
            let (look_up, fresh, age) = match question {
                Question::LookUp => (true, true, Duration::ZERO),
                Question::Ready { since, asked_before } => (false, asked_before == 0, now - since),
            };
            let so_far = demand.unwrap_or(Self { waiting: 0, look_ups: false, fresh: false, youngest: age });
            demand = Some(Self {
                waiting: so_far.waiting + 1,
                look_ups: so_far.look_ups || look_up,
                fresh: so_far.fresh || fresh,
                youngest: so_far.youngest.min(age),
            });
        }
        demand
    }

    /// Time between the beginnings of two rounds of lists, which take `pages` calls.
    pub(super) fn interval(self, creates_waiting: usize, pages: u32) -> Duration {
        if creates_waiting > CREATES {
            return (SLOW * pages).min(LONGEST);
        }
        if self.fresh && self.waiting <= LONE {
            return Duration::ZERO;
        }
        let alone = if self.look_ups { QUICK } else { self.youngest.clamp(QUICK, SLOW) };
        let shared = if self.look_ups { alone } else { (alone * self.waiting.div_ceil(FEW)).min(SLOW) };
        (shared * pages).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(questions: &[Question], now: Instant, creates_waiting: usize, pages: u32) -> Duration {
        Demand::of(questions.iter().copied(), now).unwrap().interval(creates_waiting, pages)
    }

    #[test]
    fn a_lone_order_is_answered_at_once_then_more_and_more_seldom() {
        let since = Instant::now();
        let after = |millis, asked_before| {
            interval(&[Question::Ready { since, asked_before }], since + Duration::from_millis(millis), 0, 1)
        };
        assert_eq!(after(0, 0), Duration::ZERO);
        assert_eq!(after(5, 1), QUICK);
        assert_eq!(after(800, 4), Duration::from_millis(800));
        assert_eq!(after(60_000, 20), SLOW);
        assert_eq!(interval(&[Question::LookUp], since, 0, 1), Duration::ZERO);
    }

    #[test]
    fn many_share() {
        let now = Instant::now();
        let fresh = Question::Ready { since: now, asked_before: 0 };
        assert_eq!(interval(&[fresh; 8], now, 0, 1), QUICK * 2);
        assert_eq!(interval(&[fresh; 200], now, 0, 1), SLOW);
        assert_eq!(interval(&[fresh; 200], now, 0, 3), SLOW * 3);
        assert_eq!(interval(&[Question::LookUp; 200], now, 0, 1), QUICK, "so that creates can begin");
    }

    #[test]
    fn waiting_creates_make_lists_seldom() {
        let now = Instant::now();
        assert_eq!(interval(&[Question::LookUp], now, 3, 1), SLOW);
        assert_eq!(interval(&[Question::LookUp], now, 3, 2), SLOW * 2);
        assert_eq!(interval(&[Question::LookUp], now, 300, 90), LONGEST);
        assert_eq!(interval(&[Question::LookUp], now, 2, 1), Duration::ZERO);
    }

    #[test]
    fn nobody_wants_nothing() {
        assert_eq!(Demand::of(std::iter::empty(), Instant::now()), None);
    }
}
