//! Where an order's server is bought, as staff see it.

use chrono::{DateTime, Utc};
use domain::failover::PlacementReason;
use serde::Serialize;
use store::placements::Placement;
use utoipa::ToSchema;

/// One place an order's server was or is to be bought.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPlacement {
    /// `ordered`, `failover` (what was ordered was sold out) or `admin`.
    reason: PlacementReason,
    #[schema(example = "vultr")]
    provider: String,
    /// Slug of the plan.
    #[schema(example = "vultr-regular-1gb")]
    plan: String,
    #[schema(example = "vultr-sgp")]
    region: String,
    #[schema(example = "ubuntu-24-04")]
    image: String,
    /// What the plan cost us when it was chosen, US dollars a month.
    #[schema(example = "5.0000")]
    cost_monthly_usd: String,
    at: DateTime<Utc>,
}

impl From<Placement> for AdminPlacement {
    fn from(placement: Placement) -> Self {
        Self {
            reason: placement.reason,
            provider: placement.provider,
            plan: placement.plan,
            region: placement.region,
            image: placement.image,
            cost_monthly_usd: placement.cost_monthly_usd.to_string(),
            at: placement.created_at,
        }
    }
}
