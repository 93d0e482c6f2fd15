//! The breaker: more suspensions or deletions within an hour than there usually are wait for staff, who let exactly so
//! many go as wait.

use chrono::{DateTime, Utc};
use domain::{
    event::StepsHeldBack,
    ids::{InstanceId, UserId},
    life::Held,
    outbox::Message,
    sorting::HeldSort,
};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    events::Entry,
    new_id, outbox,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// Why steps beyond the bound are held back.
const TOO_MANY: &str = "more than usual within an hour";

/// A server for which a step is due and held back.
#[derive(Debug, Clone)]
pub struct HeldServer {
    /// The server.
    pub instance_id: InstanceId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its display name.
    pub name: String,
    /// Slug of its provider.
    pub provider: String,
    /// The step.
    pub step: Held,
    /// Why it is held back.
    pub why: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is looked at again.
    pub next_due_at: Option<DateTime<Utc>>,
}

/// What staff let go.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its id.
    pub id: Uuid,
    /// The step.
    pub step: Held,
    /// For so many servers.
    pub number: i32,
    /// So many made use of it.
    pub used: i32,
    /// Why.
    pub reason: String,
    /// Who let them go.
    pub created_by: UserId,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Why nothing is let go.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Other than so many wait.
    #[error("{waiting} servers wait, not {asked}")]
    OtherNumber {
        /// How many do.
        waiting: i64,
        /// How many were to be let go.
        asked: i64,
    },
    /// The database's part of it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ReleaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Counts a step in; when it is beyond the bound of its hour and no release is left for it, it is not counted, and the
/// answer says why. The count of the hour stays locked until the transaction ends.
pub(super) async fn beyond_the_bound(tx: &mut PgConnection, held: Held) -> Result<Option<String>> {
    let Some(bound) = bound(tx, held).await? else { return Ok(None) };
    let done = sqlx::query_scalar!(
        "INSERT INTO life_step_hours (step, hour, done) VALUES ($1, date_trunc('hour', now(), 'UTC'), 1)
         ON CONFLICT (step, hour) DO UPDATE SET done = life_step_hours.done + 1 RETURNING done",
        held.as_str(),
    )
    .fetch_one(&mut *tx)
    .await?;
    if i64::from(done) <= bound || use_release(tx, held).await? {
        return Ok(None);
    }
    sqlx::query!(
        "UPDATE life_step_hours SET done = done - 1, held = held + 1
         WHERE step = $1 AND hour = date_trunc('hour', now(), 'UTC')",
        held.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(Some(TOO_MANY.to_owned()))
}

/// How many may be done within an hour: a fixed few, three times the median of the hours of four weeks in which there were
/// any, or a share of the fleet, whichever is most. `None`: as many as there are.
async fn bound(tx: &mut PgConnection, held: Held) -> Result<Option<i64>> {
    let (few, per_thousand) = match held {
        Held::Suspend => (20, 10),
        Held::Terminate => (5, 2),
        Held::Renew => return Ok(None),
    };
    let usual = sqlx::query!(
        r#"SELECT coalesce((SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY done) FROM life_step_hours
                            WHERE step = $1 AND done > 0 AND hour > now() - interval '4 weeks'
                              AND hour < date_trunc('hour', now(), 'UTC')), 0)::bigint AS "median!",
                  (SELECT count(*) FROM instances WHERE status IN ('ACTIVE', 'SUSPENDED')) AS "fleet!""#,
        held.as_str(),
    )
    .fetch_one(tx)
    .await?;
    Ok(Some(few.max(3 * usual.median).max(usual.fleet * per_thousand / 1_000)))
}

async fn use_release(tx: &mut PgConnection, held: Held) -> Result<bool> {
    let used = sqlx::query!(
        "UPDATE life_releases SET used = used + 1
         WHERE id = (SELECT id FROM life_releases WHERE step = $1 AND used < number ORDER BY created_at, id LIMIT 1
                     FOR UPDATE)",
        held.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Servers in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_held {
    ($on:expr, $step:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            HeldServer,
            r#"SELECT s.id AS "instance_id: InstanceId", s.user_id AS "user_id: UserId", s.name, p.slug AS provider,
                      s.held_step AS "step!: Held", s.held_why AS "why!", s.held_since AS "since!", s.next_due_at
               FROM instances s JOIN providers p ON p.id = s.provider_id
               WHERE s.held_step IS NOT NULL AND ($1::text IS NULL OR s.held_step = $1)
                 AND ($2::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $4",
            $step.map(Held::as_str),
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// The servers for which a step is due and held back, whatever keeps it.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn held_servers(
        &self,
        step: Option<Held>,
        sort: HeldSort,
        page: &SortedRequest,
    ) -> Result<Page<HeldServer, SortCursor>> {
        let rows = match sort {
            HeldSort::Newest => select_held!(
                &self.pool,
                step,
                page,
                "(s.held_since, s.id) < ($2::text::timestamptz, $3)",
                "s.held_since DESC, s.id DESC"
            ),
            HeldSort::Oldest => select_held!(
                &self.pool,
                step,
                page,
                "(s.held_since, s.id) > ($2::text::timestamptz, $3)",
                "s.held_since, s.id"
            ),
        };
        let cursor =
            |row: &HeldServer| SortCursor { key: SortKey::Time(Some(row.since)), id: row.instance_id.0 };
        Ok(page.cut(rows, cursor))
    }

    /// Lets go what is held back beyond the bound of an hour, if exactly `number` servers wait for `step` that no earlier
    /// release is for; they are looked at at once.
    ///
    /// # Errors
    /// [`ReleaseError::OtherNumber`] when another number waits: whoever decides has to have seen it.
    #[boxed]
    pub async fn release_held(
        &self,
        step: Held,
        number: i32,
        reason: &str,
        by: UserId,
        origin: &Origin,
    ) -> Result<Release, ReleaseError> {
        let mut tx = self.pool.begin().await?;
        // One after the other: the second sees what the first let go.
        sqlx::query!("LOCK TABLE life_releases IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
        let waiting: Vec<InstanceId> = sqlx::query_scalar!(
            r#"SELECT id AS "id: InstanceId" FROM instances WHERE held_step = $1 AND held_why = $2 ORDER BY id"#,
            step.as_str(),
            TOO_MANY,
        )
        .fetch_all(&mut *tx)
        .await?;
        let let_go = sqlx::query_scalar!(
            r#"SELECT coalesce(sum(number - used), 0)::bigint AS "let_go!" FROM life_releases WHERE step = $1"#,
            step.as_str(),
        )
        .fetch_one(&mut *tx)
        .await?;
        let count = (i64::try_from(waiting.len()).unwrap_or(i64::MAX) - let_go).max(0);
        if count != i64::from(number) || count == 0 {
            return Err(ReleaseError::OtherNumber { waiting: count, asked: number.into() });
        }
        let release = sqlx::query_as!(
            Release,
            r#"INSERT INTO life_releases (id, step, number, reason, created_by) VALUES ($1, $2, $3, $4, $5)
               RETURNING id, step AS "step: Held", number, used, reason, created_by AS "created_by: UserId", created_at"#,
            new_id::<Uuid>(),
            step.as_str(),
            number,
            reason,
            by.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        for instance_id in waiting {
            outbox::enqueue(&mut tx, &Message::ActionRequested { instance_id }).await?;
        }
        let act = AuditEntry {
            action: "life.release",
            object_kind: "life_release",
            object_id: Some(release.id),
            before: None,
            after: Some(json!({ "step": step, "number": number, "reason": reason })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(release)
    }

    /// Tells administrators, once an hour, how many servers are held back beyond the bound of an hour. Answers with that
    /// number.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn tell_of_held(&self) -> Result<i64> {
        let mut tx = self.pool.begin().await?;
        let held = sqlx::query!(
            r#"SELECT held_step AS "step!: Held", count(*) AS "number!", to_char(now(), 'YYYYMMDDHH24') AS "hour!"
               FROM instances WHERE held_why = $1 AND held_step IS NOT NULL GROUP BY held_step"#,
            TOO_MANY,
        )
        .fetch_all(&mut *tx)
        .await?;
        let all = held.iter().map(|row| row.number).sum();
        for row in held {
            let told = StepsHeldBack { step: row.step, number: row.number, hour: row.hour };
            Entry::of(told).tell_administrators(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(all)
    }
}
