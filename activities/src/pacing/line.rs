//! One lane's queue of calls that keep and free servers, in this process, and the slots leased for it.

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use adapters::providers::{Call, NotAdmitted, Quota};
use domain::rate_limit::{Caller, HeldBy, Lane, Pace};
use futures::future::{BoxFuture, FutureExt, OptionFuture};
use governor::{
    DefaultDirectRateLimiter, RateLimiter,
    clock::{Clock, DefaultClock},
};
use store::{
    StoreError,
    provider_budgets::{Held, Leased, NoShare, SlotLease, Wish},
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{Account, SILENCE};

/// The next slots are leased this long before the last one is due: longer than a lease takes on a busy machine.
const LEASE_AHEAD: Duration = Duration::from_millis(150);
/// Longest wait for the database.
const LEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// When to come back after the database did not answer.
pub(super) const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// Whose turn comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Other,
    Create,
}

impl Rank {
    pub(super) fn of(call: Call) -> Self {
        match call {
            Call::Other => Self::Other,
            Call::Create => Self::Create,
        }
    }
}

pub(super) type Turn = Result<(), NotAdmitted>;
type LeaseOutcome = Result<Result<Leased, StoreError>, tokio::time::error::Elapsed>;

/// A lane's queue.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) account: Account,
    pub(super) lane: Lane,
    /// Calls that lease a slot each do so one after the other, so that no flood of them keeps the lane's row locked.
    pub(super) sharing: tokio::sync::Mutex<()>,
    queue: Mutex<Queue>,
    changed: Notify,
    /// The limit that the vendor's headers told last; 0 before they told any.
    told_limit: AtomicU32,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: [VecDeque<oneshot::Sender<Turn>>; 2],
    slots: VecDeque<Slot>,
    pace: Option<Pace>,
    /// Keeps this process alone within the pace, whatever the leases say: a clock that is set may make them wrong.
    smoother: Option<DefaultDirectRateLimiter>,
    driven: bool,
}

/// A moment at which one call may be sent.
#[derive(Debug, Clone, Copy)]
struct Slot {
    due: Instant,
    /// The first slot of a line that was idle: no window before it is full, so it may go out late.
    begins_idle_line: bool,
}

impl Queue {
    fn drop_cancelled(&mut self) {
        for group in &mut self.waiting {
            group.retain(|waiting| !waiting.is_closed());
        }
    }

    fn waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    /// How many slots should be leased now.
    fn missing(&self, now: Instant) -> Option<u32> {
        let short_of = self.waiting().saturating_sub(self.slots.len());
        let running_out = self.slots.back().is_none_or(|slot| slot.due <= now + LEASE_AHEAD);
        (short_of > 0 && running_out).then(|| u32::try_from(short_of).unwrap_or(u32::MAX))
    }

    fn keep_pace(&mut self, pace: Pace) {
        if self.pace != Some(pace) {
            self.pace = Some(pace);
            self.smoother = smoother(pace);
        }
    }

    fn add(&mut self, lease: &SlotLease) {
        self.keep_pace(lease.pace);
        let read_at = Instant::from_std(lease.read_at);
        self.slots.extend(lease.delays.iter().enumerate().map(|(place, delay)| Slot {
            due: read_at + *delay,
            begins_idle_line: place == 0 && lease.begins_idle_line,
        }));
        self.slots.make_contiguous().sort_by_key(|slot| slot.due);
    }

    /// Gives the slot that is due to whoever is first.
    fn give(&mut self, now: Instant) -> Given {
        let Some(slot) = self.slots.front_mut().filter(|slot| slot.due <= now) else { return Given::Early };
        let tolerance = self.pace.map_or(Duration::ZERO, |pace| pace.tolerance() / 2);
        if now - slot.due > tolerance && !slot.begins_idle_line {
            self.slots.pop_front();
            return Given::Missed;
        }
        if let Some(wait) = self.smoother.as_ref().and_then(held_back) {
            slot.due = now + wait;
            return Given::Early;
        }
        self.slots.pop_front();
        while let Some(waiting) = self.waiting.iter_mut().find_map(VecDeque::pop_front) {
            if waiting.send(Ok(())).is_ok() {
                break;
            }
        }
        Given::Used
    }

    /// Sends those away for whom a lease was asked in vain.
    fn refuse(&mut self, refusal: &NotAdmitted) {
        for waiting in self.waiting.iter_mut().flat_map(std::mem::take) {
            // One who left meanwhile needs no answer.
            let _ = waiting.send(Err(refusal.clone()));
        }
    }
}

enum Given {
    Used,
    Missed,
    Early,
}

fn smoother(pace: Pace) -> Option<DefaultDirectRateLimiter> {
    let burst = NonZeroU32::new(pace.burst())?;
    Some(RateLimiter::direct(governor::Quota::with_period(pace.spacing())?.allow_burst(burst)))
}

fn held_back(smoother: &DefaultDirectRateLimiter) -> Option<Duration> {
    smoother.check().err().map(|early| early.wait_time_from(DefaultClock::default().now()))
}

impl Line {
    pub(super) fn new(account: Account, lane: Lane) -> Arc<Self> {
        Arc::new(Self {
            account,
            lane,
            sharing: tokio::sync::Mutex::default(),
            queue: Mutex::default(),
            changed: Notify::new(),
            told_limit: AtomicU32::new(0),
        })
    }

    /// Waits for a slot.
    pub(super) async fn turn(self: &Arc<Self>, rank: Rank) -> Turn {
        let (sender, turn) = oneshot::channel();
        {
            let mut queue = self.lock();
            queue.waiting[rank as usize].push_back(sender);
            if !queue.driven {
                queue.driven = true;
                let driver = Driver { line: Arc::clone(self), done: false };
                tokio::spawn(driver.drive());
            }
        }
        self.changed.notify_one();
        let reason = "the process is stopping".to_owned();
        let stopped = NotAdmitted { reason, retry_after: DATABASE_PAUSE, by: HeldBy::Vendor };
        turn.await.unwrap_or(Err(stopped))
    }

    /// Slots that were leased are not used any more.
    pub(super) fn forget_slots(&self) {
        self.lock().slots.clear();
    }

    /// The vendor refused a call as one too many.
    pub(super) async fn silence(&self, asked: Option<Duration>) -> Result<(), StoreError> {
        self.forget_slots();
        let period = self.lane.windows.iter().map(|window| window.period).min().unwrap_or_default();
        let silence = asked.unwrap_or(period.clamp(SILENCE.0, SILENCE.1));
        tracing::warn!(
            event = "provider.rate_limited",
            provider = self.account.provider,
            lane = self.lane.name,
            ?silence,
            "one call too many"
        );
        self.account.store.silence_lane(self.account.provider, &self.lane, silence).await
    }

    /// The vendor's headers told about the limit. With several windows they don't say which one they mean.
    pub(super) async fn observe(&self, quota: Quota) -> Result<(), StoreError> {
        let Account { store, provider, .. } = &self.account;
        let name = self.lane.name;
        metrics::gauge!("provider_budget_left", "provider" => *provider, "lane" => name)
            .set(f64::from(quota.remaining));
        let [window] = self.lane.windows else { return Ok(()) };
        if quota.limit > 0 && self.told_limit.swap(quota.limit, Ordering::Relaxed) != quota.limit {
            let differs = (quota.limit != window.calls).then_some(quota.limit);
            store.observe_limit(provider, &self.lane, differs).await?;
        }
        if self.lane.pace(Some(quota.limit)).is_crowded(quota.remaining) {
            store.skip_call(provider, &self.lane).await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when a call of this process has to wait so that the process keeps within the pace; takes the place if it
    /// may go.
    pub(super) fn held_back(&self, pace: Pace) -> Option<Duration> {
        let mut queue = self.lock();
        queue.keep_pace(pace);
        queue.smoother.as_ref().and_then(held_back)
    }

    async fn lease(self: Arc<Self>, wanted: u32) -> LeaseOutcome {
        self.ask(Caller::Servers, wanted).await
    }

    async fn ask(&self, caller: Caller, wanted: u32) -> LeaseOutcome {
        let Account { store, provider, shares, .. } = &self.account;
        let wish = Wish { caller, wanted, shares: *shares };
        tokio::time::timeout(LEASE_TIMEOUT, store.lease_calls(provider, &self.lane, &wish)).await
    }

    /// One slot for a caller that has a share, or why it gets none.
    pub(super) async fn lease_one(&self, caller: Caller) -> Result<SlotLease, NotAdmitted> {
        let _one_at_a_time = self.sharing.lock().await;
        self.read(self.ask(caller, 1).await)
    }

    fn take(&self, leased: LeaseOutcome) {
        match self.read(leased) {
            Ok(lease) => self.lock().add(&lease),
            Err(refusal) => self.lock().refuse(&refusal),
        }
    }

    fn read(&self, leased: LeaseOutcome) -> Result<SlotLease, NotAdmitted> {
        Err(match leased {
            Ok(Ok(Leased::Slots(lease))) => {
                if let Some(left) = lease.left {
                    let (provider, lane) = (self.account.provider, self.lane.name);
                    metrics::gauge!("provider_budget_left", "provider" => provider, "lane" => lane)
                        .set(f64::from(left));
                }
                return Ok(lease);
            }
            Ok(Ok(Leased::Held(Held { reason, retry_after }))) => {
                NotAdmitted { reason, retry_after, by: HeldBy::Vendor }
            }
            Ok(Ok(Leased::NoShare(NoShare { retry_after, by }))) => {
                let whose = if by == HeldBy::Party { "one customer's part of it is" } else { "it is" };
                let reason =
                    format!("calls of this kind have a share of the vendor's limit, and {whose} used up");
                NotAdmitted { reason, retry_after, by }
            }
            unasked => {
                tracing::warn!(
                    event = "provider.budget_unreadable",
                    provider = self.account.provider,
                    ?unasked,
                    "the rate budget can't be asked"
                );
                let reason = "the rate budget can't be asked: the database does not answer".to_owned();
                NotAdmitted { reason, retry_after: DATABASE_PAUSE, by: HeldBy::Vendor }
            }
        })
    }
}

/// Works a queue off as long as somebody waits in it.
struct Driver {
    line: Arc<Line>,
    done: bool,
}

impl Drop for Driver {
    /// The task's runtime may end before the queue does: those who wait are told, and the next one begins anew.
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.line.lock();
            queue.driven = false;
            queue.waiting = Default::default();
        }
    }
}

impl Driver {
    async fn drive(mut self) {
        let mut leasing: Option<BoxFuture<'static, LeaseOutcome>> = None;
        while let Some(due) = self.next(&mut leasing) {
            tokio::select! {
                Some(leased) = OptionFuture::from(leasing.as_mut()) => {
                    leasing = None;
                    self.line.take(leased);
                }
                Some(()) = OptionFuture::from(due.map(tokio::time::sleep_until)) => {}
                () = self.line.changed.notified() => {}
            }
        }
    }

    /// Gives what is due, begins a lease if one is needed, and says when to look again. `None` ends the work: the
    /// queue is empty.
    fn next(&mut self, leasing: &mut Option<BoxFuture<'static, LeaseOutcome>>) -> Option<Option<Instant>> {
        let mut queue = self.line.lock();
        let now = Instant::now();
        queue.drop_cancelled();
        while queue.waiting() > 0 {
            match queue.give(now) {
                Given::Used => {}
                Given::Missed => {
                    let (provider, lane) = (self.line.account.provider, self.line.lane.name);
                    metrics::counter!("provider_slots_missed_total", "provider" => provider, "lane" => lane)
                        .increment(1);
                }
                Given::Early => break,
            }
        }
        if queue.waiting() == 0 {
            queue.driven = false;
            self.done = true;
            return None;
        }
        let mut look_again = queue.slots.front().map(|slot| slot.due);
        if leasing.is_none() {
            if let Some(wanted) = queue.missing(now) {
                *leasing = Some(Arc::clone(&self.line).lease(wanted).boxed());
            } else if let Some(last) = queue.slots.back() {
                // Nothing to do yet, but before the last slot is due.
                let lease_at = last.due.checked_sub(LEASE_AHEAD).filter(|at| *at > now);
                look_again = look_again.map(|at| lease_at.map_or(at, |lease_at| at.min(lease_at)));
            }
        }
        Some(look_again)
    }
}
