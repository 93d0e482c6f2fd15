//! The one place of a process that reads what happened, for all connections: when the database tells, and by itself once a
//! second. It runs while somebody is connected, and a little longer.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use store::{
    StoreError,
    live::{LiveChange, LiveListener},
};
use tokio::time::Instant;

use super::Shared;

/// How often it looks without being told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So long after it was told it looks: what is told meanwhile is read together.
const GATHER: Duration = Duration::from_millis(5);
/// How often it is asked whether the connection that listens is still there.
const ASK_EVERY: Duration = Duration::from_secs(15);
/// How long it goes on while nobody is connected.
const LINGER: Duration = Duration::from_secs(30);
/// Longest wait for the database's answer, of which it has bounds of its own: this one is for connections that a network
/// swallowed.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(15);
/// Pauses after trouble, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Changes that are read at once.
const PART: u32 = 1_000;
/// Changes that are handed out; of more, everybody reads anew.
const MOST: usize = 50_000;

#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the database did not answer within {:?}", DATABASE_TIMEOUT)]
    Silent,
}

/// Moves the board on until nobody is there any more.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut running = Running { shared, is_over: false };
    let (mut pause, mut was_well) = (PAUSES.0, true);
    loop {
        match follow(&running.shared, &mut pause, &mut was_well).await {
            Ok(()) => {
                running.is_over = true;
                return;
            }
            Err(error) => {
                if was_well {
                    tracing::warn!(event = "live.unreachable", %error, "what happens can't be read; trying again");
                }
                was_well = false;
                metrics::counter!("live_feed_failures_total").increment(1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Whoever runs. When it ends otherwise than it should, the board knows of it.
struct Running {
    shared: Arc<Shared>,
    is_over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.board().stops_to_run();
        }
    }
}

async fn follow(shared: &Shared, pause: &mut Duration, was_well: &mut bool) -> Result<(), Trouble> {
    let mut listener = in_time(shared.store.listen_live()).await?;
    let (mut asked_at, mut alone_since) = (Instant::now(), None);
    loop {
        catch_up(shared).await?;
        if !std::mem::replace(was_well, true) {
            tracing::info!(event = "live.reachable", "what happens can be read again");
        }
        *pause = PAUSES.0;
        if shared.seated() > 0 {
            alone_since = None;
        } else if alone_since.get_or_insert_with(Instant::now).elapsed() >= LINGER && shared.board().rests() {
            return Ok(());
        }
        if asked_at.elapsed() >= ASK_EVERY {
            // One that a network swallowed is silent, too, and would hear of nothing.
            in_time(listener.is_there()).await?;
            asked_at = Instant::now();
        }
        wait(shared, &mut listener).await?;
    }
}

/// Until there may be something new.
async fn wait(shared: &Shared, listener: &mut LiveListener) -> Result<(), Trouble> {
    tokio::select! {
        heard = listener.heard() => {
            heard?;
            tokio::time::sleep(GATHER).await;
            listener.forget_heard();
        }
        () = shared.look.notified() => {}
        () = tokio::time::sleep(LOOK_EVERY) => {}
    }
    Ok(())
}

/// Hands out what happened since the board moved last.
async fn catch_up(shared: &Shared) -> Result<(), Trouble> {
    let Some(since) = shared.board().position() else { return Ok(()) };
    let (mut changes, mut until, mut after) = (Vec::new(), None, 0);
    loop {
        let part = in_time(shared.store.live_changes(&since, until.as_ref(), after, PART)).await?;
        let is_last = part.changes.len() < PART as usize;
        after = part.changes.last().map_or(after, |change| change.id);
        changes.extend(part.changes);
        if is_last {
            hand_out(shared, changes, part.until).await?;
            break;
        }
        if changes.len() >= MOST {
            tracing::warn!(
                event = "live.skipped",
                "too much happened at once: open connections read everything anew"
            );
            shared.board().skip_to(part.until);
            break;
        }
        until = Some(part.until);
    }
    shared.moves.send_modify(|moves| *moves += 1);
    Ok(())
}

/// With the notifications that they are about, one query for all. Whoever sits down meanwhile is told, too: it is seen under
/// the lock under which the board moves.
async fn hand_out(
    shared: &Shared,
    changes: Vec<LiveChange>,
    until: domain::live::Snapshot,
) -> Result<(), Trouble> {
    let (mut notifications, mut looked_for) = (HashMap::new(), HashSet::new());
    loop {
        let wanted = {
            let mut board = shared.board();
            let wanted = board.wants(&changes, &looked_for);
            if wanted.is_empty() {
                board.hand_out(changes, &notifications, until);
                return Ok(());
            }
            wanted
        };
        for some in wanted.chunks(PART as usize) {
            let found = in_time(shared.store.notifications_told(some)).await?;
            notifications.extend(found.into_iter().map(|notification| (notification.id, notification)));
        }
        looked_for.extend(wanted);
    }
}

/// The answer, if it comes in time.
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(DATABASE_TIMEOUT, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Silent),
    }
}
