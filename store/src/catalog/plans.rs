//! Plans as staff see them, also those that are not on sale, and what administrators decide about them. What was ordered
//! stays as it was: an order has its price, and a plan's size never changes.

use chrono::{DateTime, Utc};
use domain::{Rupiah, ids::PlanId, sorting::PlanSort};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor, types::Decimal};
use uuid::Uuid;

use super::CatalogError;
use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed, catalog_sync, new_id,
    page::{Page, SortCursor, SortKey, SortedRequest},
    versions::{IfMatch, Thing},
};

/// Which plans are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct PlanFilter {
    /// Only those of this provider (slug).
    pub provider: Option<String>,
    /// Only those that administrators want on sale, or only the others.
    pub is_active: Option<bool>,
    /// Only those that their provider has, or only the others.
    pub is_available: Option<bool>,
}

/// A plan with what staff want to know about it.
#[derive(Debug, Clone)]
pub struct PlanDetail {
    /// Its id.
    pub id: PlanId,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Slug of the provider.
    pub provider: String,
    /// What the provider calls the size.
    pub provider_slug: String,
    /// Virtual processors.
    pub vcpu: i32,
    /// Memory in MiB.
    pub memory_mb: i32,
    /// Disk in GiB.
    pub disk_gb: i32,
    /// Outgoing traffic a month in GB.
    pub bandwidth_gb: i32,
    /// Rupiah a month before tax, for new orders.
    pub price_monthly: Rupiah,
    /// What it costs us a month, in US dollars.
    pub cost_monthly_usd: Decimal,
    /// How many may be sold; `None`: as many as are wanted.
    pub stock_limit: Option<i32>,
    /// So many days the last snapshot of a deleted server is kept; `None`: none is taken.
    pub final_snapshot_days: Option<i32>,
    /// How many are sold: orders that are open, or have a server.
    pub sold: i64,
    /// Whether administrators want it on sale.
    pub is_active: bool,
    /// Where it stands in lists.
    pub sort_order: i32,
    /// Since when its provider lacks it.
    pub unavailable_since: Option<DateTime<Utc>>,
    /// Why.
    pub unavailable_reason: Option<String>,
    /// Slugs of the regions it is sold in, nearest first.
    pub regions: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// A plan to be made.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// Its name in URLs; no other plan has it.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Slug of the provider.
    pub provider: String,
    /// What the provider calls the size; no other plan is of the same.
    pub provider_slug: String,
    /// Virtual processors.
    pub vcpu: i32,
    /// Memory in MiB.
    pub memory_mb: i32,
    /// Disk in GiB.
    pub disk_gb: i32,
    /// Outgoing traffic a month in GB.
    pub bandwidth_gb: i32,
    /// Rupiah a month before tax.
    pub price_monthly: Rupiah,
    /// What it costs us a month, in US dollars.
    pub cost_monthly_usd: Decimal,
    /// How many may be sold.
    pub stock_limit: Option<i32>,
    /// So many days the last snapshot of a deleted server is kept.
    pub final_snapshot_days: Option<i32>,
    /// Whether it is to be on sale.
    pub is_active: bool,
    /// Where it stands in lists.
    pub sort_order: i32,
    /// Slugs of the provider's regions it is sold in.
    pub regions: Vec<String>,
}

/// What to change about a plan; `None` leaves it as it is. What its size is stays: it was sold.
#[derive(Debug, Clone, Default)]
pub struct ChangePlan {
    /// Its name for people.
    pub name: Option<String>,
    /// Rupiah a month before tax, for new orders.
    pub price_monthly: Option<Rupiah>,
    /// What it costs us a month, in US dollars.
    pub cost_monthly_usd: Option<Decimal>,
    /// How many may be sold; `Some(None)`: as many as are wanted.
    pub stock_limit: Option<Option<i32>>,
    /// So many days the last snapshot of a deleted server is kept, of servers that get the plan from now on; `Some(None)`:
    /// none is taken.
    pub final_snapshot_days: Option<Option<i32>>,
    /// Whether it is to be on sale.
    pub is_active: Option<bool>,
    /// Where it stands in lists.
    pub sort_order: Option<i32>,
    /// Slugs of the provider's regions it is sold in, in the place of those of before.
    pub regions: Option<Vec<String>>,
}

impl PlanDetail {
    /// What the audit log remembers.
    fn to_json(&self) -> Value {
        json!({
            "slug": self.slug,
            "name": self.name,
            "price_monthly": self.price_monthly,
            "cost_monthly_usd": self.cost_monthly_usd.normalize().to_string(),
            "stock_limit": self.stock_limit,
            "final_snapshot_days": self.final_snapshot_days,
            "is_active": self.is_active,
            "sort_order": self.sort_order,
            "regions": self.regions,
        })
    }
}

/// Plans in lists. One macro, so that each sorting is a query of its own which Postgres can plan by its index.
macro_rules! select_plans {
    ($on:expr, $filter:expr, $slug:expr, $page:expr, $after:literal, $order:literal) => {
        sqlx::query_as!(
            PlanDetail,
            r#"SELECT l.id AS "id: PlanId", l.slug, l.name, p.slug AS provider, l.provider_slug, l.vcpu, l.memory_mb,
                      l.disk_gb, l.bandwidth_gb, l.price_monthly AS "price_monthly: Rupiah", l.cost_monthly_usd,
                      l.stock_limit, l.final_snapshot_days, l.is_active, l.sort_order, l.unavailable_since, l.unavailable_reason,
                      l.created_at, l.updated_at,
                      (SELECT count(*) FROM orders o LEFT JOIN instances i ON i.order_id = o.id
                       WHERE o.plan_id = l.id AND o.status NOT IN ('EXPIRED', 'CANCELLED', 'REFUNDED')
                         AND i.status IS DISTINCT FROM 'TERMINATED') AS "sold!",
                      ARRAY(SELECT r.slug FROM plan_regions pr JOIN regions r ON r.id = pr.region_id
                            WHERE pr.plan_id = l.id ORDER BY r.sort_order, r.slug) AS "regions!"
               FROM plans l JOIN providers p ON p.id = l.provider_id
               WHERE ($1::text IS NULL OR p.slug = $1) AND ($2::boolean IS NULL OR l.is_active = $2)
                 AND ($3::boolean IS NULL OR $3 = (l.unavailable_since IS NULL)) AND ($4::text IS NULL OR l.slug = $4)
                 AND ($5::text IS NULL OR "# + $after + ") ORDER BY " + $order + " LIMIT $7",
            $filter.provider,
            $filter.is_active,
            $filter.is_available,
            $slug,
            $page.key(),
            $page.id(),
            $page.fetch(),
        )
        .fetch_all($on)
        .await?
    };
}

impl Store {
    /// Every plan.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn plans_for_staff(
        &self,
        filter: &PlanFilter,
        sort: PlanSort,
        page: SortedRequest,
    ) -> Result<Page<PlanDetail, SortCursor>> {
        let (on, all) = (&self.pool, None::<&str>);
        let rows = match sort {
            PlanSort::Newest => select_plans!(on, filter, all, page, "l.id < $6", "l.id DESC"),
            PlanSort::Oldest => select_plans!(on, filter, all, page, "l.id > $6", "l.id"),
            PlanSort::Dearest => select_plans!(
                on,
                filter,
                all,
                page,
                "(l.price_monthly, l.id) < ($5::text::bigint, $6)",
                "l.price_monthly DESC, l.id DESC"
            ),
            PlanSort::Cheapest => select_plans!(
                on,
                filter,
                all,
                page,
                "(l.price_monthly, l.id) > ($5::text::bigint, $6)",
                "l.price_monthly, l.id"
            ),
        };
        let key = |plan: &PlanDetail| match sort {
            PlanSort::Newest | PlanSort::Oldest => SortKey::Age,
            PlanSort::Dearest | PlanSort::Cheapest => SortKey::Number(plan.price_monthly.get()),
        };
        Ok(page.cut(rows, |plan| SortCursor { key: key(plan), id: plan.id.0 }))
    }

    /// One plan, on sale or not.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such plan.
    #[boxed]
    pub async fn plan_for_staff(&self, slug: &str) -> Result<PlanDetail> {
        by_slug(&self.pool, slug).await
    }

    /// Makes a plan, with an audit row.
    ///
    /// # Errors
    /// [`CatalogError`] when its slug or its size is taken, it has no such provider or region, or it is to be on sale and its
    /// provider lacks it.
    #[boxed]
    pub async fn create_plan(&self, new: &NewPlan, origin: &Origin) -> Result<PlanDetail, CatalogError> {
        let id: PlanId = new_id();
        let mut tx = self.pool.begin().await?;
        let provider = sqlx::query!(
            r#"SELECT id, synced_at IS NOT NULL AS "is_synced!" FROM providers WHERE slug = $1"#,
            new.provider
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(CatalogError::ProviderUnknown)?;
        sqlx::query!(
            "INSERT INTO plans (id, slug, name, provider_id, provider_slug, vcpu, memory_mb, disk_gb, bandwidth_gb,
                                price_monthly, cost_monthly_usd, stock_limit, is_active, sort_order, final_snapshot_days,
                                edited_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, now())",
            id.0,
            new.slug,
            new.name,
            provider.id,
            new.provider_slug,
            new.vcpu,
            new.memory_mb,
            new.disk_gb,
            new.bandwidth_gb,
            new.price_monthly.get(),
            new.cost_monthly_usd,
            new.stock_limit,
            new.is_active,
            new.sort_order,
            new.final_snapshot_days,
        )
        .execute(&mut *tx)
        .await?;
        sell_in(&mut tx, id.0, &new.regions).await?;
        if provider.is_synced {
            catalog_sync::hold_against_offers(&mut tx, provider.id).await?;
        }
        let made = by_slug(&mut *tx, &new.slug).await?;
        if let Some(reason) = made.unavailable_reason.as_ref().filter(|_| made.is_active) {
            return Err(CatalogError::Unavailable(reason.clone()));
        }
        record(&mut tx, origin, "plan.create", id, None, made.to_json()).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes a plan from now on, with an audit row: orders stay as they were placed. Saying what is so already changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such plan; [`CatalogError`] when it is to be put on sale and its provider lacks
    /// it, or has no such region.
    #[boxed]
    pub async fn change_plan(
        &self,
        slug: &str,
        change: &ChangePlan,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<PlanDetail, CatalogError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("SELECT id FROM plans WHERE slug = $1 FOR NO KEY UPDATE", slug)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(StoreError::NotFound("plan"))?;
        condition.require(&mut tx, Thing::Plan(slug)).await?;
        let before = by_slug(&mut *tx, slug).await?;
        let goes_on_sale = change.is_active == Some(true) && !before.is_active;
        if let Some(reason) = before.unavailable_reason.as_ref().filter(|_| goes_on_sale) {
            return Err(CatalogError::Unavailable(reason.clone()));
        }
        update(&mut tx, &before, change).await?;
        let after = by_slug(&mut *tx, slug).await?;
        if after.to_json() == before.to_json() {
            return Ok(before);
        }
        record(&mut tx, origin, "plan.change", before.id, Some(before.to_json()), after.to_json()).await?;
        tx.commit().await?;
        Ok(after)
    }
}

async fn by_slug(on: impl PgExecutor<'_>, slug: &str) -> Result<PlanDetail> {
    let (all, one) = (PlanFilter::default(), SortedRequest::first(1));
    let found = select_plans!(on, all, Some(slug), one, "l.id < $6", "l.id DESC").pop();
    found.ok_or(StoreError::NotFound("plan"))
}

async fn update(tx: &mut PgConnection, before: &PlanDetail, change: &ChangePlan) -> Result<(), CatalogError> {
    sqlx::query!(
        "UPDATE plans SET name = $2, price_monthly = $3, cost_monthly_usd = $4, stock_limit = $5, is_active = $6,
                sort_order = $7, final_snapshot_days = $8, edited_at = now(), updated_at = now()
         WHERE id = $1",
        before.id.0,
        change.name.as_ref().unwrap_or(&before.name),
        change.price_monthly.unwrap_or(before.price_monthly).get(),
        change.cost_monthly_usd.unwrap_or(before.cost_monthly_usd),
        change.stock_limit.unwrap_or(before.stock_limit),
        change.is_active.unwrap_or(before.is_active),
        change.sort_order.unwrap_or(before.sort_order),
        change.final_snapshot_days.unwrap_or(before.final_snapshot_days),
    )
    .execute(&mut *tx)
    .await?;
    match &change.regions {
        Some(regions) => sell_in(tx, before.id.0, regions).await,
        None => Ok(()),
    }
}

/// Sells a plan in these regions of its provider and in no other. Where it was sold before, what is known of it stays.
async fn sell_in(tx: &mut PgConnection, plan: Uuid, regions: &[String]) -> Result<(), CatalogError> {
    let found = sqlx::query!(
        "SELECT r.id, r.slug FROM regions r JOIN plans l ON l.provider_id = r.provider_id
         WHERE l.id = $1 AND r.slug = ANY($2)",
        plan,
        regions,
    )
    .fetch_all(&mut *tx)
    .await?;
    if let Some(unknown) = regions.iter().find(|slug| found.iter().all(|row| row.slug != **slug)) {
        return Err(CatalogError::RegionUnknown(unknown.clone()));
    }
    let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
    sqlx::query!("DELETE FROM plan_regions WHERE plan_id = $1 AND region_id <> ALL($2)", plan, &ids)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "INSERT INTO plan_regions (plan_id, region_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING",
        plan,
        &ids,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn record(
    tx: &mut PgConnection,
    origin: &Origin,
    action: &str,
    plan: PlanId,
    before: Option<Value>,
    after: Value,
) -> Result<()> {
    let act = AuditEntry { action, object_kind: "plan", object_id: Some(plan.0), before, after: Some(after) };
    audit::record(tx, origin, &act).await
}
