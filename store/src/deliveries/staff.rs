//! Deliveries as staff see them, and sending one once more.

use chrono::{DateTime, Utc};
use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryStart, DeliveryState},
    ids::{DeliveryId, UserId},
    outbox::Message,
    sorting::DeliverySort,
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, outbox,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// Which deliveries are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Only those that stand so.
    pub state: Option<DeliveryState>,
    /// Only those by this channel.
    pub channel: Option<DeliveryChannel>,
    /// Only notifications of this type.
    pub kind: Option<String>,
    /// Only this person's.
    pub user: Option<UserId>,
}

/// A delivery, for staff: no words and no address.
#[derive(Debug, Clone)]
pub struct StaffDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Who is told; `None`: the administrators.
    pub user_id: Option<UserId>,
    /// By what.
    pub channel: DeliveryChannel,
    /// The notification's type.
    pub kind: String,
    /// The event.
    pub event: String,
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts that were begun.
    pub attempts: i32,
    /// Attempts that may have been taken without our knowing.
    pub in_doubt: i32,
    /// The latest trouble.
    pub trouble: Option<String>,
    /// In the other side's words.
    pub error: Option<String>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Deliveries in lists: each sorting is a query of its own.
macro_rules! select_deliveries {
    ($executor:expr, $filter:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            StaffDelivery,
            r#"SELECT d.id AS "id: DeliveryId", d.user_id AS "user_id: UserId", d.channel AS "channel: DeliveryChannel",
                      d.type AS kind, e.kind AS event, d.state AS "state: DeliveryState", d.attempts, d.in_doubt,
                      d.trouble, d.error, d.created_at, d.finished_at
               FROM notification_deliveries d JOIN events e ON e.id = d.event_id
               WHERE ($1::text IS NULL OR d.state = $1) AND ($2::text IS NULL OR d.channel = $2)
                 AND ($3::text IS NULL OR d.type = $3) AND ($4::uuid IS NULL OR d.user_id = $4)
                 AND ($5::uuid IS NULL OR d.id = $5)
                 AND ($6::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $8",
            $filter.state.map(DeliveryState::as_str),
            $filter.channel.map(DeliveryChannel::as_str),
            $filter.kind,
            $filter.user.map(|user| user.0),
            $only,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($executor)
        .await?
    };
}

impl Store {
    /// Deliveries to everybody.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn deliveries(
        &self,
        filter: &DeliveryFilter,
        sort: DeliverySort,
        page: SortedRequest,
    ) -> Result<Page<StaffDelivery, SortCursor>> {
        let all: Option<Uuid> = None;
        let rows = match sort {
            DeliverySort::Newest => {
                select_deliveries!(&self.pool, filter, all, page, "d.id < $7", "d.id DESC")
            }
            DeliverySort::Oldest => select_deliveries!(&self.pool, filter, all, page, "d.id > $7", "d.id"),
            DeliverySort::MostAttempts => select_deliveries!(
                &self.pool,
                filter,
                all,
                page,
                "(d.attempts::bigint, d.id) < ($6::text::bigint, $7)",
                "d.attempts::bigint DESC, d.id DESC"
            ),
            DeliverySort::FewestAttempts => select_deliveries!(
                &self.pool,
                filter,
                all,
                page,
                "(d.attempts::bigint, d.id) > ($6::text::bigint, $7)",
                "d.attempts::bigint, d.id"
            ),
        };
        let key = |delivery: &StaffDelivery| match sort {
            DeliverySort::Newest | DeliverySort::Oldest => SortKey::Age,
            DeliverySort::MostAttempts | DeliverySort::FewestAttempts => {
                SortKey::Number(i64::from(delivery.attempts))
            }
        };
        Ok(page.cut(rows, |delivery| SortCursor { key: key(delivery), id: delivery.id.0 }))
    }

    /// Has a delivery sent once more that came to nothing, or may have. An address that was left alone is tried again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such delivery, [`StoreError::Conflict`] naming its state when it is under way
    /// or was sent, or when nobody delivers by its channel.
    #[boxed]
    pub async fn resend_delivery(&self, id: DeliveryId, origin: &Origin) -> Result<StaffDelivery> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("SELECT id FROM notification_deliveries WHERE id = $1 FOR NO KEY UPDATE", id.0)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(StoreError::NotFound("delivery"))?;
        let before = one(&mut tx, id).await?;
        if !before.state.may_be_resent() {
            return Err(conflict(before.state.as_str()));
        }
        let policy = policy_of(&mut tx, before.channel).await?.ok_or_else(|| conflict("of no channel"))?;
        let resends = sqlx::query_scalar!(
            "UPDATE notification_deliveries
             SET state = 'PENDING', in_doubt = 0, finished_at = NULL, resends = resends + 1
             WHERE id = $1 RETURNING resends",
            id.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        if let Some(person) = before.user_id {
            try_again(&mut tx, person, before.channel).await?;
        }
        let start = DeliveryStart { delivery_id: id, channel: before.channel, policy, resends };
        outbox::enqueue(&mut tx, &Message::StartDelivery(start)).await?;
        let act = AuditEntry {
            action: "delivery.resend",
            object_kind: "delivery",
            object_id: Some(id.0),
            before: Some(json!({
                "state": before.state, "trouble": before.trouble, "attempts": before.attempts,
                "in_doubt": before.in_doubt,
            })),
            after: None,
        };
        audit::record(&mut tx, origin, &act).await?;
        let anew = one(&mut tx, id).await?;
        tx.commit().await?;
        Ok(anew)
    }
}

fn conflict(state: &str) -> StoreError {
    StoreError::Conflict { object: Object::Delivery, state: state.to_owned() }
}

async fn one(tx: &mut PgConnection, id: DeliveryId) -> Result<StaffDelivery> {
    let (all, page) = (DeliveryFilter::default(), SortedRequest::first(1));
    let mut found = select_deliveries!(tx, all, Some(id.0), page, "d.id < $7", "d.id DESC");
    found.pop().ok_or(StoreError::NotFound("delivery"))
}

async fn policy_of(tx: &mut PgConnection, channel: DeliveryChannel) -> Result<Option<DeliveryPolicy>> {
    let policy =
        sqlx::query_scalar!("SELECT policy FROM delivery_channels WHERE channel = $1", channel.as_str())
            .fetch_optional(tx)
            .await?;
    Ok(policy.map(serde_json::from_value).transpose()?)
}

async fn try_again(tx: &mut PgConnection, person: UserId, channel: DeliveryChannel) -> Result<()> {
    match channel {
        DeliveryChannel::Email => {
            sqlx::query!(
                "UPDATE users SET email_undeliverable_since = NULL, email_undeliverable_why = NULL
                 WHERE id = $1 AND email_undeliverable_since IS NOT NULL",
                person.0,
            )
            .execute(tx)
            .await?;
        }
        DeliveryChannel::Telegram => {
            sqlx::query!(
                "UPDATE telegram_links SET blocked_at = NULL WHERE user_id = $1 AND blocked_at IS NOT NULL",
                person.0,
            )
            .execute(tx)
            .await?;
        }
    }
    Ok(())
}
