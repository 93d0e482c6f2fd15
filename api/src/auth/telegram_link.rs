//! The user's Telegram chat.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::LoggedIn;
use crate::{
    AppState,
    client::Client,
    problem::{Code, Problem},
};

/// How long a code is good.
const CODE_LIFE: Duration = Duration::from_secs(15 * 60);

/// A code that links a chat.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkCodeBody {
    /// What is to be sent to the bot behind `/start `. It is good once.
    #[schema(example = "5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d")]
    code: String,
    /// Opens Telegram, which sends it.
    #[schema(
        example = "https://t.me/webrana_bot?start=5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d"
    )]
    url: String,
    /// Until when it is good.
    expires_at: DateTime<Utc>,
}

/// The chat that is linked.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LinkBody {
    linked_at: DateTime<Utc>,
    /// Since when the bot can't write there: it was blocked. Linking anew ends it.
    blocked_at: Option<DateTime<Utc>>,
}

/// Link a Telegram chat
///
/// Gives a code that is sent to our bot by whoever opens the link. An earlier code is good no more; a chat that is linked
/// stays so until the code is used.
#[utoipa::path(post, path = "/auth/me/telegram-link", tag = "auth", operation_id = "create_telegram_link",
    security(("bearer" = [])), responses(
        (status = 201, description = "The code, shown once", body = LinkCodeBody),
        (status = 409, description = "`telegram_unavailable`: this installation has no bot", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn create(
    State(state): State<AppState>,
    user: LoggedIn,
) -> Result<(StatusCode, Json<LinkCodeBody>), Problem> {
    let bot = state.telegram_bot.as_deref().ok_or_else(|| {
        Problem::new(Code::TelegramUnavailable, "there is no bot that messages could come from")
    })?;
    let made = state.store.telegram_link_code(user.id, CODE_LIFE).await?;
    let url = format!("https://t.me/{bot}?start={}", made.code);
    Ok((StatusCode::CREATED, Json(LinkCodeBody { code: made.code, url, expires_at: made.expires_at })))
}

/// Read my Telegram link
///
/// Whether a chat is linked, and whether the bot can write there.
#[utoipa::path(get, path = "/auth/me/telegram-link", tag = "auth", operation_id = "get_telegram_link",
    security(("bearer" = [])), responses(
        (status = 200, description = "The link", body = LinkBody),
        (status = 404, description = "`not_found`: no chat is linked", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn get(State(state): State<AppState>, user: LoggedIn) -> Result<Json<LinkBody>, Problem> {
    let link = state.store.telegram_link(user.id).await?;
    Ok(Json(LinkBody { linked_at: link.linked_at, blocked_at: link.blocked_at }))
}

/// End my Telegram link
///
/// Nothing is sent to the chat any more. Writing `/stop` to the bot does the same.
#[utoipa::path(delete, path = "/auth/me/telegram-link", tag = "auth", operation_id = "delete_telegram_link",
    security(("bearer" = [])), responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`not_found`: no chat is linked", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
) -> Result<StatusCode, Problem> {
    state.store.unlink_telegram(user.id, &client.origin(user.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}
