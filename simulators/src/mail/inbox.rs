//! What was taken, and what is to go wrong.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::mime::{self, Parsed};

/// Longest inbox: the oldest mails make room.
const LONGEST: usize = 20_000;

/// How a conversation is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FaultKind {
    /// Whoever connects is sent away (421).
    Away,
    /// The recipient is refused for good: there is no such address (550 5.1.1).
    RefuseRecipient,
    /// The recipient is refused for now (451 4.3.0).
    Busy,
    /// The mail is refused for good once it is there (554 5.7.1).
    RefuseMail,
    /// The connection ends where the mail would begin: nothing is taken.
    DropBeforeData,
    /// The mail is taken, and the connection ends without an answer.
    DropAfterData,
    /// The mail is taken, and the answer held back for `seconds`.
    Delay,
}

/// One order for a failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// How to fail.
    pub(super) kind: FaultKind,
    /// For mails to this address only; to all when nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recipient: Option<String>,
    /// How long a delay is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<f64>,
    /// How often it is still to happen.
    #[serde(default = "once")]
    pub(super) times: u32,
}

const fn once() -> u32 {
    1
}

impl Fault {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.kind {
            _ if self.times == 0 => Err("times must be at least 1".to_owned()),
            FaultKind::Delay if !self.seconds.is_some_and(|seconds| (0.0..=3_600.0).contains(&seconds)) => {
                Err("kind `delay` needs seconds, 3600 at most".to_owned())
            }
            FaultKind::Away if self.recipient.is_some() => {
                Err("nobody has said whom a mail is to when `away` sends the client off".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// A mail that was taken.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Mail {
    pub(super) id: u64,
    pub(super) received_at: DateTime<Utc>,
    /// Whom the envelope names.
    pub(super) from: String,
    pub(super) to: Vec<String>,
    #[serde(flatten)]
    pub(super) parsed: Parsed,
    pub(super) raw: String,
}

#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) mails: Vec<Mail>,
    pub(super) faults: Vec<Fault>,
    /// How often each command came.
    pub(super) commands: BTreeMap<String, u64>,
    next: u64,
}

impl Inbox {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses up one turn of a fault of this kind, if one waits for a mail to these people.
    pub(super) fn fault(&self, kind: FaultKind, to: &[String]) -> Option<Fault> {
        let mut state = self.state();
        let is_for = |fault: &Fault| {
            fault.recipient.as_ref().is_none_or(|wanted| to.iter().any(|to| to.eq_ignore_ascii_case(wanted)))
        };
        let fault = state.faults.iter_mut().find(|fault| fault.kind == kind && is_for(fault))?;
        fault.times -= 1;
        let taken = fault.clone();
        state.faults.retain(|fault| fault.times > 0);
        Some(taken)
    }

    pub(super) fn take(&self, from: String, to: Vec<String>, raw: &[u8]) {
        let mut state = self.state();
        state.next += 1;
        let mail = Mail {
            id: state.next,
            received_at: Utc::now(),
            from,
            to,
            parsed: mime::parse(raw),
            raw: String::from_utf8_lossy(raw).into_owned(),
        };
        if state.mails.len() >= LONGEST {
            state.mails.remove(0);
        }
        state.mails.push(mail);
    }

    pub(super) fn count(&self, command: &str) {
        *self.state().commands.entry(command.to_owned()).or_default() += 1;
    }
}
