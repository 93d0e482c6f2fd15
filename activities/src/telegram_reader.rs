//! Reading what people write to our bot: `/start <code>` links a chat, `/stop` ends the link. Telegram is asked, by one process
//! at a time, so nothing of ours has to be reachable from outside. What was read is confirmed by the next question; a process
//! that dies in between reads it again, which changes nothing: a code is good once.

use std::{sync::Arc, time::Duration};

use adapters::telegram::{Update, escaped};
use domain::language::Language;
use store::{Store, StoreError, telegram::TelegramReader};
use tokio_util::sync::CancellationToken;

use crate::delivery::TelegramChannel;

/// How long Telegram holds a question until somebody writes.
const WAIT: Duration = Duration::from_secs(20);
/// How long it is left alone after trouble, and how often a process that does not read looks whether nobody does.
const PAUSE: Duration = Duration::from_secs(5);

/// What the bot answers.
struct Words {
    linked: &'static str,
    unlinked: &'static str,
    unknown_code: &'static str,
    help: &'static str,
}

const INDONESIAN: Words = Words {
    linked: "Obrolan ini terhubung dengan akun WeBrana Cloud Anda. Kirim /stop untuk memutuskannya.",
    unlinked: "Obrolan ini tidak lagi terhubung. Anda tidak akan menerima pesan lagi.",
    unknown_code: "Kode ini tidak berlaku. Silakan buat tautan baru di profil Anda.",
    help: "Hubungkan obrolan ini melalui profil Anda di WeBrana Cloud. Kirim /stop untuk memutuskannya.",
};
const ENGLISH: Words = Words {
    linked: "This chat is linked to your WeBrana Cloud account. Send /stop to end that.",
    unlinked: "This chat is not linked any more. You will receive no more messages.",
    unknown_code: "This code is not valid. Please make a new link in your profile.",
    help: "Link this chat in your profile at WeBrana Cloud. Send /stop to end the link.",
};

const fn words(language: Language) -> &'static Words {
    match language {
        Language::Indonesian => &INDONESIAN,
        Language::English => &ENGLISH,
    }
}

/// Reads until `stop`, whenever no other process does.
pub async fn run(store: Store, channel: Arc<TelegramChannel>, stop: CancellationToken) {
    let reading = async {
        loop {
            match store.telegram_reader().await {
                Ok(Some(mut reader)) => read(&store, &channel, &mut reader).await,
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(event = "telegram.reader", %error, "nobody knows who reads the bot's messages")
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(reading).await;
}

/// Reads for as long as the right to do so lasts and Telegram answers.
async fn read(store: &Store, channel: &TelegramChannel, reader: &mut TelegramReader) {
    let mut after = None;
    loop {
        let updates = match channel.bot.updates(after, WAIT).await {
            Ok(updates) => updates,
            Err(error) => {
                let trouble = error.trouble;
                tracing::warn!(event = "telegram.unread", %trouble, %error, "the bot's messages can't be read");
                tokio::time::sleep(error.retry_after.unwrap_or_default()).await;
                return;
            }
        };
        // Who lost the right meanwhile leaves what was read to who has it.
        if let Err(error) = reader.check().await {
            tracing::debug!(event = "telegram.reader", %error, "another process reads the bot's messages from now on");
            return;
        }
        for update in updates {
            if let Err(error) = answer(store, channel, &update).await {
                tracing::warn!(event = "telegram.unread", %error, "a message to the bot is read again later");
                return;
            }
            after = Some(update.id);
        }
    }
}

/// Does what a message asks for, and says so. An answer that does not arrive is not sent again.
async fn answer(store: &Store, channel: &TelegramChannel, update: &Update) -> Result<(), StoreError> {
    let (Some(chat), Some(text)) = (update.private_chat, update.text.as_deref()) else { return Ok(()) };
    let mut parts = text.split_whitespace();
    let said = match (parts.next(), parts.next()) {
        (Some("/start"), Some(code)) => match store.link_telegram(code, chat).await? {
            Some(language) => words(language).linked.to_owned(),
            None => both(|words| words.unknown_code),
        },
        (Some("/stop"), _) => match store.unlink_telegram_chat(chat).await? {
            Some(language) => words(language).unlinked.to_owned(),
            None => both(|words| words.unlinked),
        },
        _ => both(|words| words.help),
    };
    if let Err(error) = channel.bot.send(chat, &escaped(&said)).await {
        let trouble = error.trouble;
        tracing::info!(event = "telegram.unanswered", %trouble, "an answer of the bot did not arrive");
    }
    Ok(())
}

/// Of somebody whose language nobody knows.
fn both(which: impl Fn(&Words) -> &'static str) -> String {
    format!("{}\n\n{}", which(&INDONESIAN), which(&ENGLISH))
}
