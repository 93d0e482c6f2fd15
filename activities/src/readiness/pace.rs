//! How often lists are made: soon for the few, as often as the vendor's limit allows for the many, and seldom when each
//! list takes the place of a create that waits.

use std::time::Duration;

use tokio::time::Instant;

use super::Question;

/// So many waiting orders are worth an unhurried list each; more share one less often.
const FEW: u32 = 4;
/// An idle system's first questions are answered at once.
const LONE: u32 = 2;
const QUICK: Duration = Duration::from_millis(100);
/// Many orders share a list no more often than this, whatever their vendor allows: a list takes time on both sides.
const CROWD: Duration = Duration::from_millis(500);
/// Of the vendor's limit, lists take one call in so many while creates wait, ...
const WHILE_CREATES_WAIT: u32 = 4;
/// ... and one in so many otherwise.
const OTHERWISE: u32 = 2;
/// More waiting creates than this, and calls are scarce.
const CREATES: usize = 2;
/// Longest time between two lists, however many pages they have.
const LONGEST: Duration = Duration::from_secs(15);

/// The time between two lists of one page each for many who wait, as the vendor's limit has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spacing {
    while_creates_wait: Duration,
    otherwise: Duration,
}

impl Spacing {
    /// `call` is what one call takes of the limit; `None`: nothing is limited.
    pub(super) fn of(call: Option<Duration>) -> Self {
        let every = |share| call.map_or(CROWD, |call| (call * share).max(CROWD));
        Self { while_creates_wait: every(WHILE_CREATES_WAIT), otherwise: every(OTHERWISE) }
    }
}

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
    pub(super) fn interval(self, creates_waiting: usize, pages: u32, spacing: Spacing) -> Duration {
        if creates_waiting > CREATES {
            return (spacing.while_creates_wait * pages).min(LONGEST);
        }
        if self.fresh && self.waiting <= LONE {
            return Duration::ZERO;
        }
        let alone = if self.look_ups { QUICK } else { self.youngest.clamp(QUICK, spacing.otherwise) };
        let shared =
            if self.look_ups { alone } else { (alone * self.waiting.div_ceil(FEW)).min(spacing.otherwise) };
        (shared * pages).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What DigitalOcean allows in an hour, call by call.
    const CALL: Duration = Duration::from_millis(720);
    const SLOW: Duration = Duration::from_millis(1_440);
    const SELDOM: Duration = Duration::from_millis(2_880);

    fn interval(questions: &[Question], now: Instant, creates_waiting: usize, pages: u32) -> Duration {
        let spacing = Spacing::of(Some(CALL));
        Demand::of(questions.iter().copied(), now).unwrap().interval(creates_waiting, pages, spacing)
    }

    #[test]
    fn a_vendors_limit_is_used_as_far_as_that_helps() {
        let generous = Spacing::of(Some(Duration::from_millis(33)));
        assert_eq!(generous, Spacing { while_creates_wait: CROWD, otherwise: CROWD });
        assert_eq!(Spacing::of(None), Spacing { while_creates_wait: CROWD, otherwise: CROWD });
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
        assert_eq!(interval(&[Question::LookUp], now, 3, 1), SELDOM);
        assert_eq!(interval(&[Question::LookUp], now, 3, 2), SELDOM * 2);
        assert_eq!(interval(&[Question::LookUp], now, 300, 90), LONGEST);
        assert_eq!(interval(&[Question::LookUp], now, 2, 1), Duration::ZERO);
    }

    #[test]
    fn nobody_wants_nothing() {
        assert_eq!(Demand::of(std::iter::empty(), Instant::now()), None);
    }
}
