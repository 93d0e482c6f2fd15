//! By what people are told: the words of an event, put into the shape of a channel and handed to its adapter.

use std::sync::Arc;

use adapters::{
    mail::{Mail, Mailer},
    sending::SendError,
    telegram::{self, Bot},
};
use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryTrouble},
    event::Event,
    language::Language,
};
use secrecy::{ExposeSecret, SecretString};
use store::{
    Result, Store,
    deliveries::{DeliveryJob, Reader},
};

/// Where what a message leads to is.
#[derive(Debug, Clone)]
pub struct Links {
    /// Where people use the product: paths of events are behind it.
    pub app_url: String,
    /// Where the API is reached from outside.
    pub api_url: String,
}

/// Telling by mail.
#[derive(Debug)]
pub struct MailChannel {
    /// What sends it.
    pub mailer: Box<dyn Mailer>,
    /// Where it leads to.
    pub links: Links,
}

/// Telling by Telegram.
#[derive(Debug)]
pub struct TelegramChannel {
    /// What sends it.
    pub bot: Bot,
    /// The administrators' place.
    pub admin_chat: Option<i64>,
    /// Where it leads to.
    pub links: Links,
}

/// The channels that a process serves.
#[derive(Debug, Clone, Default)]
pub struct Channels {
    /// Mail.
    pub mail: Option<Arc<MailChannel>>,
    /// Telegram.
    pub telegram: Option<Arc<TelegramChannel>>,
}

impl Channels {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.mail.is_none() && self.telegram.is_none()
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn serves(&self, channel: DeliveryChannel) -> bool {
        match channel {
            DeliveryChannel::Email => self.mail.is_some(),
            DeliveryChannel::Telegram => self.telegram.is_some(),
        }
    }

    /// From now on there are deliveries by these channels.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(&self, store: &Store, policy: &DeliveryPolicy) -> Result<()> {
        if self.mail.is_some() {
            store.open_delivery_channel(DeliveryChannel::Email, policy, false).await?;
        }
        if let Some(telegram) = &self.telegram {
            let tells_staff = telegram.admin_chat.is_some();
            store.open_delivery_channel(DeliveryChannel::Telegram, policy, tells_staff).await?;
        }
        Ok(())
    }

    /// Sends what an attempt is about.
    pub(super) async fn send(&self, job: &DeliveryJob) -> Result<(), SendError> {
        let event = job.event.as_ref().ok_or_else(no_words)?;
        match (job.channel, &self.mail, &self.telegram) {
            (DeliveryChannel::Email, Some(mail), _) => mail.send(job, event).await,
            (DeliveryChannel::Telegram, _, Some(telegram)) => telegram.send(job, event).await,
            (channel, ..) => Err(never(DeliveryTrouble::Refused, format!("{channel} is not served here"))),
        }
    }
}

impl Links {
    fn of_event(&self, event: &Event) -> String {
        let path = event.facts().action_url.unwrap_or_else(|| "/".to_owned());
        format!("{}{path}", self.app_url.trim_end_matches('/'))
    }

    /// Of a mail that is sent for a link: what that proves itself by is behind `#`, so that no server and no log sees it
    /// when the link is opened.
    fn of_link(&self, event: &Event, token: &SecretString) -> String {
        format!("{}#token={}", self.of_event(event), token.expose_secret())
    }

    fn unsubscribe(&self, token: &str) -> String {
        format!("{}/api/v1/unsubscribe/{token}", self.api_url.trim_end_matches('/'))
    }
}

impl MailChannel {
    async fn send(&self, job: &DeliveryJob, event: &Event) -> Result<(), SendError> {
        let Reader::Person { email, name, locale, .. } = &job.reader else {
            return Err(never(
                DeliveryTrouble::BadAddress,
                "administrators have no address together".to_owned(),
            ));
        };
        let action_url = match &job.link_token {
            Some(token) => self.links.of_link(event, token),
            None if event.kind().is_a_link() => {
                return Err(never(DeliveryTrouble::LinkOver, "there is no link to send".to_owned()));
            }
            None => self.links.of_event(event),
        };
        let unsubscribe = job.unsubscribe_token.as_deref().map(|token| self.links.unsubscribe(token));
        let to =
            messages::Addressed { name, action_url: &action_url, unsubscribe_url: unsubscribe.as_deref() };
        let words = messages::mail(event, *locale, &to).map_err(|_| no_words())?;
        let mail = Mail {
            id: &job.id.to_string(),
            to: email,
            to_name: name,
            subject: &words.subject,
            text: &words.text,
            html: &words.html,
            language: locale.language.as_str(),
            unsubscribe_url: unsubscribe.as_deref(),
        };
        self.mailer.send(&mail).await
    }
}

impl TelegramChannel {
    async fn send(&self, job: &DeliveryJob, event: &Event) -> Result<(), SendError> {
        let url = self.links.of_event(event);
        let (chat, html) = match &job.reader {
            Reader::Person { chat_id, locale, .. } => {
                let text = messages::telegram(event, *locale).map_err(|_| no_words())?;
                let link = (messages::action(locale.language), url.as_str());
                (*chat_id, telegram::message(None, &text, Some(link)))
            }
            // What staff are told has a title in the app, and no other words.
            Reader::Administrators => {
                let language = Language::Indonesian;
                let letter = messages::in_app(event, language).map_err(|_| no_words())?;
                let link = (messages::action(language), url.as_str());
                (self.admin_chat, telegram::message(Some(&letter.title), &letter.message, Some(link)))
            }
        };
        let no_chat = || never(DeliveryTrouble::NotLinked, "there is no chat to write to".to_owned());
        self.bot.send(chat.ok_or_else(no_chat)?, &html).await
    }
}

fn no_words() -> SendError {
    never(DeliveryTrouble::NoWords, "the event has no words in this version of the program".to_owned())
}

fn never(trouble: DeliveryTrouble, message: String) -> SendError {
    SendError { taken: adapters::sending::Taken::Never, trouble, message, retry_after: None, source: None }
}
