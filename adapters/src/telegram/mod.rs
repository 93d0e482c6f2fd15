//! Telegram's Bot API: <https://core.telegram.org/bots/api>. Messages go to chats that were linked, and what people write to
//! the bot is read by asking for it (long polling), so that nothing of ours has to be reachable for Telegram.

mod text;
mod types;

use std::time::Duration;

use domain::delivery::DeliveryTrouble;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

use self::types::{Answer, GetUpdates, LinkPreview, Me, SendMessage, Sent};
use crate::{
    Cause,
    http::{self, SetupError},
    sending::SendError,
};

pub use text::{escaped, message};
pub use types::Update;

/// Longest message that Telegram takes, in UTF-16 code units after its markup is read.
const LONGEST: usize = 4_096;
/// Longest wait that Telegram may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How to reach the bot.
#[derive(Debug, Clone)]
pub struct BotConfig {
    /// Where the API is: `https://api.telegram.org`.
    pub base_url: Url,
    /// The bot's token. It is part of each call's path, so no address is ever logged.
    pub token: SecretString,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// A bot.
#[derive(Debug)]
pub struct Bot {
    http: Client,
    config: BotConfig,
}

impl Bot {
    /// A bot that talks to the API at `config.base_url`.
    ///
    /// # Errors
    /// [`SetupError`] when the address or the machine's TLS setup is unusable.
    pub fn new(config: BotConfig) -> Result<Self, SetupError> {
        Ok(Self { http: http::client(&config.base_url, config.timeout)?, config })
    }

    /// Sends a message to a chat; its markup is what [`message`] makes.
    ///
    /// # Errors
    /// [`SendError`], which says whether it may have arrived all the same.
    pub async fn send(&self, chat_id: i64, html: &str) -> Result<(), SendError> {
        let html = text::within(html, LONGEST);
        let request = SendMessage {
            chat_id,
            text: &html,
            parse_mode: "HTML",
            link_preview_options: LinkPreview { is_disabled: true },
        };
        self.call::<Sent>("sendMessage", &request, self.config.timeout).await.map(drop)
    }

    /// What people wrote to the bot behind `after`, or as soon as somebody writes within `wait`. What is behind is confirmed
    /// by asking: Telegram does not tell it again.
    ///
    /// # Errors
    /// [`SendError`] when there is no answer, or none that can be read.
    pub async fn updates(&self, after: Option<i64>, wait: Duration) -> Result<Vec<Update>, SendError> {
        let request = GetUpdates {
            offset: after.map(|after| after.saturating_add(1)),
            timeout: wait.as_secs(),
            allowed_updates: &["message"],
        };
        self.call("getUpdates", &request, self.config.timeout + wait).await
    }

    /// What the bot is called, for links to it.
    ///
    /// # Errors
    /// [`SendError`] when there is no answer.
    pub async fn username(&self) -> Result<String, SendError> {
        let me: Me = self.call("getMe", &serde_json::json!({}), self.config.timeout).await?;
        Ok(me.username)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        body: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, SendError> {
        let token = format!("bot{}", self.config.token.expose_secret());
        let url = http::join(&self.config.base_url, &[&token, method]);
        let request = self.http.post(url).timeout(timeout).json(body);
        let answer = http::exchange(request).await.map_err(on_the_wire)?;
        // Only Telegram's own envelope proves anything.
        let read: Answer<T> = serde_json::from_slice(&answer.body).map_err(|error| SendError {
            source: Some(Cause::from(error)),
            ..SendError::perhaps(format!(
                "an answer that is not Telegram's (HTTP {})",
                answer.status.as_u16()
            ))
        })?;
        match read {
            Answer { ok: true, result: Some(result), .. } => Ok(result),
            Answer { ok: true, .. } => Err(SendError::perhaps("Telegram's answer has no result")),
            refused => Err(refusal(&refused)),
        }
    }
}

fn on_the_wire(error: reqwest::Error) -> SendError {
    let was_sent = http::may_have_been_sent(&error);
    let (message, cause) = http::described(error);
    let error = if was_sent {
        SendError::perhaps(message)
    } else {
        SendError::not_yet(DeliveryTrouble::Unreachable, message)
    };
    SendError { source: Some(cause), ..error }
}

/// Telegram refused, in its own words, which name no person.
fn refusal<T>(answer: &Answer<T>) -> SendError {
    let code = answer.error_code.unwrap_or_default();
    let words = answer.description.as_deref().unwrap_or("no reason");
    let message = format!("Telegram said {code}: {words}");
    match code {
        401 | 404 => SendError::not_yet(DeliveryTrouble::Account, message),
        // The bot was blocked, the account is gone, or the bot was thrown out of the chat.
        403 => SendError::never(DeliveryTrouble::BadAddress, message),
        400 if words.contains("chat not found") => SendError::never(DeliveryTrouble::BadAddress, message),
        429 => {
            let wait = answer.parameters.as_ref().and_then(|parameters| parameters.retry_after);
            let retry_after = wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
            SendError { retry_after, ..SendError::not_yet(DeliveryTrouble::Busy, message) }
        }
        400..=499 => SendError::never(DeliveryTrouble::Refused, message),
        // A server that failed may have failed after it was done.
        _ => SendError::perhaps(message),
    }
}
