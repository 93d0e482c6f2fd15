//! Servers nobody should pay for: powered off, kept for a while, then deleted, unless they are let go.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{OrderId, QuarantineId, ReconciliationId, UserId},
    reconciliation::{FindingKind, FindingReason},
    sorting::QuarantineSort,
    upkeep::ReconcileSettings,
};
use serde_json::json;

use super::enqueue;
use crate::{
    Object, Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, new_id,
    page::{Page, SortCursor, SortKey, SortedRequest},
};

/// A server to be put into quarantine.
#[derive(Debug, Clone)]
pub struct NewQuarantine {
    /// Slug of the provider.
    pub provider: String,
    /// The provider's id of it.
    pub provider_instance_id: String,
    /// Orphan or duplicate.
    pub kind: FindingKind,
    /// Why nobody should pay for it.
    pub reason: FindingReason,
    /// Its name at the provider.
    pub name: Option<String>,
    /// Tags it carries.
    pub tags: Vec<String>,
    /// The order it belonged to.
    pub order_id: Option<OrderId>,
    /// What it costs a month.
    pub monthly_cost: Option<Rupiah>,
    /// The run that found it.
    pub found_by: ReconciliationId,
    /// How long it stays, in milliseconds.
    pub for_ms: u64,
}

/// A server in quarantine.
#[derive(Debug, Clone)]
pub struct Quarantined {
    /// Its id, also the cursor of lists.
    pub id: QuarantineId,
    /// Slug of the provider.
    pub provider: String,
    /// The provider's id of it.
    pub provider_instance_id: String,
    /// Orphan or duplicate.
    pub kind: FindingKind,
    /// Why nobody should pay for it.
    pub reason: FindingReason,
    /// Its name at the provider.
    pub name: Option<String>,
    /// Tags it carries.
    pub tags: Vec<String>,
    /// The order it belonged to.
    pub order_id: Option<OrderId>,
    /// What it costs a month.
    pub monthly_cost: Option<Rupiah>,
    /// The run that found it first.
    pub reconciliation_id: ReconciliationId,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// From when on it may be deleted.
    pub delete_after: DateTime<Utc>,
    /// When it was powered off.
    pub powered_off_at: Option<DateTime<Utc>>,
    /// When it was let go.
    pub released_at: Option<DateTime<Utc>>,
    /// Who let it go; `None` when it turned out to be wanted.
    pub released_by: Option<UserId>,
    /// Why it was let go.
    pub release_reason: Option<String>,
    /// When it was given its power back.
    pub power_restored_at: Option<DateTime<Utc>>,
    /// When the provider was asked to delete it.
    pub delete_requested_at: Option<DateTime<Utc>>,
    /// When the provider confirmed that it is gone.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Quarantined {
    /// Whether its power has to be given back.
    #[must_use]
    pub const fn wants_power(&self) -> bool {
        self.released_at.is_some() && self.powered_off_at.is_some() && self.power_restored_at.is_none()
    }
}

/// Which servers in quarantine are wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Which<'a> {
    provider: Option<&'a str>,
    server: Option<&'a str>,
    id: Option<QuarantineId>,
    /// Also those that were let go.
    released: bool,
    /// Also those that are gone.
    gone: bool,
}

/// All there are: a fetch asks for one more.
const EVERY: i64 = i64::MAX - 1;

/// Servers in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_servers {
    ($on:expr, $which:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            Quarantined,
            r#"SELECT q.id AS "id: QuarantineId", p.slug AS provider, q.provider_instance_id,
                      q.kind AS "kind: FindingKind", q.reason AS "reason: FindingReason", q.name, q.tags,
                      q.order_id AS "order_id: OrderId", q.monthly_cost AS "monthly_cost: Rupiah",
                      q.reconciliation_id AS "reconciliation_id: ReconciliationId", q.created_at, q.delete_after,
                      q.powered_off_at, q.released_at, q.released_by AS "released_by: UserId", q.release_reason,
                      q.power_restored_at, q.delete_requested_at, q.deleted_at
               FROM quarantined_servers q JOIN providers p ON p.id = q.provider_id
               WHERE ($1::text IS NULL OR p.slug = $1) AND ($2::text IS NULL OR q.provider_instance_id = $2)
                 AND ($3::uuid IS NULL OR q.id = $3) AND ($4 OR q.released_at IS NULL)
                 AND ($5 OR q.deleted_at IS NULL)
                 AND ($6::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $8",
            $which.provider,
            $which.server,
            $which.id.map(|id| id.0),
            $which.released,
            $which.gone,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Puts a server into quarantine and answers with its record: the one it has already, if it has one. A server that
    /// an administrator let go stays so; one that had turned out to be wanted, or to be gone, begins anew.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn quarantine_server(&self, new: &NewQuarantine) -> Result<Quarantined> {
        let for_seconds = std::time::Duration::from_millis(new.for_ms).as_secs_f64();
        sqlx::query!(
            "INSERT INTO quarantined_servers (id, provider_id, provider_instance_id, kind, reason, name, tags, order_id,
                 monthly_cost, reconciliation_id, delete_after)
             SELECT $1, id, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11)
             FROM providers WHERE slug = $2
             ON CONFLICT (provider_id, provider_instance_id) DO UPDATE
                 SET kind = EXCLUDED.kind, reason = EXCLUDED.reason, reconciliation_id = EXCLUDED.reconciliation_id,
                     created_at = now(), delete_after = EXCLUDED.delete_after, powered_off_at = NULL,
                     released_at = NULL, release_reason = NULL, power_restored_at = NULL,
                     delete_requested_at = NULL, deleted_at = NULL
             WHERE quarantined_servers.released_by IS NULL
               AND (quarantined_servers.released_at IS NOT NULL OR quarantined_servers.deleted_at IS NOT NULL)",
            new_id::<uuid::Uuid>(),
            new.provider,
            new.provider_instance_id,
            new.kind.as_str(),
            new.reason.as_str(),
            new.name,
            &new.tags,
            new.order_id.map(|id| id.0),
            new.monthly_cost.map(Rupiah::get),
            new.found_by.0,
            for_seconds,
        )
        .execute(&self.pool)
        .await?;
        let which = Which {
            provider: Some(&new.provider),
            server: Some(&new.provider_instance_id),
            released: true,
            gone: true,
            ..Which::default()
        };
        self.select_quarantined(which, QuarantineSort::Newest, &SortedRequest::first(1))
            .await?
            .pop()
            .ok_or(StoreError::NotFound("provider"))
    }

    /// Everything in a provider's quarantine that is not confirmed to be gone, also what was let go.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn quarantine_of(&self, provider: &str) -> Result<Vec<Quarantined>> {
        let which = Which { provider: Some(provider), released: true, ..Which::default() };
        self.select_quarantined(which, QuarantineSort::Newest, &SortedRequest::first(EVERY)).await
    }

    /// Servers in quarantine, newest first, on request of one provider only; with `all` also those that were let go or
    /// are gone.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn quarantined_servers(
        &self,
        provider: Option<&str>,
        all: bool,
        sort: QuarantineSort,
        page: SortedRequest,
    ) -> Result<Page<Quarantined, SortCursor>> {
        let which = Which { provider, released: all, gone: all, ..Which::default() };
        let rows = self.select_quarantined(which, sort, &page).await?;
        let key = |row: &Quarantined| match sort {
            QuarantineSort::Newest | QuarantineSort::Oldest => SortKey::Age,
            QuarantineSort::DeletedFirst | QuarantineSort::DeletedLast => {
                SortKey::Time(Some(row.delete_after))
            }
        };
        Ok(page.cut(rows, |row| SortCursor { key: key(row), id: row.id.0 }))
    }

    /// One server in quarantine.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of that id.
    #[boxed]
    pub async fn quarantined_server(&self, id: QuarantineId) -> Result<Quarantined> {
        let which = Which { id: Some(id), released: true, gone: true, ..Which::default() };
        self.select_quarantined(which, QuarantineSort::Newest, &SortedRequest::first(1))
            .await?
            .pop()
            .ok_or(StoreError::NotFound("quarantined server"))
    }

    async fn select_quarantined(
        &self,
        which: Which<'_>,
        sort: QuarantineSort,
        page: &SortedRequest,
    ) -> Result<Vec<Quarantined>> {
        let on = &self.pool;
        Ok(match sort {
            QuarantineSort::Newest => select_servers!(on, which, page, "q.id < $7", "q.id DESC"),
            QuarantineSort::Oldest => select_servers!(on, which, page, "q.id > $7", "q.id"),
            QuarantineSort::DeletedFirst => select_servers!(
                on,
                which,
                page,
                "(q.delete_after, q.id) > ($6::text::timestamptz, $7)",
                "q.delete_after, q.id"
            ),
            QuarantineSort::DeletedLast => select_servers!(
                on,
                which,
                page,
                "(q.delete_after, q.id) < ($6::text::timestamptz, $7)",
                "q.delete_after DESC, q.id DESC"
            ),
        })
    }

    /// Notes that a server in quarantine was powered off.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; it is then powered off again.
    #[boxed]
    pub async fn note_powered_off(&self, id: QuarantineId) -> Result<()> {
        sqlx::query!(
            "UPDATE quarantined_servers SET powered_off_at = coalesce(powered_off_at, now()) WHERE id = $1",
            id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that the provider is about to be asked to delete a server whose time is over. `false` when it may not be:
    /// it was let go, or its time is not over.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; nothing may be deleted then.
    #[boxed]
    pub async fn note_delete_requested(&self, id: QuarantineId) -> Result<bool> {
        let noted = sqlx::query!(
            "UPDATE quarantined_servers SET delete_requested_at = coalesce(delete_requested_at, now())
             WHERE id = $1 AND released_at IS NULL AND deleted_at IS NULL AND powered_off_at IS NOT NULL
               AND delete_after <= now()",
            id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// Notes that the provider confirmed that a server in quarantine is gone.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_quarantined_gone(&self, id: QuarantineId) -> Result<()> {
        sqlx::query!(
            "UPDATE quarantined_servers SET deleted_at = coalesce(deleted_at, now()) WHERE id = $1",
            id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Lets a server go that turned out to be wanted. `false` when its deletion was asked for already.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn release_wanted(&self, id: QuarantineId) -> Result<bool> {
        let released = sqlx::query!(
            "UPDATE quarantined_servers SET released_at = now(), release_reason = 'it is wanted after all'
             WHERE id = $1 AND released_at IS NULL AND delete_requested_at IS NULL",
            id.0,
        )
        .execute(&self.pool)
        .await?;
        Ok(released.rows_affected() == 1)
    }

    /// Notes that a server that was let go has its power back.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; it is then given power again.
    #[boxed]
    pub async fn note_power_restored(&self, id: QuarantineId) -> Result<()> {
        sqlx::query!("UPDATE quarantined_servers SET power_restored_at = now() WHERE id = $1", id.0)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Lets a server go on an administrator's word: it is not deleted and not accused again, and the next run, which
    /// this asks for, gives it its power back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of that id, [`StoreError::Conflict`] when it was let go before or its
    /// deletion was asked for.
    #[boxed]
    pub async fn release_quarantined(
        &self,
        id: QuarantineId,
        reason: &str,
        settings: ReconcileSettings,
        user: UserId,
        origin: &Origin,
    ) -> Result<Quarantined> {
        let server = self.quarantined_server(id).await?;
        let mut tx = self.pool.begin().await?;
        let released = sqlx::query!(
            "UPDATE quarantined_servers SET released_at = now(), released_by = $2, release_reason = $3
             WHERE id = $1 AND released_at IS NULL AND delete_requested_at IS NULL AND deleted_at IS NULL",
            id.0,
            user.0,
            reason,
        )
        .execute(&mut *tx)
        .await?;
        if released.rows_affected() == 0 {
            let state = if server.released_at.is_some() { "released already" } else { "being deleted" };
            return Err(StoreError::Conflict { object: Object::QuarantinedServer, state: state.to_owned() });
        }
        let act = AuditEntry {
            action: "quarantined_server.release",
            object_kind: "quarantined_server",
            object_id: Some(id.0),
            before: Some(json!({ "delete_after": server.delete_after })),
            after: Some(json!({ "provider": server.provider, "reason": reason,
                                "provider_instance_id": server.provider_instance_id })),
        };
        audit::record(&mut tx, origin, &act).await?;
        let look = ReconcileSettings { dry_run: true, ..settings };
        enqueue(&mut tx, &server.provider, look, user).await?;
        tx.commit().await?;
        self.quarantined_server(id).await
    }
}
