//! The life of an open connection: whose it is, what they missed, and then what happens, until it ends.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use domain::{
    ids::{NotificationId, UserId},
    language::Language,
    live::{Cursor, LiveKind},
};
use store::live::Backlog;
use tokio::time::{Instant, sleep_until, timeout};

use super::protocol::{Authenticate, Authenticated, Closing, Event, Resync};
use crate::{
    AppState,
    auth::LiveAccess,
    live::{Chair, Guest, NoSeat, Place, Seated, Told},
    problem::{Code, Problem},
};

/// Messages of a client between two pings; of more it is told that it says too much.
const MOST_MESSAGES: u32 = 10;
/// How long the other side may take to hear that a connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Lives until the connection ends.
pub(super) async fn run(
    mut socket: WebSocket,
    state: AppState,
    (place, guest): (Place, Guest),
    asked: Option<Language>,
) {
    let closing = converse(&mut socket, &state, guest, asked).await;
    let (code, reason) = closing.code_and_reason();
    metrics::counter!("live_closed_total", "reason" => reason).increment(1);
    tracing::debug!(event = "live.closed", code, reason, "an open connection ended");
    let _ = timeout(FAREWELL, say_goodbye(&mut socket, closing)).await;
    drop(place);
}

/// Reads until the other side has closed, too: what it still says would otherwise take the last message with it.
async fn say_goodbye(socket: &mut WebSocket, closing: Closing) {
    if socket.send(closing.frame()).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

async fn converse(
    socket: &mut WebSocket,
    state: &AppState,
    guest: Guest,
    asked: Option<Language>,
) -> Closing {
    // Its future is large and soon over; what stays for hours is small.
    match Box::pin(begin(socket, state, asked)).await {
        Ok(session) => {
            drop(guest);
            session.go_on(socket, state).await
        }
        Err(closing) => closing,
    }
}

/// Whose it is, and what they missed.
async fn begin(
    socket: &mut WebSocket,
    state: &AppState,
    asked: Option<Language>,
) -> Result<Session, Closing> {
    let within = state.live.settings().authenticate_within;
    let first = tokio::select! {
        first = timeout(within, first_message(socket)) => first.map_err(|_| Closing::NobodyYet)??,
        () = state.live.stopping().cancelled() => return Err(Closing::GoingAway),
    };
    let access = match LiveAccess::of(&first.token, asked, state).await {
        Ok(access) => access,
        Err(problem) => return Err(refuse(socket, state, &problem).await),
    };
    let cursor = first.resume.as_deref().map(str::parse::<Cursor>);
    let known = cursor.as_ref().and_then(|cursor| cursor.as_ref().ok());
    let seated = match state.live.sit_down(access.user, access.by, known).await {
        Ok(seated) => seated,
        Err(NoSeat::TooMany) => {
            let detail = "this account has too many open connections; close some";
            refuse(socket, state, &Problem::new(Code::TooManyConnections, detail)).await;
            return Err(Closing::TooManyConnections);
        }
        Err(none) => return Err(none.into()),
    };
    // Once more: a login that ended before the seat was taken is not told to who sits there.
    let access = match LiveAccess::of(&first.token, asked, state).await {
        Ok(access) => access,
        Err(problem) => return Err(refuse(socket, state, &problem).await),
    };
    let missed = match cursor {
        None => None,
        Some(Ok(cursor)) if seated.is_known => Some(missed(state, access.user, &cursor, &seated).await?),
        Some(_) => Some(Err(Resync::UnknownCursor)),
    };
    let mut session = Session::new(seated.chair, access, asked, state);
    let here = Cursor::at((*seated.position).clone());
    session.welcome(socket, here, missed).await?;
    Ok(session)
}

/// The message that says whose the connection is.
async fn first_message(socket: &mut WebSocket) -> Result<Authenticate, Closing> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => {
                return Authenticate::read(&text).ok_or(Closing::Unreadable);
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) => return Err(Closing::ByClient),
            Some(Ok(Message::Binary(_)) | Err(_)) => return Err(Closing::Unreadable),
            None => return Err(Closing::Broken),
        }
    }
}

/// Says why not.
async fn refuse(socket: &mut WebSocket, state: &AppState, problem: &Problem) -> Closing {
    let no = Event::Authenticated(Authenticated::no(problem)).message(None);
    let _ = timeout(state.live.settings().write_within, socket.send(no)).await;
    Closing::because_of(problem)
}

/// What happened between a cursor and a seat.
async fn missed(
    state: &AppState,
    user: UserId,
    cursor: &Cursor,
    seated: &Seated,
) -> Result<Result<Vec<Told>, Resync>, Closing> {
    let most = state.live.settings().backlog;
    let backlog = state.store.live_backlog(user, cursor, &seated.position, most).await;
    let changes = match backlog.map_err(|_| Closing::Unavailable)? {
        Backlog::Complete(changes) => changes,
        Backlog::Gone => return Ok(Err(Resync::TooOld)),
        Backlog::TooMuch => return Ok(Err(Resync::TooMuch)),
    };
    let is_new = |kind: Option<LiveKind>| kind == Some(LiveKind::NotificationNew);
    let ids: Vec<NotificationId> =
        changes.iter().filter(|(one, _)| is_new(one.kind)).map(|(one, _)| one.object.into()).collect();
    let found = match ids.is_empty() {
        true => Vec::new(),
        false => state.store.notifications_told(&ids).await.map_err(|_| Closing::Unavailable)?,
    };
    let told = changes.into_iter().map(|(change, cursor)| {
        let notification = found.iter().find(|one| is_new(change.kind) && one.id.0 == change.object).cloned();
        Told { change, notification, cursor }
    });
    Ok(Ok(told.collect()))
}

/// A connection that is somebody's.
struct Session {
    chair: Chair,
    access: LiveAccess,
    asked: Option<Language>,
    /// When its token ends.
    ends_at: Option<Instant>,
    ping_every: Duration,
    next_ping: Instant,
    /// Whether anything came since the last ping.
    is_heard: bool,
    /// Messages since then.
    messages: u32,
    write_within: Duration,
}

impl Session {
    fn new(chair: Chair, access: LiveAccess, asked: Option<Language>, state: &AppState) -> Self {
        let settings = state.live.settings();
        Self {
            chair,
            asked,
            ends_at: end_of(&access),
            access,
            ping_every: settings.ping_every,
            next_ping: Instant::now() + settings.ping_every,
            is_heard: true,
            messages: 0,
            write_within: settings.write_within,
        }
    }

    /// That it is theirs, and what they missed. Each message has the place after it, so `here`, which is after all of them, is
    /// said with the last.
    async fn welcome(
        &mut self,
        socket: &mut WebSocket,
        here: Cursor,
        missed: Option<Result<Vec<Told>, Resync>>,
    ) -> Result<(), Closing> {
        let resumed = missed.as_ref().map(Result::is_ok);
        let yes = Event::Authenticated(Authenticated::yes(resumed));
        let mut events = Vec::new();
        match missed {
            Some(Ok(told)) => events.extend(
                told.iter()
                    .filter_map(|told| Some((Event::of(told, self.access.reader)?, told.cursor.clone()))),
            ),
            Some(Err(reason)) => {
                metrics::counter!("live_resyncs_total", "reason" => reason.word()).increment(1);
                events.push((Event::Resync { reason }, here.clone()));
            }
            None => {}
        }
        match events.last_mut() {
            Some((_, cursor)) => *cursor = here,
            None => return self.tell(socket, &yes, Some(&here)).await,
        }
        self.tell(socket, &yes, None).await?;
        for (event, cursor) in &events {
            self.tell(socket, event, Some(cursor)).await?;
        }
        Ok(())
    }

    /// Tells what happens, until it ends.
    async fn go_on(mut self, socket: &mut WebSocket, state: &AppState) -> Closing {
        loop {
            if let Err(closing) = self.step(socket, state).await {
                return closing;
            }
        }
    }

    async fn step(&mut self, socket: &mut WebSocket, state: &AppState) -> Result<(), Closing> {
        let wakes_at = self.ends_at.map_or(self.next_ping, |end| end.min(self.next_ping));
        tokio::select! {
            // What was said before a ping's time was over counts.
            biased;
            () = state.live.stopping().cancelled() => Err(Closing::GoingAway),
            said = socket.recv() => self.hear(socket, state, said).await,
            () = sleep_until(wakes_at) => self.look_at_the_clock(socket).await,
            told = self.chair.next() => {
                let told = told?;
                match Event::of(&told, self.access.reader) {
                    Some(event) => self.tell(socket, &event, Some(&told.cursor)).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn look_at_the_clock(&mut self, socket: &mut WebSocket) -> Result<(), Closing> {
        let now = Instant::now();
        if self.ends_at.is_some_and(|end| end <= now) {
            return Err(Closing::Expired);
        }
        if self.next_ping > now {
            return Ok(());
        }
        if !self.is_heard {
            return Err(Closing::Silent);
        }
        self.next_ping = now + self.ping_every;
        (self.is_heard, self.messages) = (false, 0);
        self.send(socket, Message::Ping(Bytes::new())).await
    }

    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        state: &AppState,
        said: Option<Result<Message, axum::Error>>,
    ) -> Result<(), Closing> {
        self.is_heard = true;
        let text = match said {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Text(text))) => Some(text),
            Some(Ok(Message::Binary(_))) => None,
            Some(Ok(Message::Close(_))) => return Err(Closing::ByClient),
            Some(Err(_)) => return Err(Closing::Unreadable),
            None => return Err(Closing::Broken),
        };
        self.messages += 1;
        if self.messages > MOST_MESSAGES {
            return Err(Closing::TooManyMessages);
        }
        match text.and_then(|text| Authenticate::read(&text)) {
            Some(message) => Box::pin(self.authenticate_again(socket, state, message)).await,
            None => {
                let detail = "the one message here is {\"event\": \"authenticate\", \"data\": \"<token>\"}";
                let error = Event::Error { code: "unknown_message", detail };
                self.tell(socket, &error, None).await
            }
        }
    }

    /// A new token of the same account, before the one before it ends.
    async fn authenticate_again(
        &mut self,
        socket: &mut WebSocket,
        state: &AppState,
        message: Authenticate,
    ) -> Result<(), Closing> {
        // The seat is the new login's before it is asked about, so that its end from now on is told.
        for _ in 0..2 {
            let access = match LiveAccess::of(&message.token, self.asked, state).await {
                Ok(access) => access,
                Err(problem) => return Err(refuse(socket, state, &problem).await),
            };
            if access.user != self.access.user {
                return Err(Closing::Forbidden);
            }
            self.chair.is_by(access.by);
            (self.ends_at, self.access) = (end_of(&access), access);
        }
        let here = self.chair.place().map(|snapshot| Cursor::at((*snapshot).clone()));
        self.tell(socket, &Event::Authenticated(Authenticated::yes(None)), here.as_ref()).await
    }

    async fn tell(
        &mut self,
        socket: &mut WebSocket,
        event: &Event,
        cursor: Option<&Cursor>,
    ) -> Result<(), Closing> {
        self.send(socket, event.message(cursor)).await?;
        metrics::counter!("live_messages_total", "event" => event.name()).increment(1);
        Ok(())
    }

    async fn send(&self, socket: &mut WebSocket, message: Message) -> Result<(), Closing> {
        tokio::select! {
            biased;
            why = self.chair.ended() => Err(why.into()),
            sent = timeout(self.write_within, socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Closing::Broken),
                Err(_) => Err(Closing::TooSlow),
            },
        }
    }
}

fn end_of(access: &LiveAccess) -> Option<Instant> {
    access.left.map(|left| Instant::now() + left)
}
