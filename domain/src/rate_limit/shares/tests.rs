use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::{
    allowance::{Bucket, SHORTEST},
    *,
};
use crate::rate_limit::{Pace, Request, Window, micros};

const SECOND: Window = Window { calls: 30, period: Duration::from_secs(1) };
const MINUTE: Window = Window { calls: 250, period: Duration::from_secs(60) };
const HOUR: Window = Window { calls: 5_000, period: Duration::from_secs(3_600) };
const MINUTES: Lane = Lane::new("all", &[MINUTE]);
const SECONDS: Lane = Lane::new("all", &[SECOND]);
const HOURS: Lane = Lane::new("all", &[MINUTE, HOUR]);

fn party(number: u128) -> Party {
    UserId(Uuid::from_u128(number)).into()
}

/// A lane as processes share it, and what was given of it.
struct Shared {
    lane: Lane,
    shares: Shares,
    tat: Micros,
    balances: BTreeMap<AllowanceId, Vec<Micros>>,
    given: Vec<(Micros, Caller)>,
}

impl Shared {
    fn new(lane: Lane) -> Self {
        Self { lane, shares: Shares::STANDARD, tat: 0, balances: BTreeMap::new(), given: Vec::new() }
    }

    /// What the store does in a transaction: the last slot given.
    fn lease(&mut self, caller: Caller, now: Micros, wanted: u32) -> Result<Micros, Share> {
        let allowances = Allowances::of(&self.lane, None, self.shares, caller);
        let balances = allowances
            .ids()
            .filter_map(|id| Some((id, self.balances.get(&id)?.clone())))
            .collect::<Balances>();
        let (priority, balances) = match allowances.share(&balances, now, Pace::is_idle(self.tat, now)) {
            Share::Given { priority, balances, .. } => (priority, balances),
            full @ Share::Full { .. } => return Err(full),
        };
        self.balances.extend(balances);
        let wanted = if caller == Caller::Servers { wanted } else { 1 };
        let lease = self.lane.pace(None).lease(self.tat, Request { now, priority, wanted });
        self.tat = lease.tat;
        self.given.extend(lease.slots.iter().map(|at| (*at, caller)));
        Ok(*lease.slots.last().unwrap())
    }

    fn count(&self, from: Micros, until: Micros, which: impl Fn(&Caller) -> bool) -> usize {
        self.given.iter().filter(|(at, caller)| (from..until).contains(at) && which(caller)).count()
    }

    fn all_of(&mut self, caller: Caller, now: Micros) -> usize {
        (0..10_000).take_while(|_| self.lease(caller, now, 1).is_ok()).count()
    }
}

#[test]
fn servers_take_all_that_is_there_and_need_no_share() {
    let mut shared = Shared::new(HOURS);
    assert!(shared.lease(Caller::Servers, 1, 5).is_ok());
    assert!(shared.balances.is_empty());
}

#[test]
fn display_never_gets_more_than_its_share_however_idle_the_line_is() {
    let mut shared = Shared::new(MINUTES);
    let first = (0..60_000_000).step_by(100_000).map(|now| shared.lease(Caller::Display(party(1)), now, 1));
    let first = first.filter(Result::is_ok).count();
    assert!((20..=22).contains(&first), "one party has 60 % of 15 % of 250: {first}");
    for number in 2..9 {
        for now in (60_000_000..120_000_000).step_by(500_000) {
            let _ = shared.lease(Caller::Display(party(number)), now, 1);
        }
    }
    let all = shared.count(0, 60_000_000, |_| true).max(shared.count(60_000_000, 120_000_000, |_| true));
    assert!(all <= 37, "{all}");
}

#[test]
fn what_one_customer_took_too_much_of_is_theirs_alone() {
    let mut shared = Shared::new(MINUTES);
    shared.tat = 400_000;
    assert_eq!(shared.all_of(Caller::Action(party(1)), 1), 3);
    let refused = shared.lease(Caller::Action(party(1)), 1, 1).unwrap_err();
    assert!(matches!(refused, Share::Full { by: HeldBy::Party, .. }), "{refused:?}");
    assert_eq!(shared.all_of(Caller::Action(party(2)), 1), 3, "nothing is missing for the next one");
    let refused = shared.lease(Caller::Action(party(3)), 1, 1).unwrap_err();
    assert!(matches!(refused, Share::Full { by: HeldBy::Class, .. }), "{refused:?}");
}

#[test]
fn an_action_of_three_calls_is_done_at_once_beside_a_saturated_line() {
    for lane in [SECONDS, MINUTES, HOURS] {
        let mut shared = Shared::new(lane);
        let now = 1_000_000;
        // As far ahead as a process leases.
        while shared.lease(Caller::Servers, now, 100).unwrap() < now + 150_000 {}
        for _ in 0..3 {
            let slot = shared.lease(Caller::Action(party(1)), now, 1).unwrap();
            assert!(slot - now <= 2_000_000, "{slot} {lane:?}");
        }
    }
}

#[test]
fn actions_borrow_while_nobody_else_calls_and_not_otherwise() {
    let mut shared = Shared::new(MINUTES);
    let action = Caller::Action(party(1));
    assert_eq!(shared.all_of(action, 1), 3);
    let mut borrowed = 0;
    for now in (3_000_000..63_000_000).step_by(250_000) {
        borrowed += usize::from(shared.lease(action, now, 1).is_ok());
    }
    assert!((20..=41).contains(&borrowed), "{borrowed}");
    shared.tat = 200_000_000;
    let waiting = (63_000_000..123_000_000).step_by(250_000);
    let given = waiting.filter(|now| shared.lease(action, *now, 1).is_ok()).count();
    assert!(given <= 7, "{given}");
}

#[test]
fn a_lane_of_reads_for_display_is_all_theirs() {
    let mut shared = Shared::new(Lane::for_display("stats", &[Window { calls: 50, ..MINUTE }]));
    let given: usize = (1..9).map(|number| shared.all_of(Caller::Display(party(number)), 1)).sum();
    assert_eq!(given, 25, "half at once, the other half in the course of the minute");
}

#[test]
fn what_a_new_window_allows_is_there_at_once() {
    let allowance = Allowance::of(&[MINUTE, HOUR], 1_500, FEWEST);
    assert_eq!(allowance.left(&[0], 0), 18);
    let taken = allowance.take(&[0], 0).unwrap();
    assert_eq!((taken.len(), allowance.left(&taken, 0)), (2, 17));
}

#[test]
fn shares_that_leave_too_little_are_refused_with_the_reason() {
    assert_eq!(Shares::STANDARD.check(), Ok(()));
    for bad in [
        Shares { actions: 6, ..Shares::STANDARD },
        Shares { display: 0, ..Shares::STANDARD },
        Shares { party: 0, ..Shares::STANDARD },
        Shares { party: 91, ..Shares::STANDARD },
    ] {
        let reason = bad.check().unwrap_err();
        assert!(reason.contains('%'), "{reason}");
    }
}

prop_compose! {
    /// Somebody who floods: after how long, and as whom.
    fn flood()(
        pause in prop_oneof![Just(1_000i64), 1_000..200_000i64, 1_000_000..30_000_000i64],
        number in 0..4u128,
        class in 0..3u8,
    ) -> (Micros, Caller) {
        let caller = match class {
            0 => Caller::Display(party(number)),
            1 => Caller::Action(party(number)),
            _ => Caller::Records,
        };
        (pause, caller)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two processes lease alternately: one for servers without a pause, one for whoever floods.
    #[test]
    fn floods_take_no_more_than_their_shares_and_servers_keep_three_quarters(
        lane in prop::sample::select(vec![MINUTES, HOURS]),
        floods in prop::collection::vec(flood(), 100..1_500),
    ) {
        let mut shared = Shared::new(lane);
        let (minute, mut now, mut last) = (60_000_000, 0, 0);
        for (pause, caller) in floods.iter().cycle() {
            let next = now + pause;
            while last < next {
                last = shared.lease(Caller::Servers, now.max(last - 150_000), 100).unwrap();
                now = now.max(last - 150_000);
            }
            now = next.max(now);
            let _ = shared.lease(*caller, now, 1);
            if now > 4 * minute {
                break;
            }
        }
        for from in (0..3 * minute).step_by(2_000_000) {
            let count = |which: &dyn Fn(&Caller) -> bool| shared.count(from, from + minute, which);
            let of = |class| count(&|caller: &Caller| caller.class() == class);
            // What was given right before the window may fall into it: a call waits for its place in the line.
            prop_assert!(count(&|_| true) <= 250);
            prop_assert!(of(Class::Actions) <= 12 + 2, "{}", of(Class::Actions));
            prop_assert!(of(Class::Display) <= 37 + 2, "{}", of(Class::Display));
            prop_assert!(of(Class::Records) <= 12 + 2, "{}", of(Class::Records));
            prop_assert!(of(Class::Servers) * 100 >= 250 * 70, "{}", of(Class::Servers));
            for number in 0..4 {
                let theirs = count(&|caller: &Caller| *caller == Caller::Display(party(number)));
                prop_assert!(theirs <= 22 + 2, "{theirs}");
            }
        }
    }

    #[test]
    fn an_allowance_holds_in_every_window(
        window in prop::sample::select(vec![SECOND, MINUTE, HOUR]),
        hundredths in 100..2_500u32,
        fewest in prop::sample::select(vec![FEWEST, FEWEST_OF_ALL]),
        pauses in prop::collection::vec(prop_oneof![Just(0i64), 0..2_000_000i64, 0..600_000_000i64], 1..400),
    ) {
        let bucket = Bucket::of(window, hundredths, fewest);
        let period = micros(window.period).max(SHORTEST);
        let scaled = u64::from(window.calls) * period.unsigned_abs() / micros(window.period).unsigned_abs();
        let share = usize::try_from((scaled * u64::from(hundredths) / 10_000).max(2)).unwrap();
        let (mut now, mut full_at, mut taken) = (0, Micros::MIN, Vec::new());
        for pause in pauses {
            now += pause;
            match bucket.take(full_at, now) {
                Ok(next) => {
                    full_at = next;
                    taken.push(now);
                }
                Err(at) => {
                    prop_assert!(at > now);
                    prop_assert!(bucket.take(full_at, at).is_ok(), "it has one when it said so");
                }
            }
        }
        for from in &taken {
            let within = taken.iter().filter(|at| (*from..*from + period).contains(at)).count();
            prop_assert!(within <= share, "{within} of {share}");
        }
    }
}
