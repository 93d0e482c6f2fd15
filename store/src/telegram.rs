//! Chats that are linked to accounts. A code shows that who writes in a chat is who is logged in; it is good once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{ids::UserId, language::Language};
use sqlx::{Connection, PgConnection};

use crate::{
    Result, Store, StoreError,
    audit::{self, Actor, Origin},
    boxed, opaque_token,
    users::about,
};

/// Messages of the bot are read by one process at a time: whoever has this lock.
const READER_LOCK: i64 = 0x7765_6272_616e_6101;

/// A chat that is linked to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelegramLink {
    /// Since when.
    pub linked_at: DateTime<Utc>,
    /// Since when its owner keeps our bot out.
    pub blocked_at: Option<DateTime<Utc>>,
}

/// A code that links a chat.
#[derive(Debug)]
pub struct LinkCode {
    /// What is to be sent to the bot.
    pub code: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// The right to read the bot's messages, until it is dropped.
#[derive(Debug)]
pub struct TelegramReader {
    connection: PgConnection,
}

impl TelegramReader {
    /// Whether it still is.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer: the right is gone then.
    #[boxed]
    pub async fn check(&mut self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&mut self.connection).await?;
        Ok(())
    }
}

impl Store {
    /// A new code for an account; an earlier one is good no more.
    ///
    /// # Errors
    /// [`StoreError::Randomness`] when the system has none.
    #[boxed]
    pub async fn telegram_link_code(&self, user: UserId, life: Duration) -> Result<LinkCode> {
        let code = opaque_token::generate("")?;
        let expires_at = sqlx::query_scalar!(
            "INSERT INTO telegram_link_codes (code_hash, user_id, expires_at)
             VALUES ($1, $2, now() + make_interval(secs => $3))
             ON CONFLICT (user_id) DO UPDATE SET code_hash = excluded.code_hash, expires_at = excluded.expires_at
             RETURNING expires_at",
            opaque_token::hash(code.as_bytes()),
            user.0,
            life.as_secs_f64(),
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(LinkCode { code, expires_at })
    }

    /// The chat of an account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none.
    #[boxed]
    pub async fn telegram_link(&self, user: UserId) -> Result<TelegramLink> {
        sqlx::query_as!(
            TelegramLink,
            "SELECT linked_at, blocked_at FROM telegram_links WHERE user_id = $1",
            user.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("telegram_link"))
    }

    /// Links the chat that a code came from, and answers with what its account reads. A chat belongs to one account and an
    /// account has one chat: what was linked before is not any more. `None` of a code that is good for nothing.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn link_telegram(&self, code: &str, chat_id: i64) -> Result<Option<Language>> {
        let mut tx = self.pool.begin().await?;
        let user = sqlx::query_scalar!(
            r#"DELETE FROM telegram_link_codes WHERE code_hash = $1 AND expires_at > now()
               RETURNING user_id AS "user_id: UserId""#,
            opaque_token::hash(code.as_bytes()),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(user) = user else { return Ok(None) };
        sqlx::query!("DELETE FROM telegram_links WHERE chat_id = $1 OR user_id = $2", chat_id, user.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("INSERT INTO telegram_links (user_id, chat_id) VALUES ($1, $2)", user.0, chat_id)
            .execute(&mut *tx)
            .await?;
        let origin = Origin { actor: Actor::User(user), ip: None, request_id: None };
        audit::record(&mut tx, &origin, &about("user.telegram_linked", user)).await?;
        let language = sqlx::query_scalar!(
            r#"SELECT language AS "language: Language" FROM users WHERE id = $1"#,
            user.0
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(language))
    }

    /// Ends the link of a chat, at the wish of who writes there. Answers with what its account reads; `None` where there was
    /// no link.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn unlink_telegram_chat(&self, chat_id: i64) -> Result<Option<Language>> {
        let mut tx = self.pool.begin().await?;
        let ended = sqlx::query!(
            r#"DELETE FROM telegram_links t USING users u WHERE t.chat_id = $1 AND u.id = t.user_id
               RETURNING t.user_id AS "user_id: UserId", u.language AS "language: Language""#,
            chat_id,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(ended) = ended else { return Ok(None) };
        let origin = Origin { actor: Actor::User(ended.user_id), ip: None, request_id: None };
        audit::record(&mut tx, &origin, &about("user.telegram_unlinked", ended.user_id)).await?;
        tx.commit().await?;
        Ok(Some(ended.language))
    }

    /// Ends the link of an account, and a code that waits.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none.
    #[boxed]
    pub async fn unlink_telegram(&self, user: UserId, origin: &Origin) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("DELETE FROM telegram_link_codes WHERE user_id = $1", user.0).execute(&mut *tx).await?;
        let ended =
            sqlx::query!("DELETE FROM telegram_links WHERE user_id = $1", user.0).execute(&mut *tx).await?;
        if ended.rows_affected() == 0 {
            return Err(StoreError::NotFound("telegram_link"));
        }
        audit::record(&mut tx, origin, &about("user.telegram_unlinked", user)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The right to read the bot's messages, if no other process has it: it is a connection's own, and goes with it.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn telegram_reader(&self) -> Result<Option<TelegramReader>> {
        let server = self.direct.clone().unwrap_or_else(|| self.pool.connections().connect_options());
        let mut connection = PgConnection::connect_with(&server).await?;
        let taken = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "taken!""#, READER_LOCK)
            .fetch_one(&mut connection)
            .await?;
        Ok(taken.then_some(TelegramReader { connection }))
    }
}
