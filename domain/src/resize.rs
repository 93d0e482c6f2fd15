//! Another plan for a server in the middle of its paid term: what the difference is for what is left of it.
//!
//! The paid term is counted in its own months ([`crate::term`]): each month that is left costs a month's price, the one that
//! has begun its share by the second, rounded down. So a plan that costs so much more a month costs exactly that for a month
//! that has not begun, and never more than what is left.

use chrono::{DateTime, Utc};

use crate::{
    money::{AmountOverflow, Rupiah},
    term::{self, AnchorDay},
    text_enum::text_enum,
};

/// No term has more months.
const MOST_MONTHS: u32 = 1_200;

text_enum! {
    /// Where a change of plans stands.
    ResizeStatus {
        /// The difference is to be paid.
        Open = "OPEN",
        /// It is among the server's actions.
        Applying = "APPLYING",
        /// The server has the plan.
        Completed = "COMPLETED",
        /// The provider did not do it; what was paid is on the balance.
        Failed = "FAILED",
        /// It was not paid in time, or is not to be had any more.
        Lapsed = "LAPSED",
    }
}

text_enum! {
    /// What a change of plans does to the price.
    ResizeDirection {
        /// The plan costs more: the difference is paid before.
        Up = "up",
        /// It costs less: the difference goes to the balance afterwards.
        Down = "down",
        /// It costs the same.
        Same = "same",
    }
}

impl ResizeStatus {
    /// Whether a change may go from here to `next`; the database holds the same arrows.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Open, Self::Applying | Self::Lapsed) | (Self::Applying, Self::Completed | Self::Failed)
        )
    }
}

impl ResizeDirection {
    /// By the prices of a month.
    #[must_use]
    pub fn between(from: Rupiah, to: Rupiah) -> Self {
        match to.cmp(&from) {
            std::cmp::Ordering::Greater => Self::Up,
            std::cmp::Ordering::Less => Self::Down,
            std::cmp::Ordering::Equal => Self::Same,
        }
    }
}

/// The paid time of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaidTime {
    /// When its first term began.
    pub starts_at: DateTime<Utc>,
    /// When the last one ends that is paid.
    pub ends_at: DateTime<Utc>,
    /// The day on which its terms end.
    pub anchor: AnchorDay,
}

/// What `monthly` is for what is left of the paid time at `now`: nothing when that is over.
///
/// # Errors
/// [`AmountOverflow`] when the sum leaves the range.
///
/// # Examples
/// Half of a month, and a month that has not begun.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use domain::{Rupiah, resize::{PaidTime, for_rest}, term::AnchorDay};
///
/// let at = |text: &str| text.parse::<DateTime<Utc>>();
/// let starts_at = at("2026-11-01T00:00:00Z")?;
/// let paid = PaidTime { starts_at, ends_at: at("2027-01-01T00:00:00Z")?, anchor: AnchorDay::of(starts_at) };
/// assert_eq!(for_rest(Rupiah::new(60_000), &paid, at("2026-11-16T00:00:00Z")?)?, Rupiah::new(90_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn for_rest(monthly: Rupiah, paid: &PaidTime, now: DateTime<Utc>) -> Result<Rupiah, AmountOverflow> {
    let (mut sum, mut from) = (Rupiah::ZERO, paid.starts_at);
    for months in 1..=MOST_MONTHS {
        let to = term::end(paid.starts_at, months, paid.anchor);
        let left = to.min(paid.ends_at) - from.max(now);
        sum = sum.plus(share(monthly, left.num_milliseconds(), (to - from).num_milliseconds())?)?;
        if to >= paid.ends_at {
            break;
        }
        from = to;
    }
    Ok(sum)
}

/// What of what is not served of a plan goes back when a cheaper one takes its place: the share by which that costs less.
/// So a discount on what was paid is on what goes back, too.
///
/// # Errors
/// [`AmountOverflow`] when a product leaves the range.
pub fn given_back(unserved: Rupiah, from: Rupiah, to: Rupiah) -> Result<Rupiah, AmountOverflow> {
    share(unserved, from.get().saturating_sub(to.get()), from.get())
}

/// `whole × part / of`, rounded down; nothing of nothing.
fn share(whole: Rupiah, part: i64, of: i64) -> Result<Rupiah, AmountOverflow> {
    if part <= 0 || of <= 0 {
        return Ok(Rupiah::ZERO);
    }
    let share = i128::from(whole.get()) * i128::from(part) / i128::from(of);
    i64::try_from(share).map(Rupiah::new).map_err(|_| AmountOverflow)
}

#[cfg(test)]
mod tests {
    use super::{ResizeStatus as S, *};
    use proptest::prelude::*;

    fn second(n: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + n, 0).unwrap()
    }

    fn paid(months: u32) -> PaidTime {
        let anchor = AnchorDay::of(second(0));
        PaidTime { starts_at: second(0), ends_at: term::end(second(0), months, anchor), anchor }
    }

    #[test]
    fn what_is_final_stays() {
        for end in [S::Completed, S::Failed, S::Lapsed] {
            assert!(S::ALL.iter().all(|next| !end.may_become(*next)), "{end}");
        }
        assert!(!S::Open.may_become(S::Completed), "nobody asked the provider");
    }

    #[test]
    fn whole_months_cost_what_they_cost() {
        let price = Rupiah::new(120_001);
        for months in [1, 3, 12, 36] {
            let left = for_rest(price, &paid(months), second(0)).unwrap();
            assert_eq!(left, price.times(months).unwrap(), "{months}");
        }
        assert_eq!(for_rest(price, &paid(1), paid(1).ends_at), Ok(Rupiah::ZERO));
        assert_eq!(for_rest(price, &paid(1), paid(2).ends_at), Ok(Rupiah::ZERO));
    }

    #[test]
    fn a_cheaper_plan_gives_its_share_back() {
        let back = |unserved, from, to| {
            given_back(Rupiah::new(unserved), Rupiah::new(from), Rupiah::new(to)).unwrap().get()
        };
        assert_eq!((back(100_000, 200, 100), back(100_000, 300, 200)), (50_000, 33_333));
        assert_eq!((back(100_000, 100, 100), back(100_000, 100, 200), back(0, 200, 100)), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn what_is_left_only_shrinks(
            price in 0_i64..10_000_000, months in 1_u32..25, a in 0_i64..70_000_000, b in 0_i64..70_000_000,
        ) {
            let left = |at| for_rest(Rupiah::new(price), &paid(months), second(at)).unwrap();
            prop_assert!(left(a.min(b)) >= left(a.max(b)));
            prop_assert!(left(a) <= Rupiah::new(price).times(months).unwrap());
        }

        #[test]
        fn no_more_goes_back_than_there_is(unserved in 0_i64..1_000_000_000, from in 1_i64..10_000_000, to in 1_i64..10_000_000) {
            let back = given_back(Rupiah::new(unserved), Rupiah::new(from), Rupiah::new(to)).unwrap();
            prop_assert!(Rupiah::ZERO <= back && back <= Rupiah::new(unserved));
        }
    }
}
