use proptest::prelude::*;

use super::*;

const VULTR: Window = Window { calls: 30, period: Duration::from_secs(1) };
const CREATES: Window = Window { calls: 20, period: Duration::from_secs(15) };
const MINUTE: Window = Window { calls: 250, period: Duration::from_secs(60) };
const HOUR: Window = Window { calls: 5_000, period: Duration::from_secs(3_600) };
const LISTS: Window = Window { calls: 200, period: Duration::from_secs(60) };
const OTHERS: Window = Window { calls: 1_600, period: Duration::from_secs(60) };
const ALL: [Window; 5] = [VULTR, CREATES, MINUTE, LISTS, OTHERS];

const fn orders(now: Micros, wanted: u32) -> Request {
    Request { now, priority: Priority::Orders, wanted }
}

/// The most calls that fall into any `period`.
fn busiest(calls: &[Micros], period: Duration) -> usize {
    let mut calls = calls.to_vec();
    calls.sort_unstable();
    let mut start = 0;
    let mut most = 0;
    for (end, at) in calls.iter().enumerate() {
        while calls[start] + micros(period) <= *at {
            start += 1;
        }
        most = most.max(end - start + 1);
    }
    most
}

#[test]
fn the_reserve_is_small_but_never_nothing() {
    for window in ALL {
        assert!(window.reserve() >= 1 && window.reserve() * 20 <= window.calls.max(20), "{window:?}");
    }
    assert_eq!(Window { calls: 1, period: Duration::from_secs(1) }.reserve(), 0);
}

#[test]
fn an_idle_line_gives_the_first_call_at_once() {
    for window in ALL {
        let lease = Pace::of(window).lease(0, orders(7_000_000, 1));
        assert_eq!(lease.slots, [7_000_000]);
    }
}

#[test]
fn an_idle_line_with_a_large_window_gives_a_few_calls_at_once() {
    let pace = Pace::of(MINUTE);
    let mut tat = 0;
    let slots: Vec<Micros> = (0..7)
        .map(|_| {
            let lease = pace.lease(tat, orders(1_000_000, 1));
            tat = lease.tat;
            lease.slots[0]
        })
        .collect();
    assert_eq!(slots[..6], [1_000_000; 6]);
    assert!(slots[6] > 1_000_000);
}

#[test]
fn a_pause_is_no_credit() {
    let pace = Pace::of(VULTR);
    let lease = pace.lease(1_000, orders(60_000_000, 5));
    let spacing = micros(pace.spacing());
    let even: Vec<Micros> = (0..5).map(|place| 60_000_000 + place * spacing).collect();
    assert_eq!(lease.slots, even);
}

#[test]
fn a_lease_covers_a_quarter_of_a_second_and_less_when_others_are_ahead() {
    let pace = Pace::of(VULTR);
    assert_eq!(pace.lease(0, orders(1_000_000, 100)).slots.len(), 6);
    assert_eq!(pace.lease(0, orders(1_000_000, 2)).slots.len(), 2);
    assert_eq!(pace.lease(1_400_000, orders(1_000_000, 100)).slots.len(), 2);
    assert_eq!(pace.lease(9_000_000, orders(1_000_000, 100)).slots.len(), 1);
    assert_eq!(Pace::of(CREATES).lease(0, orders(1_000_000, 100)).slots.len(), 1);
}

#[test]
fn a_customer_goes_at_once_while_orders_saturate_a_large_window() {
    let pace = Pace::of(MINUTE);
    let mut tat = 0;
    for _ in 0..8 {
        tat = pace.lease(tat, orders(1_000_000, 1)).tat;
    }
    let customer = Request { now: 1_000_000, priority: Priority::Customers, wanted: 1 };
    assert_eq!(pace.lease(tat, customer).slots, [1_000_000]);
}

#[test]
fn silence_binds_customers_too() {
    let pace = Pace::of(MINUTE);
    let tat = pace.silent_until(0, 9_000_000);
    let customer = Request { now: 1_000_000, priority: Priority::Customers, wanted: 1 };
    assert_eq!(pace.lease(tat, customer).slots, [9_000_000]);
    assert!(pace.lease(tat, orders(1_000_000, 1)).slots[0] > 9_000_000);
    assert_eq!(pace.silent_until(99_000_000, 9_000_000), 99_000_000);
}

#[test]
fn headers_change_the_pace_of_a_lane_with_one_window() {
    let lane = Lane::new("create", &[CREATES]);
    assert_eq!(lane.pace(Some(40)), Pace::of(Window { calls: 40, ..CREATES }));
    assert_eq!(lane.pace(None), Pace::of(CREATES));
    assert_eq!(lane.pace(Some(0)), Pace::of(CREATES));
    let lane = Lane::new("all", &[HOUR, MINUTE]);
    assert_eq!(lane.pace(Some(5_000)), Pace::of(MINUTE));
    assert_eq!(lane.counted().collect::<Vec<_>>(), [HOUR]);
}

#[test]
fn a_counted_window_keeps_its_reserve_for_customers() {
    assert_eq!(HOUR.room(4_700, Priority::Orders), 100);
    assert_eq!(HOUR.room(4_900, Priority::Orders), 0);
    assert_eq!(HOUR.room(4_900, Priority::Customers), 100);
    assert_eq!(HOUR.room(u64::MAX, Priority::Customers), 0);
}

#[test]
fn an_account_of_ours_alone_is_not_crowded() {
    assert!(!Pace::of(LISTS).is_crowded(4));
    assert!(Pace::of(LISTS).is_crowded(3));
    assert!(!Pace::of(CREATES).is_crowded(1));
    assert!(Pace::of(CREATES).is_crowded(0));
}

/// Several processes that take what they can: how much of ten windows they use.
fn share_used(window: Window, processes: usize) -> f64 {
    let pace = Pace::of(window);
    let end = micros(window.period) * 10;
    let mut tat = 0;
    let mut calls = Vec::new();
    let mut next = vec![0; processes];
    while let Some(process) = (0..processes).min_by_key(|p| next[*p]).filter(|p| next[*p] < end) {
        let lease = pace.lease(tat, orders(next[process], 1_000));
        tat = lease.tat;
        next[process] = *lease.slots.last().unwrap();
        calls.extend(lease.slots.into_iter().filter(|at| *at < end));
        next[process] += i64::from(next[process] == 0);
    }
    assert!(busiest(&calls, window.period) <= window.calls as usize);
    calls.len() as f64 / f64::from(window.calls * 10)
}

#[test]
fn saturated_lines_use_nine_tenths_and_more() {
    for window in ALL {
        for processes in [1, 2, 8] {
            let share = share_used(window, processes);
            assert!(share >= 0.9, "{share} of {window:?} by {processes}");
        }
    }
}

prop_compose! {
    /// A pause before it, who asks, for how many, and how late each call then reaches the vendor (per mille of
    /// what is tolerated).
    fn step()(
        pause in prop_oneof![Just(0i64), 0..50_000i64, 0..3_000_000i64],
        customer in prop::bool::weighted(0.2),
        wanted in 1..40u32,
        late in prop::collection::vec(0..=1_000i64, 40),
    ) -> (Micros, Priority, u32, Vec<i64>) {
        (pause, if customer { Priority::Customers } else { Priority::Orders }, wanted, late)
    }
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_its_limit(
        window in prop::sample::select(ALL.to_vec()),
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let pace = Pace::of(window);
        let (mut now, mut tat) = (0, 0);
        let mut calls = Vec::new();
        for (pause, priority, wanted, late) in steps {
            now += pause;
            let lease = pace.lease(tat, Request { now, priority, wanted });
            prop_assert!(!lease.slots.is_empty() && lease.slots.len() <= wanted as usize);
            prop_assert!(lease.slots.iter().all(|at| *at >= now) && lease.tat > tat);
            tat = lease.tat;
            let late = late.iter().map(|part| part * pace.tolerance / 1_000);
            calls.extend(lease.slots.iter().zip(late).map(|(at, late)| at + late));
        }
        prop_assert!(busiest(&calls, window.period) <= window.calls as usize);
    }
}
