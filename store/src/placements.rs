//! Where an order's server is bought: as ordered, or elsewhere after a failure. Moving an order is safe only while no
//! server of it can exist anywhere: [`is_settled`] says so under the locks that keep it so until the commit.

use chrono::{DateTime, Utc};
use domain::{
    event::ServerPlace,
    failover::PlacementReason,
    ids::{OrderId, PlanId},
};
use serde_json::json;
use sqlx::{PgConnection, types::Decimal};
use uuid::Uuid;

mod relocation;

pub use relocation::{Elsewhere, ElsewhereRefusal, RetryError};

pub(crate) use relocation::{change_order, resolve};

use crate::{Result, Store, boxed};

/// One place an order's server was or is to be bought, for admins.
#[derive(Debug, Clone)]
pub struct Placement {
    /// 1 is what was ordered; the highest counts.
    pub sequence: i32,
    /// Why there.
    pub reason: PlacementReason,
    /// Slug of the provider.
    pub provider: String,
    /// Slug of the plan.
    pub plan: String,
    /// Slug of the region.
    pub region: String,
    /// Slug of the image.
    pub image: String,
    /// What the plan cost us when it was chosen, US dollars a month.
    pub cost_monthly_usd: Decimal,
    /// When it was chosen.
    pub created_at: DateTime<Utc>,
}

/// A place with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub plan_id: PlanId,
    pub region_id: Uuid,
    pub image_id: Uuid,
    pub provider: String,
    pub provider_name: String,
    pub plan: String,
    pub plan_name: String,
    pub region: String,
    pub region_name: String,
}

/// What is to be bought, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub plan: PlanId,
    pub region: Uuid,
    pub image: Uuid,
}

impl Place {
    /// By the names that customers know.
    pub(crate) fn named(&self) -> ServerPlace {
        ServerPlace {
            provider: self.provider_name.clone(),
            region: self.region_name.clone(),
            plan: self.plan_name.clone(),
        }
    }

    pub(crate) const fn target(&self) -> Target {
        Target { plan: self.plan_id, region: self.region_id, image: self.image_id }
    }

    /// For the audit log and the timeline's details.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        json!({ "provider": self.provider, "plan": self.plan, "region": self.region })
    }
}

impl Store {
    /// Where an order's server was bought over time, the first first; nothing before provisioning began.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn placements(&self, order: OrderId) -> Result<Vec<Placement>> {
        Ok(sqlx::query_as!(
            Placement,
            r#"SELECT c.sequence, c.reason AS "reason: PlacementReason", p.slug AS provider, l.slug AS plan,
                      r.slug AS region, i.slug AS image, c.cost_monthly_usd, c.created_at
               FROM order_placements c
               JOIN providers p ON p.id = c.provider_id
               JOIN plans l ON l.id = c.plan_id
               JOIN regions r ON r.id = c.region_id
               JOIN images i ON i.id = c.image_id
               WHERE c.order_id = $1 ORDER BY c.sequence"#,
            order.0,
        )
        .fetch_all(&self.pool)
        .await?)
    }
}

impl Store {
    /// Slug of the provider that an order's server is to be bought from now.
    ///
    /// # Errors
    /// [`crate::StoreError::NotFound`] when there is no such order.
    #[boxed]
    pub async fn provider_of_order(&self, order: OrderId) -> Result<String> {
        sqlx::query_scalar!(
            "SELECT p.slug FROM current_placements c JOIN providers p ON p.id = c.provider_id WHERE c.order_id = $1",
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(crate::StoreError::NotFound("order"))
    }
}

/// Where the order's server is to be bought now.
pub(crate) async fn current(tx: &mut PgConnection, order: OrderId) -> Result<Place> {
    Ok(sqlx::query_as!(
        Place,
        r#"SELECT c.plan_id AS "plan_id!: PlanId", c.region_id AS "region_id!", c.image_id AS "image_id!",
                  p.slug AS provider, p.name AS provider_name, l.slug AS plan, l.name AS plan_name,
                  r.slug AS region, r.name AS region_name
           FROM current_placements c
           JOIN providers p ON p.id = c.provider_id
           JOIN plans l ON l.id = c.plan_id
           JOIN regions r ON r.id = c.region_id
           WHERE c.order_id = $1"#,
        order.0,
    )
    .fetch_one(tx)
    .await?)
}

/// Writes down what was ordered as the first place, with its cost today. Doing it again changes nothing.
pub(crate) async fn ensure_first(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO order_placements (order_id, sequence, provider_id, plan_id, region_id, image_id, reason,
                                       cost_monthly_usd)
         SELECT o.id, 1, o.provider_id, o.plan_id, o.region_id, o.image_id, 'ordered', l.cost_monthly_usd
         FROM orders o JOIN plans l ON l.id = o.plan_id WHERE o.id = $1
         ON CONFLICT (order_id, sequence) DO NOTHING",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// True when no server of the order can exist: no create is out whose outcome is unknown, and none is known. Locks the
/// task and the server's record, so that it stays true until the caller's transaction ends. The order must be locked.
pub(crate) async fn is_settled(tx: &mut PgConnection, order: OrderId) -> Result<bool> {
    let no_create_out = sqlx::query_scalar!(
        r#"SELECT create_sent_at IS NULL AS "settled!" FROM provisioning_tasks WHERE order_id = $1 FOR NO KEY UPDATE"#,
        order.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let no_server_known = sqlx::query_scalar!(
        r#"SELECT provider_instance_id IS NULL AS "settled!" FROM instances WHERE order_id = $1 FOR NO KEY UPDATE"#,
        order.0,
    )
    .fetch_optional(tx)
    .await?;
    Ok(no_create_out && no_server_known.unwrap_or(true))
}

/// Moves a settled order to another plan, region or image: the new place is written down, and the server's record and the
/// task follow it. Counting the fence up keeps a worker that read the old place from creating there.
pub(crate) async fn move_to(
    tx: &mut PgConnection,
    order: OrderId,
    to: Target,
    reason: PlacementReason,
) -> Result<Place> {
    ensure_first(tx, order).await?;
    sqlx::query!(
        "INSERT INTO order_placements (order_id, sequence, provider_id, plan_id, region_id, image_id, reason,
                                       cost_monthly_usd)
         SELECT c.order_id, c.sequence + 1, l.provider_id, l.id, $3, $5, $4, l.cost_monthly_usd
         FROM current_placements c, plans l WHERE c.order_id = $1 AND l.id = $2",
        order.0,
        to.plan.0,
        to.region,
        reason.as_str(),
        to.image,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE instances i
         SET provider_id = c.provider_id, plan_id = c.plan_id, region_id = c.region_id, image_id = c.image_id,
             updated_at = now()
         FROM current_placements c WHERE c.order_id = $1 AND i.order_id = c.order_id",
        order.0,
    )
    .execute(&mut *tx)
    .await?;
    let place = current(tx, order).await?;
    sqlx::query!(
        "UPDATE provisioning_tasks
         SET provider_type = $2, create_fence = create_fence + 1, updated_at = now() WHERE order_id = $1",
        order.0,
        place.provider,
    )
    .execute(tx)
    .await?;
    Ok(place)
}

/// The work of getting the server begins anew.
pub(crate) async fn reset_task(tx: &mut PgConnection, order: OrderId) -> Result<()> {
    sqlx::query!(
        "UPDATE provisioning_tasks SET status = 'PENDING', last_error_class = NULL, last_error = NULL,
                last_error_code = NULL, provider_request_id = NULL, escalated = 0, updated_at = now()
         WHERE order_id = $1",
        order.0,
    )
    .execute(tx)
    .await?;
    Ok(())
}
