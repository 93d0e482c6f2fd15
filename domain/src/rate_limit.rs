//! A vendor's limits on calls, in the vendor's own terms, and how calls are spread so that none is one too many.
//!
//! The shortest window of a lane sets its [`Pace`]: calls get *slots*, spaced evenly (the generic cell rate
//! algorithm). Longer windows are counted. See `docs/adr/0015-rate-budget.md`.

use std::time::Duration;

/// No more than `calls` in any `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many calls.
    pub calls: u32,
    /// In how long.
    pub period: Duration,
}

/// A group of calls that the vendor counts together, such as all of them, or the creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane {
    /// Name of the group: `all`, `create`, `list`.
    pub name: &'static str,
    /// Its limits; all of them hold at once.
    pub windows: &'static [Window],
}

/// Who a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A customer who waits for it: a reboot, a console link.
    Customers,
    /// Work of the system: getting ordered servers, keeping records straight.
    Orders,
}

/// A moment in microseconds of the database's clock since 1970.
pub type Micros = i64;

/// One in so many calls of a window is kept back for customers, but never less than one.
const RESERVE_SHARE: u32 = 25;
/// A lease covers at most this much time, so that no process sits on slots that another could use.
const CHUNK: Micros = 250_000;
/// With slots leased this far ahead, only single ones are given.
const HORIZON: Micros = 500_000;

impl Window {
    /// Calls that only customers may make.
    #[must_use]
    pub const fn reserve(&self) -> u32 {
        let share = self.calls / RESERVE_SHARE;
        let atleast = if self.calls > 1 { 1 } else { 0 };
        if share > atleast { share } else { atleast }
    }

    /// How many more calls this window has room for, when `used` were made in it.
    #[must_use]
    pub fn room(&self, used: u64, priority: Priority) -> u32 {
        let limit = match priority {
            Priority::Customers => self.calls,
            Priority::Orders => self.calls - self.reserve(),
        };
        limit.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
    }
}

impl Lane {
    /// The pace that the shortest window sets. `observed` is the limit that the vendor's headers told, for a lane
    /// with one window: of several, headers don't say which one they mean.
    #[must_use]
    pub fn pace(&self, observed: Option<u32>) -> Pace {
        let shortest = self.windows.iter().min_by_key(|window| window.period);
        let shortest = shortest.copied().unwrap_or(Window { calls: 1, period: Duration::from_secs(1) });
        let calls = observed.filter(|calls| self.windows.len() == 1 && *calls > 0);
        Pace::of(Window { calls: calls.unwrap_or(shortest.calls), ..shortest })
    }

    /// The windows besides the shortest, which are counted.
    pub fn counted(&self) -> impl Iterator<Item = Window> {
        let shortest = self.windows.iter().map(|window| window.period).min();
        self.windows.iter().copied().filter(move |window| Some(window.period) > shortest)
    }
}

/// How the calls of one window are spread.
///
/// Each call has a place on a line of places `spacing` apart; the end of the line is kept as the *theoretical arrival
/// time* (`tat`). A call is made at its place or a bounded number of places early: orders a few places, so that a call
/// of an idle system goes out at once, and customers more, so that theirs go out at once while orders saturate the
/// line. Since nobody is earlier than the reserve and nobody later than the tolerance, no window holds more calls
/// than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    spacing: Micros,
    tolerance: Micros,
    orders_early: u32,
    customers_early: u32,
}

/// Who asks for slots, when, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Now.
    pub now: Micros,
    /// For whom.
    pub priority: Priority,
    /// How many calls wait.
    pub wanted: u32,
}

/// Slots for calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// When each call may be made, never before the request's `now`.
    pub slots: Vec<Micros>,
    /// Where the line ends now.
    pub tat: Micros,
}

impl Pace {
    /// The pace that fills `window` without overfilling it.
    #[must_use]
    pub fn of(window: Window) -> Self {
        let period = micros(window.period);
        // Between the moment a call is due and the moment the vendor counts it lie timers, queues and the network.
        let tolerance = (period / 50).clamp(50_000, 1_000_000);
        let reserve = window.reserve();
        let places = i64::from((window.calls - reserve.min(window.calls)).max(1));
        Self {
            spacing: (period + tolerance + places - 1) / places,
            tolerance,
            orders_early: reserve / 2,
            customers_early: reserve,
        }
    }

    /// Time between two calls of a saturated line.
    #[must_use]
    pub fn spacing(&self) -> Duration {
        duration(self.spacing)
    }

    /// How much later than its slot a call may reach the vendor.
    #[must_use]
    pub fn tolerance(&self) -> Duration {
        duration(self.tolerance)
    }

    /// The most calls that are ever due at one moment.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.customers_early + 1
    }

    /// Slots at the end of a line that ends at `tat`: at least one, at most what is wanted, and few enough to leave
    /// the next ones to others.
    #[must_use]
    pub fn lease(&self, tat: Micros, request: Request) -> Lease {
        let Request { now, priority, wanted } = request;
        let early = self.spacing * i64::from(self.early(priority));
        let first = tat.max(now);
        let lead = (first - early - now).max(0);
        let most = CHUNK.min(HORIZON - lead).max(0) / self.spacing;
        let count = i64::from(wanted).min(most).max(1);
        let slots = (0..count).map(|place| (first + place * self.spacing - early).max(now)).collect();
        Lease { slots, tat: first + count * self.spacing }
    }

    /// The end of the line after the vendor asked for silence until `until`: nobody calls before, customers neither.
    #[must_use]
    pub fn silent_until(&self, tat: Micros, until: Micros) -> Micros {
        tat.max(until + self.spacing * i64::from(self.customers_early))
    }

    /// The end of the line after one place was given up.
    #[must_use]
    pub fn skip_one(&self, tat: Micros, now: Micros) -> Micros {
        tat.max(now) + self.spacing
    }

    /// Whether so few calls are left in the window that somebody besides us must be calling.
    #[must_use]
    pub fn is_crowded(&self, remaining: u32) -> bool {
        remaining < self.orders_early.max(1)
    }

    const fn early(&self, priority: Priority) -> u32 {
        match priority {
            Priority::Customers => self.customers_early,
            Priority::Orders => self.orders_early,
        }
    }
}

fn micros(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

fn duration(micros: Micros) -> Duration {
    Duration::from_micros(micros.unsigned_abs())
}

#[cfg(test)]
mod tests {
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
        let lane = Lane { name: "create", windows: &[CREATES] };
        assert_eq!(lane.pace(Some(40)), Pace::of(Window { calls: 40, ..CREATES }));
        assert_eq!(lane.pace(None), Pace::of(CREATES));
        assert_eq!(lane.pace(Some(0)), Pace::of(CREATES));
        let lane = Lane { name: "all", windows: &[HOUR, MINUTE] };
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
                assert!(share >= 0.915, "{share} of {window:?} by {processes}");
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
}
