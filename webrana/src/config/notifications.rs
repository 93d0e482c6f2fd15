//! By what people are told outside of the app: mail and Telegram.

use super::strength::{Guarded, SHORTEST_CREDENTIAL};
use adapters::mail::{MailConfig, Security, Server, Smtp};
use adapters::telegram::BotConfig;
use domain::delivery::DeliveryPolicy;
use domain::policy::StepPolicy;
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;
use url::Url;

/// Who writes on a developer's machine.
const DEVELOPMENT_FROM: &str = "WeBrana Cloud <no-reply@webrana.test>";
/// Where the product is used on a developer's machine.
const DEVELOPMENT_APP: &str = "http://127.0.0.1:3000";

/// By what people are told outside of the app.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotificationsConfig {
    /// The mail server: smtps://host, or smtp://host for STARTTLS, with a port where it is another one; production has no
    /// default, and without it no mail is sent
    #[arg(id = "notifications.smtp_url", long = "smtp-url", env = "SMTP_URL", value_name = "URL")]
    smtp_url: Option<String>,

    /// Our name at the mail server, where it wants one
    #[arg(
        id = "notifications.smtp_username",
        long = "smtp-username",
        env = "SMTP_USERNAME",
        value_name = "NAME"
    )]
    smtp_username: Option<String>,

    /// Our password there
    #[arg(
        id = "notifications.smtp_password",
        long = "smtp-password",
        env = "SMTP_PASSWORD",
        value_name = "PASSWORD",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    smtp_password: Option<SecretString>,

    /// Most connections to the mail server at once
    #[arg(
        id = "notifications.smtp_connections",
        long = "smtp-connections",
        env = "SMTP_CONNECTIONS",
        value_name = "NUMBER",
        default_value_t = 4
    )]
    smtp_connections: usize,

    /// Longest wait until the mail server admits us
    #[arg(
        id = "notifications.smtp_connect_timeout",
        long = "smtp-connect-timeout",
        env = "SMTP_CONNECT_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = super::value::duration
    )]
    smtp_connect_timeout: Duration,

    /// Longest time that handing over a message may take from then on, also of one to Telegram
    #[arg(
        id = "notifications.send_timeout",
        long = "notification-send-timeout",
        env = "NOTIFICATION_SEND_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = super::value::duration
    )]
    send_timeout: Duration,

    /// Who mails are from, such as `WeBrana Cloud <no-reply@example.com>`; production has no default
    #[arg(
        id = "notifications.mail_from",
        long = "mail-from",
        env = "MAIL_FROM",
        value_name = "ADDRESS",
        default_value = DEVELOPMENT_FROM
    )]
    mail_from: String,

    /// Who is answered, where it is somebody else
    #[arg(
        id = "notifications.mail_reply_to",
        long = "mail-reply-to",
        env = "MAIL_REPLY_TO",
        value_name = "ADDRESS"
    )]
    mail_reply_to: Option<String>,

    /// Where people use the product: messages lead there; production has no default
    #[arg(
        id = "notifications.app_url",
        long = "app-url",
        env = "APP_URL",
        value_name = "URL",
        default_value = DEVELOPMENT_APP
    )]
    app_url: Url,

    /// Where the API is reached from outside, for the links that switch mails off; where the product is used, when not set
    #[arg(
        id = "notifications.public_api_url",
        long = "public-api-url",
        env = "PUBLIC_API_URL",
        value_name = "URL"
    )]
    public_api_url: Option<Url>,

    /// Where Telegram's Bot API is
    #[arg(
        id = "notifications.telegram_url",
        long = "telegram-url",
        env = "TELEGRAM_URL",
        value_name = "URL",
        default_value = "https://api.telegram.org"
    )]
    telegram_url: Url,

    /// The token of our bot; without it nobody is told by Telegram
    #[arg(
        id = "notifications.telegram_bot_token",
        long = "telegram-bot-token",
        env = "TELEGRAM_BOT_TOKEN",
        value_name = "TOKEN",
        value_parser = super::value::secret,
        hide_env_values = true
    )]
    telegram_bot_token: Option<SecretString>,

    /// The name of our bot, such as webrana_bot, for links to it; the API needs it, workers don't
    #[arg(
        id = "notifications.telegram_bot_name",
        long = "telegram-bot-name",
        env = "TELEGRAM_BOT_NAME",
        value_name = "NAME"
    )]
    telegram_bot_name: Option<String>,

    /// The chat in which administrators are told what concerns them: its number; nobody is when not set
    #[arg(
        id = "notifications.telegram_admin_chat_id",
        long = "telegram-admin-chat-id",
        env = "TELEGRAM_ADMIN_CHAT_ID",
        value_name = "NUMBER",
        allow_hyphen_values = true
    )]
    telegram_admin_chat_id: Option<String>,

    /// First wait before a message that was not taken is sent again; doubles up to the longest
    #[arg(
        id = "notifications.retry_initial",
        long = "notification-retry-initial",
        env = "NOTIFICATION_RETRY_INITIAL",
        value_name = "DURATION",
        default_value = "5s",
        value_parser = super::value::duration
    )]
    retry_initial: Duration,

    /// Longest wait between two attempts
    #[arg(
        id = "notifications.retry_max",
        long = "notification-retry-max",
        env = "NOTIFICATION_RETRY_MAX",
        value_name = "DURATION",
        default_value = "30m",
        value_parser = super::value::duration
    )]
    retry_max: Duration,

    /// How long a message is tried; news that comes later is worth nothing
    #[arg(
        id = "notifications.give_up_after",
        long = "notification-give-up-after",
        env = "NOTIFICATION_GIVE_UP_AFTER",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = super::value::duration
    )]
    give_up_after: Duration,

    /// Longest silence of an attempt before another worker takes over
    #[arg(
        id = "notifications.heartbeat_timeout",
        long = "notification-heartbeat-timeout",
        env = "NOTIFICATION_HEARTBEAT_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = super::value::duration
    )]
    heartbeat_timeout: Duration,
}

/// An empty variable means that it is not set.
fn given(setting: Option<&String>) -> Option<&str> {
    setting.map(|setting| setting.trim()).filter(|setting| !setting.is_empty())
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl NotificationsConfig {
    /// The same without what would lead to a mail server or to Telegram.
    pub fn without_channels(self) -> Self {
        Self { smtp_url: None, telegram_bot_token: None, ..self }
    }

    /// How mail is sent, where a server is set.
    pub fn mail(&self) -> Option<MailConfig> {
        let server = Server::parse(given(self.smtp_url.as_ref())?).ok()?;
        let password = super::given(self.smtp_password.as_ref()).cloned();
        Some(MailConfig {
            server,
            credentials: given(self.smtp_username.as_ref()).map(str::to_owned).zip(password),
            from: self.mail_from.clone(),
            reply_to: given(self.mail_reply_to.as_ref()).map(str::to_owned),
            connect_timeout: self.smtp_connect_timeout,
            send_timeout: self.send_timeout,
            connections: self.smtp_connections,
        })
    }

    /// How the bot is reached, where there is one.
    pub fn bot(&self) -> Option<BotConfig> {
        let token = super::given(self.telegram_bot_token.as_ref())?.clone();
        Some(BotConfig { base_url: self.telegram_url.clone(), token, timeout: self.send_timeout })
    }

    /// What the bot is called.
    pub fn bot_name(&self) -> Option<&str> {
        given(self.telegram_bot_name.as_ref()).map(|name| name.trim_start_matches('@'))
    }

    /// The administrators' chat.
    pub fn admin_chat(&self) -> Option<i64> {
        given(self.telegram_admin_chat_id.as_ref())?.parse().ok()
    }

    /// Where messages lead to: the product, and the API.
    pub fn links(&self) -> [String; 2] {
        let api = self.public_api_url.as_ref().unwrap_or(&self.app_url);
        [self.app_url.to_string(), api.to_string()]
    }

    /// How patiently messages are sent. An attempt has ended once all that it may take is over twice.
    pub fn policy(&self) -> DeliveryPolicy {
        DeliveryPolicy {
            steps: StepPolicy {
                heartbeat_timeout_ms: ms(self.heartbeat_timeout),
                retry_initial_ms: ms(self.retry_initial),
                retry_max_ms: ms(self.retry_max),
                give_up_after_ms: ms(self.give_up_after),
            },
            settle_ms: ms(self.smtp_connect_timeout.saturating_add(self.send_timeout).saturating_mul(2)),
            ..DeliveryPolicy::default()
        }
    }

    /// Sends mail to a stand-in, unless a server is set. `api` is where the API is.
    pub fn simulate_mail(&mut self, port: u16) {
        self.smtp_url = Some(format!("smtp+plain://127.0.0.1:{port}"));
    }

    /// Has a stand-in for Telegram.
    pub fn simulate_telegram(&mut self, url: Url, token: &str, name: &str, admin_chat: i64) {
        self.telegram_url = url;
        self.telegram_bot_token = Some(SecretString::from(token));
        self.telegram_bot_name = Some(name.to_owned());
        if given(self.telegram_admin_chat_id.as_ref()).is_none() {
            self.telegram_admin_chat_id = Some(admin_chat.to_string());
        }
    }

    /// Leads to an API at another address than by default, unless one was set.
    pub fn lead_to(&mut self, api: &Url) {
        if self.app_url.as_str().trim_end_matches('/') == DEVELOPMENT_APP {
            self.app_url = api.clone();
        }
    }

    /// What nobody may know.
    pub fn secrets(&self) -> Vec<Guarded<'_>> {
        let secrets = [
            ("SMTP_PASSWORD", self.smtp_password.as_ref(), 0),
            ("TELEGRAM_BOT_TOKEN", self.telegram_bot_token.as_ref(), SHORTEST_CREDENTIAL),
        ];
        let set = secrets.into_iter().filter_map(|(name, secret, shortest)| {
            Some(Guarded::elsewhere(name, super::given(secret)?.expose_secret().to_owned(), shortest))
        });
        set.collect()
    }

    /// What is wrong with these settings.
    pub fn problems(&self, production: bool) -> Vec<String> {
        let mut problems = Vec::new();
        match given(self.smtp_url.as_ref()).map(Server::parse) {
            Some(Err(error)) => problems.push(format!("SMTP_URL: {error}")),
            Some(Ok(server)) if production && server.security == Security::Plain => problems.push(
                "SMTP_URL: production sends no mail without TLS: what people are told, and our password, would be read by \
                 others"
                    .to_owned(),
            ),
            None if production => {
                problems.push("SMTP_URL is missing: people are told of money and of their accounts by mail".to_owned());
            }
            _ => {}
        }
        if let Some(Err(error)) = self.mail().map(Smtp::new) {
            problems.push(format!("MAIL_FROM or MAIL_REPLY_TO: {error}"));
        }
        if given(self.smtp_username.as_ref()).is_some() != super::given(self.smtp_password.as_ref()).is_some()
        {
            problems.push("SMTP_USERNAME and SMTP_PASSWORD are set together or not at all".to_owned());
        }
        if given(self.telegram_admin_chat_id.as_ref()).is_some() && self.admin_chat().is_none() {
            problems
                .push("TELEGRAM_ADMIN_CHAT_ID is the number of a chat, such as -1001234567890".to_owned());
        }
        let durations = [
            ("SMTP_CONNECT_TIMEOUT", self.smtp_connect_timeout),
            ("NOTIFICATION_SEND_TIMEOUT", self.send_timeout),
            ("NOTIFICATION_RETRY_INITIAL", self.retry_initial),
            ("NOTIFICATION_RETRY_MAX", self.retry_max),
            ("NOTIFICATION_GIVE_UP_AFTER", self.give_up_after),
            ("NOTIFICATION_HEARTBEAT_TIMEOUT", self.heartbeat_timeout),
        ];
        let zero = durations.into_iter().filter(|(_, duration)| duration.is_zero());
        problems.extend(zero.map(|(name, _)| format!("{name} must not be 0")));
        if production {
            problems.extend(self.missing());
        }
        problems
    }

    /// What production has no default for.
    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.mail_from == DEVELOPMENT_FROM {
            missing.push("MAIL_FROM is missing: mails are from somebody".to_owned());
        }
        if self.app_url.as_str().trim_end_matches('/') == DEVELOPMENT_APP {
            missing.push("APP_URL is missing: messages lead there".to_owned());
        }
        if super::given(self.telegram_bot_token.as_ref()).is_some() {
            missing.extend(super::not_the_vendor("TELEGRAM_URL", &self.telegram_url));
        }
        missing
    }
}
