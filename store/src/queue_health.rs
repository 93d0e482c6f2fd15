//! How the task queues are: what the process that looks at them saw last, and how long ago that was.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::queue_health::{QueuesSeen, TaskKind, VersionStatus};

use crate::{Elapsed, Result, Store, boxed};

/// A worker asks for tasks at least once a minute. Who has not for so long is gone.
const LONGEST_SILENCE_SECONDS: f64 = 90.0;
/// Longest text that is kept of why a look saw nothing.
const LONGEST_PROBLEM: usize = 1_000;

/// How a queue was when it was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueHealth {
    /// Its name without the installation's prefix.
    pub queue: String,
    /// Which of its tasks.
    pub tasks: TaskKind,
    /// Tasks that waited for a worker.
    pub backlog: i64,
    /// Age of the oldest of them then, in seconds.
    pub oldest_seconds: f64,
    /// Processes that ask it for tasks now.
    pub pollers: i64,
    /// How long ago the last one asked.
    pub polled_ago: Option<Elapsed>,
}

/// How a version of the workflow code was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionHealth {
    /// Its name.
    pub build_id: String,
    /// Where it stood.
    pub status: VersionStatus,
    /// Workflows that were pinned to it and not over.
    pub open_runs: i64,
    /// Processes of it that ask for tasks now.
    pub pollers: i64,
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuesHealth {
    /// The present.
    pub now: DateTime<Utc>,
    /// How long ago this was seen; none: never.
    pub seen_ago: Option<Elapsed>,
    /// Why the last look saw nothing.
    pub problem: Option<String>,
    /// The queues.
    pub queues: Vec<QueueHealth>,
    /// The versions.
    pub versions: Vec<VersionHealth>,
}

impl Store {
    /// Whether it is ours to look at the queues now: nobody has within `every`.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn claim_queue_look(&self, every: Duration) -> Result<bool> {
        let claimed = sqlx::query!(
            "UPDATE queue_looks SET begun_at = now() WHERE begun_at <= now() - make_interval(secs => $1)",
            every.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// Keeps what was seen, instead of what was seen before.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_queues(&self, seen: &QueuesSeen) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        // First, so that of two that look at once one waits for the other.
        sqlx::query!("UPDATE queue_looks SET seen_at = now(), problem = NULL").execute(&mut *tx).await?;
        let queues: Vec<String> = seen.queues.iter().map(|queue| queue.queue.clone()).collect();
        sqlx::query!("DELETE FROM task_queues WHERE queue <> ALL ($1)", &queues).execute(&mut *tx).await?;
        for of in &seen.queues {
            sqlx::query!(
                "INSERT INTO task_queues (queue, tasks, backlog, oldest_seconds, polled_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (queue, tasks) DO UPDATE
                 SET backlog = $3, oldest_seconds = $4, polled_at = $5",
                of.queue,
                of.tasks.as_str(),
                of.backlog.max(0),
                of.oldest_seconds.max(0.0),
                &of.polled_at,
            )
            .execute(&mut *tx)
            .await?;
        }
        let builds: Vec<String> = seen.versions.iter().map(|version| version.build_id.clone()).collect();
        sqlx::query!("DELETE FROM worker_versions WHERE build_id <> ALL ($1)", &builds)
            .execute(&mut *tx)
            .await?;
        for of in &seen.versions {
            sqlx::query!(
                "INSERT INTO worker_versions (build_id, status, open_runs, polled_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (build_id) DO UPDATE SET status = $2, open_runs = $3, polled_at = $4",
                of.build_id,
                of.status.as_str(),
                of.open_runs.max(0),
                &of.polled_at,
            )
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Keeps why a look saw nothing. What was seen before stays, and grows old.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_queues_unseen(&self, problem: &str) -> Result<()> {
        let problem: String = problem.chars().take(LONGEST_PROBLEM).collect();
        sqlx::query!("UPDATE queue_looks SET problem = $1", problem).execute(&self.pool).await?;
        Ok(())
    }

    /// What was seen last.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn queues_health(&self) -> Result<QueuesHealth> {
        let look = sqlx::query!(
            r#"SELECT now() AS "now!", extract(epoch FROM now() - seen_at)::float8 AS "seen_ago: Elapsed", problem
               FROM queue_looks"#,
        )
        .fetch_one(&self.pool)
        .await?;
        let queues = sqlx::query_as!(
            QueueHealth,
            r#"SELECT queue, tasks AS "tasks: TaskKind", backlog, oldest_seconds,
                      (SELECT count(*) FROM unnest(polled_at) AS p (at) WHERE at > now() - make_interval(secs => $1))
                          AS "pollers!",
                      (SELECT extract(epoch FROM now() - max(at))::float8 FROM unnest(polled_at) AS p (at))
                          AS "polled_ago: Elapsed"
               FROM task_queues ORDER BY queue, tasks DESC"#,
            LONGEST_SILENCE_SECONDS,
        )
        .fetch_all(&self.pool)
        .await?;
        let versions = sqlx::query_as!(
            VersionHealth,
            r#"SELECT build_id, status AS "status: VersionStatus", open_runs,
                      (SELECT count(*) FROM unnest(polled_at) AS p (at) WHERE at > now() - make_interval(secs => $1))
                          AS "pollers!"
               FROM worker_versions
               ORDER BY array_position(ARRAY['CURRENT', 'RAMPING', 'DRAINING', 'INACTIVE', 'DRAINED'], status), build_id"#,
            LONGEST_SILENCE_SECONDS,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(QueuesHealth { now: look.now, seen_ago: look.seen_ago, problem: look.problem, queues, versions })
    }
}
