//! `getUpdates`: what people wrote, from an offset on. What is before the offset is confirmed, and forgotten.

use std::{sync::Arc, time::Duration};

use axum::{body::Bytes, extract::State, response::Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Telegram, done};

/// Longest wait that Telegram allows, and most updates in an answer.
const LONGEST_SECONDS: u64 = 50;
const MOST: usize = 100;

#[derive(Debug, Default, Deserialize)]
struct Asked {
    offset: Option<i64>,
    #[serde(default)]
    timeout: u64,
}

pub(super) async fn get_updates(State(telegram): State<Arc<Telegram>>, body: Bytes) -> Response {
    let asked: Asked = serde_json::from_slice(&body).unwrap_or_default();
    let give_up_at = Instant::now() + Duration::from_secs(asked.timeout.min(LONGEST_SECONDS));
    loop {
        let written = telegram.written.notified();
        tokio::pin!(written);
        // Before looking, so that what is written meanwhile is not missed.
        written.as_mut().enable();
        let waiting = telegram.waiting(asked.offset);
        if !waiting.is_empty() || timeout_at(give_up_at, written).await.is_err() {
            return done(Value::Array(waiting));
        }
    }
}

impl Telegram {
    fn waiting(&self, offset: Option<i64>) -> Vec<Value> {
        let mut chats = self.chats();
        if let Some(offset) = offset {
            chats.updates.retain(|update| update["update_id"].as_i64() >= Some(offset));
        }
        chats.updates.iter().take(MOST).cloned().collect()
    }
}
