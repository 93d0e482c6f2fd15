//! Taking over what a provider told: the lists, what they mean for what we sell, and who hears of it, at once.

use domain::{
    catalog::{ProviderCatalog, ProviderImage, ProviderRegion, ProviderSize},
    event::CatalogChanged,
    ids::CatalogSyncId,
    upkeep::RunStatus,
};
use serde::Serialize;
use sqlx::{PgConnection, types::Decimal};
use uuid::Uuid;

use super::{
    CatalogSync, CostDifference, OfferChange, SyncReport,
    diff::{Changes, changes, listed},
};
use crate::{Object, Result, Store, StoreError, boxed, events::Entry};

/// The most that the lists' columns hold.
const LARGEST: u32 = i32::MAX as u32;

/// A size in the form in which sizes are compared and stored.
fn normal(mut size: ProviderSize) -> ProviderSize {
    for number in [&mut size.vcpu, &mut size.memory_mb, &mut size.disk_gb, &mut size.transfer_gb] {
        *number = (*number).min(LARGEST);
    }
    size.price_monthly_usd = size.price_monthly_usd.round_dp(4).normalize();
    size.regions.sort_unstable();
    size
}

impl Store {
    /// Takes over what the provider told and ends the run. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a list is empty: a provider that has nothing at all has trouble, and believing it
    /// would take everything off sale.
    #[boxed]
    pub async fn complete_catalog_sync(
        &self,
        sync: CatalogSyncId,
        catalog: &ProviderCatalog,
    ) -> Result<CatalogSync> {
        if catalog.regions.is_empty() || catalog.sizes.is_empty() || catalog.images.is_empty() {
            return Err(StoreError::Conflict { object: Object::Catalog, state: "empty".to_owned() });
        }
        let mut tx = self.pool.begin().await?;
        let run = sqlx::query!(
            r#"SELECT s.provider_id, s.status AS "status: RunStatus", p.name
               FROM catalog_syncs s JOIN providers p ON p.id = s.provider_id WHERE s.id = $1
               FOR NO KEY UPDATE"#,
            sync.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("catalog sync"))?;
        if run.status != RunStatus::Completed {
            let mut report = replace_lists(&mut tx, run.provider_id, catalog).await?;
            report.offers = hold_against_offers(&mut tx, run.provider_id).await?;
            report.costs = cost_differences(&mut tx, run.provider_id).await?;
            keep_capabilities(&mut tx, run.provider_id, catalog).await?;
            finish(&mut tx, sync, &report).await?;
            tell_staff(&mut tx, sync, &run.name, &report).await?;
            tx.commit().await?;
        }
        Ok(self.catalog_sync(sync).await?.0)
    }
}

async fn replace_lists(
    tx: &mut PgConnection,
    provider: Uuid,
    catalog: &ProviderCatalog,
) -> Result<SyncReport> {
    let sizes: Vec<ProviderSize> = catalog.sizes.iter().cloned().map(normal).collect();
    let report = SyncReport {
        regions: compare(&known_regions(tx, provider).await?, &catalog.regions)?,
        sizes: compare(&known_sizes(tx, provider).await?, &sizes)?,
        images: compare(&known_images(tx, provider).await?, &catalog.images)?,
        ..SyncReport::default()
    };
    sqlx::query!("DELETE FROM provider_regions WHERE provider_id = $1", provider).execute(&mut *tx).await?;
    sqlx::query!(
        "INSERT INTO provider_regions
         SELECT $1, x.* FROM jsonb_to_recordset($2) AS x (slug text, name text, country text, available boolean)
         ON CONFLICT DO NOTHING",
        provider,
        serde_json::to_value(&catalog.regions)?,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM provider_sizes WHERE provider_id = $1", provider).execute(&mut *tx).await?;
    sqlx::query!(
        "INSERT INTO provider_sizes
         SELECT $1, x.* FROM jsonb_to_recordset($2) AS x (slug text, vcpu integer, memory_mb integer, disk_gb integer,
             transfer_gb integer, price_monthly_usd numeric, regions text[], available boolean)
         ON CONFLICT DO NOTHING",
        provider,
        serde_json::to_value(&sizes)?,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM provider_images WHERE provider_id = $1", provider).execute(&mut *tx).await?;
    sqlx::query!(
        "INSERT INTO provider_images
         SELECT $1, x.* FROM jsonb_to_recordset($2) AS x (slug text, name text, distribution text, available boolean)
         ON CONFLICT DO NOTHING",
        provider,
        serde_json::to_value(&catalog.images)?,
    )
    .execute(&mut *tx)
    .await?;
    Ok(report)
}

fn compare<T: Serialize>(before: &[T], after: &[T]) -> Result<Changes> {
    Ok(changes(&listed(before)?, &listed(after)?))
}

async fn known_regions(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<ProviderRegion>> {
    Ok(sqlx::query_as!(
        ProviderRegion,
        "SELECT slug, name, country, available FROM provider_regions WHERE provider_id = $1",
        provider,
    )
    .fetch_all(tx)
    .await?)
}

async fn known_sizes(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<ProviderSize>> {
    let rows = sqlx::query!(
        "SELECT slug, vcpu, memory_mb, disk_gb, transfer_gb, price_monthly_usd, regions, available
         FROM provider_sizes WHERE provider_id = $1",
        provider,
    )
    .fetch_all(tx)
    .await?;
    let whole = |number: i32| u32::try_from(number).unwrap_or_default();
    let sizes = rows.into_iter().map(|row| ProviderSize {
        slug: row.slug,
        vcpu: whole(row.vcpu),
        memory_mb: whole(row.memory_mb),
        disk_gb: whole(row.disk_gb),
        transfer_gb: whole(row.transfer_gb),
        price_monthly_usd: row.price_monthly_usd,
        regions: row.regions,
        available: row.available,
    });
    Ok(sizes.map(normal).collect())
}

async fn known_images(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<ProviderImage>> {
    Ok(sqlx::query_as!(
        ProviderImage,
        "SELECT slug, name, distribution, available FROM provider_images WHERE provider_id = $1",
        provider,
    )
    .fetch_all(tx)
    .await?)
}

/// Flags what we offer and the provider lacks, and takes the flag from what it has again.
pub(crate) async fn hold_against_offers(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<OfferChange>> {
    let mut found = flag_plans(tx, provider).await?;
    found.extend(flag_plan_regions(tx, provider).await?);
    found.extend(flag_images(tx, provider).await?);
    Ok(found)
}

async fn flag_plans(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<OfferChange>> {
    Ok(sqlx::query_as!(
        OfferChange,
        r#"WITH found AS (
               SELECT l.id, CASE WHEN s.slug IS NULL THEN 'the provider has no size ' || l.provider_slug || ' any more'
                                 WHEN NOT s.available THEN 'the size ' || l.provider_slug || ' is sold out everywhere'
                            END AS reason
               FROM plans l
               LEFT JOIN provider_sizes s ON s.provider_id = l.provider_id AND s.slug = l.provider_slug
               WHERE l.provider_id = $1)
           UPDATE plans l SET updated_at = now(), unavailable_reason = f.reason,
               unavailable_since = CASE WHEN f.reason IS NOT NULL THEN coalesce(l.unavailable_since, now()) END
           FROM found f WHERE f.id = l.id AND l.unavailable_reason IS DISTINCT FROM f.reason
           RETURNING 'plan' AS "kind!", l.slug, NULL AS "region: String", l.unavailable_reason AS reason"#,
        provider,
    )
    .fetch_all(tx)
    .await?)
}

async fn flag_plan_regions(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<OfferChange>> {
    Ok(sqlx::query_as!(
        OfferChange,
        r#"WITH found AS (
               SELECT o.plan_id, o.region_id, l.slug AS plan, r.slug AS region,
                      CASE WHEN p.slug IS NULL THEN 'the provider has no region ' || r.provider_slug || ' any more'
                           WHEN NOT p.available THEN 'the region ' || r.provider_slug || ' takes no new servers'
                           WHEN cardinality(s.regions) > 0 AND NOT r.provider_slug = ANY(s.regions)
                               THEN 'there is no ' || l.provider_slug || ' in ' || r.provider_slug
                      END AS reason
               FROM plan_regions o
               JOIN plans l ON l.id = o.plan_id
               JOIN regions r ON r.id = o.region_id
               LEFT JOIN provider_regions p ON p.provider_id = r.provider_id AND p.slug = r.provider_slug
               LEFT JOIN provider_sizes s ON s.provider_id = l.provider_id AND s.slug = l.provider_slug
               WHERE l.provider_id = $1)
           UPDATE plan_regions o SET unavailable_reason = f.reason,
               unavailable_since = CASE WHEN f.reason IS NOT NULL THEN coalesce(o.unavailable_since, now()) END
           FROM found f
           WHERE f.plan_id = o.plan_id AND f.region_id = o.region_id
             AND o.unavailable_reason IS DISTINCT FROM f.reason
           RETURNING 'plan_region' AS "kind!", f.plan AS slug, f.region AS "region: String",
                     o.unavailable_reason AS reason"#,
        provider,
    )
    .fetch_all(tx)
    .await?)
}

async fn flag_images(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<OfferChange>> {
    Ok(sqlx::query_as!(
        OfferChange,
        r#"WITH found AS (
               SELECT s.image_id, i.slug,
                      CASE WHEN p.slug IS NULL THEN 'the provider has no image ' || s.provider_slug || ' any more'
                           WHEN NOT p.available THEN 'no new servers are made from ' || s.provider_slug
                      END AS reason
               FROM image_sources s
               JOIN images i ON i.id = s.image_id
               LEFT JOIN provider_images p ON p.provider_id = s.provider_id AND p.slug = s.provider_slug
               WHERE s.provider_id = $1)
           UPDATE image_sources s SET unavailable_reason = f.reason,
               unavailable_since = CASE WHEN f.reason IS NOT NULL THEN coalesce(s.unavailable_since, now()) END
           FROM found f
           WHERE s.provider_id = $1 AND f.image_id = s.image_id AND s.unavailable_reason IS DISTINCT FROM f.reason
           RETURNING 'image' AS "kind!", f.slug, NULL AS "region: String", s.unavailable_reason AS reason"#,
        provider,
    )
    .fetch_all(tx)
    .await?)
}

async fn cost_differences(tx: &mut PgConnection, provider: Uuid) -> Result<Vec<CostDifference>> {
    let rows = sqlx::query!(
        "SELECT l.slug, l.cost_monthly_usd, s.price_monthly_usd
         FROM plans l JOIN provider_sizes s ON s.provider_id = l.provider_id AND s.slug = l.provider_slug
         WHERE l.provider_id = $1 AND l.is_active AND l.cost_monthly_usd <> s.price_monthly_usd ORDER BY l.slug",
        provider,
    )
    .fetch_all(tx)
    .await?;
    let difference = |plan: String, ours: Decimal, theirs: Decimal| CostDifference {
        plan,
        ours: ours.normalize(),
        theirs: theirs.normalize(),
    };
    Ok(rows
        .into_iter()
        .map(|row| difference(row.slug, row.cost_monthly_usd, row.price_monthly_usd))
        .collect())
}

async fn keep_capabilities(tx: &mut PgConnection, provider: Uuid, catalog: &ProviderCatalog) -> Result<()> {
    let capabilities: Vec<String> = catalog.capabilities.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "UPDATE providers SET capabilities = $2, synced_at = now() WHERE id = $1",
        provider,
        &capabilities,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn finish(tx: &mut PgConnection, sync: CatalogSyncId, report: &SyncReport) -> Result<()> {
    let lists = [&report.regions, &report.sizes, &report.images];
    let count = |of: fn(&Changes) -> usize| {
        i32::try_from(lists.iter().map(|list| of(list)).sum::<usize>()).unwrap_or(i32::MAX)
    };
    let flagged = report.offers.iter().filter(|offer| offer.reason.is_some()).count();
    sqlx::query!(
        "UPDATE catalog_syncs SET status = 'COMPLETED', error = NULL, finished_at = now(), added = $2, removed = $3,
                changed = $4, flagged = $5, restored = $6, report = $7
         WHERE id = $1",
        sync.0,
        count(|list| list.added.len()),
        count(|list| list.removed.len()),
        count(|list| list.changed.len()),
        i32::try_from(flagged).unwrap_or(i32::MAX),
        i32::try_from(report.offers.len() - flagged).unwrap_or(i32::MAX),
        serde_json::to_value(report)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Administrators hear of what can't be sold any more, or can again; what else changed is in the report.
async fn tell_staff(
    tx: &mut PgConnection,
    sync: CatalogSyncId,
    provider: &str,
    report: &SyncReport,
) -> Result<()> {
    if report.offers.is_empty() {
        return Ok(());
    }
    let flagged = report.offers.iter().filter(|offer| offer.reason.is_some()).count();
    let changed = CatalogChanged {
        catalog_sync_id: sync,
        provider: provider.to_owned(),
        flagged,
        restored: report.offers.len() - flagged,
    };
    Entry::of(changed).tell_administrators(tx).await
}
