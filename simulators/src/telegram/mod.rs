//! Telegram's Bot API, as far as bots that write to chats and read what people write to them need it:
//! <https://core.telegram.org/bots/api>. People are made up by `POST /__sim/say`.

mod html;
mod people;
mod updates;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

use crate::kit::{
    Handle, Service,
    control::{self, Admission, Control, Simulated, parse},
    fault::FaultKind,
};

/// What it is called in settings.
pub const SLUG: &str = "telegram";
/// The port it has by convention.
pub const PORT: u16 = 4030;
/// The token it accepts unless another is set. Everybody knows it.
pub const TOKEN: &str = "4242:simulated-bot-token-nobody-needs";
/// What the bot is called.
pub const BOT_NAME: &str = "webrana_simulated_bot";
/// A group that the bot is in from the start.
pub const GROUP: i64 = -1_000_000_001;

/// What only this simulator has, for the help text.
const EXAMPLES: &str = "# A person writes to the bot, who can write back from then on\n\
     curl {host}/__sim/say --json '{\"chat_id\":7,\"text\":\"/start 5d41402abc4b2a76\"}'\n\n\
     # What the bot sent, oldest first; to one chat\n\
     curl {host}/__sim/messages\n\
     curl '{host}/__sim/messages?chat_id=7'\n\n\
     # A person keeps the bot out, or lets it in again\n\
     curl {host}/__sim/block --json '{\"chat_id\":7,\"blocked\":true}'";

/// Longest message, in UTF-16 code units without its markup.
const LONGEST: usize = 4_096;
/// Most messages that are remembered.
const MOST: usize = 20_000;

/// What `POST /__sim/config` changes.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// How many messages a second are taken; any number when nothing is said.
    messages_per_second: Option<u32>,
}

/// A message that the bot sent.
#[derive(Debug, Clone, Serialize)]
struct Message {
    message_id: i64,
    chat_id: i64,
    /// As it came.
    text: String,
    /// As it is read: without markup.
    plain: String,
    parse_mode: Option<String>,
}

#[derive(Debug, Default)]
struct Chats {
    settings: Settings,
    messages: Vec<Message>,
    /// People who wrote to the bot.
    started: BTreeSet<i64>,
    blocked: BTreeSet<i64>,
    updates: VecDeque<Value>,
    next_message: i64,
    next_update: i64,
    sent: VecDeque<Instant>,
}

/// A bot's side of Telegram.
pub(crate) struct Telegram {
    token: String,
    control: Arc<Control>,
    chats: Mutex<Chats>,
    written: Notify,
}

/// The whole HTTP service for a bot with this token.
#[must_use]
pub fn open(token: &str) -> Service {
    let telegram = Arc::new(Telegram {
        token: token.to_owned(),
        control: Arc::default(),
        chats: Mutex::default(),
        written: Notify::new(),
    });
    control::service(telegram, routes())
}

/// Starts one in this process, on a port of its own.
///
/// # Errors
/// When no port can be bound.
pub async fn start() -> io::Result<Handle> {
    Handle::start(open(TOKEN)).await
}

fn routes() -> Vec<(&'static str, MethodRouter<Arc<Telegram>>)> {
    vec![
        ("/{bot}/sendMessage", get(send_message).post(send_message)),
        ("/{bot}/getUpdates", get(updates::get_updates).post(updates::get_updates)),
        ("/{bot}/getMe", get(get_me).post(get_me)),
    ]
}

impl Telegram {
    fn chats(&self) -> MutexGuard<'_, Chats> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulated for Telegram {
    fn name(&self) -> &'static str {
        "Telegram Bot API"
    }

    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn fault_kinds(&self) -> &'static [FaultKind] {
        &[FaultKind::Status, FaultKind::Delay, FaultKind::DropAfterCreate]
    }

    fn examples(&self) -> &'static str {
        EXAMPLES
    }

    fn settings(&self) -> Value {
        json!(self.chats().settings)
    }

    fn configure(&self, change: &[u8]) -> Result<(), String> {
        self.chats().settings = parse(change)?;
        Ok(())
    }

    fn resources(&self) -> BTreeMap<&'static str, usize> {
        let chats = self.chats();
        [("messages", chats.messages.len()), ("updates_waiting", chats.updates.len())].into()
    }

    fn reset(&self) {
        *self.chats() = Chats::default();
    }

    fn admit(&self, request: &Parts) -> Admission {
        let expected = format!("/bot{}/", self.token);
        // Clients may escape the colon.
        let path = request.uri.path().replace("%3A", ":").replace("%3a", ":");
        let refusal = (!path.starts_with(&expected)).then(|| self.error(StatusCode::UNAUTHORIZED));
        Admission { refusal, ..Admission::default() }
    }

    fn error(&self, status: StatusCode) -> Response {
        let words = status.canonical_reason().unwrap_or("Error");
        match status {
            StatusCode::TOO_MANY_REQUESTS => flooded(1),
            StatusCode::FORBIDDEN => refusal(status, "Forbidden: bot was blocked by the user"),
            status => refusal(status, words),
        }
    }

    fn control_routes(self: Arc<Self>) -> Router {
        people::control_routes(self)
    }
}

fn refusal(status: StatusCode, description: &str) -> Response {
    let body = json!({ "ok": false, "error_code": status.as_u16(), "description": description });
    (status, Json(body)).into_response()
}

fn flooded(seconds: u64) -> Response {
    let body = json!({
        "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {seconds}"),
        "parameters": { "retry_after": seconds },
    });
    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
}

fn done(result: Value) -> Response {
    Json(json!({ "ok": true, "result": result })).into_response()
}

async fn get_me() -> Response {
    done(json!({ "id": 4242, "is_bot": true, "first_name": "WeBrana Cloud", "username": BOT_NAME }))
}

/// As far as it is read; the rest changes only how a message looks.
#[derive(Debug, Deserialize)]
struct Sending {
    chat_id: i64,
    text: String,
    parse_mode: Option<String>,
}

async fn send_message(State(telegram): State<Arc<Telegram>>, body: Bytes) -> Response {
    let Ok(Sending { chat_id, text, parse_mode }) = serde_json::from_slice(&body) else {
        return refusal(StatusCode::BAD_REQUEST, "Bad Request: message text is empty");
    };
    let plain = match parse_mode.as_deref() {
        None => text.clone(),
        Some("HTML") => match html::read(&text) {
            Ok(plain) => plain,
            Err(why) => {
                return refusal(
                    StatusCode::BAD_REQUEST,
                    &format!("Bad Request: can't parse entities: {why}"),
                );
            }
        },
        Some(_) => return refusal(StatusCode::BAD_REQUEST, "Bad Request: unsupported parse_mode"),
    };
    if plain.trim().is_empty() {
        return refusal(StatusCode::BAD_REQUEST, "Bad Request: message text is empty");
    }
    if plain.encode_utf16().count() > LONGEST {
        return refusal(StatusCode::BAD_REQUEST, "Bad Request: message is too long");
    }
    let mut chats = telegram.chats();
    if chats.blocked.contains(&chat_id) {
        return refusal(StatusCode::FORBIDDEN, "Forbidden: bot was blocked by the user");
    }
    if chat_id != GROUP && !chats.started.contains(&chat_id) {
        return refusal(StatusCode::BAD_REQUEST, "Bad Request: chat not found");
    }
    if chats.is_flooded() {
        return flooded(1);
    }
    chats.next_message += 1;
    let message_id = chats.next_message;
    if chats.messages.len() >= MOST {
        chats.messages.remove(0);
    }
    chats.messages.push(Message { message_id, chat_id, text, plain: plain.clone(), parse_mode });
    let kind = if chat_id < 0 { "group" } else { "private" };
    done(json!({
        "message_id": message_id, "date": Utc::now().timestamp(), "chat": { "id": chat_id, "type": kind }, "text": plain,
    }))
}

impl Chats {
    /// Whether more was sent within a second than is taken.
    fn is_flooded(&mut self) -> bool {
        let Some(most) = self.settings.messages_per_second else { return false };
        while self.sent.front().is_some_and(|sent| sent.elapsed().as_secs() >= 1) {
            self.sent.pop_front();
        }
        if self.sent.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return true;
        }
        self.sent.push_back(Instant::now());
        false
    }
}
