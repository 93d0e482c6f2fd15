//! What a server's workflow is told of its life.

use chrono::{DateTime, Utc};

use crate::{
    ids::InstanceId,
    instance::{ActionTurn, InstanceStatus},
    term,
};

/// A look at what is due for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LifeLook {
    /// The server.
    pub instance_id: InstanceId,
    /// The looks that its workflow knows of: a database that knows of fewer was put back to an earlier state.
    pub seen_turns: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LifeTurn {
    /// What is to be done to it now.
    #[serde(flatten)]
    pub turn: ActionTurn,
    /// Looks, with this one.
    pub turns: i64,
    /// Where it stands.
    pub status: InstanceStatus,
    /// When to look again, milliseconds since the Unix epoch; none when nothing is due until something happens to it.
    pub next_due_ms: Option<u64>,
    /// When more than a reminder is due. What looks of before recorded has none.
    #[serde(default)]
    pub changes_at_ms: Option<u64>,
    /// In how many milliseconds to look again, by the clock that decided it: the engine's may differ.
    pub due_in_ms: Option<u64>,
    /// What it waits for, in words for staff.
    pub waits_for: String,
}

impl LifeTurn {
    /// The day, in Jakarta, on which more than a reminder is due. Every change of it costs the engine an event, so reminders
    /// don't count.
    #[must_use]
    pub fn due_day(&self) -> Option<String> {
        Some(term::day(moment(self.changes_at_ms.or(self.next_due_ms))?).to_string())
    }

    /// What its workflow does until then, in a sentence for staff.
    #[must_use]
    pub fn in_words(&self) -> String {
        let waits_for = &self.waits_for;
        match moment(self.next_due_ms) {
            Some(at) => {
                let moment = term::in_jakarta(at).format("%-d %b %Y, %H.%M WIB");
                format!("Sleeping until {moment}: waiting for {waits_for}.")
            }
            None => format!("Waiting for {waits_for}."),
        }
    }
}

fn moment(ms: Option<u64>) -> Option<DateTime<Utc>> {
    ms.and_then(|ms| DateTime::from_timestamp_millis(i64::try_from(ms).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_read_when_and_what_for_and_days_are_jakartas() {
        let turn = LifeTurn {
            turn: ActionTurn { is_terminated: false, work: None, expires_at_ms: Some(1) },
            turns: 3,
            status: InstanceStatus::Active,
            // Late in the evening of the 31st in UTC.
            next_due_ms: Some(1_798_759_800_000),
            changes_at_ms: None,
            due_in_ms: Some(1),
            waits_for: "a reminder".to_owned(),
        };
        assert_eq!(turn.due_day().as_deref(), Some("2027-01-01"));
        assert_eq!(turn.in_words(), "Sleeping until 1 Jan 2027, 06.30 WIB: waiting for a reminder.");
        let read: LifeTurn = serde_json::from_value(serde_json::to_value(&turn).unwrap()).unwrap();
        assert_eq!(read, turn);
        let later = LifeTurn { changes_at_ms: Some(1_798_759_800_000 + 86_400_000), ..turn.clone() };
        assert_eq!(later.due_day().as_deref(), Some("2027-01-02"));
        assert_eq!(later.in_words(), turn.in_words());
        assert_eq!(LifeTurn { next_due_ms: None, ..turn }.in_words(), "Waiting for a reminder.");
    }
}
