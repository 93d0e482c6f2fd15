//! The failover: an order whose provider is sold out goes to another one by itself, where its policy allows it.

use domain::{
    event::ProvisioningMoved,
    failover::{Candidate, FailoverPolicy, Location, Ordered, PlacementReason, ServerSize, choose},
    ids::{OrderId, PlanId, ProviderId},
};
use serde_json::json;
use sqlx::{PgConnection, types::Decimal};
use uuid::Uuid;

use super::ProvisioningFailure;
use crate::{
    Result,
    events::Entry,
    placements::{Place, Target, current, ensure_first, is_settled, move_to, reset_task},
};

/// Where an order went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Slug of the provider.
    pub provider: String,
    /// Slug of the plan.
    pub plan: String,
}

impl From<Place> for Moved {
    fn from(place: Place) -> Self {
        Self { provider: place.provider, plan: place.plan }
    }
}

/// Where the order went after this try; `None` when it did not.
pub(super) async fn moved_after(
    tx: &mut PgConnection,
    order: OrderId,
    try_number: i64,
) -> Result<Option<Moved>> {
    let moved = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM events WHERE dedupe_key = $1) AS "moved!""#,
        ProvisioningMoved::key(order, try_number),
    )
    .fetch_one(&mut *tx)
    .await?;
    if moved { Ok(Some(current(tx, order).await?.into())) } else { Ok(None) }
}

/// Moves an order whose try ended for want of capacity to another provider: one of `configured`, not tried before,
/// with a plan that [`choose`] takes. `None`, and nothing changed, when there is none or a server of the order may
/// exist. The order must be locked and provisioning.
pub(super) async fn fail_over(
    tx: &mut PgConnection,
    order: OrderId,
    try_number: i64,
    failure: &ProvisioningFailure,
    configured: &[String],
) -> Result<Option<Moved>> {
    let policy = policy_of(tx, order).await?;
    if !policy.enabled || !is_settled(tx, order).await? {
        return Ok(None);
    }
    ensure_first(tx, order).await?;
    let picked = picked_by_people(tx, order).await?;
    let candidates = candidates(tx, order, configured).await?;
    let Some(choice) = choose(policy, &picked, &candidates) else { return Ok(None) };
    let from = current(tx, order).await?;
    let (plan, region) = choice.key;
    let target = Target { plan, region, image: from.image_id };
    let to = move_to(tx, order, target, PlacementReason::Failover).await?;
    record(tx, order, try_number, failure, (&from, &to), (&picked, choice)).await?;
    reset_task(tx, order).await?;
    Ok(Some(to.into()))
}

async fn policy_of(tx: &mut PgConnection, order: OrderId) -> Result<FailoverPolicy> {
    let stored = sqlx::query_scalar!("SELECT policy -> 'failover' FROM orders WHERE id = $1", order.0)
        .fetch_one(tx)
        .await?;
    Ok(stored.map(serde_json::from_value).transpose()?.unwrap_or(FailoverPolicy::OFF))
}

/// What the customer, or an admin after them, picked: the measure of every stand-in, so that several failovers in a
/// row don't drift away from it.
async fn picked_by_people(tx: &mut PgConnection, order: OrderId) -> Result<Ordered> {
    let row = sqlx::query!(
        "SELECT l.vcpu, l.memory_mb, l.disk_gb, r.country, r.sort_order, c.cost_monthly_usd
         FROM order_placements c JOIN plans l ON l.id = c.plan_id JOIN regions r ON r.id = c.region_id
         WHERE c.order_id = $1 AND c.reason <> 'failover' ORDER BY c.sequence DESC LIMIT 1",
        order.0,
    )
    .fetch_one(tx)
    .await?;
    Ok(Ordered {
        size: ServerSize { vcpu: row.vcpu, memory_mb: row.memory_mb, disk_gb: row.disk_gb },
        location: Location { country: row.country, sort_order: row.sort_order },
        cost_monthly_usd: row.cost_monthly_usd,
    })
}

/// Every plan in every region that could be had now. Plans of which only so many may be sold are kept for those who
/// order them.
async fn candidates(
    tx: &mut PgConnection,
    order: OrderId,
    configured: &[String],
) -> Result<Vec<Candidate<(PlanId, Uuid)>>> {
    let tried: Vec<Uuid> = sqlx::query_scalar!(
        r#"SELECT DISTINCT provider_id AS "id: ProviderId" FROM order_placements WHERE order_id = $1"#,
        order.0,
    )
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .map(|id| id.0)
    .collect();
    let rows = sqlx::query!(
        r#"SELECT l.id AS "plan_id: PlanId", r.id AS region_id, l.vcpu, l.memory_mb, l.disk_gb, l.cost_monthly_usd,
                  r.country, r.sort_order
           FROM current_placements c
           JOIN image_sources s ON s.image_id = c.image_id AND s.unavailable_since IS NULL
           JOIN images i ON i.id = s.image_id AND i.is_active
           JOIN providers p ON p.id = s.provider_id AND p.is_active
           JOIN plans l ON l.provider_id = p.id AND l.is_active AND l.unavailable_since IS NULL
                AND l.stock_limit IS NULL
           JOIN plan_regions pr ON pr.plan_id = l.id AND pr.unavailable_since IS NULL
           JOIN regions r ON r.id = pr.region_id AND r.is_active
           WHERE c.order_id = $1 AND p.slug = ANY($2) AND p.id <> ALL($3)
           ORDER BY l.sort_order, l.id, r.sort_order, r.id"#,
        order.0,
        configured,
        &tried,
    )
    .fetch_all(tx)
    .await?;
    let candidates = rows.into_iter().map(|row| Candidate {
        key: (row.plan_id, row.region_id),
        size: ServerSize { vcpu: row.vcpu, memory_mb: row.memory_mb, disk_gb: row.disk_gb },
        location: Location { country: row.country, sort_order: row.sort_order },
        cost_monthly_usd: row.cost_monthly_usd,
    });
    Ok(candidates.collect())
}

async fn record(
    tx: &mut PgConnection,
    order: OrderId,
    try_number: i64,
    failure: &ProvisioningFailure,
    (from, to): (&Place, &Place),
    (picked, choice): (&Ordered, &Candidate<(PlanId, Uuid)>),
) -> Result<()> {
    let noted = sqlx::query!(
        "SELECT last_error_code, provider_request_id FROM provisioning_tasks WHERE order_id = $1",
        order.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let cost = |usd: Decimal| usd.normalize().to_string();
    let owner =
        sqlx::query_scalar!("SELECT user_id FROM orders WHERE id = $1", order.0).fetch_one(&mut *tx).await?;
    let moved =
        ProvisioningMoved { order_id: order, try_number, from: from.provider_name.clone(), to: to.named() };
    let detail = json!({
        "from": from.to_json(), "to": to.to_json(),
        "cost_monthly_usd": { "picked": cost(picked.cost_monthly_usd), "now": cost(choice.cost_monthly_usd) },
        "class": failure.class, "message": failure.message, "code": noted.last_error_code,
        "provider_request_id": noted.provider_request_id,
    });
    Entry::of(moved).detail(detail).tell(tx, owner.into()).await
}
