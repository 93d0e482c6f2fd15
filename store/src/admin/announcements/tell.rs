//! Telling announcements, some hundred people at a time: each part is an event of its own, recorded with how far it came in one
//! transaction. Killed between two parts, the next run goes on behind the last one; two at once work on different
//! announcements. So each customer is told once.

use domain::{
    event,
    ids::{AnnouncementId, UserId},
};
use sqlx::PgConnection;

use crate::{Result, Store, boxed, events::Entry};

/// People in a part.
const PART: i64 = 500;

/// An announcement whose time has come, its row locked.
struct Due {
    id: AnnouncementId,
    title: String,
    message: String,
    is_begun: bool,
    parts: i32,
}

impl Store {
    /// Tells so many parts, at most, of the announcements whose time has come, the first first. Answers how many people were
    /// told. Each part is a transaction of its own.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; what was told stays told.
    #[boxed]
    pub async fn tell_announcements(&self, parts: usize) -> Result<u64> {
        let mut told = 0;
        for _ in 0..parts {
            let mut tx = self.pool.begin().await?;
            let Some(due) = next(&mut tx).await? else { break };
            if !due.is_begun {
                begin(&mut tx, due.id).await?;
            }
            told += tell_part(&mut tx, due).await?;
            tx.commit().await?;
        }
        Ok(told)
    }
}

async fn next(tx: &mut PgConnection) -> Result<Option<Due>> {
    Ok(sqlx::query_as!(
        Due,
        r#"SELECT id AS "id: AnnouncementId", title, message, begun_at IS NOT NULL AS "is_begun!", parts
           FROM announcements
           WHERE delivered_at IS NULL AND cancelled_at IS NULL AND publish_at <= now()
           ORDER BY publish_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED"#
    )
    .fetch_optional(tx)
    .await?)
}

async fn begin(tx: &mut PgConnection, id: AnnouncementId) -> Result<()> {
    sqlx::query!(
        "UPDATE announcements a SET begun_at = now(),
                recipients = (SELECT count(*) FROM announcement_readers(a) AS reader)
         WHERE id = $1",
        id.0
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn tell_part(tx: &mut PgConnection, due: Due) -> Result<u64> {
    let people: Vec<UserId> = sqlx::query_scalar!(
        r#"SELECT reader AS "id!: UserId" FROM announcements a, announcement_readers(a) AS reader
           WHERE a.id = $1 AND (a.told_up_to IS NULL OR reader > a.told_up_to) ORDER BY reader LIMIT $2"#,
        due.id.0,
        PART,
    )
    .fetch_all(&mut *tx)
    .await?;
    if !people.is_empty() {
        let part = due.parts + 1;
        let news = event::Announcement {
            announcement_id: due.id.0,
            title: due.title,
            message: due.message,
            part: Some(part),
        };
        Entry::of(news).tell_all(tx, &people).await?;
    }
    let told = i64::try_from(people.len()).unwrap_or(i64::MAX);
    sqlx::query!(
        "UPDATE announcements SET parts = parts + $2, delivered = delivered + $3, told_up_to = coalesce($4, told_up_to),
                delivered_at = CASE WHEN $5 THEN now() END
         WHERE id = $1",
        due.id.0,
        i32::from(told > 0),
        told,
        people.last().map(|last| last.0),
        told < PART,
    )
    .execute(tx)
    .await?;
    Ok(told.unsigned_abs())
}
