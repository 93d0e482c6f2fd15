//! Time that counts towards losing a server: none passes while staff hold it with the clock stopped.

use chrono::{DateTime, TimeDelta, Utc};

/// A time for which staff hold a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct Hold {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Until when; `None`: until somebody releases it.
    pub until: Option<DateTime<Utc>>,
    /// Whether no time passes meanwhile. Either way nothing is taken from the customer while it lasts.
    pub stops_clock: bool,
}

impl Hold {
    fn lasts_at(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.until.is_none_or(|until| until > at)
    }
}

/// The clock of one server.
pub(super) struct Clock<'a> {
    holds: &'a [Hold],
    now: DateTime<Utc>,
}

impl<'a> Clock<'a> {
    pub(super) const fn of(holds: &'a [Hold], now: DateTime<Utc>) -> Self {
        Self { holds, now }
    }

    /// When `needed` of counting time have passed since `start`, and no hold lasts; `None` while a hold without an end
    /// keeps that from being known.
    pub(super) fn after(&self, start: DateTime<Utc>, needed: TimeDelta) -> Option<DateTime<Utc>> {
        let mut stops: Vec<&Hold> = self.holds.iter().filter(|hold| hold.stops_clock).collect();
        stops.sort_by_key(|hold| hold.from);
        let (mut at, mut left) = (start, needed);
        for hold in stops {
            if hold.until.is_some_and(|until| until <= at) {
                continue;
            }
            let counts = (hold.from - at).max(TimeDelta::zero());
            if counts > left {
                break;
            }
            left -= counts;
            at = hold.until?;
        }
        self.free_from(at + left)
    }

    /// The first moment from `at` on at which no hold lasts. What held it back in the past does so no more.
    fn free_from(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let looked_at = at.max(self.now);
        let mut free = looked_at;
        while let Some(hold) = self.holds.iter().find(|hold| hold.lasts_at(free)) {
            free = hold.until?;
        }
        Some(if free == looked_at { at } else { free })
    }
}
