//! Whether what an action names can be had.

use domain::ids::{InstanceId, PlanId};

use crate::{Result, Store, StoreError, boxed};

/// A plan as the target of a resize.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResizeTarget {
    /// Whether it is on sale at the server's provider.
    pub is_offered: bool,
    /// Whether the server's region has it.
    pub is_in_region: bool,
    /// Whether it is the server's plan already.
    pub is_current: bool,
    /// Whether its disk is smaller than the server's, which no provider can do.
    pub shrinks_disk: bool,
}

impl Store {
    /// Whether a server can be rebuilt from an image: it is offered, and the server's provider has it.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn can_rebuild_from(&self, instance: InstanceId, image: &str) -> Result<bool> {
        Ok(sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM instances s
                              JOIN images i ON i.slug = $2 AND i.is_active
                              JOIN image_sources src ON src.image_id = i.id AND src.provider_id = s.provider_id
                                                           AND src.unavailable_since IS NULL
                              WHERE s.id = $1) AS "can!""#,
            instance.0,
            image,
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// What it would mean for a server to get a plan.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such plan or server.
    #[boxed]
    pub async fn resize_target(&self, instance: InstanceId, plan: PlanId) -> Result<ResizeTarget> {
        sqlx::query_as!(
            ResizeTarget,
            r#"SELECT (l.is_active AND l.unavailable_since IS NULL AND l.provider_id = s.provider_id) AS "is_offered!",
                      EXISTS (SELECT FROM plan_regions r WHERE r.plan_id = l.id AND r.region_id = s.region_id
                                                           AND r.unavailable_since IS NULL) AS "is_in_region!",
                      (l.id = s.plan_id) AS "is_current!", (l.disk_gb < c.disk_gb) AS "shrinks_disk!"
               FROM plans l, instances s JOIN plans c ON c.id = s.plan_id
               WHERE l.id = $2 AND s.id = $1"#,
            instance.0,
            plan.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("plan"))
    }
}
