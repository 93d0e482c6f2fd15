//! Comparisons of a provider with the database: what is known of the servers it lists (`known`), what a run found
//! (`report`), and servers that wait for their deletion (`quarantine`). The rules are [`domain::reconciliation`]'s.

mod expected;
mod quarantine;
mod report;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{ReconciliationId, UserId},
    outbox::Message,
    sorting::AgeSort,
    upkeep::{ReconcileSettings, RunStatus},
};
use sqlx::{PgConnection, types::Decimal};
use uuid::Uuid;

pub use quarantine::{NewQuarantine, Quarantined};
pub use report::{Finding, NewFinding};

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id, outbox,
    page::{Page, SortCursor, SortedRequest},
};

/// One comparison.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    /// Its id, also the cursor of lists.
    pub id: ReconciliationId,
    /// Slug of the provider.
    pub provider: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it only reported.
    pub dry_run: bool,
    /// Who asked; `None` when it was due.
    pub requested_by: Option<UserId>,
    /// Rupiah for one US dollar that costs were reckoned with.
    pub usd_idr: Option<Decimal>,
    /// How many servers of ours the provider listed.
    pub servers_listed: i32,
    /// Servers nobody uses.
    pub orphans: i64,
    /// Servers the provider does not know.
    pub ghosts: i64,
    /// Servers whose order has another.
    pub duplicates: i64,
    /// Servers that are not as we believe.
    pub drifted: i64,
    /// What orphans and duplicates cost a month.
    pub monthly_cost: Rupiah,
    /// What was in the way.
    pub error: Option<String>,
    /// When it was asked for or began.
    pub created_at: DateTime<Utc>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A comparison that began.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// Its id.
    pub id: ReconciliationId,
    /// When this look began, by the database's clock: what changed later is not judged.
    pub at: DateTime<Utc>,
}

/// Runs in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_runs {
    ($on:expr, $only:expr, $provider:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Reconciliation,
            r#"SELECT r.id AS "id: ReconciliationId", p.slug AS provider, r.status AS "status: RunStatus", r.dry_run,
                      r.requested_by AS "requested_by: UserId", r.usd_idr, r.servers_listed, r.error, r.created_at,
                      r.finished_at, f.orphans AS "orphans!", f.ghosts AS "ghosts!", f.duplicates AS "duplicates!",
                      f.drifted AS "drifted!", f.monthly_cost AS "monthly_cost!: Rupiah"
               FROM reconciliations r
               JOIN providers p ON p.id = r.provider_id
               CROSS JOIN LATERAL (
                   SELECT count(*) FILTER (WHERE kind = 'orphan') AS orphans,
                          count(*) FILTER (WHERE kind = 'ghost') AS ghosts,
                          count(*) FILTER (WHERE kind = 'duplicate') AS duplicates,
                          count(*) FILTER (WHERE kind = 'drifted') AS drifted,
                          coalesce(sum(monthly_cost) FILTER (WHERE kind IN ('orphan', 'duplicate')), 0)::bigint
                              AS monthly_cost
                   FROM reconciliation_findings WHERE reconciliation_id = r.id) f
               WHERE ($1::uuid IS NULL OR r.id = $1) AND ($2::text IS NULL OR p.slug = $2)
                 AND ($3::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $5",
            $only,
            $provider,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Asks for a comparison of a provider with the database, which the provider's worker does.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn request_reconciliation(
        &self,
        provider: &str,
        settings: ReconcileSettings,
        user: UserId,
        origin: &Origin,
    ) -> Result<Reconciliation> {
        let mut tx = self.pool.begin().await?;
        let id = enqueue(&mut tx, provider, settings, user).await?;
        let act = AuditEntry {
            action: "provider.reconcile",
            object_kind: "reconciliation",
            object_id: Some(id.0),
            before: None,
            after: Some(serde_json::json!({ "provider": provider, "dry_run": settings.dry_run,
                                           "confirmed_unwanted": settings.confirmed_unwanted })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        self.reconciliation(id).await
    }

    /// Begins a run: the one that was asked for, or a scheduled one, which `run_key` names. Beginning the same run
    /// again answers with the same id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn begin_reconciliation(
        &self,
        provider: &str,
        asked_for: Option<ReconciliationId>,
        run_key: &str,
        dry_run: bool,
    ) -> Result<Begun> {
        // DO UPDATE rather than DO NOTHING: only so the row of a run that is there already is returned.
        let row = sqlx::query!(
            r#"INSERT INTO reconciliations (id, provider_id, run_key, status, dry_run)
               SELECT $1, id, $3, 'RUNNING', $4 FROM providers WHERE slug = $2
               ON CONFLICT (id) DO UPDATE SET run_key = EXCLUDED.run_key, error = NULL,
                   status = CASE WHEN reconciliations.status = 'COMPLETED' THEN 'COMPLETED' ELSE 'RUNNING' END
               RETURNING id, clock_timestamp() AS "at!""#,
            match asked_for {
                Some(asked_for) => asked_for.0,
                None => self.run_of(run_key).await?.unwrap_or_else(new_id::<Uuid>),
            },
            provider,
            run_key,
            dry_run,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("provider"))?;
        Ok(Begun { id: row.id.into(), at: row.at })
    }

    async fn run_of(&self, run_key: &str) -> Result<Option<Uuid>> {
        Ok(sqlx::query_scalar!("SELECT id FROM reconciliations WHERE run_key = $1", run_key)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Notes what was in the way of a run. One that is done stays so.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn fail_reconciliation(&self, run: ReconciliationId, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE reconciliations SET status = 'FAILED', error = $2, finished_at = now()
             WHERE id = $1 AND status <> 'COMPLETED'",
            run.0,
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Runs, newest first, on request of one provider only.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn reconciliations(
        &self,
        provider: Option<&str>,
        sort: AgeSort,
        page: SortedRequest,
    ) -> Result<Page<Reconciliation, SortCursor>> {
        let (on, all) = (&self.pool, None::<Uuid>);
        let rows = match sort {
            AgeSort::Newest => select_runs!(on, all, provider, page, "r.id < $4", "r.id DESC"),
            AgeSort::Oldest => select_runs!(on, all, provider, page, "r.id > $4", "r.id"),
        };
        Ok(page.cut_by_age(rows, |row| row.id.0))
    }

    /// One run with its totals.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    #[boxed]
    pub async fn reconciliation(&self, run: ReconciliationId) -> Result<Reconciliation> {
        let (any, one) = (None::<&str>, SortedRequest::first(1));
        let mut rows = select_runs!(&self.pool, Some(run.0), any, one, "r.id < $4", "r.id DESC");
        rows.pop().ok_or(StoreError::NotFound("reconciliation"))
    }

    /// List prices of a provider's sizes in US dollars a month, as it last told them; of sizes it never told, what our
    /// plans reckon with.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn size_prices(&self, provider: &str) -> Result<Vec<(String, Decimal)>> {
        let rows = sqlx::query!(
            r#"SELECT coalesce(s.slug, l.provider_slug) AS "slug!",
                      coalesce(s.price_monthly_usd, l.cost_monthly_usd) AS "price!"
               FROM (SELECT l.* FROM plans l JOIN providers p ON p.id = l.provider_id WHERE p.slug = $1) l
               FULL JOIN (SELECT s.* FROM provider_sizes s JOIN providers p ON p.id = s.provider_id
                          WHERE p.slug = $1) s ON s.slug = l.provider_slug"#,
            provider,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.slug, row.price)).collect())
    }
}

/// Writes the record of a run that somebody wants, and the message that starts it.
async fn enqueue(
    tx: &mut PgConnection,
    provider: &str,
    settings: ReconcileSettings,
    user: UserId,
) -> Result<ReconciliationId> {
    let id: ReconciliationId = new_id();
    let written = sqlx::query!(
        "INSERT INTO reconciliations (id, provider_id, status, dry_run, requested_by)
         SELECT $1, id, 'REQUESTED', $3, $4 FROM providers WHERE slug = $2",
        id.0,
        provider,
        settings.dry_run,
        user.0,
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 0 {
        return Err(StoreError::NotFound("provider"));
    }
    let message = Message::Reconcile { reconciliation_id: id, provider: provider.to_owned(), settings };
    outbox::enqueue(tx, &message).await?;
    Ok(id)
}
