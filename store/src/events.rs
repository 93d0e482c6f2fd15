//! Recording what happened: written with the business that causes it, with its data and without words. A timeline
//! ([`crate::timeline`]) and a notification ([`crate::notifications`]) are views of the same event.

use domain::{
    event::{Event, Facts},
    ids::{NotificationId, UserId},
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{Result, new_id};

/// An event to be recorded.
#[derive(Debug)]
pub(crate) struct Entry {
    event: Event,
    detail: Value,
}

impl Entry {
    pub(crate) fn of(event: impl Into<Event>) -> Self {
        Self { event: event.into(), detail: json!({}) }
    }

    /// What only staff see of it: attempts, error class, request ids.
    pub(crate) fn detail(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// Records it within the caller's transaction, for its order's timeline. What is recorded already stays as it is.
    pub(crate) async fn record(self, tx: &mut PgConnection) -> Result<()> {
        self.insert(tx, &[]).await
    }

    /// Records it, and tells somebody of it, unless it is recorded already.
    pub(crate) async fn tell(self, tx: &mut PgConnection, person: UserId) -> Result<()> {
        self.insert(tx, &[person.0]).await
    }

    /// Records it, and tells all of these people of it, unless it is recorded already.
    pub(crate) async fn tell_all(self, tx: &mut PgConnection, people: &[UserId]) -> Result<()> {
        let people: Vec<uuid::Uuid> = people.iter().map(|person| person.0).collect();
        self.insert(tx, &people).await
    }

    /// Records it, and tells everybody who may act in the admin area, unless it is recorded already.
    pub(crate) async fn tell_administrators(self, tx: &mut PgConnection) -> Result<()> {
        let people = sqlx::query_scalar!(
            "SELECT id FROM users WHERE role IN ('admin', 'superadmin') AND suspended_at IS NULL ORDER BY id"
        )
        .fetch_all(&mut *tx)
        .await?;
        self.insert(tx, &people).await
    }

    async fn insert(self, tx: &mut PgConnection, people: &[uuid::Uuid]) -> Result<()> {
        let Facts { dedupe_key, step, notification, .. } = self.event.facts();
        // A kind that is told to nobody has no word for a notification's type.
        let people = if notification.is_some() { people } else { &[] };
        let notifications: Vec<uuid::Uuid> = people.iter().map(|_| new_id::<NotificationId>().0).collect();
        sqlx::query!(
            "WITH event AS (
                 INSERT INTO events (kind, data, dedupe_key, order_id, step, status, detail)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (dedupe_key) DO NOTHING RETURNING id)
             INSERT INTO in_app_notifications (id, user_id, event_id, type)
             SELECT person.notification, person.id, event.id, $8
             FROM event, unnest($9::uuid[], $10::uuid[]) AS person (notification, id)",
            self.event.kind().as_str(),
            self.event.data()?,
            dedupe_key,
            step.map(|step| step.order.0),
            step.map(|step| step.name),
            step.map(|step| step.status.as_str()),
            self.detail,
            notification.map(|kind| kind.as_str()),
            &notifications,
            people,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// The event that is kept. `None` of one that this program does not know, such as one that a newer program wrote during an
/// upgrade: it must not take away what else there is to be read.
pub(crate) fn read(kind: &str, data: Value) -> Option<Event> {
    Event::read(kind, data)
        .inspect_err(|error| {
            tracing::warn!(
                event = "event.unreadable",
                kind,
                %error,
                "an event is of another version of the program"
            )
        })
        .ok()
}
