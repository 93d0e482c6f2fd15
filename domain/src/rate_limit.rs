//! A vendor's limits on calls, in the vendor's own terms, and how calls are spread so that none is one too many.
//!
//! The shortest window of a lane sets its [`Pace`]: calls get *slots*, spaced evenly (the generic cell rate
//! algorithm). Longer windows are counted. See `docs/adr/0015-rate-budget.md`.

mod shares;

use std::time::Duration;

pub use shares::{AllowanceId, Allowances, Balances, Caller, Class, HeldBy, Party, Share, Shares};

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
    /// Whether it has nothing but reads for display: nobody is kept waiting by them, so they may take all of it.
    pub display_only: bool,
}

/// Whose place in the line comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A customer's action, within the share of those.
    Customers,
    /// All else.
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
    /// The time that one call takes of all windows of the lane of this name, over the long run: nothing when there is no such
    /// lane.
    #[must_use]
    pub fn spacing_of(lanes: &[Self], name: &str) -> Duration {
        let windows = lanes.iter().filter(|lane| lane.name == name).flat_map(|lane| lane.windows);
        windows.map(|window| window.period / window.calls.max(1)).max().unwrap_or_default()
    }

    /// A lane that all kinds of calls share.
    #[must_use]
    pub const fn new(name: &'static str, windows: &'static [Window]) -> Self {
        Self { name, windows, display_only: false }
    }

    /// A lane of nothing but reads for display.
    #[must_use]
    pub const fn for_display(name: &'static str, windows: &'static [Window]) -> Self {
        Self { name, windows, display_only: true }
    }

    /// Its windows, with what the vendor's headers told of a single one.
    fn windows_as(&self, observed: Option<u32>) -> Vec<Window> {
        match (self.windows, observed) {
            ([window], Some(calls)) if calls > 0 => vec![Window { calls, ..*window }],
            _ => self.windows.to_vec(),
        }
    }

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
        let tolerance = (period / 50).clamp(70_000, 1_000_000);
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

    /// Whether nobody has a place from now on: the line is nobody's.
    #[must_use]
    pub const fn is_idle(tat: Micros, now: Micros) -> bool {
        tat <= now
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
mod tests;
