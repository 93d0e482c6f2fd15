//! Recording what happened: written with the business that causes it, with its data and without words. A timeline
//! ([`crate::timeline`]) and a notification ([`crate::notifications`]) are views of the same event, and deliveries ([`crate::deliveries`]) are of it.

use domain::{
    delivery::DeliveryChannel,
    event::{Event, EventKind, Facts},
    ids::{DeliveryId, NotificationId, OutboxId, UserId},
    notification::NotificationKind,
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
        self.insert(tx, &[], Ways::default()).await?;
        Ok(())
    }

    /// Records it, and tells somebody of it, unless it is recorded already.
    pub(crate) async fn tell(self, tx: &mut PgConnection, person: UserId) -> Result<()> {
        self.tell_all(tx, &[person]).await
    }

    /// Records it, and tells somebody of it by mail alone. `None` where nobody delivers mail.
    pub(crate) async fn mail(self, tx: &mut PgConnection, person: UserId) -> Result<Option<DeliveryId>> {
        let ways = Ways::by_mail(person.0);
        let delivery = ways.deliveries.first().map(|id| DeliveryId(*id));
        let due = self.insert(tx, &[], ways).await?;
        Ok(delivery.filter(|_| due > 0))
    }

    /// Records it, and tells all of these people of it, unless it is recorded already.
    pub(crate) async fn tell_all(self, tx: &mut PgConnection, people: &[UserId]) -> Result<()> {
        let people: Vec<uuid::Uuid> = people.iter().map(|person| person.0).collect();
        self.tell_those(tx, &people).await
    }

    /// Records it, and tells everybody who may act in the admin area, unless it is recorded already.
    pub(crate) async fn tell_administrators(self, tx: &mut PgConnection) -> Result<()> {
        let people = sqlx::query_scalar!(
            "SELECT id FROM users WHERE role IN ('admin', 'superadmin') AND suspended_at IS NULL ORDER BY id"
        )
        .fetch_all(&mut *tx)
        .await?;
        self.tell_those(tx, &people).await
    }

    async fn tell_those(self, tx: &mut PgConnection, people: &[uuid::Uuid]) -> Result<()> {
        let ways = Ways::of(self.event.kind(), people);
        self.insert(tx, people, ways).await?;
        Ok(())
    }

    /// One statement, whoever is told and by however many channels: what is told stands on the way of an order. Each way
    /// out of the app that its reader wants is a delivery, with the message that starts its workflow. Answers how many.
    async fn insert(self, tx: &mut PgConnection, people: &[uuid::Uuid], ways: Ways) -> Result<u64> {
        let Facts { dedupe_key, step, notification, .. } = self.event.facts();
        // A kind that is told to nobody has no word for a notification's type.
        let (people, ways) = match notification {
            Some(_) => (people, ways),
            None => (&[] as &[uuid::Uuid], Ways::default()),
        };
        let notifications: Vec<uuid::Uuid> = people.iter().map(|_| new_id::<NotificationId>().0).collect();
        let due = sqlx::query!(
            "WITH event AS (
                 INSERT INTO events (kind, data, dedupe_key, order_id, step, status, detail)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (dedupe_key) DO NOTHING RETURNING id),
             notified AS (
                 INSERT INTO in_app_notifications (id, user_id, event_id, type)
                 SELECT person.notification, person.id, event.id, $8
                 FROM event, unnest($9::uuid[], $10::uuid[]) AS person (notification, id)),
             way AS (
                 SELECT w.delivery, w.message, w.person, c.channel, c.policy
                 FROM unnest($11::uuid[], $12::uuid[], $13::uuid[], $14::text[]) AS w (delivery, message, person, channel)
                 JOIN delivery_channels c ON c.channel = w.channel
                 LEFT JOIN notification_preferences p
                     ON p.user_id = w.person AND p.type = $8 AND p.channel = w.channel
                 WHERE CASE WHEN w.person IS NULL THEN c.tells_staff
                       ELSE ($15 OR coalesce(p.enabled, true)) AND (w.channel <> 'TELEGRAM' OR EXISTS (
                           SELECT FROM telegram_links t WHERE t.user_id = w.person AND t.blocked_at IS NULL)) END),
             due AS (
                 INSERT INTO notification_deliveries (id, event_id, user_id, channel, type)
                 SELECT way.delivery, event.id, way.person, way.channel, $8 FROM event, way RETURNING id)
             INSERT INTO outbox (id, workflow_id, kind, class, payload)
             SELECT way.message, 'delivery/' || due.id, 'start_delivery', 'UNPAID', jsonb_build_object(
                 'kind', 'start_delivery', 'body', jsonb_build_object(
                     'delivery_id', due.id, 'channel', way.channel, 'policy', way.policy))
             FROM due JOIN way ON way.delivery = due.id",
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
            &ways.deliveries,
            &ways.messages,
            &ways.people as &[Option<uuid::Uuid>],
            &ways.channels as &[&str],
            notification.is_some_and(NotificationKind::is_required),
        )
        .execute(tx)
        .await?;
        Ok(due.rows_affected())
    }
}

/// By what an event may be told outside of the app, a row for each.
#[derive(Default)]
struct Ways {
    deliveries: Vec<uuid::Uuid>,
    messages: Vec<uuid::Uuid>,
    /// Nobody: the administrators' place.
    people: Vec<Option<uuid::Uuid>>,
    channels: Vec<&'static str>,
}

impl Ways {
    /// Customers are told by every channel; of what concerns administrators there is one message, in the place that they
    /// share.
    fn of(event: EventKind, people: &[uuid::Uuid]) -> Self {
        let mut ways = Self::default();
        if event.is_for_customers() {
            for person in people {
                for channel in DeliveryChannel::ALL {
                    ways.add(Some(*person), *channel);
                }
            }
        } else if !people.is_empty() {
            ways.add(None, DeliveryChannel::Telegram);
        }
        ways
    }

    /// A mail, and nothing in the app.
    fn by_mail(person: uuid::Uuid) -> Self {
        let mut ways = Self::default();
        ways.add(Some(person), DeliveryChannel::Email);
        ways
    }

    fn add(&mut self, person: Option<uuid::Uuid>, channel: DeliveryChannel) {
        self.deliveries.push(new_id::<DeliveryId>().0);
        self.messages.push(new_id::<OutboxId>().0);
        self.people.push(person);
        self.channels.push(channel.as_str());
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
