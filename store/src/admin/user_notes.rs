//! What staff write about accounts, for each other.

use chrono::{DateTime, Utc};
use domain::{ids::UserId, sorting::AgeSort};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id,
    page::{Page, SortCursor, SortedRequest},
    users::about,
};

/// What somebody of the staff wrote about an account.
#[derive(Debug, Clone)]
pub struct UserNote {
    /// Its id, also the cursor of lists.
    pub id: Uuid,
    /// Who wrote it.
    pub author_id: UserId,
    /// Their address.
    pub author_email: String,
    /// What.
    pub text: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Notes in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_notes {
    ($on:expr, $user:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            UserNote,
            r#"SELECT n.id, n.author_id AS "author_id: UserId", a.email AS author_email, n.text, n.created_at
               FROM user_notes n JOIN users a ON a.id = n.author_id
               WHERE n.user_id = $1 AND ($2::text IS NULL OR "#
                + $after
                + ") ORDER BY "
                + $order
                + " LIMIT $4",
            $user.0,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Writes a note about an account, for staff only, with an audit row. It stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such account.
    #[boxed]
    pub async fn note_about_user(
        &self,
        user: UserId,
        text: &str,
        author: UserId,
        origin: &Origin,
    ) -> Result<UserNote> {
        let id: Uuid = new_id();
        let mut tx = self.pool.begin().await?;
        let note = sqlx::query_as!(
            UserNote,
            r#"WITH note AS (
                   INSERT INTO user_notes (id, user_id, author_id, text)
                   SELECT $1, u.id, $3, $4 FROM users u WHERE u.id = $2 RETURNING id, author_id, text, created_at)
               SELECT n.id AS "id!", n.author_id AS "author_id!: UserId", a.email AS author_email, n.text AS "text!",
                      n.created_at AS "created_at!"
               FROM note n JOIN users a ON a.id = n.author_id"#,
            id,
            user.0,
            author.0,
            text,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("user"))?;
        let act = AuditEntry { after: Some(json!({ "note_id": id })), ..about("user.note_written", user) };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(note)
    }

    /// What staff wrote about an account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such account.
    #[boxed]
    pub async fn notes_about_user(
        &self,
        user: UserId,
        sort: AgeSort,
        page: SortedRequest,
    ) -> Result<Page<UserNote, SortCursor>> {
        self.user(user).await?;
        let rows = match sort {
            AgeSort::Newest => select_notes!(&self.pool, user, page, "n.id < $3", "n.id DESC"),
            AgeSort::Oldest => select_notes!(&self.pool, user, page, "n.id > $3", "n.id"),
        };
        Ok(page.cut_by_age(rows, |note| note.id))
    }
}
