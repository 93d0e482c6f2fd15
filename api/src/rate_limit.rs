//! How often one client may ask: token buckets by network (`governor`), a tighter one where credentials could be
//! guessed. Told to the client in `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds).

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{
    Limits,
    client::{Client, Network},
    problem::{Code, Problem},
};

type Buckets =
    RateLimiter<Network, DefaultKeyedStateStore<Network>, DefaultClock, StateInformationMiddleware>;

/// Forget idle clients every so many requests, so that memory follows the clients of the last minute.
const SWEEP_EVERY: u32 = 4096;

/// The buckets of one port of this process.
#[derive(Clone)]
pub(crate) struct RateLimits {
    general: Option<Arc<Limiter>>,
    credentials: Option<Arc<Limiter>>,
    /// Whoever watches us must not be kept from it by what else comes from its address, nor the other way round.
    health: Option<Arc<Limiter>>,
    /// Many customers share an address, and each one's browser refreshes by itself: refreshing must not use up what is
    /// left to log in.
    sessions: Option<Arc<Limiter>>,
}

impl RateLimits {
    /// Full buckets for everybody.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            general: limiter(limits.per_minute),
            credentials: limiter(limits.auth_per_minute),
            sessions: limiter(limits.refresh_per_minute),
            health: limiter(limits.per_minute),
        }
    }

    /// The same for the internal port, whose callers are few and ask much.
    pub(crate) fn of_the_internal_port(limits: &Limits) -> Self {
        Self {
            general: limiter(limits.internal_per_minute),
            credentials: None,
            sessions: None,
            health: limiter(limits.internal_per_minute),
        }
    }

    fn for_request(&self, request: &Request) -> Option<&Limiter> {
        let path = request.uri().path();
        match path {
            // It asks nobody, and a process that seems dead is killed.
            "/livez" => return None,
            "/health" | "/readyz" => return self.health.as_deref(),
            _ => {}
        }
        let Some(api) = path.strip_prefix("/api/v1/") else { return self.general.as_deref() };
        if api.starts_with("webhooks/") {
            // A gateway may send many from one address, and one that is refused is money told late. They are
            // signed, so there is nothing to guess.
            None
        } else {
            match (request.method(), api.strip_prefix("auth/")) {
                (&Method::POST, Some("refresh" | "logout" | "logout-all")) => self.sessions.as_deref(),
                (&Method::PUT, Some("me/password"))
                | (
                    &Method::POST,
                    Some(
                        "me/email"
                        | "me/2fa/setup"
                        | "me/2fa/confirm"
                        | "me/2fa/disable"
                        | "me/2fa/recovery-codes",
                    ),
                ) => self.credentials.as_deref(),
                (&Method::POST, Some(rest)) if !rest.starts_with("me/") => self.credentials.as_deref(),
                _ => self.general.as_deref(),
            }
        }
    }
}

/// `None` lifts the limit.
fn limiter(per_minute: u32) -> Option<Arc<Limiter>> {
    NonZeroU32::new(per_minute).map(|per_minute| Arc::new(Limiter::new(per_minute)))
}

/// The layer's function.
pub(crate) async fn limit(State(limits): State<RateLimits>, request: Request, next: Next) -> Response {
    let Some(limiter) = limits.for_request(&request) else {
        return next.run(request).await;
    };
    let network = request.extensions().get::<Client>().map_or_else(Network::unknown, Client::network);
    let standing = limiter.take(network);
    let mut response = match standing.wait {
        None => next.run(request).await,
        Some(wait) => Problem::new(Code::RateLimited, "too many requests; slow down")
            .retry_after(whole_seconds(wait))
            .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert("ratelimit-limit", HeaderValue::from(standing.limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(standing.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(whole_seconds(standing.reset)));
    response
}

struct Limiter {
    buckets: Buckets,
    quota: Quota,
    since_sweep: AtomicU32,
}

/// Where a client stands after a request.
struct Standing {
    limit: u32,
    remaining: u32,
    /// Until the bucket is full again.
    reset: Duration,
    /// Until the next request is let through; `None` when this one was.
    wait: Option<Duration>,
}

impl Limiter {
    fn new(per_minute: NonZeroU32) -> Self {
        let quota = Quota::per_minute(per_minute);
        let buckets = RateLimiter::keyed(quota).with_middleware();
        Self { buckets, quota, since_sweep: AtomicU32::new(0) }
    }

    fn take(&self, key: Network) -> Standing {
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

/// Rounded up, at least one.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_runs_dry_and_says_for_how_long() {
        let limiter = Limiter::new(NonZeroU32::new(3).unwrap());
        let network = |last| Network::of(Some([192, 0, 2, last].into()));
        let (here, there) = (network(1), network(2));
        let left: Vec<u32> = (0..3).map(|_| limiter.take(here).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.take(here);
        let wait = whole_seconds(refused.wait.unwrap());
        assert!((19..=20).contains(&wait), "{wait}");
        assert_eq!(whole_seconds(refused.reset), 60);
        assert!(limiter.take(there).wait.is_none(), "each client has a bucket of its own");
    }
}
