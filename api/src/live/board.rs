//! Who is connected, and up to where they all were told.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use domain::{
    ids::{NotificationId, UserId},
    live::{Cursor, LiveKind, Snapshot},
};
use store::{live::LiveChange, notifications::Notification};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::{Shared, Told};

/// Why a seat is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// More waits for it than may.
    TooSlow,
    /// The login, the token or the account that it was taken by ended.
    AccessEnded,
    /// Nobody looks any more: an error of ours.
    FeedEnded,
}

/// Why no seat was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Nobody moves the board on any more; somebody has to begin.
    Closed,
    /// The account has as many as it may have.
    Full,
}

/// Who sits where.
#[derive(Default)]
pub(super) struct Board {
    /// All that it shows was handed out; `None` while nobody is there, since nobody looks then.
    position: Option<Arc<Snapshot>>,
    seats: HashMap<UserId, Vec<Arc<Seat>>>,
    seated: usize,
    /// Whether somebody moves it on.
    runs: bool,
}

/// A connection's end here.
pub(crate) struct Seat {
    user: UserId,
    /// The login or token it was taken by.
    access: Mutex<Uuid>,
    sender: mpsc::Sender<Arc<Told>>,
    ending: OnceLock<Ending>,
    ended: Notify,
}

impl Seat {
    fn is_by(&self, access: Uuid) -> bool {
        *self.access.lock().unwrap_or_else(PoisonError::into_inner) == access
    }

    fn end(&self, why: Ending) {
        if self.ending.set(why).is_ok() {
            self.ended.notify_one();
        }
    }
}

impl Board {
    /// Where it stands.
    pub(super) fn position(&self) -> Option<Arc<Snapshot>> {
        self.position.clone()
    }

    /// Stands there from now on, unless it stands somewhere.
    pub(super) fn begin_at(&mut self, snapshot: Snapshot) -> Arc<Snapshot> {
        Arc::clone(self.position.get_or_insert_with(|| Arc::new(snapshot)))
    }

    /// Whether somebody has to begin to move it on.
    pub(super) fn starts_to_run(&mut self) -> bool {
        !std::mem::replace(&mut self.runs, true)
    }

    /// Nobody moves it on any more, if nobody is there.
    pub(super) fn rests(&mut self) -> bool {
        if self.seated > 0 {
            return false;
        }
        (self.runs, self.position) = (false, None);
        true
    }

    /// Nobody moves it on any more. Who is there is not told of anything, so they go.
    pub(super) fn stops_to_run(&mut self) {
        self.runs = false;
        self.position = None;
        for seat in self.seats.values().flatten() {
            seat.end(Ending::FeedEnded);
        }
    }

    /// Connections.
    pub(super) const fn seated(&self) -> usize {
        self.seated
    }

    /// A seat, unless the account has as many as may be, with where messages come out and where the board stands.
    #[expect(clippy::type_complexity, reason = "taken apart where it is called")]
    pub(super) fn take(
        &mut self,
        user: UserId,
        access: Uuid,
        most: usize,
        queue: usize,
    ) -> Result<(Arc<Seat>, mpsc::Receiver<Arc<Told>>, Arc<Snapshot>), NotTaken> {
        let position = self.position.clone().ok_or(NotTaken::Closed)?;
        if self.seats.get(&user).map_or(0, Vec::len) >= most {
            return Err(NotTaken::Full);
        }
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let access = Mutex::new(access);
        let seat = Arc::new(Seat { user, access, sender, ending: OnceLock::new(), ended: Notify::new() });
        self.seats.entry(user).or_default().push(Arc::clone(&seat));
        self.seated += 1;
        metrics::gauge!("live_connections").increment(1.0);
        Ok((seat, receiver, position))
    }

    fn leave(&mut self, seat: &Arc<Seat>) {
        let Some(seats) = self.seats.get_mut(&seat.user) else { return };
        let before = seats.len();
        seats.retain(|one| !Arc::ptr_eq(one, seat));
        let left = before - seats.len();
        if seats.is_empty() {
            self.seats.remove(&seat.user);
        }
        self.seated -= left;
        metrics::gauge!("live_connections").decrement(f64::from(u8::from(left > 0)));
    }

    /// Notifications among the changes that somebody here is to be told of, without those that were looked for already.
    pub(super) fn wants(
        &self,
        changes: &[LiveChange],
        looked_for: &HashSet<NotificationId>,
    ) -> Vec<NotificationId> {
        let is_wanted = |change: &&LiveChange| {
            change.kind == Some(LiveKind::NotificationNew) && self.seats.contains_key(&change.user)
        };
        let wanted = changes.iter().filter(is_wanted).map(|change| NotificationId(change.object));
        wanted.filter(|id| !looked_for.contains(id)).collect()
    }

    /// Tells everybody who is here what is for them, and stands at `until` from then on.
    pub(super) fn hand_out(
        &mut self,
        changes: Vec<LiveChange>,
        notifications: &HashMap<NotificationId, Notification>,
        until: Snapshot,
    ) {
        let Some(since) = self.position.take() else { return };
        for change in changes {
            let Some(seats) = self.seats.get(&change.user) else { continue };
            if change.kind == Some(LiveKind::AccessEnded) {
                let of_all = change.object == change.user.0;
                let ended = seats.iter().filter(|seat| of_all || seat.is_by(change.object));
                ended.for_each(|seat| seat.end(Ending::AccessEnded));
                continue;
            }
            let notification = notifications.get(&NotificationId(change.object)).cloned();
            let cursor = Cursor { from: (*since).clone(), to: until.clone(), after: change.id };
            let told = Arc::new(Told { change, notification, cursor });
            for seat in seats {
                if seat.sender.try_send(Arc::clone(&told)).is_err() {
                    seat.end(Ending::TooSlow);
                }
            }
        }
        self.move_to(until);
    }

    /// Stands at `until` from then on, without saying what was between. Everybody has to read everything anew.
    pub(super) fn skip_to(&mut self, until: Snapshot) {
        for (user, seats) in &self.seats {
            let change = LiveChange {
                id: 0,
                user: *user,
                kind: Some(LiveKind::Resync),
                object: user.0,
                status: None,
                power_state: None,
            };
            let told = Arc::new(Told { change, notification: None, cursor: Cursor::at(until.clone()) });
            for seat in seats {
                if seat.sender.try_send(Arc::clone(&told)).is_err() {
                    seat.end(Ending::TooSlow);
                }
            }
        }
        self.move_to(until);
    }

    fn move_to(&mut self, until: Snapshot) {
        self.position = (self.seated > 0).then(|| Arc::new(until));
    }
}

/// A seat that is taken; given back when it is dropped.
pub(crate) struct Chair {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    receiver: mpsc::Receiver<Arc<Told>>,
}

impl Chair {
    pub(super) fn new(shared: Arc<Shared>, seat: Arc<Seat>, receiver: mpsc::Receiver<Arc<Told>>) -> Self {
        Self { shared, seat, receiver }
    }

    /// What comes next, or why nothing does any more.
    pub(crate) async fn next(&mut self) -> Result<Arc<Told>, Ending> {
        tokio::select! {
            biased;
            why = ending(&self.seat) => Err(why),
            told = self.receiver.recv() => told.ok_or(Ending::FeedEnded),
        }
    }

    /// Resolves when the seat is taken away.
    pub(crate) async fn ended(&self) -> Ending {
        ending(&self.seat).await
    }

    /// The place after all that came out here; `None` while something waits to.
    pub(crate) fn place(&self) -> Option<Arc<Snapshot>> {
        // Under the lock under which messages are handed out.
        let board = self.shared.board();
        if self.receiver.is_empty() { board.position() } else { None }
    }

    /// It is kept by another login from now on.
    pub(crate) fn is_by(&self, access: Uuid) {
        *self.seat.access.lock().unwrap_or_else(PoisonError::into_inner) = access;
    }
}

impl Drop for Chair {
    fn drop(&mut self) {
        self.shared.board().leave(&self.seat);
    }
}

async fn ending(seat: &Seat) -> Ending {
    loop {
        let ended = seat.ended.notified();
        if let Some(why) = seat.ending.get() {
            return *why;
        }
        ended.await;
    }
}
