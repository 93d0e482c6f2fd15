//! What is on sale, as the public reads it: only what is active at an active provider that is set up in this
//! installation (`configured` has the slugs of those), and that the provider has at present.

mod offers;
mod plans;
mod staff;
mod stock;

pub use offers::{ChangeOffer, ChangeTerm, ImageDetail, ImageSource, RegionDetail, TermDetail};
pub use plans::{ChangePlan, NewPlan, PlanDetail, PlanFilter};
pub use staff::ProviderDetail;
pub(crate) use stock::{in_stock, still_offered};

use domain::{
    ids::{PlanId, ProviderId},
    money::Rupiah,
};

use crate::{Result, Store, StoreError, boxed};

/// A cloud we resell.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name in URLs and filters.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What its servers can do, in the words of the instance actions.
    pub capabilities: Vec<String>,
    /// How many plans are on sale there.
    pub plan_count: i64,
}

/// A size on sale.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The provider's id.
    pub provider_id: ProviderId,
    /// The provider's slug.
    pub provider: String,
    /// The provider's name.
    pub provider_name: String,
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
    /// Rupiah a month before tax.
    pub price_monthly: Rupiah,
    /// So many days the last snapshot of a deleted server is kept; none where the plan includes none.
    pub final_snapshot_days: Option<i32>,
    /// Slugs of the regions that offer it, nearest first.
    pub regions: Vec<String>,
}

/// A length of time on offer.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// Months.
    pub months: u32,
    /// Discount in basis points.
    pub discount_bp: u32,
}

/// A place servers stand.
#[derive(Debug, Clone)]
pub struct Region {
    /// Its name in orders, unique across providers.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// The provider's slug.
    pub provider: String,
}

/// An operating system on offer.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name in orders.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Family, such as `ubuntu`.
    pub distribution: String,
    /// Version within the family.
    pub version: String,
    /// Slugs of the providers that have it.
    pub providers: Vec<String>,
}

/// Why nothing was decided about the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Another plan has that slug.
    #[error("there is a plan of this slug already")]
    SlugTaken,
    /// Another plan is of that size.
    #[error("there is a plan of this size of the provider's already")]
    SizeTaken,
    /// There is no such provider.
    #[error("there is no such provider")]
    ProviderUnknown,
    /// The plan's provider has no such region.
    #[error("the provider has no region {0}")]
    RegionUnknown(String),
    /// The provider lacks it, so it can't be put on sale.
    #[error("it can't be put on sale: {0}")]
    Unavailable(String),
    /// It is not there, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        match StoreError::from(error) {
            StoreError::Taken { constraint } if constraint == "plans_slug_key" => Self::SlugTaken,
            StoreError::Taken { constraint } if constraint == "plans_provider_id_provider_slug_key" => {
                Self::SizeTaken
            }
            error => Self::Store(error),
        }
    }
}

impl Store {
    /// Providers on sale with the number of their plans, in alphabetical order; `slug` restricts to that one.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn providers(&self, configured: &[String], slug: Option<&str>) -> Result<Vec<Provider>> {
        Ok(sqlx::query_as!(
            Provider,
            r#"SELECT p.id AS "id: ProviderId", p.slug, p.name, p.capabilities,
                      (SELECT count(*) FROM plans l WHERE l.provider_id = p.id AND l.is_active
                       AND l.unavailable_since IS NULL) AS "plan_count!"
               FROM providers p
               WHERE p.is_active AND p.slug = ANY($1) AND ($2::text IS NULL OR p.slug = $2) ORDER BY p.slug"#,
            configured,
            slug,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Fails when there is no provider of that slug, active or not.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    #[boxed]
    pub async fn provider_exists(&self, slug: &str) -> Result<()> {
        sqlx::query_scalar!("SELECT id FROM providers WHERE slug = $1", slug)
            .fetch_optional(&self.pool)
            .await?
            .map(|_| ())
            .ok_or(StoreError::NotFound("provider"))
    }

    /// Plans on sale, by provider and size; `provider` and `slug` restrict.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn plans(
        &self,
        configured: &[String],
        provider: Option<&str>,
        slug: Option<&str>,
    ) -> Result<Vec<Plan>> {
        Ok(sqlx::query_as!(
            Plan,
            r#"SELECT l.id AS "id: PlanId", l.slug, l.name, p.id AS "provider_id: ProviderId", p.slug AS provider,
                      p.name AS provider_name, l.provider_slug, l.vcpu, l.memory_mb, l.disk_gb, l.bandwidth_gb,
                      l.price_monthly AS "price_monthly: Rupiah", l.final_snapshot_days,
                      ARRAY(SELECT r.slug FROM plan_regions pr JOIN regions r ON r.id = pr.region_id
                            WHERE pr.plan_id = l.id AND r.is_active AND pr.unavailable_since IS NULL
                            ORDER BY r.sort_order, r.slug) AS "regions!"
               FROM plans l JOIN providers p ON p.id = l.provider_id
               WHERE l.is_active AND l.unavailable_since IS NULL AND p.is_active AND p.slug = ANY($1)
                 AND ($2::text IS NULL OR p.slug = $2) AND ($3::text IS NULL OR l.slug = $3)
               ORDER BY p.slug, l.sort_order, l.slug"#,
            configured,
            provider,
            slug,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Terms on offer, shortest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn terms(&self) -> Result<Vec<Term>> {
        let rows = sqlx::query!("SELECT months, discount_bp FROM terms WHERE is_active ORDER BY months")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Term {
                months: row.months.unsigned_abs(),
                discount_bp: row.discount_bp.unsigned_abs(),
            })
            .collect())
    }

    /// Active regions of providers on sale, nearest to Indonesia first; `provider` and `slug` restrict.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn regions(
        &self,
        configured: &[String],
        provider: Option<&str>,
        slug: Option<&str>,
    ) -> Result<Vec<Region>> {
        Ok(sqlx::query_as!(
            Region,
            "SELECT r.slug, r.name, r.country, p.slug AS provider
             FROM regions r JOIN providers p ON p.id = r.provider_id
             WHERE r.is_active AND p.is_active AND p.slug = ANY($1) AND ($2::text IS NULL OR p.slug = $2)
               AND ($3::text IS NULL OR r.slug = $3)
             ORDER BY r.sort_order, r.slug",
            configured,
            provider,
            slug,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Active images that some provider on sale has; `provider` and `slug` restrict.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn images(
        &self,
        configured: &[String],
        provider: Option<&str>,
        slug: Option<&str>,
    ) -> Result<Vec<Image>> {
        Ok(sqlx::query_as!(
            Image,
            r#"SELECT i.slug, i.name, i.distribution, i.version, array_agg(p.slug ORDER BY p.slug) AS "providers!"
               FROM images i
               JOIN image_sources s ON s.image_id = i.id
               JOIN providers p ON p.id = s.provider_id
               WHERE i.is_active AND s.unavailable_since IS NULL AND p.is_active AND p.slug = ANY($1)
                 AND ($3::text IS NULL OR i.slug = $3)
               GROUP BY i.id HAVING $2::text IS NULL OR bool_or(p.slug = $2)
               ORDER BY i.sort_order, i.slug"#,
            configured,
            provider,
            slug,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
