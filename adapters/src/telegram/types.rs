//! Telegram's wire format, as far as we use it.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
pub(super) struct SendMessage<'a> {
    pub(super) chat_id: i64,
    pub(super) text: &'a str,
    pub(super) parse_mode: &'static str,
    pub(super) link_preview_options: LinkPreview,
}

#[derive(Debug, Serialize)]
pub(super) struct LinkPreview {
    pub(super) is_disabled: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct GetUpdates {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<i64>,
    pub(super) timeout: u64,
    pub(super) allowed_updates: &'static [&'static str],
}

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
pub(super) struct Answer<T> {
    pub(super) ok: bool,
    pub(super) result: Option<T>,
    pub(super) error_code: Option<u16>,
    pub(super) description: Option<String>,
    pub(super) parameters: Option<Parameters>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Parameters {
    pub(super) retry_after: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sent {
    #[expect(dead_code, reason = "its being there is what proves a message")]
    message_id: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Me {
    pub(super) username: String,
}

/// Something that somebody wrote to the bot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawUpdate")]
pub struct Update {
    /// Its place in the line.
    pub id: i64,
    /// The chat between a person and the bot, if it is one: groups have no business with us.
    pub private_chat: Option<i64>,
    /// What was written, if it was text.
    pub text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RawUpdate {
    update_id: i64,
    message: Option<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    chat: Chat,
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
}

impl From<RawUpdate> for Update {
    fn from(raw: RawUpdate) -> Self {
        let (chat, text) = raw.message.map(|message| (message.chat, message.text)).unzip();
        Self {
            id: raw.update_id,
            private_chat: chat.filter(|chat| chat.kind == "private").map(|chat| chat.id),
            text: text.flatten(),
        }
    }
}
