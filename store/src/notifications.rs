//! In-app notifications: written with the business that causes them, read and tidied by the person they are for.

use chrono::{DateTime, Utc};
use domain::{
    ids::{NotificationId, UserId},
    notification::NotificationKind,
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError, new_id,
    page::{Page, PageRequest},
};

/// A notification to be written.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    pub kind: NotificationKind,
    pub title: &'a str,
    pub message: &'a str,
    /// Path in the customer's app.
    pub action_url: Option<&'a str>,
    pub metadata: serde_json::Value,
    /// The event it tells of, such as `order/<id>/active`: one notification per event and person.
    pub dedupe_key: &'a str,
}

/// Writes one notification within the caller's transaction; a second one for the same event is dropped.
pub(crate) async fn notify(tx: &mut PgConnection, user: UserId, notice: &Notice<'_>) -> Result<()> {
    let id: Uuid = new_id();
    sqlx::query!(
        "INSERT INTO in_app_notifications (id, user_id, title, message, type, action_url, metadata, dedupe_key)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, dedupe_key) DO NOTHING",
        id,
        user.0,
        notice.title,
        notice.message,
        notice.kind.as_str(),
        notice.action_url,
        notice.metadata,
        notice.dedupe_key,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A notification as read.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its id, also the cursor of lists.
    pub id: NotificationId,
    /// What it is about, in a few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// One of [`NotificationKind`]'s words.
    pub kind: String,
    /// Path in the customer's app.
    pub action_url: Option<String>,
    /// Ids of what it is about, for programs.
    pub metadata: serde_json::Value,
    /// Whether its reader has seen it.
    pub is_read: bool,
    /// When it was first marked as read.
    pub read_at: Option<DateTime<Utc>>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// A person's notifications, newest first, on request only those not read yet.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    pub async fn notifications(
        &self,
        user: UserId,
        unread_only: bool,
        page: PageRequest,
    ) -> Result<Page<Notification>> {
        let rows = sqlx::query_as!(
            Notification,
            r#"SELECT id AS "id: NotificationId", title, message, type AS kind, action_url, metadata, is_read, read_at,
                      created_at
               FROM in_app_notifications
               WHERE user_id = $1 AND (NOT $2 OR NOT is_read) AND ($3::uuid IS NULL OR id < $3)
               ORDER BY id DESC LIMIT $4"#,
            user.0,
            unread_only,
            page.before,
            page.fetch(),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(page.cut(rows, |row| row.id.0))
    }

    /// How many notifications a person has not read.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
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
    pub async fn read_notification(&self, user: UserId, id: NotificationId) -> Result<Notification> {
        sqlx::query_as!(
            Notification,
            r#"UPDATE in_app_notifications SET is_read = true, read_at = coalesce(read_at, now())
               WHERE id = $1 AND user_id = $2
               RETURNING id AS "id: NotificationId", title, message, type AS kind, action_url, metadata, is_read,
                         read_at, created_at"#,
            id.0,
            user.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("notification"))
    }

    /// Marks all of a person's notifications as read; answers how many were not yet.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
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
