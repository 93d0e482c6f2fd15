//! The people that a bot talks to, and what they read.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    routing::{get, post},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Telegram;
use crate::kit::control::{BadRequest, parse};

pub(super) fn control_routes(telegram: Arc<Telegram>) -> Router {
    Router::new()
        .route("/__sim/messages", get(messages))
        .route("/__sim/say", post(say))
        .route("/__sim/block", post(block))
        .with_state(telegram)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    chat_id: Option<i64>,
}

async fn messages(State(telegram): State<Arc<Telegram>>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let chats = telegram.chats();
    let found =
        chats.messages.iter().filter(|message| wanted.chat_id.is_none_or(|chat| chat == message.chat_id));
    Json(json!({ "messages": found.collect::<Vec<_>>() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saying {
    chat_id: i64,
    text: String,
}

async fn say(
    State(telegram): State<Arc<Telegram>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), BadRequest> {
    let Saying { chat_id, text } = parse(&body).map_err(BadRequest)?;
    let update = {
        let mut chats = telegram.chats();
        chats.started.insert(chat_id);
        chats.next_update += 1;
        chats.next_message += 1;
        let kind = if chat_id < 0 { "group" } else { "private" };
        let update = json!({
            "update_id": chats.next_update,
            "message": {
                "message_id": chats.next_message, "date": Utc::now().timestamp(), "text": text,
                "from": { "id": chat_id, "is_bot": false, "first_name": "Siti" },
                "chat": { "id": chat_id, "type": kind, "first_name": "Siti" },
            },
        });
        chats.updates.push_back(update.clone());
        update
    };
    telegram.written.notify_waiters();
    Ok((StatusCode::CREATED, Json(update)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Blocking {
    chat_id: i64,
    blocked: bool,
}

async fn block(State(telegram): State<Arc<Telegram>>, body: Bytes) -> Result<StatusCode, BadRequest> {
    let Blocking { chat_id, blocked } = parse(&body).map_err(BadRequest)?;
    let mut chats = telegram.chats();
    if blocked {
        chats.blocked.insert(chat_id);
    } else {
        chats.blocked.remove(&chat_id);
    }
    Ok(StatusCode::NO_CONTENT)
}
