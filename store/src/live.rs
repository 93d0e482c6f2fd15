//! What open connections are told of, read as it happens. Triggers write it with the change itself; NOTIFY on the channel
//! `live` wakes who listens, and says nothing else.
//!
//! It is read between two snapshots ([`domain::live`]): what the later one shows and the earlier one does not. So a transaction
//! that commits long after one with a greater number is read when it commits, and once.

use domain::{
    ids::UserId,
    live::{Cursor, LiveKind, Snapshot},
};
use futures::FutureExt;
use sqlx::{PgConnection, postgres::PgListener};
use uuid::Uuid;

use crate::{Result, Store, StoreError, boxed, outbox};

/// The channel's name, which the triggers know.
const CHANNEL: &str = "live";

/// A change as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveChange {
    /// Its number. A later change of the same object has a greater one.
    pub id: i64,
    /// Whom it is told to.
    pub user: UserId,
    /// What it is; `None` of a kind that a newer program writes.
    pub kind: Option<LiveKind>,
    /// What it is about.
    pub object: Uuid,
    /// What an order or a server is from then on.
    pub status: Option<String>,
    /// Whether a server is on.
    pub power_state: Option<String>,
}

/// A part of what happened.
#[derive(Debug, Clone)]
pub struct LivePart {
    /// What the part reaches to.
    pub until: Snapshot,
    /// The changes, by their numbers.
    pub changes: Vec<LiveChange>,
}

/// What somebody missed.
#[derive(Debug, Clone)]
pub enum Backlog {
    /// All of it, each change with the place after it.
    Complete(Vec<(LiveChange, Cursor)>),
    /// It is not kept any more.
    Gone,
    /// More than was asked for.
    TooMuch,
}

/// A connection to the database that hears of changes. It reconnects by itself; what was notified meanwhile it does not hear of.
#[derive(Debug)]
pub struct LiveListener(PgListener);

impl LiveListener {
    /// Waits until something is heard. It may be given up at any time.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn heard(&mut self) -> Result<()> {
        self.0.recv().await?;
        Ok(())
    }

    /// Forgets what was heard by now: a look sees all of it.
    pub fn forget_heard(&mut self) {
        while let Some(Ok(_)) = self.0.recv().now_or_never() {}
    }

    /// Whether the connection still gets an answer.
    ///
    /// # Errors
    /// [`StoreError::Db`] when it does not.
    #[boxed]
    pub async fn is_there(&mut self) -> Result<()> {
        outbox::hears(&mut self.0).await
    }
}

struct Row {
    id: i64,
    user_id: Uuid,
    kind: String,
    object_id: Uuid,
    status: Option<String>,
    power_state: Option<String>,
}

impl From<Row> for LiveChange {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user: row.user_id.into(),
            kind: row.kind.parse().ok(),
            object: row.object_id,
            status: row.status,
            power_state: row.power_state,
        }
    }
}

impl Store {
    /// A connection of its own that hears of changes.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn listen_live(&self) -> Result<LiveListener> {
        Ok(LiveListener(self.listener(CHANNEL).await?))
    }

    /// What the database shows now.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn live_snapshot(&self) -> Result<Snapshot> {
        let text = sqlx::query_scalar!(r#"SELECT pg_current_snapshot()::text AS "snapshot!""#)
            .fetch_one(&self.pool)
            .await?;
        snapshot(&text)
    }

    /// Everybody's changes since a snapshot with a number above `after`, at most so many: up to now, or to a snapshot that an
    /// earlier part reached to.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn live_changes(
        &self,
        since: &Snapshot,
        until: Option<&Snapshot>,
        after: i64,
        most: u32,
    ) -> Result<LivePart> {
        // One statement, whose own snapshot is the one it answers with.
        let rows = sqlx::query!(
            r#"SELECT part.snapshot::text AS "snapshot!", c.id AS "id?", c.user_id AS "user_id?", c.kind AS "kind?",
                      c.object_id AS "object_id?", c.status, c.power_state
               FROM (SELECT coalesce($2::text::pg_snapshot, pg_current_snapshot()) AS snapshot) AS part
               LEFT JOIN LATERAL (
                   SELECT * FROM live_changes
                   WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
                     AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
                     AND pg_visible_in_snapshot(xid, part.snapshot) AND id > $3
                   ORDER BY id LIMIT $4) AS c ON true
               ORDER BY c.id"#,
            since.to_postgres(),
            until.map(Snapshot::to_postgres),
            after,
            i64::from(most),
        )
        .fetch_all(&self.pool)
        .await?;
        let until = rows.first().map(|row| snapshot(&row.snapshot)).transpose()?;
        let changes = rows.into_iter().filter_map(|row| {
            Some(LiveChange {
                id: row.id?,
                user: row.user_id?.into(),
                kind: row.kind?.parse().ok(),
                object: row.object_id?,
                status: row.status,
                power_state: row.power_state,
            })
        });
        Ok(LivePart { until: until.ok_or_else(|| unreadable("nothing"))?, changes: changes.collect() })
    }

    /// What a person was not told who was told up to `cursor`, as far as `until` shows it, if it is at most so much.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn live_backlog(
        &self,
        user: UserId,
        cursor: &Cursor,
        until: &Snapshot,
        most: u32,
    ) -> Result<Backlog> {
        let mut connection = self.pool.acquire().await?;
        let mut told = Vec::new();
        // What is left of the part that they were in, then what came after it.
        let spans = [cursor.clone(), Cursor { from: cursor.to.clone(), to: until.clone(), after: 0 }];
        for span in spans.into_iter().filter(|span| span.from != span.to) {
            let changes = span_of(&mut connection, user, &span, most).await?;
            told.extend(changes.into_iter().map(|change| {
                let place = Cursor { after: change.id, ..span.clone() };
                (change, place)
            }));
        }
        if told.len() > most as usize {
            return Ok(Backlog::TooMuch);
        }
        // After it was read: what is deleted from now on was seen.
        let is_gone = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT FROM live_purge WHERE through >= pg_snapshot_xmin($1::text::pg_snapshot)
                   AND pg_visible_in_snapshot(through, pg_current_snapshot())) AS "is_gone!""#,
            cursor.from.to_postgres(),
        )
        .fetch_one(&mut *connection)
        .await?;
        Ok(if is_gone { Backlog::Gone } else { Backlog::Complete(told) })
    }
}

/// A person's changes within a span; one more than `most` if there are more.
async fn span_of(
    connection: &mut PgConnection,
    user: UserId,
    span: &Cursor,
    most: u32,
) -> Result<Vec<LiveChange>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, kind, object_id, status, power_state FROM live_changes
         WHERE user_id = $1 AND xid >= pg_snapshot_xmin($2::text::pg_snapshot)
           AND NOT pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
           AND pg_visible_in_snapshot(xid, $3::text::pg_snapshot) AND id > $4
         ORDER BY id LIMIT $5",
        user.0,
        span.from.to_postgres(),
        span.to.to_postgres(),
        span.after,
        i64::from(most) + 1,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(LiveChange::from).collect())
}

fn snapshot(text: &str) -> Result<Snapshot> {
    Snapshot::of_postgres(text).map_err(|_| unreadable(text))
}

fn unreadable(text: &str) -> StoreError {
    StoreError::Db(sqlx::Error::Decode(format!("`{text}` is no snapshot").into()))
}
