//! What open connections (WebSockets) are told of as it happens: who is connected to this process ([`board`]), who may be
//! ([`doors`]), and the one place that reads what happened, for all of them together ([`feed`]). How a connection speaks is
//! `customer::live`.
//!
//! The board stands at a snapshot of the database: all that it shows was handed out. A connection takes its seat under the lock
//! under which a part is handed out and the board moves on, so it is told of everything after the snapshot it sat down at, once;
//! what lies between the place where it was before and that snapshot is read for it alone ([`Store::live_backlog`]).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    ids::UserId,
    live::{Cursor, Snapshot},
};
use store::{Store, live::LiveChange, notifications::Notification};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

mod board;
mod doors;
mod feed;

use board::{Board, NotTaken};
pub(crate) use board::{Chair, Ending};
use doors::Doors;
pub(crate) use doors::{Guest, Place};

/// Bounds on open connections of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSettings {
    /// Whether there are any.
    pub enabled: bool,
    /// In all.
    pub connections: usize,
    /// Of one account.
    pub per_account: usize,
    /// Of those that have not said yet whose they are, in all.
    pub guests: usize,
    /// The same from one network.
    pub guests_per_network: usize,
    /// How long a connection may take to say whose it is.
    pub authenticate_within: Duration,
    /// How often the other side is asked whether it is there; one that has not answered by the next time is gone.
    pub ping_every: Duration,
    /// How long one message may take to be taken.
    pub write_within: Duration,
    /// Messages that wait for a connection to take them; one that has more is too slow.
    pub queue: usize,
    /// Changes that a connection that comes back may have missed; of more it is told to read everything anew.
    pub backlog: u32,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            connections: 20_000,
            per_account: 20,
            guests: 1_000,
            guests_per_network: 50,
            authenticate_within: Duration::from_secs(10),
            ping_every: Duration::from_secs(30),
            write_within: Duration::from_secs(10),
            queue: 256,
            backlog: 1_000,
        }
    }
}

/// What a connection is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// What happened.
    pub(crate) change: LiveChange,
    /// The notification that it is about; `None` of anything else, and where it is deleted already.
    pub(crate) notification: Option<Notification>,
    /// The place after it.
    pub(crate) cursor: Cursor,
}

/// Why nobody could sit down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// The account has as many connections as it may have.
    TooMany,
    /// What happens can't be read at the moment.
    Unavailable,
    /// The process is stopping.
    Stopping,
}

/// A seat, and where it was taken.
pub(crate) struct Seated {
    /// Where messages come out.
    pub(crate) chair: Chair,
    /// All that it shows was handed out before.
    pub(crate) position: Arc<Snapshot>,
    /// Whether `position` shows all that was told up to the cursor. If not, the cursor is of no database of ours.
    pub(crate) is_known: bool,
}

/// The open connections of this process. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

struct Shared {
    store: Store,
    settings: LiveSettings,
    board: Mutex<Board>,
    doors: Doors,
    /// Counts how often the board moved on.
    moves: watch::Sender<u64>,
    /// Has the feed look without being told by the database.
    look: Notify,
    stop: CancellationToken,
}

/// How often a look is waited for that shows what another process has shown.
const LOOKS_FOR_A_CURSOR: usize = 3;
/// Longest wait for one.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for connections to end that were told to.
const FAREWELL: Duration = Duration::from_secs(3);

impl Live {
    /// Nobody is connected.
    #[must_use]
    pub fn new(store: Store, settings: LiveSettings) -> Self {
        Self(Arc::new(Shared {
            store,
            board: Mutex::default(),
            doors: Doors::new(&settings),
            settings,
            moves: watch::Sender::new(0),
            look: Notify::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// The bounds.
    #[must_use]
    pub fn settings(&self) -> &LiveSettings {
        &self.0.settings
    }

    /// Tells every connection that the process stops, and waits a moment for them to end. None begins any more.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        let _ = tokio::time::timeout(FAREWELL, self.0.doors.empty()).await;
    }

    /// Connections that have said whose they are.
    #[must_use]
    pub fn seated(&self) -> usize {
        self.0.seated()
    }

    pub(crate) fn doors(&self) -> &Doors {
        &self.0.doors
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// A seat for a connection of `user`, who proved it by the login or token `access` and was told up to `cursor`, if they
    /// were connected before.
    ///
    /// # Errors
    /// [`NoSeat`] says why there is none.
    pub(crate) async fn sit_down(
        &self,
        user: UserId,
        access: Uuid,
        cursor: Option<&Cursor>,
    ) -> Result<Seated, NoSeat> {
        let mut moves = self.0.moves.subscribe();
        let mut looks = 0;
        loop {
            if self.0.stop.is_cancelled() {
                return Err(NoSeat::Stopping);
            }
            let position = self.position().await?;
            // Another process may have told them of more than this one has seen.
            let is_known = cursor.is_none_or(|cursor| position.covers(&cursor.to));
            if is_known || looks == LOOKS_FOR_A_CURSOR {
                match self.seat(user, access, is_known) {
                    Err(NotTaken::Closed) => continue,
                    Err(NotTaken::Full) => return Err(NoSeat::TooMany),
                    Ok(seated) => return Ok(seated),
                }
            }
            looks += 1;
            self.0.look.notify_one();
            match tokio::time::timeout(LOOK_TIMEOUT, moves.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(NoSeat::Unavailable),
            }
        }
    }

    /// Where the board stands, with somebody who moves it on.
    async fn position(&self) -> Result<Arc<Snapshot>, NoSeat> {
        if let Some(position) = self.0.board().position() {
            return Ok(position);
        }
        // Nobody is here, so nobody looked.
        let now = feed::in_time(self.0.store.live_snapshot()).await.map_err(|_| NoSeat::Unavailable)?;
        let mut board = self.0.board();
        let position = board.begin_at(now);
        if board.starts_to_run() {
            tokio::spawn(feed::run(Arc::clone(&self.0)));
        }
        Ok(position)
    }

    fn seat(&self, user: UserId, access: Uuid, is_known: bool) -> Result<Seated, NotTaken> {
        let shared = &self.0;
        let (per_account, queue) = (shared.settings.per_account, shared.settings.queue);
        let (seat, receiver, position) = shared.board().take(user, access, per_account, queue)?;
        let chair = Chair::new(Arc::clone(shared), seat, receiver);
        Ok(Seated { chair, position, is_known })
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seated(&self) -> usize {
        self.board().seated()
    }
}
