//! A mail server and a Telegram for a system, and what arrives there.

use std::{sync::Arc, time::Duration};

use activities::{Channels, Links, MailChannel, TelegramChannel};
use domain::{delivery::DeliveryPolicy, policy::StepPolicy};
use simulators::telegram::{BOT_NAME, GROUP, TOKEN};
use temporal::worker::NotificationWork;
use testkit::{SimulatedMail, SimulatedTelegram};

/// Whether customers of a system are told anything outside of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nobody is.
    Nobody,
    /// By a worker in this process.
    Inside,
    /// By workers in processes of their own, for a test that kills them.
    Outside,
}

/// Where a system's messages go.
#[derive(Debug)]
pub struct Messengers {
    /// The mail server.
    pub mail: SimulatedMail,
    /// The bot's Telegram.
    pub telegram: SimulatedTelegram,
}

/// What an attempt may take: twice as long after its note it has ended.
const TIMEOUT: &str = "500ms";

impl Messengers {
    /// Starts them.
    pub async fn start() -> Self {
        Self { mail: SimulatedMail::start().await, telegram: SimulatedTelegram::start().await }
    }

    /// What the bot is called.
    pub const fn bot() -> &'static str {
        BOT_NAME
    }

    /// What a worker in this process tells, by what.
    pub fn work(&self) -> NotificationWork {
        let links = Links {
            app_url: "https://app.example.test".to_owned(),
            api_url: "https://api.example.test".to_owned(),
        };
        let mail = MailChannel { mailer: Box::new(self.mail.adapter()), links: links.clone() };
        let telegram = TelegramChannel { bot: self.telegram.adapter(), admin_chat: Some(GROUP), links };
        let steps = StepPolicy {
            heartbeat_timeout_ms: 2_000,
            retry_initial_ms: 100,
            retry_max_ms: 1_000,
            give_up_after_ms: 60_000,
        };
        NotificationWork {
            channels: Channels { mail: Some(Arc::new(mail)), telegram: Some(Arc::new(telegram)) },
            policy: DeliveryPolicy { steps, settle_ms: 5_000, ..DeliveryPolicy::default() },
        }
    }

    /// The same for a process of its own, whose messages are given up so soon.
    pub fn environment(&self, give_up_after: Duration) -> Vec<(&'static str, String)> {
        let text = str::to_owned;
        vec![
            ("SMTP_URL", self.mail.smtp_url()),
            ("SMTP_CONNECT_TIMEOUT", text(TIMEOUT)),
            ("NOTIFICATION_SEND_TIMEOUT", text(TIMEOUT)),
            ("NOTIFICATION_RETRY_INITIAL", text("100ms")),
            ("NOTIFICATION_RETRY_MAX", text("500ms")),
            ("NOTIFICATION_HEARTBEAT_TIMEOUT", text("1s")),
            ("NOTIFICATION_GIVE_UP_AFTER", format!("{}ms", give_up_after.as_millis())),
            ("TELEGRAM_URL", self.telegram.simulator.url()),
            ("TELEGRAM_BOT_TOKEN", text(TOKEN)),
            ("TELEGRAM_ADMIN_CHAT_ID", GROUP.to_string()),
        ]
    }
}
