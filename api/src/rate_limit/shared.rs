//! Budgets that all processes share: a tenth of a minute's is leased at a time, so that most requests ask no database.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use store::{
    Store,
    request_budgets::{RequestBudget, RequestLease},
};

use super::{Key, Standing, class::Class, local::Limiter};

/// A budget is leased in this many parts.
const PARTS: u32 = 10;
/// Smaller ones are leased one request at a time: a part that lies unused in one process is missed in another.
const SMALL: u32 = 50;
/// Longest wait for a lease. It is one statement by primary key.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long nobody asks after there was no lease, so that requests don't wait one after the other while the database is away.
const SILENCE: Duration = Duration::from_secs(1);
/// How long a lease is good: by then as much came in again.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// Clients that are remembered at most. Beyond, all leases are given up: it costs each client a part of one minute.
const MOST_CLIENTS: usize = 100_000;

/// What one client may ask for in one class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub class: Class,
    pub per_minute: NonZeroU32,
}

/// The budgets of a process.
#[derive(Clone)]
pub(super) struct Shared(Arc<Inner>);

struct Inner {
    store: Store,
    held: Mutex<HashMap<(&'static str, Key), Held>>,
    /// Until when nobody asks the database.
    silent_until: Mutex<Option<Instant>>,
    /// What counts meanwhile, by class and budget.
    alone: Mutex<HashMap<(&'static str, NonZeroU32), Arc<Limiter>>>,
}

/// A lease that is not used up, or the end of a budget.
#[derive(Debug, Clone, Copy)]
struct Held {
    since: Instant,
    /// Requests that may still be let through.
    left: u32,
    /// What was left to all processes then.
    left_to_all: u32,
    full_in: Duration,
    /// Of a budget that was used up: until when nothing can have come in.
    dry_until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            held: Mutex::default(),
            silent_until: Mutex::default(),
            alone: Mutex::default(),
        }))
    }

    /// Takes a request of this client.
    pub(super) async fn take(&self, budget: Budget, key: Key) -> Standing {
        let id = (budget.class.name(), key);
        if let Some(standing) = self.take_held(id, budget) {
            return standing;
        }
        match self.lease(budget, key).await {
            Some(lease) => self.keep(id, budget, lease),
            None => self.take_alone(budget, key),
        }
    }

    /// Takes it of what is leased, or says that there is none, where that is known.
    fn take_held(&self, id: (&'static str, Key), budget: Budget) -> Option<Standing> {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = held.get_mut(&id).filter(|lease| lease.since.elapsed() < GOOD_FOR)?;
        if lease.left > 0 {
            lease.left -= 1;
            return Some(lease.standing(budget, None));
        }
        let wait = lease.dry_until?.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())?;
        Some(lease.standing(budget, Some(wait)))
    }

    /// A lease by the database; `None` while that is away, which is counted.
    async fn lease(&self, budget: Budget, key: Key) -> Option<RequestLease> {
        if self.silent_until().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let per_minute = budget.per_minute.get();
        let part = if per_minute < SMALL { 1 } else { per_minute / PARTS };
        let wish = RequestBudget { class: budget.class.name(), key: &key, per_minute };
        let failure = match tokio::time::timeout(PATIENCE, self.0.store.lease_requests(&wish, part)).await {
            Ok(Ok(lease)) => {
                *self.silent_until() = None;
                return Some(lease);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        metrics::counter!("http_request_budget_failures_total").increment(1);
        // The beginning is told; the counter says how long it goes on.
        if self.silent_until().replace(Instant::now() + SILENCE).is_none() {
            tracing::warn!(
                event = "rate_limit.counted_alone",
                error = failure,
                "requests are counted by this process alone"
            );
        }
        None
    }

    fn silent_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.silent_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a lease less the request that it was for.
    fn keep(&self, id: (&'static str, Key), budget: Budget, lease: RequestLease) -> Standing {
        let interval = Duration::from_secs(60) / budget.per_minute.get();
        let wait = (lease.granted == 0)
            .then(|| lease.full_in.saturating_sub(interval * (budget.per_minute.get() - 1)));
        let now = Instant::now();
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MOST_CLIENTS {
            held.retain(|_, lease| lease.since.elapsed() < GOOD_FOR);
            if held.len() >= MOST_CLIENTS {
                held.clear();
            }
        }
        // Another request of the same client may have got a lease in the meantime.
        let before =
            held.get(&id).filter(|lease| lease.since.elapsed() < GOOD_FOR).map_or(0, |lease| lease.left);
        let lease = Held {
            since: now,
            left: before + lease.granted.saturating_sub(1),
            left_to_all: lease.left,
            full_in: lease.full_in,
            dry_until: wait.map(|wait| now + wait),
        };
        held.insert(id, lease);
        lease.standing(budget, wait)
    }

    fn take_alone(&self, budget: Budget, key: Key) -> Standing {
        let id = (budget.class.name(), budget.per_minute);
        let limiter = {
            let mut alone = self.0.alone.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(alone.entry(id).or_insert_with(|| Arc::new(Limiter::new(budget.per_minute))))
        };
        limiter.take(key)
    }
}

impl Held {
    fn standing(&self, budget: Budget, wait: Option<Duration>) -> Standing {
        let limit = budget.per_minute.get();
        let remaining = if wait.is_some() { 0 } else { (self.left + self.left_to_all).min(limit) };
        let interval = Duration::from_secs(60) / limit;
        let reset = self.full_in.saturating_sub(interval * self.left);
        Standing { limit, remaining, reset, wait }
    }
}
