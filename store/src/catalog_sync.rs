//! A provider's own catalog: asked of the provider now and then, compared with what it said before, and held against
//! what we sell. What we would have to buy and it lacks is flagged and not sold until it is back.

mod apply;
mod diff;

use chrono::{DateTime, Utc};
use domain::{
    ids::{CatalogSyncId, UserId},
    outbox::Message,
    sorting::AgeSort,
    upkeep::RunStatus,
};
use serde::{Deserialize, Serialize};
use sqlx::types::Decimal;
use uuid::Uuid;

pub(crate) use apply::hold_against_offers;
pub use diff::{Change, Changed, Changes};

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id, outbox,
    page::{Page, SortCursor, SortedRequest},
};

/// What a run found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncReport {
    /// What changed about the provider's regions.
    pub regions: Changes,
    /// What changed about its sizes.
    pub sizes: Changes,
    /// What changed about its images.
    pub images: Changes,
    /// What of ours it no longer has, or has again.
    pub offers: Vec<OfferChange>,
    /// Plans whose cost is not the provider's price any more.
    pub costs: Vec<CostDifference>,
}

/// Something we offer that the provider lacks now, or has again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferChange {
    /// `plan`, `plan_region` or `image`.
    pub kind: String,
    /// Our slug of it.
    pub slug: String,
    /// Our slug of the region, for a plan's region.
    pub region: Option<String>,
    /// Why it can't be sold; `None` when it can again.
    pub reason: Option<String>,
}

/// A plan whose cost is not the provider's price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostDifference {
    /// Our slug of the plan.
    pub plan: String,
    /// What we reckon with, US dollars a month.
    pub ours: Decimal,
    /// What the provider asks, US dollars a month.
    pub theirs: Decimal,
}

/// One time a provider was asked.
#[derive(Debug, Clone)]
pub struct CatalogSync {
    /// Its id, also the cursor of lists.
    pub id: CatalogSyncId,
    /// Slug of the provider.
    pub provider: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Who asked; `None` when it was due.
    pub requested_by: Option<UserId>,
    /// How much was new.
    pub added: i32,
    /// How much was gone.
    pub removed: i32,
    /// How much was different.
    pub changed: i32,
    /// How much of what we offer became unavailable.
    pub flagged: i32,
    /// How much of it became available again.
    pub restored: i32,
    /// What was in the way.
    pub error: Option<String>,
    /// When it was asked for or began.
    pub created_at: DateTime<Utc>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Runs in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_syncs {
    ($on:expr, $provider:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            CatalogSync,
            r#"SELECT s.id AS "id: CatalogSyncId", p.slug AS provider, s.status AS "status: RunStatus",
                      s.requested_by AS "requested_by: UserId", s.added, s.removed, s.changed, s.flagged, s.restored,
                      s.error, s.created_at, s.finished_at
               FROM catalog_syncs s JOIN providers p ON p.id = s.provider_id
               WHERE ($1::text IS NULL OR p.slug = $1)
                 AND ($2::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $4",
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
    /// Asks for a sync of a provider's catalog, which the provider's worker does.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn request_catalog_sync(
        &self,
        provider: &str,
        user: UserId,
        origin: &Origin,
    ) -> Result<CatalogSync> {
        let mut tx = self.pool.begin().await?;
        let provider_id = sqlx::query_scalar!("SELECT id FROM providers WHERE slug = $1", provider)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(StoreError::NotFound("provider"))?;
        let id: CatalogSyncId = new_id();
        sqlx::query!(
            "INSERT INTO catalog_syncs (id, provider_id, status, requested_by) VALUES ($1, $2, 'REQUESTED', $3)",
            id.0,
            provider_id,
            user.0,
        )
        .execute(&mut *tx)
        .await?;
        let act = AuditEntry {
            action: "provider.sync_catalog",
            object_kind: "provider",
            object_id: Some(provider_id),
            before: None,
            after: Some(serde_json::json!({ "slug": provider, "catalog_sync_id": id })),
        };
        audit::record(&mut tx, origin, &act).await?;
        outbox::enqueue(&mut tx, &Message::SyncCatalog { sync_id: id, provider: provider.to_owned() })
            .await?;
        tx.commit().await?;
        Ok(self.catalog_sync(id).await?.0)
    }

    /// Begins a run: the one that was asked for, or a scheduled one, which `run_key` names. Beginning the same run
    /// again answers with the same id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider or run.
    #[boxed]
    pub async fn begin_catalog_sync(
        &self,
        provider: &str,
        asked_for: Option<CatalogSyncId>,
        run_key: &str,
    ) -> Result<CatalogSyncId> {
        let id = match asked_for {
            Some(sync) => {
                sqlx::query_scalar!(
                    "UPDATE catalog_syncs SET status = 'RUNNING', error = NULL, run_key = $2
                     WHERE id = $1 AND status <> 'COMPLETED' RETURNING id",
                    sync.0,
                    run_key,
                )
                .fetch_optional(&self.pool)
                .await?;
                Some(sync.0)
            }
            None => {
                // DO UPDATE rather than DO NOTHING: only so the row of a run that is there already is returned.
                sqlx::query_scalar!(
                    "INSERT INTO catalog_syncs (id, provider_id, run_key, status)
                     SELECT $1, id, $3, 'RUNNING' FROM providers WHERE slug = $2
                     ON CONFLICT (run_key) DO UPDATE
                         SET status = CASE WHEN catalog_syncs.status = 'COMPLETED' THEN 'COMPLETED' ELSE 'RUNNING' END,
                             error = NULL
                     RETURNING id",
                    new_id::<Uuid>(),
                    provider,
                    run_key,
                )
                .fetch_optional(&self.pool)
                .await?
            }
        };
        id.map(CatalogSyncId).ok_or(StoreError::NotFound("provider"))
    }

    /// Notes what was in the way of a run. One that is done stays so.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn fail_catalog_sync(&self, sync: CatalogSyncId, error: &str) -> Result<()> {
        sqlx::query!(
            "UPDATE catalog_syncs SET status = 'FAILED', error = $2, finished_at = now()
             WHERE id = $1 AND status <> 'COMPLETED'",
            sync.0,
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Runs, on request of one provider only.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn catalog_syncs(
        &self,
        provider: Option<&str>,
        sort: AgeSort,
        page: SortedRequest,
    ) -> Result<Page<CatalogSync, SortCursor>> {
        let rows = match sort {
            AgeSort::Newest => select_syncs!(&self.pool, provider, page, "s.id < $3", "s.id DESC"),
            AgeSort::Oldest => select_syncs!(&self.pool, provider, page, "s.id > $3", "s.id"),
        };
        Ok(page.cut_by_age(rows, |row| row.id.0))
    }

    /// One run with what it found out.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such run.
    #[boxed]
    pub async fn catalog_sync(&self, sync: CatalogSyncId) -> Result<(CatalogSync, SyncReport)> {
        let row = sqlx::query!(
            r#"SELECT s.id AS "id: CatalogSyncId", p.slug AS provider, s.status AS "status: RunStatus",
                      s.requested_by AS "requested_by: UserId", s.added, s.removed, s.changed, s.flagged, s.restored,
                      s.error, s.created_at, s.finished_at, s.report
               FROM catalog_syncs s JOIN providers p ON p.id = s.provider_id WHERE s.id = $1"#,
            sync.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("catalog sync"))?;
        let report = serde_json::from_value(row.report)?;
        let run = CatalogSync {
            id: row.id,
            provider: row.provider,
            status: row.status,
            requested_by: row.requested_by,
            added: row.added,
            removed: row.removed,
            changed: row.changed,
            flagged: row.flagged,
            restored: row.restored,
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        };
        Ok((run, report))
    }
}
