//! A realistic catalog to start with. Seeding again is harmless: rows are found by slug and keep their ids; facts
//! about providers (sizes, and costs and names that staff did not change) are brought up to date, while what the business
//! decided since (what is on sale, prices, stock, discounts) stays as it is, and so does what a provider itself told since.

use sqlx::{PgConnection, types::Decimal};
use uuid::Uuid;

use crate::{Result, Store, boxed, new_id};

mod data;

impl Store {
    /// Loads the catalog of [`data`]: providers, regions, images, plans, terms and the tax rate.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; nothing is loaded then.
    #[boxed]
    pub async fn seed(&self) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        providers(&mut tx).await?;
        regions(&mut tx).await?;
        images(&mut tx).await?;
        plans(&mut tx).await?;
        plan_regions(&mut tx).await?;
        terms_and_tax(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn providers(tx: &mut PgConnection) -> Result<()> {
    for provider in data::CATALOGS {
        let capabilities: Vec<String> = provider.capabilities.iter().map(ToString::to_string).collect();
        sqlx::query!(
            "INSERT INTO providers (id, slug, name, capabilities) VALUES ($1, $2, $3, $4)
             ON CONFLICT (slug) DO UPDATE SET name = EXCLUDED.name,
                 capabilities = CASE WHEN providers.synced_at IS NULL THEN EXCLUDED.capabilities
                                     ELSE providers.capabilities END",
            new_id::<Uuid>(),
            provider.slug,
            provider.name,
            &capabilities,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn regions(tx: &mut PgConnection) -> Result<()> {
    for (provider, region) in data::regions() {
        sqlx::query!(
            "INSERT INTO regions (id, provider_id, slug, provider_slug, name, country, sort_order)
             SELECT $1, id, $3, $4, $5, $6, $7 FROM providers WHERE slug = $2
             ON CONFLICT (slug) DO UPDATE SET country = EXCLUDED.country, provider_slug = EXCLUDED.provider_slug,
                 name = CASE WHEN regions.edited_at IS NULL THEN EXCLUDED.name ELSE regions.name END,
                 sort_order = CASE WHEN regions.edited_at IS NULL THEN EXCLUDED.sort_order ELSE regions.sort_order END",
            new_id::<Uuid>(),
            provider,
            region.slug,
            region.provider_slug,
            region.name,
            region.country,
            region.sort_order,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn images(tx: &mut PgConnection) -> Result<()> {
    for (position, image) in (1..).zip(data::IMAGES) {
        sqlx::query!(
            "INSERT INTO images (id, slug, name, distribution, version, sort_order) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (slug) DO UPDATE SET distribution = EXCLUDED.distribution, version = EXCLUDED.version,
                 name = CASE WHEN images.edited_at IS NULL THEN EXCLUDED.name ELSE images.name END,
                 sort_order = CASE WHEN images.edited_at IS NULL THEN EXCLUDED.sort_order ELSE images.sort_order END",
            new_id::<Uuid>(),
            image.slug,
            image.name,
            image.distribution,
            image.version,
            position * 10,
        )
        .execute(&mut *tx)
        .await?;
    }
    image_sources(tx).await
}

async fn image_sources(tx: &mut PgConnection) -> Result<()> {
    for (provider, image, name_there) in data::image_sources() {
        sqlx::query!(
            "INSERT INTO image_sources (image_id, provider_id, provider_slug)
                 SELECT i.id, p.id, $3 FROM images i, providers p WHERE i.slug = $1 AND p.slug = $2
                 ON CONFLICT (image_id, provider_id) DO UPDATE SET provider_slug = EXCLUDED.provider_slug",
            image,
            provider,
            name_there,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn plans(tx: &mut PgConnection) -> Result<()> {
    for (position, (provider, plan)) in (1..).zip(data::plans()) {
        sqlx::query!(
            "INSERT INTO plans (id, slug, name, provider_id, provider_slug, vcpu, memory_mb, disk_gb, bandwidth_gb,
                                price_monthly, cost_monthly_usd, sort_order, final_snapshot_days)
             SELECT $1, $2, $3, id, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM providers WHERE slug = $4
             ON CONFLICT (slug) DO UPDATE SET provider_slug = EXCLUDED.provider_slug,
                 vcpu = EXCLUDED.vcpu, memory_mb = EXCLUDED.memory_mb, disk_gb = EXCLUDED.disk_gb,
                 bandwidth_gb = EXCLUDED.bandwidth_gb, updated_at = now(),
                 name = CASE WHEN plans.edited_at IS NULL THEN EXCLUDED.name ELSE plans.name END,
                 cost_monthly_usd = CASE WHEN plans.edited_at IS NULL THEN EXCLUDED.cost_monthly_usd
                                         ELSE plans.cost_monthly_usd END,
                 sort_order = CASE WHEN plans.edited_at IS NULL THEN EXCLUDED.sort_order ELSE plans.sort_order END",
            new_id::<Uuid>(),
            plan.slug,
            plan.name,
            provider,
            plan.provider_slug,
            plan.vcpu,
            plan.memory_mb,
            plan.disk_gb,
            plan.bandwidth_gb,
            plan.price_monthly,
            Decimal::new(plan.cost_usd_cents, 2),
            position * 10,
            plan.final_snapshot_days(),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Every seeded plan is offered in every seeded region of its provider, but for the exceptions.
async fn plan_regions(tx: &mut PgConnection) -> Result<()> {
    let plans: Vec<String> = data::plans().iter().map(|(_, plan)| plan.slug.to_owned()).collect();
    let regions: Vec<String> = data::regions().iter().map(|(_, region)| region.slug.to_owned()).collect();
    sqlx::query!(
        "INSERT INTO plan_regions (plan_id, region_id)
         SELECT l.id, r.id FROM plans l JOIN regions r USING (provider_id)
         WHERE l.slug = ANY($1) AND r.slug = ANY($2) AND l.edited_at IS NULL
         ON CONFLICT DO NOTHING",
        &plans,
        &regions,
    )
    .execute(&mut *tx)
    .await?;
    for (plan, region) in data::not_offered() {
        sqlx::query!(
            "DELETE FROM plan_regions WHERE plan_id = (SELECT id FROM plans WHERE slug = $1 AND edited_at IS NULL)
             AND region_id = (SELECT id FROM regions WHERE slug = $2)",
            plan,
            region,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn terms_and_tax(tx: &mut PgConnection) -> Result<()> {
    for (months, discount_bp) in data::TERMS {
        sqlx::query!(
            "INSERT INTO terms (months, discount_bp) VALUES ($1, $2) ON CONFLICT (months) DO NOTHING",
            months,
            discount_bp,
        )
        .execute(&mut *tx)
        .await?;
    }
    // PPN is 11 % since 1 April 2022 and 12 % since 1 January 2025 (Law 7 of 2021, article 7), then of 11/12 of the
    // price for all but luxury goods (PMK 131 of 2024, article 3).
    sqlx::query!(
        "INSERT INTO tax_rates (valid_from, rate_bp, base_numerator, base_denominator)
         VALUES ('2022-04-01', 1100, 1, 1), ('2025-01-01', 1200, 11, 12) ON CONFLICT (valid_from) DO NOTHING"
    )
    .execute(tx)
    .await?;
    Ok(())
}
