//! What people were told, and when they heard of it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use domain::event::{Event, EventKind};
use futures::future::try_join_all;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::Person;
use crate::bench::samples::Samples;

/// Connections to the database on which people are told.
const WRITERS: usize = 16;
/// Between two looks whether all was heard.
const PAUSE: Duration = Duration::from_millis(50);

/// Everything that was told. Cheap to clone.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<HashMap<Uuid, Entry>>>);

struct Entry {
    /// When its commit was sent.
    sent: Instant,
    commit: Option<Duration>,
    heard: Option<Duration>,
    times: usize,
}

/// What came of it.
pub struct Outcome {
    /// How many were told.
    pub told: usize,
    /// Of these, how many nobody heard.
    pub lost: usize,
    /// How many were heard more than once.
    pub doubled: usize,
    /// From sending the commit to hearing of it.
    pub heard: Samples,
    /// From sending the commit to its answer.
    pub commits: Samples,
}

impl Told {
    fn entries(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sending(&self, id: Uuid) {
        let entry = Entry { sent: Instant::now(), commit: None, heard: None, times: 0 };
        self.entries().insert(id, entry);
    }

    fn committed(&self, id: Uuid) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.commit = Some(entry.sent.elapsed());
        }
    }

    /// Somebody heard of one.
    pub fn heard(&self, id: Uuid) {
        if let Some(entry) = self.entries().get_mut(&id) {
            entry.heard.get_or_insert(entry.sent.elapsed());
            entry.times += 1;
        }
    }

    /// Waits until all were heard, but no longer than `longest`.
    pub async fn wait(&self, longest: Duration) {
        let all = async {
            while self.entries().values().any(|entry| entry.times == 0) {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(longest, all).await;
    }

    /// What came of all.
    pub fn outcome(&self) -> Outcome {
        let entries = self.entries();
        Outcome {
            told: entries.len(),
            lost: entries.values().filter(|entry| entry.times == 0).count(),
            doubled: entries.values().filter(|entry| entry.times > 1).count(),
            heard: entries.values().filter_map(|entry| entry.heard).collect(),
            commits: entries.values().filter_map(|entry| entry.commit).collect(),
        }
    }
}

/// Tells each of these people something every second, for so many seconds, each in a transaction of its own. Answers how long
/// that took.
///
/// # Errors
/// When the database refuses.
pub async fn tell(database: &str, people: &[Person], seconds: usize, told: &Told) -> Result<Duration> {
    let begun = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let mine: Vec<&Person> = people.iter().skip(writer).step_by(WRITERS).collect();
        write(database, mine, seconds, told)
    });
    try_join_all(writers).await?;
    Ok(begun.elapsed())
}

async fn write(database: &str, people: Vec<&Person>, seconds: usize, told: &Told) -> Result<()> {
    let mut connection = PgConnection::connect(database).await?;
    let begun = tokio::time::Instant::now();
    for second in 0..seconds {
        for (number, person) in people.iter().enumerate() {
            let share = number as f64 / people.len() as f64;
            tokio::time::sleep_until(begun + Duration::from_secs_f64(second as f64 + share)).await;
            tell_one(&mut connection, person, told).await?;
        }
    }
    Ok(connection.close().await?)
}

/// As the product does: an event, and that somebody is told of it.
async fn tell_one(connection: &mut PgConnection, person: &Person, told: &Told) -> Result<()> {
    let (id, event) = (Uuid::now_v7(), Event::example(EventKind::OrderPlaced));
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "WITH event AS (INSERT INTO events (kind, data, dedupe_key) VALUES ($1, $2, $3) RETURNING id)
         INSERT INTO in_app_notifications (id, user_id, event_id, type)
         SELECT $4, $5, event.id, 'ORDER_CREATED' FROM event",
    )
    .bind(event.kind().as_str())
    .bind(event.data()?)
    .bind(format!("bench/{id}"))
    .bind(id)
    .bind(person.id.0)
    .execute(&mut *transaction)
    .await?;
    told.sending(id);
    transaction.commit().await?;
    told.committed(id);
    Ok(())
}
