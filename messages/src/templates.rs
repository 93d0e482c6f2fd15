//! The files of words, by event, channel and language.

use domain::{event::EventKind, language::Language};

use crate::Channel;

/// A text in each language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    indonesian: &'static str,
    english: &'static str,
}

impl Words {
    pub(crate) const fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::Indonesian => self.indonesian,
            Language::English => self.english,
        }
    }
}

/// The words of an event, by channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Templates {
    in_app: Option<Words>,
    timeline: Option<Words>,
    email: Option<Words>,
    telegram: Option<Words>,
}

impl Templates {
    const NONE: Self = Self { in_app: None, timeline: None, email: None, telegram: None };

    pub(crate) const fn get(&self, channel: Channel) -> Option<Words> {
        match channel {
            Channel::InApp => self.in_app,
            Channel::Timeline => self.timeline,
            Channel::Email => self.email,
            Channel::Telegram => self.telegram,
        }
    }
}

macro_rules! words {
    ($event:tt, $channel:tt) => {
        Some(Words {
            indonesian: include_str!(concat!("../", $event, "/", $channel, ".id.j2")),
            english: include_str!(concat!("../", $event, "/", $channel, ".en.j2")),
        })
    };
}

macro_rules! told {
    ($event:tt timeline) => {
        Templates { timeline: words!($event, "timeline"), ..Templates::NONE }
    };
    ($event:tt staff) => {
        Templates { in_app: words!($event, "in_app"), ..Templates::NONE }
    };
    ($event:tt customer) => {
        Templates {
            in_app: words!($event, "in_app"),
            email: words!($event, "email"),
            telegram: words!($event, "telegram"),
            ..Templates::NONE
        }
    };
    ($event:tt link) => {
        Templates { email: words!($event, "email"), ..Templates::NONE }
    };
    ($event:tt timeline customer) => {
        Templates { timeline: words!($event, "timeline"), ..told!($event customer) }
    };
}

macro_rules! templates {
    ($($(#[$doc:meta])* $event:ident = $name:tt [$($channel:ident)*]),+ $(,)?) => {
        /// The words of an event.
        pub(crate) const fn of(event: EventKind) -> Templates {
            match event { $(EventKind::$event => told!($name $($channel)*)),+ }
        }
    };
}
domain::every_event!(templates);
