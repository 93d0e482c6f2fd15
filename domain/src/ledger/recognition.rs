//! When what was paid for a term is earned: evenly, second by second.

use chrono::{DateTime, Utc};

use crate::money::{AmountOverflow, Rupiah};

/// What of `net` (the price without tax) is earned by `at`, rounded down: nothing before the term, all after it. A term
/// that ends when it begins is earned at once. What is left of a price after a part of it was earned or given back is
/// earned over the rest of the term in the same way.
///
/// # Errors
/// [`AmountOverflow`] when the result leaves the range, which takes a negative price.
pub fn earned(
    net: Rupiah,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Rupiah, AmountOverflow> {
    let term = i128::from((ends_at - starts_at).num_seconds());
    let served = i128::from((at - starts_at).num_seconds());
    if served <= 0 {
        return Ok(Rupiah::ZERO);
    }
    if served >= term {
        return Ok(net);
    }
    i64::try_from(i128::from(net.get()) * served / term).map(Rupiah::new).map_err(|_| AmountOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn second(n: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000 + n, 0).unwrap()
    }

    #[test]
    fn a_term_is_earned_from_nothing_to_all() {
        let by = |at| earned(Rupiah::new(120_000), second(0), second(300), second(at)).unwrap().get();
        assert_eq!(
            [by(-1), by(0), by(1), by(100), by(299), by(300), by(301)],
            [0, 0, 400, 40_000, 119_600, 120_000, 120_000]
        );
        assert_eq!(earned(Rupiah::new(7), second(0), second(0), second(1)), Ok(Rupiah::new(7)));
    }

    proptest! {
        #[test]
        fn what_is_earned_only_grows(net in 0_i64..1_000_000_000_000, term in 1_i64..40_000_000, a in 0_i64..50_000_000, b in 0_i64..50_000_000) {
            let by = |at| earned(Rupiah::new(net), second(0), second(term), second(at)).unwrap();
            prop_assert!(by(a.min(b)) <= by(a.max(b)));
            prop_assert!(by(a) <= Rupiah::new(net));
        }

        #[test]
        fn what_refunds_leave_is_earned_over_the_rest_of_the_term(
            net in 0_i64..1_000_000_000,
            term in 1_i64..40_000_000,
            steps in prop::collection::vec((0_i64..10_000_000, 0_i64..=100), 0..12),
        ) {
            let (mut left, mut revenue, mut given, mut since) = (net, 0, 0, 0);
            let steps = steps.into_iter().chain([(term, 0)]);
            for (passed, share) in steps {
                let at = since + passed;
                let by = earned(Rupiah::new(left), second(since), second(term), second(at)).unwrap().get();
                prop_assert!((0..=left).contains(&by));
                (left, revenue, since) = (left - by, revenue + by, at);
                let back = left * share / 100;
                (left, given) = (left - back, given + back);
            }
            prop_assert_eq!((left, revenue + given), (0, net));
        }
    }
}
