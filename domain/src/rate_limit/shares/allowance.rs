//! What a share of a lane's windows holds at a moment.

use crate::rate_limit::{Micros, Window, micros};

/// A bucket per window of a lane. What it holds is kept as one moment per window: the one at which it would be full
/// again. It is filled to half of the share at most and gets the other half in the course of the window, so that no
/// window ever sees more than the share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance(Vec<Bucket>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Between two calls that come in.
    pub(super) interval: Micros,
    /// Calls it holds.
    pub(super) most: u32,
}

/// The shares of windows shorter than this are those of so long a one: 5 % of a second would hold no action.
pub(super) const SHORTEST: Micros = 60_000_000;
/// An allowance of such a window holds so many calls, where half of its share of the window is less: one action's.
pub(super) const FEWEST: u32 = 5;
/// The same for all parties together: one that takes all of its own leaves the next one as much.
pub(super) const FEWEST_OF_ALL: u32 = 2 * FEWEST;

impl Bucket {
    pub(super) fn of(window: Window, hundredths: u32, fewest: u32) -> Self {
        let part = |calls: u64| calls * u64::from(hundredths) / 10_000;
        let period = micros(window.period).max(1);
        let stretched = period.max(SHORTEST);
        let scaled = u64::from(window.calls) * stretched.unsigned_abs() / period.unsigned_abs();
        let share = part(scaled).max(2);
        let most = (part(u64::from(window.calls)) / 2).max(u64::from(fewest)).min(share / 2);
        let refill = i64::try_from(share - most).unwrap_or(i64::MAX).max(1);
        Self {
            interval: (stretched + refill - 1) / refill,
            most: u32::try_from(most).unwrap_or(u32::MAX).max(1),
        }
    }

    /// The moment it is full again after one more call, or the moment at which it has one.
    pub(super) fn take(self, full_at: Micros, now: Micros) -> Result<Micros, Micros> {
        // Further ahead it only is when a clock was set back.
        let full_at = full_at.min(now + self.interval * i64::from(self.most));
        let has_one_at = full_at.saturating_sub(self.interval * i64::from(self.most - 1));
        if has_one_at > now { Err(has_one_at) } else { Ok(full_at.max(now) + self.interval) }
    }

    pub(super) fn left(self, full_at: Micros, now: Micros) -> u32 {
        let missing =
            full_at.saturating_sub(now).max(0).unsigned_abs().div_ceil(self.interval.unsigned_abs());
        self.most.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }
}

impl Allowance {
    pub(super) fn of(windows: &[Window], hundredths: u32, fewest: u32) -> Self {
        Self(windows.iter().map(|window| Bucket::of(*window, hundredths, fewest)).collect())
    }

    /// Takes one call out of all its buckets, or out of none.
    pub(super) fn take(&self, full_at: &[Micros], now: Micros) -> Result<Vec<Micros>, Micros> {
        let taken: Vec<_> = self.each(full_at).map(|(bucket, full_at)| bucket.take(full_at, now)).collect();
        match taken.iter().filter_map(|taken| taken.err()).max() {
            Some(at) => Err(at),
            None => Ok(taken.into_iter().flatten().collect()),
        }
    }

    pub(super) fn left(&self, full_at: &[Micros], now: Micros) -> u32 {
        self.each(full_at).map(|(bucket, full_at)| bucket.left(full_at, now)).min().unwrap_or_default()
    }

    /// An allowance that was never used is full; so is one of a lane that has got another window.
    fn each<'a>(&'a self, full_at: &'a [Micros]) -> impl Iterator<Item = (Bucket, Micros)> + 'a {
        self.0.iter().copied().zip(full_at.iter().copied().chain(std::iter::repeat(Micros::MIN)))
    }
}
