//! The vendors' rate limits, shared by all processes. A lease is one short transaction on the lane's row; only the
//! database's clock counts. See `docs/adr/0015-rate-budget.md`.

mod circuit;
mod shares;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::rate_limit::{Allowances, Caller, HeldBy, Lane, Micros, Pace, Priority, Request, Share, Shares};
use sqlx::PgConnection;

pub use circuit::{Circuit, Entry, Shut};

use crate::{Result, Store, boxed, pool::Transaction};

/// Slots this far away are not given: who wants one comes back later.
const FARTHEST: Micros = 30_000_000;

/// A wish for slots.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Who calls.
    pub caller: Caller,
    /// How many calls wait. Whoever has a share gets one at a time.
    pub wanted: u32,
    /// How much of each window the classes may take; the same in all processes.
    pub shares: Shares,
}

/// What became of a wish for slots.
#[derive(Debug, Clone, PartialEq)]
pub enum Leased {
    /// Slots were given.
    Slots(SlotLease),
    /// None for now.
    Held(Held),
    /// None for this caller for now; others may have one.
    NoShare(NoShare),
}

/// The caller has had its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoShare {
    /// When to ask again.
    pub retry_after: Duration,
    /// Whether it is the class or the one who calls that had it.
    pub by: HeldBy,
}

/// Slots given to one process.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotLease {
    /// When the database told the time.
    pub read_at: Instant,
    /// How long after `read_at` each call may be made.
    pub delays: Vec<Duration>,
    /// The first slot begins a line that was idle: no window before it is full, so it may go out late.
    pub begins_idle_line: bool,
    /// The pace they were given at.
    pub pace: Pace,
    /// Calls left in the tightest of the lane's counted windows.
    pub left: Option<u32>,
    /// Calls left to the caller's class at this moment, where it has a share.
    pub share_left: Option<u32>,
}

/// Why no slot was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// In words.
    pub reason: String,
    /// When to ask again.
    pub retry_after: Duration,
}

/// A lane's row, locked.
struct Line {
    now: DateTime<Utc>,
    tat: DateTime<Utc>,
    observed_limit: Option<i32>,
}

impl Line {
    fn observed(&self) -> Option<u32> {
        self.observed_limit.and_then(|limit| u32::try_from(limit).ok())
    }

    fn pace(&self, lane: &Lane) -> Pace {
        lane.pace(self.observed())
    }
}

impl Store {
    /// Leases slots of a provider's lane for `wanted` calls: at least one, unless the provider asked for silence, a
    /// longer window is used up, or the caller has had its share.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; no call may be made then.
    #[boxed]
    pub async fn lease_calls(&self, provider: &str, lane: &Lane, wish: &Wish) -> Result<Leased> {
        let Wish { caller, wanted, shares } = *wish;
        let mut tx = self.pool.begin().await?;
        let line = lock(&mut tx, provider, lane).await?;
        let read_at = Instant::now();
        let now = line.now.timestamp_micros();
        let allowances = Allowances::of(lane, line.observed(), shares, caller);
        let balances = shares::read(&mut tx, provider, lane, &allowances).await?;
        let is_idle = Pace::is_idle(line.tat.timestamp_micros(), now);
        let (priority, balances, share_left) = match allowances.share(&balances, now, is_idle) {
            Share::Given { priority, balances, left } => (priority, balances, left),
            Share::Full { until, by } => {
                let retry_after = Duration::from_micros((until - now).unsigned_abs());
                return finish(tx, Leased::NoShare(NoShare { retry_after, by })).await;
            }
        };
        let left = match room(&mut tx, provider, lane, priority, line.now).await? {
            Room::Unlimited => None,
            Room::Calls(left) => Some(left),
            Room::FullUntil(free_at) => {
                let retry_after = (free_at - line.now).to_std().unwrap_or_default().min(MAX_HOLD);
                let reason = "the vendor's hourly limit is used up".to_owned();
                return finish(tx, Leased::Held(Held { reason, retry_after })).await;
            }
        };
        let pace = line.pace(lane);
        let most = if balances.is_empty() { left.unwrap_or(u32::MAX) } else { 1 };
        let wanted = wanted.min(most);
        let lease = pace.lease(line.tat.timestamp_micros(), Request { now, priority, wanted });
        let delays: Vec<Micros> = lease.slots.iter().map(|at| at - now).collect();
        if let Some(first) = delays.first().filter(|first| **first > FARTHEST) {
            let reason = "the vendor asked us not to call for a while".to_owned();
            let retry_after = Duration::from_micros(first.unsigned_abs());
            return finish(tx, Leased::Held(Held { reason, retry_after })).await;
        }
        move_tat(&mut tx, provider, lane, lease.tat).await?;
        shares::write(&mut tx, provider, lane, line.now, &balances).await?;
        if left.is_some() {
            count(&mut tx, provider, lane, line.now, delays.len()).await?;
        }
        let delays = delays.into_iter().map(|delay| Duration::from_micros(delay.unsigned_abs())).collect();
        let slots = SlotLease { read_at, delays, begins_idle_line: is_idle, pace, left, share_left };
        finish(tx, Leased::Slots(slots)).await
    }

    /// Nobody calls in this lane for `silence`, in any process: the vendor refused a call as one too many.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn silence_lane(&self, provider: &str, lane: &Lane, silence: Duration) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let line = lock(&mut tx, provider, lane).await?;
        let silence = Micros::try_from(silence.as_micros()).unwrap_or(Micros::MAX / 4);
        let until = line.now.timestamp_micros() + silence;
        let tat = line.pace(lane).silent_until(line.tat.timestamp_micros(), until);
        move_tat(&mut tx, provider, lane, tat).await?;
        finish(tx, ()).await
    }

    /// Gives up one place in this lane: somebody besides us calls on the same account.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn skip_call(&self, provider: &str, lane: &Lane) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let line = lock(&mut tx, provider, lane).await?;
        let tat = line.pace(lane).skip_one(line.tat.timestamp_micros(), line.now.timestamp_micros());
        move_tat(&mut tx, provider, lane, tat).await?;
        finish(tx, ()).await
    }

    /// Notes the limit that the vendor's headers tell; `None` when it is the known one.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn observe_limit(&self, provider: &str, lane: &Lane, limit: Option<u32>) -> Result<()> {
        let limit = limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
        sqlx::query!(
            "UPDATE provider_budgets SET observed_limit = $3 WHERE provider = $1 AND lane = $2",
            provider,
            lane.name,
            limit,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Longest time a caller is sent away for at once, since a limit may be raised meanwhile.
const MAX_HOLD: Duration = Duration::from_secs(60);

/// Locks the lane's row, making it first if need be, and tells the time after the lock was got. What is lost with the
/// server's memory in a crash are a few places of a second that is over by the time it is back: no commit of these
/// transactions waits for the disk.
async fn lock(tx: &mut PgConnection, provider: &str, lane: &Lane) -> Result<Line> {
    if let Some(line) = try_lock(tx, provider, lane).await? {
        return Ok(line);
    }
    sqlx::query!(
        "INSERT INTO provider_budgets (provider, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        provider,
        lane.name,
    )
    .execute(&mut *tx)
    .await?;
    try_lock(tx, provider, lane).await?.ok_or(crate::StoreError::NotFound("provider budget"))
}

async fn try_lock(tx: &mut PgConnection, provider: &str, lane: &Lane) -> Result<Option<Line>> {
    // The outer query runs when the lock is held, so its clock is later than that of whoever held it before. The two
    // must stay two (MATERIALIZED): folded into one, the query could read the clock and then wait. Nobody waits for the
    // disk: what a crash forgets of a line is a few calls that come too early.
    let line = sqlx::query_as!(
        Line,
        r#"WITH line AS MATERIALIZED (
               SELECT tat, observed_limit, set_config('synchronous_commit', 'off', true) FROM provider_budgets
               WHERE provider = $1 AND lane = $2 FOR UPDATE
           )
           SELECT clock_timestamp() AS "now!", tat AS "tat!", observed_limit FROM line"#,
        provider,
        lane.name,
    )
    .fetch_optional(tx)
    .await?;
    Ok(line)
}

async fn move_tat(tx: &mut PgConnection, provider: &str, lane: &Lane, tat: Micros) -> Result<()> {
    sqlx::query!(
        "UPDATE provider_budgets SET tat = $3 WHERE provider = $1 AND lane = $2",
        provider,
        lane.name,
        DateTime::from_timestamp_micros(tat),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What the longer windows of a lane allow.
enum Room {
    Unlimited,
    Calls(u32),
    FullUntil(DateTime<Utc>),
}

/// Minutes are counted whole, and one more than the window has: a call never leaves the count before it leaves the
/// vendor's window.
async fn room(
    tx: &mut PgConnection,
    provider: &str,
    lane: &Lane,
    priority: Priority,
    now: DateTime<Utc>,
) -> Result<Room> {
    let mut room = Room::Unlimited;
    for window in lane.counted() {
        let span = chrono::TimeDelta::from_std(window.period).unwrap_or(chrono::TimeDelta::MAX)
            + chrono::TimeDelta::minutes(1);
        let used = sqlx::query!(
            r#"SELECT coalesce(sum(calls), 0) AS "calls!", min(minute) AS oldest FROM provider_call_minutes
               WHERE provider = $1 AND lane = $2 AND minute > $3"#,
            provider,
            lane.name,
            now - span,
        )
        .fetch_one(&mut *tx)
        .await?;
        let left = window.room(u64::try_from(used.calls).unwrap_or_default(), priority);
        if left == 0 {
            return Ok(Room::FullUntil(used.oldest.unwrap_or(now) + span));
        }
        room = match room {
            Room::Calls(fewest) => Room::Calls(fewest.min(left)),
            _ => Room::Calls(left),
        };
    }
    Ok(room)
}

async fn count(
    tx: &mut PgConnection,
    provider: &str,
    lane: &Lane,
    now: DateTime<Utc>,
    calls: usize,
) -> Result<()> {
    let longest = lane.windows.iter().map(|window| window.period).max().unwrap_or_default();
    let begun = sqlx::query_scalar!(
        r#"INSERT INTO provider_call_minutes (provider, lane, minute, calls)
           VALUES ($1, $2, date_trunc('minute', $3::timestamptz, 'UTC'), $4)
           ON CONFLICT (provider, lane, minute) DO UPDATE SET calls = provider_call_minutes.calls + EXCLUDED.calls
           RETURNING calls = $4 AS "begun!""#,
        provider,
        lane.name,
        now,
        i32::try_from(calls).unwrap_or(i32::MAX),
    )
    .fetch_one(&mut *tx)
    .await?;
    if begun {
        sqlx::query!(
            "DELETE FROM provider_call_minutes WHERE provider = $1 AND lane = $2
             AND minute < $3::timestamptz - make_interval(secs => $4) - interval '2 minutes'",
            provider,
            lane.name,
            now,
            longest.as_secs_f64(),
        )
        .execute(tx)
        .await?;
    }
    Ok(())
}

async fn finish<T>(tx: Transaction, outcome: T) -> Result<T> {
    tx.commit().await?;
    Ok(outcome)
}
