//! The words for people. A folder per event ([`domain::event::EventKind`]) has a file per channel and language; they are
//! compiled in, so one that is missing stops the build. Nothing here reads or writes anything: whoever shows or delivers
//! an event renders it then, in its reader's language and by their clock ([`Locale`]).
//!
//! `in_app` and `email` begin with a title, or subject, and an empty line. What a person wrote (a reason, an
//! announcement) is kept as written.
//!
//! ```
//! use domain::{event::{Event, EventKind}, language::Language};
//!
//! let event = Event::example(EventKind::ServerActive);
//! assert_eq!(messages::in_app(&event, Language::English)?.title, "Your server is running");
//! assert_eq!(messages::timeline(&event, Language::Indonesian)?, "Server Anda sudah berjalan.");
//! # Ok::<(), messages::Error>(())
//! ```

mod failures;
mod lines;
mod mail;
mod papers;
mod promos;
mod reasons;
mod render;
mod templates;
mod times;
mod words;

use domain::{
    event::{Event, EventKind},
    locale::Locale,
};

pub use failures::{action_failure, order_failure};
pub use lines::invoice_line;
pub use mail::{Addressed, Mail, action, mail};
pub use papers::{Phrases, invoice_status};
pub use promos::{promo_gives, promo_refusal};
pub use reasons::{credit_reason, misfit_reason};
pub use times::{clock, day, moment};
pub use words::{capital, payment_method};

/// A way in which people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Notifications in the app.
    InApp,
    /// The timeline of an order.
    Timeline,
    /// Mail.
    Email,
    /// Telegram.
    Telegram,
}

impl Channel {
    /// Every channel.
    pub const ALL: &'static [Self] = &[Self::InApp, Self::Timeline, Self::Email, Self::Telegram];

    /// Whether it is told in this way.
    #[must_use]
    pub fn tells(self, event: EventKind) -> bool {
        templates::of(event).get(self).is_some()
    }
}

/// A text with a title, or a mail with its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is about, in a few words.
    pub title: String,
    /// What happened.
    pub message: String,
}

/// Why something has no words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Such an event is not told in this way.
    #[error("{event} has no words for {channel:?}")]
    NotTold {
        /// The event.
        event: EventKind,
        /// How it was to be told.
        channel: Channel,
    },
    /// Its words don't fit its data.
    #[error("the words of {event} can't be rendered")]
    Rendering {
        /// The event.
        event: EventKind,
        /// What is wrong.
        source: minijinja::Error,
    },
    /// The layout of mails can't be read.
    #[error("the layout of mails can't be read: {0}")]
    Layout(String),
}

/// A notification in the app.
///
/// # Errors
/// [`Error::NotTold`] of an event that stands on timelines only.
pub fn in_app(event: &Event, reader: impl Into<Locale>) -> Result<Letter, Error> {
    render::letter(event, Channel::InApp, reader.into())
}

/// A mail.
///
/// # Errors
/// [`Error::NotTold`] of an event that is not told to customers.
pub fn email(event: &Event, reader: impl Into<Locale>) -> Result<Letter, Error> {
    render::letter(event, Channel::Email, reader.into())
}

/// A step of a timeline.
///
/// # Errors
/// [`Error::NotTold`] of an event that stands on no timeline.
pub fn timeline(event: &Event, reader: impl Into<Locale>) -> Result<String, Error> {
    render::text(event, Channel::Timeline, reader.into())
}

/// A message by Telegram.
///
/// # Errors
/// [`Error::NotTold`] of an event that is not told to customers.
pub fn telegram(event: &Event, reader: impl Into<Locale>) -> Result<String, Error> {
    render::text(event, Channel::Telegram, reader.into())
}
