//! Token buckets of this process alone (`governor`): for what must answer without the database, and while that is away.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use super::{Key, Standing};

type Buckets = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// Forget idle clients every so many requests, so that memory follows the clients of the last minute.
const SWEEP_EVERY: u32 = 4096;

/// One class of requests.
pub(super) struct Limiter {
    buckets: Buckets,
    quota: Quota,
    since_sweep: AtomicU32,
}

impl Limiter {
    /// Full buckets for everybody.
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute);
        let buckets = RateLimiter::keyed(quota).with_middleware();
        Self { buckets, quota, since_sweep: AtomicU32::new(0) }
    }

    /// Takes a request of this client.
    pub(super) fn take(&self, key: Key) -> Standing {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) >= SWEEP_EVERY {
            self.since_sweep.store(0, Ordering::Relaxed);
            self.buckets.retain_recent();
            self.buckets.shrink_to_fit();
        }
        let limit = self.quota.burst_size().get();
        let (remaining, wait) = match self.buckets.check_key(&key) {
            Ok(snapshot) => (snapshot.remaining_burst_capacity(), None),
            Err(not_until) => (0, Some(not_until.wait_time_from(DefaultClock::default().now()))),
        };
        let reset = self.quota.replenish_interval() * limit.saturating_sub(remaining);
        Standing { limit, remaining, reset, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::whole_seconds;

    #[test]
    fn a_bucket_runs_dry_and_says_for_how_long() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap());
        let (here, there) = ([1; 16], [2; 16]);
        let left: Vec<u32> = (0..3).map(|_| limiter.take(here).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.take(here);
        let wait = whole_seconds(refused.wait.unwrap());
        assert!((19..=20).contains(&wait), "{wait}");
        assert_eq!(whole_seconds(refused.reset), 60);
        assert!(limiter.take(there).wait.is_none(), "each client has a bucket of its own");
    }
}
