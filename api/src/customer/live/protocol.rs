//! What is said on an open connection: messages are JSON objects with an `event` and its `data`.

use std::borrow::Cow;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes};
use domain::{
    ids::{InstanceId, NotificationId, OrderId},
    live::{Cursor, LiveKind},
    locale::Locale,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::MESSAGE_BYTES;
use crate::{
    customer::notifications::Notification,
    live::{Ending, NoSeat, Told},
    problem::{Code, Problem},
};

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientMessage {
    event: String,
    data: Option<SecretString>,
    resume: Option<String>,
}

/// Who a client says it is.
#[derive(Debug)]
pub(super) struct Authenticate {
    /// An access token, or a personal API token.
    pub(super) token: SecretString,
    /// Up to where it was told before.
    pub(super) resume: Option<String>,
}

impl Authenticate {
    /// The one message that clients send.
    pub(super) fn read(text: &str) -> Option<Self> {
        (text.len() <= MESSAGE_BYTES).then_some(())?;
        let ClientMessage { event, data, resume } = serde_json::from_str(text).ok()?;
        (event == "authenticate").then_some(())?;
        Some(Self { token: data?, resume })
    }
}

/// What a client is told.
#[derive(Debug, Serialize)]
#[serde(tag = "event", content = "data")]
pub(super) enum Event {
    #[serde(rename = "authenticated")]
    Authenticated(Authenticated),
    #[serde(rename = "notification:new")]
    NotificationNew(Box<Notification>),
    #[serde(rename = "notification:read")]
    NotificationRead { id: NotificationId },
    #[serde(rename = "order:status")]
    OrderStatus { id: OrderId, status: String },
    #[serde(rename = "instance:status")]
    InstanceStatus { id: InstanceId, status: String, power_state: String },
    #[serde(rename = "resync")]
    Resync { reason: Resync },
    #[serde(rename = "error")]
    Error { code: &'static str, detail: &'static str },
}

/// Whether a client is who it says it is.
#[derive(Debug, Serialize)]
pub(super) struct Authenticated {
    success: bool,
    /// Whether it is told everything since its cursor, where it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
}

impl Authenticated {
    /// It is.
    pub(super) const fn yes(resumed: Option<bool>) -> Self {
        Self { success: true, resumed, code: None, detail: None }
    }

    /// It is not, or may not.
    pub(super) fn no(problem: &Problem) -> Self {
        let detail = Some(Cow::Owned(problem.detail.clone()));
        Self { success: false, resumed: None, code: Some(problem.code), detail }
    }
}

/// Why a client has to read everything anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Resync {
    /// What it missed is not kept any more.
    TooOld,
    /// It missed too much.
    TooMuch,
    /// Its cursor is none of ours.
    UnknownCursor,
}

impl Resync {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooMuch => "too_much",
            Self::UnknownCursor => "unknown_cursor",
        }
    }
}

impl Event {
    /// What happened, in the client's language and by their clock; `None` where there is nothing to be said any more.
    pub(super) fn of(told: &Told, reader: Locale) -> Option<Self> {
        let change = &told.change;
        Some(match change.kind? {
            LiveKind::NotificationNew => {
                let row = told.notification.clone()?;
                // What can't be said is in the log, and told as something to be read.
                match Notification::in_language(row, reader) {
                    Ok(notification) => Self::NotificationNew(Box::new(notification)),
                    Err(_) => Self::Resync { reason: Resync::TooMuch },
                }
            }
            LiveKind::NotificationRead => Self::NotificationRead { id: change.object.into() },
            LiveKind::OrderStatus => {
                Self::OrderStatus { id: change.object.into(), status: change.status.clone()? }
            }
            LiveKind::InstanceStatus => Self::InstanceStatus {
                id: change.object.into(),
                status: change.status.clone()?,
                power_state: change.power_state.clone()?,
            },
            LiveKind::Resync => Self::Resync { reason: Resync::TooMuch },
            LiveKind::AccessEnded => return None,
        })
    }

    /// As a message, with the place after it.
    pub(super) fn message(&self, cursor: Option<&Cursor>) -> Message {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            event: &'a Event,
            #[serde(skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
        }
        let whole = Whole { event: self, cursor: cursor.map(ToString::to_string) };
        // Of plain data, so it can always be written.
        Message::Text(serde_json::to_string(&whole).unwrap_or_default().into())
    }

    /// Its name, for metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Authenticated(_) => "authenticated",
            Self::NotificationNew(_) => "notification:new",
            Self::NotificationRead { .. } => "notification:read",
            Self::OrderStatus { .. } => "order:status",
            Self::InstanceStatus { .. } => "instance:status",
            Self::Resync { .. } => "resync",
            Self::Error { .. } => "error",
        }
    }
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// The process stops; another one is there.
    GoingAway,
    /// What came can't be read.
    Unreadable,
    /// Whoever it is, they are not logged in, or not any more.
    Unauthenticated,
    /// The access token's or API token's time is over.
    Expired,
    /// They may not.
    Forbidden,
    /// Nobody said in time whose it is.
    NobodyYet,
    /// The other side does not answer pings.
    Silent,
    /// The account has as many as it may have.
    TooManyConnections,
    /// The client says too much.
    TooManyMessages,
    /// It takes less than it is told.
    TooSlow,
    /// What happens can't be read at the moment.
    Unavailable,
    /// The other side hung up.
    ByClient,
    /// The connection broke.
    Broken,
}

impl Closing {
    /// The code of the close frame, and the word in it. From 4000 on they are ours (RFC 6455, 7.4.2).
    pub(super) const fn code_and_reason(self) -> (u16, &'static str) {
        match self {
            Self::GoingAway => (1001, "going_away"),
            Self::Unavailable => (1013, "unavailable"),
            Self::Unreadable => (4400, "unreadable"),
            Self::Unauthenticated => (4401, "unauthenticated"),
            Self::Expired => (4401, "token_expired"),
            Self::Forbidden => (4403, "forbidden"),
            Self::NobodyYet => (4408, "not_authenticated_in_time"),
            Self::Silent => (4410, "no_answer_to_pings"),
            Self::TooManyConnections => (4429, "too_many_connections"),
            Self::TooManyMessages => (4429, "too_many_messages"),
            Self::TooSlow => (4450, "too_slow"),
            Self::ByClient => (1000, "by_client"),
            Self::Broken => (1002, "broken"),
        }
    }

    /// The last message.
    pub(super) fn frame(self) -> Message {
        let (code, reason) = self.code_and_reason();
        Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
    }

    /// What a request with this token would be answered with, as an end.
    pub(super) fn because_of(problem: &Problem) -> Self {
        match (problem.status, problem.code) {
            (_, Code::TokenExpired) => Self::Expired,
            (401, _) => Self::Unauthenticated,
            (403, _) => Self::Forbidden,
            _ => Self::Unavailable,
        }
    }
}

impl From<Ending> for Closing {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::TooSlow => Self::TooSlow,
            Ending::AccessEnded => Self::Unauthenticated,
            Ending::FeedEnded => Self::Unavailable,
        }
    }
}

impl From<NoSeat> for Closing {
    fn from(none: NoSeat) -> Self {
        match none {
            NoSeat::TooMany => Self::TooManyConnections,
            NoSeat::Unavailable => Self::Unavailable,
            NoSeat::Stopping => Self::GoingAway,
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn one_message_is_understood() {
        let read = |text: &str| Authenticate::read(text);
        let plain = read(r#"{"event":"authenticate","data":"a.b.c"}"#).unwrap();
        assert_eq!((plain.token.expose_secret(), plain.resume), ("a.b.c", None));
        let again = read(r#"{"event":"authenticate","data":"a.b.c","resume":"1~5.1"}"#).unwrap();
        assert_eq!(again.resume.as_deref(), Some("1~5.1"));
        let texts = [
            "",
            "{}",
            "[]",
            "null",
            r#"{"event":"authenticate"}"#,
            r#"{"event":"authenticate","data":7}"#,
            r#"{"event":"subscribe","data":"x"}"#,
            r#"{"event":"authenticate","data":"x","more":1}"#,
        ];
        for text in texts {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn messages_name_their_event() {
        let read = Event::NotificationRead { id: NotificationId::from(uuid::Uuid::nil()) };
        let cursor: Cursor = "1~5.1".parse().unwrap();
        let text = read.message(Some(&cursor)).into_text().unwrap();
        let nil = uuid::Uuid::nil();
        let expected = format!(r#"{{"event":"notification:read","data":{{"id":"{nil}"}},"cursor":"1~5.1"}}"#);
        assert_eq!(text.as_str(), expected);
        let yes = Event::Authenticated(Authenticated::yes(None)).message(None).into_text().unwrap();
        assert_eq!(yes.as_str(), r#"{"event":"authenticated","data":{"success":true}}"#);
    }
}
