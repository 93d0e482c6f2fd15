//! By what people are told outside of the app: from settings to channels.

use crate::config::notifications::NotificationsConfig;
use activities::{Channels, Links, MailChannel, TelegramChannel};
use adapters::mail::Smtp;
use adapters::telegram::Bot;
use anyhow::{Context, Result};
use std::sync::Arc;
use temporal::worker::NotificationWork;

/// What a worker tells people, and by what.
///
/// # Errors
/// When an adapter cannot be made.
pub fn notification_work(config: &NotificationsConfig) -> Result<NotificationWork> {
    let [app_url, api_url] = config.links();
    let links = Links { app_url, api_url };
    let mail = config.mail().map(|mail| -> Result<_> {
        let mailer = Smtp::new(mail).context("no mail can be sent with SMTP_URL and MAIL_FROM")?;
        Ok(Arc::new(MailChannel { mailer: Box::new(mailer), links: links.clone() }))
    });
    let telegram = config.bot().map(|bot| -> Result<_> {
        let bot = Bot::new(bot).context("Telegram's adapter cannot be made")?;
        Ok(Arc::new(TelegramChannel { bot, admin_chat: config.admin_chat(), links: links.clone() }))
    });
    let channels = Channels { mail: mail.transpose()?, telegram: telegram.transpose()? };
    Ok(NotificationWork { channels, policy: config.policy() })
}
