//! News from us to customers, in the words of who wrote them: made, listed, called off. `tell` tells them.

mod tell;

use chrono::{DateTime, Utc};
use domain::{
    announcement::AnnouncementStatus,
    ids::{AnnouncementId, UserId},
    language::Language,
    sorting::AnnouncementSort,
};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    idempotency::{self, Claim, Idempotency},
    new_id,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// Whom an announcement is for; what is `None` does not restrict. Only customers are told, and none that is suspended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Who has an active server at this provider (slug).
    pub provider: Option<String>,
    /// Who has an active server in this region (slug).
    pub region: Option<String>,
    /// Who reads this language.
    pub language: Option<Language>,
}

/// An announcement to be made.
#[derive(Debug, Clone)]
pub struct NewAnnouncement {
    /// Its title, in one line.
    pub title: String,
    /// What it says, as it was written.
    pub message: String,
    /// Whom it is for.
    pub audience: Audience,
    /// When it is to be told; `None`: now.
    pub publish_at: Option<DateTime<Utc>>,
}

/// An announcement with how far it is told.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// Its id.
    pub id: AnnouncementId,
    /// Its title.
    pub title: String,
    /// What it says.
    pub message: String,
    /// Slug of the provider that its readers have an active server at.
    pub provider: Option<String>,
    /// Slug of the region that its readers have an active server in.
    pub region: Option<String>,
    /// The language of its readers.
    pub language: Option<Language>,
    /// When it is told.
    pub publish_at: DateTime<Utc>,
    /// Who wrote it.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was called off.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// How many people it was for when the telling began; `None` before.
    pub recipients: Option<i64>,
    /// How many are told.
    pub delivered: i64,
    /// When all were.
    pub delivered_at: Option<DateTime<Utc>>,
}

impl Announcement {
    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> AnnouncementStatus {
        if self.cancelled_at.is_some() {
            AnnouncementStatus::Cancelled
        } else if self.delivered_at.is_some() {
            AnnouncementStatus::Delivered
        } else if self.recipients.is_some() {
            AnnouncementStatus::Delivering
        } else {
            AnnouncementStatus::Scheduled
        }
    }

    /// What the audit log remembers.
    fn to_json(&self) -> Value {
        json!({
            "title": self.title, "message": self.message, "provider": self.provider, "region": self.region,
            "language": self.language, "publish_at": self.publish_at,
        })
    }
}

/// Why no announcement was made.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    /// There is no such provider.
    #[error("there is no such provider")]
    ProviderUnknown,
    /// There is no such region, or it is another provider's.
    #[error("there is no such region, or it is another provider's")]
    RegionUnknown,
    /// It would have been told already, or in more than a year.
    #[error("has to be in the future, and within a year")]
    PublishAt,
    /// The key was used for another one, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AnnouncementError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Announcements in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_announcements {
    ($on:expr, $only:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Announcement,
            r#"SELECT a.id AS "id: AnnouncementId", a.title, a.message, p.slug AS "provider?", r.slug AS "region?",
                      a.language AS "language: Language", a.publish_at, a.created_by AS "created_by: UserId",
                      a.created_at, a.cancelled_at, a.recipients, a.delivered, a.delivered_at
               FROM announcements a
               LEFT JOIN providers p ON p.id = a.provider_id
               LEFT JOIN regions r ON r.id = a.region_id
               WHERE ($1::uuid IS NULL OR a.id = $1)
                 AND ($2::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $4",
            $only,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Makes an announcement, once for each key, with an audit row. It is told by [`Store::tell_announcements`].
    ///
    /// # Errors
    /// [`AnnouncementError`] when it is for nobody there could be, or for another time than may be.
    #[boxed]
    pub async fn create_announcement(
        &self,
        new: &NewAnnouncement,
        by: UserId,
        request: &Idempotency,
        origin: &Origin,
    ) -> Result<Announcement, AnnouncementError> {
        let id: AnnouncementId = new_id();
        let mut tx = self.pool.begin().await?;
        if let Claim::Done(made) = idempotency::claim(&mut tx, by, request, id.0).await? {
            return Ok(by_id(&mut *tx, made.into()).await?);
        }
        let (provider, region) = place(&mut tx, &new.audience).await?;
        check_time(&mut tx, new.publish_at).await?;
        sqlx::query!(
            "INSERT INTO announcements (id, title, message, provider_id, region_id, language, publish_at, created_by)
             VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, now()), $8)",
            id.0,
            new.title,
            new.message,
            provider,
            region,
            new.audience.language.map(Language::as_str),
            new.publish_at,
            by.0,
        )
        .execute(&mut *tx)
        .await?;
        let made = by_id(&mut *tx, id).await?;
        record(&mut tx, origin, "announcement.create", id, Some(made.to_json())).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// One with how far it is told.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such one.
    #[boxed]
    pub async fn announcement(&self, id: AnnouncementId) -> Result<Announcement> {
        by_id(&self.pool, id).await
    }

    /// All, with how far they are told.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn announcements(
        &self,
        sort: AnnouncementSort,
        page: SortedRequest,
    ) -> Result<Page<Announcement, SortCursor>> {
        let (on, all) = (&self.pool, None::<Uuid>);
        let rows = match sort {
            AnnouncementSort::Newest => select_announcements!(on, all, page, "a.id < $3", "a.id DESC"),
            AnnouncementSort::Oldest => select_announcements!(on, all, page, "a.id > $3", "a.id"),
            AnnouncementSort::FirstToldLast => select_announcements!(
                on,
                all,
                page,
                "(a.publish_at, a.id) < ($2::text::timestamptz, $3)",
                "a.publish_at DESC, a.id DESC"
            ),
            AnnouncementSort::FirstToldFirst => select_announcements!(
                on,
                all,
                page,
                "(a.publish_at, a.id) > ($2::text::timestamptz, $3)",
                "a.publish_at, a.id"
            ),
        };
        let key = |one: &Announcement| match sort {
            AnnouncementSort::Newest | AnnouncementSort::Oldest => SortKey::Age,
            AnnouncementSort::FirstToldLast | AnnouncementSort::FirstToldFirst => {
                SortKey::Time(Some(one.publish_at))
            }
        };
        Ok(page.cut(rows, |one| SortCursor { key: key(one), id: one.id.0 }))
    }

    /// Calls one off that nobody was told yet, with an audit row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such one; [`StoreError::Conflict`] when it is told, or called off already.
    #[boxed]
    pub async fn cancel_announcement(&self, id: AnnouncementId, origin: &Origin) -> Result<Announcement> {
        let mut tx = self.pool.begin().await?;
        // Whoever tells it holds the row: either it is told, or it is called off.
        let cancelled = sqlx::query!(
            "UPDATE announcements SET cancelled_at = now()
             WHERE id = $1 AND begun_at IS NULL AND cancelled_at IS NULL",
            id.0
        )
        .execute(&mut *tx)
        .await?;
        let now = by_id(&mut *tx, id).await?;
        if cancelled.rows_affected() == 0 {
            let state = now.status().as_str().to_owned();
            return Err(StoreError::Conflict { object: Object::Announcement, state });
        }
        record(&mut tx, origin, "announcement.cancel", id, None).await?;
        tx.commit().await?;
        Ok(now)
    }
}

async fn by_id(on: impl PgExecutor<'_>, id: AnnouncementId) -> Result<Announcement> {
    let one = SortedRequest::first(1);
    let found = select_announcements!(on, Some(id.0), one, "a.id < $3", "a.id DESC").pop();
    found.ok_or(StoreError::NotFound("announcement"))
}

/// The ids of the provider and the region that its readers have a server at.
async fn place(
    tx: &mut PgConnection,
    audience: &Audience,
) -> Result<(Option<Uuid>, Option<Uuid>), AnnouncementError> {
    let provider = match &audience.provider {
        Some(slug) => Some(
            sqlx::query_scalar!("SELECT id FROM providers WHERE slug = $1", slug)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(AnnouncementError::ProviderUnknown)?,
        ),
        None => None,
    };
    let region = match &audience.region {
        Some(slug) => Some(
            sqlx::query_scalar!(
                "SELECT id FROM regions WHERE slug = $1 AND ($2::uuid IS NULL OR provider_id = $2)",
                slug,
                provider
            )
            .fetch_optional(tx)
            .await?
            .ok_or(AnnouncementError::RegionUnknown)?,
        ),
        None => None,
    };
    Ok((provider, region))
}

async fn check_time(tx: &mut PgConnection, at: Option<DateTime<Utc>>) -> Result<(), AnnouncementError> {
    let Some(at) = at else { return Ok(()) };
    let is_ahead =
        sqlx::query_scalar!(r#"SELECT $1 > now() AND $1 <= now() + interval '1 year' AS "is!""#, at)
            .fetch_one(tx)
            .await?;
    if is_ahead { Ok(()) } else { Err(AnnouncementError::PublishAt) }
}

async fn record(
    tx: &mut PgConnection,
    origin: &Origin,
    action: &str,
    id: AnnouncementId,
    after: Option<Value>,
) -> Result<()> {
    let act = AuditEntry { action, object_kind: "announcement", object_id: Some(id.0), before: None, after };
    audit::record(tx, origin, &act).await
}
