//! In-app notifications: events that a person is told of, read and tidied by that person. [`crate::events`] writes them.

use chrono::{DateTime, Utc};
use domain::{
    event::Event,
    ids::{NotificationId, UserId},
};

use crate::{
    Result, Store, StoreError, boxed, events,
    page::{Page, PageRequest},
};

/// A notification as read.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its id, also the cursor of lists.
    pub id: NotificationId,
    /// One of [`domain::notification::NotificationKind`]'s words.
    pub kind: String,
    /// What happened; `None` when another version of the program wrote it.
    pub event: Option<Event>,
    /// The event's data, for programs.
    pub data: serde_json::Value,
    /// Whether its reader has seen it.
    pub is_read: bool,
    /// When it was first marked as read.
    pub read_at: Option<DateTime<Utc>>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// A notification with its event, as stored.
struct Row {
    id: NotificationId,
    kind: String,
    event: String,
    data: serde_json::Value,
    is_read: bool,
    read_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Notification {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            event: events::read(&row.event, row.data.clone()),
            data: row.data,
            is_read: row.is_read,
            read_at: row.read_at,
            created_at: row.created_at,
        }
    }
}

impl Store {
    /// A person's notifications, newest first, on request only those not read yet.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn notifications(
        &self,
        user: UserId,
        unread_only: bool,
        page: PageRequest,
    ) -> Result<Page<Notification>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT n.id AS "id: NotificationId", n.type AS kind, e.kind AS event, e.data, n.is_read, n.read_at,
                      n.created_at
               FROM in_app_notifications n JOIN events e ON e.id = n.event_id
               WHERE n.user_id = $1 AND (NOT $2 OR NOT n.is_read) AND ($3::uuid IS NULL OR n.id < $3)
               ORDER BY n.id DESC LIMIT $4"#,
            user.0,
            unread_only,
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(Notification::from).collect();
        Ok(page.cut(rows, |row: &Notification| row.id.0))
    }

    /// These notifications, whoever's they are: for who was told of them with whom they are for. Those that were deleted
    /// meanwhile are missing.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn notifications_told(&self, ids: &[NotificationId]) -> Result<Vec<Notification>> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT n.id AS "id: NotificationId", n.type AS kind, e.kind AS event, e.data, n.is_read, n.read_at,
                      n.created_at
               FROM in_app_notifications n JOIN events e ON e.id = n.event_id WHERE n.id = ANY ($1)"#,
            &ids,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(Notification::from).collect())
    }

    /// How many notifications a person has not read.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn unread_notifications(&self, user: UserId) -> Result<i64> {
        Ok(sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM in_app_notifications WHERE user_id = $1 AND NOT is_read"#,
            user.0,
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// Marks one notification as read and answers with it. Doing it again keeps the first time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the person has no such notification.
    #[boxed]
    pub async fn read_notification(&self, user: UserId, id: NotificationId) -> Result<Notification> {
        let row = sqlx::query_as!(
            Row,
            r#"UPDATE in_app_notifications n SET is_read = true, read_at = coalesce(n.read_at, now())
               FROM events e WHERE n.id = $1 AND n.user_id = $2 AND e.id = n.event_id
               RETURNING n.id AS "id: NotificationId", n.type AS kind, e.kind AS event, e.data, n.is_read, n.read_at,
                         n.created_at"#,
            id.0,
            user.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("notification"))?;
        Ok(row.into())
    }

    /// Marks all of a person's notifications as read; answers how many were not yet.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn read_all_notifications(&self, user: UserId) -> Result<u64> {
        let done = sqlx::query!(
            "UPDATE in_app_notifications SET is_read = true, read_at = now() WHERE user_id = $1 AND NOT is_read",
            user.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes one notification.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the person has no such notification.
    #[boxed]
    pub async fn delete_notification(&self, user: UserId, id: NotificationId) -> Result<()> {
        let done =
            sqlx::query!("DELETE FROM in_app_notifications WHERE id = $1 AND user_id = $2", id.0, user.0)
                .execute(&self.pool)
                .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound("notification"));
        }
        Ok(())
    }
}
