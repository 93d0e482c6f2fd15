//! How deliveries go: whether the engine is there, and what fails, told in a few lines however much it is.

use std::{collections::BTreeMap, time::Duration};

use domain::ids::OutboxId;
use store::outbox::{Claimed, Room};
use tokio::time::Instant;

/// First wait before the engine is tried again, then doubled.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait before the engine is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is said that the engine is still away.
const REMINDER: Duration = Duration::from_secs(60);
/// How often failures are told, a line per kind.
const TELL: Duration = Duration::from_secs(10);

/// What came of a delivery.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is through.
    Delivered,
    /// It need not be any more.
    Superseded,
    /// The engine or the database was not there for it.
    Outage(String),
    /// It failed by the message's own fault.
    Failed {
        /// Why.
        reason: String,
        /// Whether it is not tried any more.
        is_dead: bool,
    },
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Superseded => "superseded",
            Self::Outage(_) => "postponed",
            Self::Failed { is_dead: false, .. } => "failed",
            Self::Failed { is_dead: true, .. } => "dead",
        }
    }
}

/// The engine is away.
struct Outage {
    since: Instant,
    told: Instant,
    /// Between two tries.
    pause: Duration,
    next_try: Instant,
    /// A try is under way.
    is_tried: bool,
}

/// Failures of one kind of message that were not told yet.
struct Failures {
    count: u32,
    dead: u32,
    last: OutboxId,
    reason: String,
}

/// How deliveries go.
#[derive(Default)]
pub(super) struct Pulse {
    outage: Option<Outage>,
    failures: BTreeMap<String, Failures>,
    told: Option<Instant>,
}

impl Pulse {
    /// Takes in what came of a delivery.
    pub(super) fn note(&mut self, claimed: &Claimed, outcome: Outcome, now: Instant) {
        metrics::counter!("outbox_deliveries_total", "class" => claimed.class.as_str(), "outcome" => outcome.word())
            .increment(1);
        match outcome {
            Outcome::Delivered => self.is_back(now),
            Outcome::Superseded => {}
            Outcome::Outage(reason) => self.is_away(&reason, now),
            Outcome::Failed { reason, is_dead } => {
                let failures = self.failures.entry(claimed.kind.clone()).or_insert_with(|| Failures {
                    count: 0,
                    dead: 0,
                    last: claimed.id,
                    reason: String::new(),
                });
                failures.count += 1;
                failures.dead += u32::from(is_dead);
                (failures.last, failures.reason) = (claimed.id, reason);
            }
        }
    }

    /// For how many messages there is room: all that is free, or one that tries whether the engine is back; `None` for
    /// none at this moment.
    pub(super) fn room(&mut self, free: Room, now: Instant) -> Option<Room> {
        if free.total == 0 {
            return None;
        }
        let Some(outage) = &mut self.outage else { return Some(free) };
        if now < outage.next_try || free.total < super::IN_FLIGHT {
            return None;
        }
        (outage.is_tried, outage.next_try) = (true, now + outage.pause);
        Some(Room::of(1))
    }

    /// When the engine is to be tried again; none when it is there.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.outage.as_ref().map(|outage| outage.next_try)
    }

    fn is_back(&mut self, now: Instant) {
        if let Some(outage) = self.outage.take() {
            let seconds = now.duration_since(outage.since).as_secs();
            tracing::info!(event = "outbox.recovered", seconds, "messages get through to Temporal again");
        }
    }

    fn is_away(&mut self, reason: &str, now: Instant) {
        let Some(outage) = &mut self.outage else {
            tracing::warn!(
                event = "outbox.stalled",
                reason,
                "messages don't get through to Temporal; they wait until it is back"
            );
            let next_try = now + FIRST_PAUSE;
            self.outage =
                Some(Outage { since: now, told: now, pause: FIRST_PAUSE, next_try, is_tried: false });
            return;
        };
        // Those that were under way together with the first one say nothing new.
        if std::mem::take(&mut outage.is_tried) {
            outage.pause = (outage.pause * 2).min(LONGEST_PAUSE);
            outage.next_try = now + outage.pause;
        }
        if now.duration_since(outage.told) >= REMINDER {
            outage.told = now;
            let seconds = now.duration_since(outage.since).as_secs();
            tracing::warn!(
                alert = "outbox.still_stalled",
                reason,
                seconds,
                "messages still don't get through to Temporal"
            );
        }
    }

    /// Logs what failed since it was last said, unless that was a moment ago.
    pub(super) fn tell_of_failures(&mut self, now: Instant) {
        if self.failures.is_empty() || self.told.is_some_and(|told| now.duration_since(told) < TELL) {
            return;
        }
        self.told = Some(now);
        for (kind, of) in std::mem::take(&mut self.failures) {
            let Failures { count, dead, last, reason } = of;
            if dead > 0 {
                tracing::error!(
                    alert = "outbox.dead", kind, count, dead, outbox_id = %last, reason,
                    "messages to Temporal failed for good; see /admin/outbox"
                );
            } else {
                tracing::warn!(
                    event = "outbox.failed",
                    kind,
                    count,
                    outbox_id = %last,
                    reason,
                    "messages to Temporal failed; trying again later"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::outbox::MessageClass;
    use serde::de::Error;
    use uuid::Uuid;

    use super::*;

    const FREE: Room = Room { total: crate::dispatcher::IN_FLIGHT, unhurried: 8 };

    fn message() -> Claimed {
        Claimed {
            id: Uuid::nil().into(),
            message: Err(Arc::new(serde_json::Error::custom("of a test"))),
            kind: "payment_confirmed".to_owned(),
            class: MessageClass::Paid,
            is_superseded: false,
            claimed_at_ms: 0,
        }
    }

    #[test]
    fn while_the_engine_is_away_one_message_at_a_time_tries_later_and_later() {
        let (mut pulse, mut now) = (Pulse::default(), Instant::now());
        assert_eq!(pulse.room(FREE, now), Some(FREE));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            for _ in 0..64 {
                pulse.note(&message(), Outcome::Outage("away".to_owned()), now);
            }
            assert_eq!(pulse.room(FREE, now), None);
            let next = pulse.next_try().unwrap();
            pauses.push(next.duration_since(now).as_millis());
            now = next;
            assert_eq!(pulse.room(Room { total: FREE.total - 1, unhurried: 8 }, now), None);
            assert_eq!(pulse.room(FREE, now), Some(Room::of(1)));
            assert_eq!(pulse.room(FREE, now), None, "one at a time, also when nothing waited");
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        pulse.note(&message(), Outcome::Superseded, now);
        assert_eq!(pulse.room(FREE, now), None, "the engine was not asked");
        pulse.note(&message(), Outcome::Delivered, now);
        assert_eq!((pulse.room(FREE, now), pulse.next_try()), (Some(FREE), None));
    }

    #[test]
    fn failures_are_told_together() {
        let (mut pulse, now) = (Pulse::default(), Instant::now());
        let failed = || Outcome::Failed { reason: "no".to_owned(), is_dead: false };
        pulse.note(&message(), failed(), now);
        pulse.tell_of_failures(now);
        assert!(pulse.failures.is_empty(), "the first one is told at once");
        for _ in 0..5_000 {
            pulse.note(&message(), failed(), now);
            pulse.tell_of_failures(now);
        }
        assert_eq!(pulse.failures["payment_confirmed"].count, 5_000);
        pulse.tell_of_failures(now + TELL);
        assert!(pulse.failures.is_empty());
    }
}
