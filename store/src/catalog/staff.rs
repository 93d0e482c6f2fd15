//! Providers as staff see them, also those that are not on sale, and the decision whether one is.

use chrono::{DateTime, Utc};
use domain::ids::ProviderId;
use serde_json::json;

use crate::{
    Result, Store, StoreError,
    audit::{self, AuditEntry, Origin},
    boxed,
    versions::{IfMatch, Thing},
};

/// A provider with what staff want to know about it.
#[derive(Debug, Clone)]
pub struct ProviderDetail {
    /// Its id.
    pub id: ProviderId,
    /// Its name in URLs and filters.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether administrators want it on sale.
    pub is_active: bool,
    /// What its servers can do.
    pub capabilities: Vec<String>,
    /// Active plans of it.
    pub plan_count: i64,
    /// Those of them that the provider lacks at present.
    pub unavailable_plan_count: i64,
    /// Servers of ours there that are not terminated.
    pub server_count: i64,
    /// When it last told its catalog.
    pub synced_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Every provider in alphabetical order; `slug` restricts to that one.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn providers_for_staff(&self, slug: Option<&str>) -> Result<Vec<ProviderDetail>> {
        Ok(sqlx::query_as!(
            ProviderDetail,
            r#"SELECT p.id AS "id: ProviderId", p.slug, p.name, p.is_active, p.capabilities, p.synced_at,
                      (SELECT count(*) FROM plans l WHERE l.provider_id = p.id AND l.is_active) AS "plan_count!",
                      (SELECT count(*) FROM plans l WHERE l.provider_id = p.id AND l.is_active
                       AND l.unavailable_since IS NOT NULL) AS "unavailable_plan_count!",
                      (SELECT count(*) FROM instances i WHERE i.provider_id = p.id AND i.status <> 'TERMINATED')
                          AS "server_count!"
               FROM providers p WHERE $1::text IS NULL OR p.slug = $1 ORDER BY p.slug"#,
            slug,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Puts a provider on sale or takes it off. Its servers are not touched. Saying it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such provider.
    #[boxed]
    pub async fn set_provider_active(
        &self,
        slug: &str,
        is_active: bool,
        condition: &IfMatch,
        origin: &Origin,
    ) -> Result<ProviderDetail> {
        let mut tx = self.pool.begin().await?;
        let before =
            sqlx::query!("SELECT id, is_active FROM providers WHERE slug = $1 FOR NO KEY UPDATE", slug)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(StoreError::NotFound("provider"))?;
        condition.require(&mut tx, Thing::Provider(slug)).await?;
        if before.is_active != is_active {
            sqlx::query!("UPDATE providers SET is_active = $2 WHERE id = $1", before.id, is_active)
                .execute(&mut *tx)
                .await?;
            let act = AuditEntry {
                action: if is_active { "provider.activate" } else { "provider.deactivate" },
                object_kind: "provider",
                object_id: Some(before.id),
                before: Some(json!({ "slug": slug, "is_active": before.is_active })),
                after: Some(json!({ "slug": slug, "is_active": is_active })),
            };
            audit::record(&mut tx, origin, &act).await?;
        }
        tx.commit().await?;
        self.providers_for_staff(Some(slug)).await?.pop().ok_or(StoreError::NotFound("provider"))
    }
}
