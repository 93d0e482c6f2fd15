//! What providers told, kept for whoever wants to see it next: many readers in many processes cost one call. Who asks
//! the provider holds the row's `refresh` for a bounded time; the others take what is kept, with its age, or wait.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::InstanceId;
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Store, boxed, new_id};

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadKey {
    /// Slug of the provider.
    pub provider: String,
    /// The server; [`None`] for what the provider has for everybody.
    pub instance: Option<InstanceId>,
    /// What of it, such as `snapshots`.
    pub kind: String,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRead {
    /// As it was kept.
    pub answer: Value,
    /// When the provider told it.
    pub as_of: DateTime<Utc>,
    /// How old it is, by the database's clock.
    pub age: Duration,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// When it came.
    pub as_of: DateTime<Utc>,
    /// `false` when the turn was over: the server has ended, something was done to it, or the time was up.
    pub is_kept: bool,
}

/// What there is for a reader.
#[derive(Debug, Clone, PartialEq)]
pub enum ReadTurn {
    /// An answer that nobody has to ask for again yet.
    Fresh(KeptRead),
    /// The reader is to ask the provider, and to end it by [`Store::keep_provider_read`] or
    /// [`Store::fail_provider_read`].
    Refresh {
        /// Names the reader's turn.
        refresh: Uuid,
        /// What is kept from before.
        kept: Option<KeptRead>,
    },
    /// Somebody else is asking, or asked a moment ago in vain.
    Elsewhere {
        /// What is kept from before.
        kept: Option<KeptRead>,
        /// Whether somebody is asking now.
        under_way: bool,
        /// When to ask again, if there is no answer by then.
        retry_after: Duration,
    },
}

/// A row, as it is now.
struct Row {
    answer: Option<Value>,
    as_of: Option<DateTime<Utc>>,
    age_seconds: f64,
    is_fresh: bool,
    is_due: bool,
    under_way: bool,
    due_in_seconds: f64,
}

impl Row {
    fn kept(self) -> Option<KeptRead> {
        Some(KeptRead { answer: self.answer?, as_of: self.as_of?, age: seconds(self.age_seconds) })
    }
}

impl Store {
    /// What there is for a reader of `key`. Whoever is told to refresh has `bound` for it before somebody else is.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn provider_read(&self, key: &ReadKey, bound: Duration) -> Result<ReadTurn> {
        let row = self.read_row(key).await?;
        if row.as_ref().is_none_or(|row| !row.is_fresh && row.is_due)
            && let Some(refresh) = self.begin_refresh(key, bound).await?
        {
            return Ok(ReadTurn::Refresh { refresh, kept: row.and_then(Row::kept) });
        }
        let row = match row {
            Some(row) if row.is_fresh || !row.is_due => Some(row),
            // Somebody was quicker.
            _ => self.read_row(key).await?,
        };
        Ok(match row {
            Some(row) => {
                let (is_fresh, under_way) = (row.is_fresh, row.under_way);
                let retry_after = seconds(row.due_in_seconds);
                match row.kept() {
                    Some(kept) if is_fresh => ReadTurn::Fresh(kept),
                    kept => ReadTurn::Elsewhere { kept, under_way, retry_after },
                }
            }
            None => ReadTurn::Elsewhere { kept: None, under_way: false, retry_after: Duration::ZERO },
        })
    }

    /// Keeps what the provider told, for `fresh_for`, unless the turn was over.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn keep_provider_read(
        &self,
        key: &ReadKey,
        refresh: Uuid,
        answer: &Value,
        fresh_for: Duration,
    ) -> Result<Kept> {
        Ok(sqlx::query_as!(
            Kept,
            r#"WITH kept AS (
                   UPDATE provider_reads
                   SET answer = $5, fetched_at = now(), fresh_until = now() + make_interval(secs => $6),
                       next_refresh_at = now() + make_interval(secs => $6), refresh = NULL
                   WHERE provider = $1 AND kind = $3 AND refresh = $4
                     AND (instance_id = $2 OR (instance_id IS NULL AND $2::uuid IS NULL))
                   RETURNING kind
               )
               SELECT now() AS "as_of!", EXISTS (SELECT FROM kept) AS "is_kept!""#,
            key.provider,
            key.instance.map(|id| id.0),
            key.kind,
            refresh,
            answer,
            fresh_for.as_secs_f64(),
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The provider was asked in vain: nobody asks again for `pause`. What was kept stays.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; the turn then ends by itself.
    #[boxed]
    pub async fn fail_provider_read(&self, key: &ReadKey, refresh: Uuid, pause: Duration) -> Result<()> {
        sqlx::query!(
            "UPDATE provider_reads SET next_refresh_at = now() + make_interval(secs => $5), refresh = NULL
             WHERE provider = $1 AND kind = $3 AND refresh = $4
               AND (instance_id = $2 OR (instance_id IS NULL AND $2::uuid IS NULL))",
            key.provider,
            key.instance.map(|id| id.0),
            key.kind,
            refresh,
            pause.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn read_row(&self, key: &ReadKey) -> Result<Option<Row>> {
        Ok(sqlx::query_as!(
            Row,
            r#"SELECT answer, fetched_at AS as_of,
                      coalesce(greatest(extract(epoch FROM now() - fetched_at), 0), 0)::float8 AS "age_seconds!",
                      coalesce(fresh_until > now(), false) AS "is_fresh!",
                      next_refresh_at <= now() AS "is_due!",
                      (refresh IS NOT NULL AND next_refresh_at > now()) AS "under_way!",
                      greatest(extract(epoch FROM next_refresh_at - now()), 0)::float8 AS "due_in_seconds!"
               FROM provider_reads
               WHERE provider = $1 AND kind = $3
                 AND (instance_id = $2 OR (instance_id IS NULL AND $2::uuid IS NULL))"#,
            key.provider,
            key.instance.map(|id| id.0),
            key.kind,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Takes the turn, unless somebody has it or the server has ended.
    async fn begin_refresh(&self, key: &ReadKey, bound: Duration) -> Result<Option<Uuid>> {
        let refresh: Uuid = new_id();
        // The lock makes this wait for whoever ends the server, and whoever ends it find this row. It is shared: reads of
        // several kinds of one server don't wait for each other.
        let begun = sqlx::query_scalar!(
            r#"WITH server AS MATERIALIZED (
                   SELECT id FROM instances WHERE id = $2 AND status <> 'TERMINATED' FOR SHARE
               )
               INSERT INTO provider_reads (provider, instance_id, kind, refresh, next_refresh_at)
               SELECT $1::text, $2::uuid, $3::text, $4::uuid, now() + make_interval(secs => $5)
               WHERE $2::uuid IS NULL OR EXISTS (SELECT FROM server)
               ON CONFLICT (provider, instance_id, kind)
               DO UPDATE SET refresh = EXCLUDED.refresh, next_refresh_at = EXCLUDED.next_refresh_at
               WHERE provider_reads.next_refresh_at <= now()
               RETURNING refresh AS "refresh!""#,
            key.provider,
            key.instance.map(|id| id.0),
            key.kind,
            refresh,
            bound.as_secs_f64(),
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(begun)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
