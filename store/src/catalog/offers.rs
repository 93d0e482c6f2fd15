//! Regions, images and terms as staff see them, also those that are not on offer, and what administrators decide about them.
//! Orders stay as they were placed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    versions::{IfMatch, Thing},
};

/// A region with what staff want to know about it.
#[derive(Debug, Clone)]
pub struct RegionDetail {
    /// Its id.
    pub id: Uuid,
    /// Its name in orders.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Slug of the provider.
    pub provider: String,
    /// What the provider calls it.
    pub provider_slug: String,
    /// Whether administrators want it on offer.
    pub is_active: bool,
    /// Where it stands in lists.
    pub sort_order: i32,
    /// Plans that are sold in it.
    pub plan_count: i64,
    /// Those of them that the provider lacks there at present.
    pub unavailable_plan_count: i64,
    /// Servers there that are not terminated.
    pub server_count: i64,
}

/// An image with what staff want to know about it.
#[derive(Debug, Clone)]
pub struct ImageDetail {
    /// Its id.
    pub id: Uuid,
    /// Its name in orders.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Family, such as `ubuntu`.
    pub distribution: String,
    /// Version within the family.
    pub version: String,
    /// Whether administrators want it on offer.
    pub is_active: bool,
    /// Where it stands in lists.
    pub sort_order: i32,
    /// Where it is to be had, in the order of the providers' slugs.
    pub sources: Vec<ImageSource>,
}

/// An image at a provider.
#[derive(Debug, Clone, serde::Deserialize, Serialize)]
pub struct ImageSource {
    /// Slug of the provider.
    pub provider: String,
    /// What the provider calls it.
    pub provider_slug: String,
    /// Since when the provider lacks it.
    pub unavailable_since: Option<DateTime<Utc>>,
    /// Why.
    pub unavailable_reason: Option<String>,
}

/// An image as stored.
struct ImageRow {
    id: Uuid,
    slug: String,
    name: String,
    distribution: String,
    version: String,
    is_active: bool,
    sort_order: i32,
    sources: Value,
}

/// A length of time with what staff want to know about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TermDetail {
    /// Months.
    pub months: i32,
    /// Discount in basis points.
    pub discount_bp: i32,
    /// Whether it is on offer.
    pub is_active: bool,
}

/// What to change about a region or an image; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct ChangeOffer {
    /// Its name for people.
    pub name: Option<String>,
    /// Whether it is to be on offer.
    pub is_active: Option<bool>,
    /// Where it stands in lists.
    pub sort_order: Option<i32>,
}

/// What to change about a term; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChangeTerm {
    /// Discount in basis points.
    pub discount_bp: Option<i32>,
    /// Whether it is to be on offer.
    pub is_active: Option<bool>,
}

/// What of a region or an image may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Offer {
    slug: String,
    name: String,
    is_active: bool,
    sort_order: i32,
}

impl Offer {
    fn changed(&self, change: &ChangeOffer) -> Self {
        Self {
            slug: self.slug.clone(),
            name: change.name.clone().unwrap_or_else(|| self.name.clone()),
            is_active: change.is_active.unwrap_or(self.is_active),
            sort_order: change.sort_order.unwrap_or(self.sort_order),
        }
    }
}

/// Changes what is offered in one of the tables that hold a name, whether it is offered, and where it stands; with an audit row
/// when anything changed.
macro_rules! change_offer {
    ($pool:expr, $slug:expr, $change:expr, ($condition:expr, $thing:expr), $origin:expr, $table:literal, $object:literal, $action:literal) => {
        let mut tx = $pool.begin().await?;
        let row = sqlx::query!(
            "SELECT id, slug, name, is_active, sort_order FROM "
                + $table
                + " WHERE slug = $1 FOR NO KEY UPDATE",
            $slug
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound($object))?;
        $condition.require(&mut tx, $thing).await?;
        let before =
            Offer { slug: row.slug, name: row.name, is_active: row.is_active, sort_order: row.sort_order };
        let after = before.changed($change);
        if after != before {
            sqlx::query!(
                "UPDATE "
                    + $table
                    + " SET name = $2, is_active = $3, sort_order = $4, edited_at = now() WHERE id = $1",
                row.id,
                after.name,
                after.is_active,
                after.sort_order,
            )
            .execute(&mut *tx)
            .await?;
            record(&mut tx, $origin, ($action, $object, row.id), json!(before), json!(after)).await?;
        }
        tx.commit().await?;
    };
}

impl Store {
    /// Every region as customers see them listed; `provider` and `slug` restrict.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn regions_for_staff(
        &self,
        provider: Option<&str>,
        slug: Option<&str>,
    ) -> Result<Vec<RegionDetail>> {
        Ok(sqlx::query_as!(
            RegionDetail,
            r#"SELECT r.id, r.slug, r.name, r.country, p.slug AS provider, r.provider_slug, r.is_active, r.sort_order,
                      (SELECT count(*) FROM plan_regions o WHERE o.region_id = r.id) AS "plan_count!",
                      (SELECT count(*) FROM plan_regions o WHERE o.region_id = r.id AND o.unavailable_since IS NOT NULL)
                          AS "unavailable_plan_count!",
                      coalesce(s.servers, 0) AS "server_count!"
               FROM regions r
               JOIN providers p ON p.id = r.provider_id
               LEFT JOIN (SELECT region_id, count(*) AS servers FROM instances WHERE status <> 'TERMINATED'
                          GROUP BY region_id) s ON s.region_id = r.id
               WHERE ($1::text IS NULL OR p.slug = $1) AND ($2::text IS NULL OR r.slug = $2)
               ORDER BY r.sort_order, r.slug"#,
            provider,
            slug,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Every image as customers see them listed; `slug` restricts to that one.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn images_for_staff(&self, slug: Option<&str>) -> Result<Vec<ImageDetail>> {
        let rows = sqlx::query_as!(
            ImageRow,
            r#"SELECT i.id, i.slug, i.name, i.distribution, i.version, i.is_active, i.sort_order,
                      coalesce((SELECT jsonb_agg(jsonb_build_object(
                                    'provider', p.slug, 'provider_slug', s.provider_slug,
                                    'unavailable_since', s.unavailable_since, 'unavailable_reason', s.unavailable_reason)
                                    ORDER BY p.slug)
                                FROM image_sources s JOIN providers p ON p.id = s.provider_id
                                WHERE s.image_id = i.id), '[]') AS "sources!"
               FROM images i WHERE $1::text IS NULL OR i.slug = $1 ORDER BY i.sort_order, i.slug"#,
            slug,
        )
        .fetch_all(&self.pool)
        .await?;
        let image = |row: ImageRow| {
            Ok(ImageDetail {
                sources: serde_json::from_value(row.sources)?,
                id: row.id,
                slug: row.slug,
                name: row.name,
                distribution: row.distribution,
                version: row.version,
                is_active: row.is_active,
                sort_order: row.sort_order,
            })
        };
        rows.into_iter().map(image).collect()
    }

    /// Every term, the shortest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn terms_for_staff(&self) -> Result<Vec<TermDetail>> {
        Ok(sqlx::query_as!(TermDetail, "SELECT months, discount_bp, is_active FROM terms ORDER BY months")
            .fetch_all(&self.pool)
            .await?)
    }

    /// Changes a region from now on, with an audit row. Its servers are not touched.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such region.
    #[boxed]
    pub async fn change_region(
        &self,
        slug: &str,
        change: &ChangeOffer,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<RegionDetail> {
        let thing = Thing::Region(slug);
        change_offer!(
            &self.pool,
            slug,
            change,
            (condition, thing),
            origin,
            "regions",
            "region",
            "region.change"
        );
        self.regions_for_staff(None, Some(slug)).await?.pop().ok_or(StoreError::NotFound("region"))
    }

    /// Changes an image from now on, with an audit row. Servers that were made from it are not touched.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such image.
    #[boxed]
    pub async fn change_image(
        &self,
        slug: &str,
        change: &ChangeOffer,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<ImageDetail> {
        let thing = Thing::Image(slug);
        change_offer!(
            &self.pool,
            slug,
            change,
            (condition, thing),
            origin,
            "images",
            "image",
            "image.change"
        );
        self.images_for_staff(Some(slug)).await?.pop().ok_or(StoreError::NotFound("image"))
    }

    /// Changes a term from now on, with an audit row: terms that were bought stay as they are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such term.
    #[boxed]
    pub async fn change_term(
        &self,
        months: i32,
        change: &ChangeTerm,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<TermDetail> {
        let mut tx = self.pool.begin().await?;
        let before = sqlx::query_as!(
            TermDetail,
            "SELECT months, discount_bp, is_active FROM terms WHERE months = $1 FOR NO KEY UPDATE",
            months
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(StoreError::NotFound("term"))?;
        condition.require(&mut tx, Thing::Term(months)).await?;
        let after = TermDetail {
            months,
            discount_bp: change.discount_bp.unwrap_or(before.discount_bp),
            is_active: change.is_active.unwrap_or(before.is_active),
        };
        if after != before {
            sqlx::query!(
                "UPDATE terms SET discount_bp = $2, is_active = $3 WHERE months = $1",
                months,
                after.discount_bp,
                after.is_active,
            )
            .execute(&mut *tx)
            .await?;
            let act = AuditEntry {
                action: "term.change",
                object_kind: "term",
                object_id: None,
                before: Some(json!(before)),
                after: Some(json!(after)),
            };
            audit::record(&mut tx, origin, &act).await?;
        }
        tx.commit().await?;
        Ok(after)
    }
}

async fn record(
    tx: &mut PgConnection,
    origin: &Origin,
    (action, object_kind, id): (&str, &str, Uuid),
    before: Value,
    after: Value,
) -> Result<()> {
    let act =
        AuditEntry { action, object_kind, object_id: Some(id), before: Some(before), after: Some(after) };
    audit::record(tx, origin, &act).await
}
