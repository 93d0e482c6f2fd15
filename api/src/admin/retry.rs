//! Manual re-provisioning, as the admin area and the internal endpoints offer it.

use axum::{Json, http::StatusCode};
use domain::{
    ids::{OrderId, PlanId},
    order::OrderStatus,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    admin::RetriedOrder,
    audit::Origin,
    placements::{Elsewhere, ElsewhereRefusal, RetryError},
};
use utoipa::ToSchema;

use crate::{AppState, problem::Problem};

/// How to try again. Without a body: where it was tried last.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct RetryRequest {
    /// Another region (slug). Left out with a plan: the region it has, or the nearest in the same country.
    #[schema(example = "sgp1")]
    pub region: Option<String>,
    /// Another plan, perhaps of another provider. The customer's price stays.
    pub plan_id: Option<PlanId>,
}

/// An order that is being provisioned once more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetryAccepted {
    /// The order.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    pub id: OrderId,
    /// Where it stands now: `PROVISIONING`.
    pub status: OrderStatus,
    /// Which manual retry of this order it is; the first is 1.
    #[schema(example = 1)]
    pub retry: i64,
}

impl From<RetriedOrder> for RetryAccepted {
    fn from(order: RetriedOrder) -> Self {
        Self { id: order.order_id, status: order.status, retry: order.retry }
    }
}

/// Sends a failed order back to provisioning, elsewhere if so wished.
///
/// # Errors
/// 404 when there is no such order, 409 `order_conflict` naming its status when it has not failed; when it is wanted
/// elsewhere: 409 `outcome_pending` while a server may exist where it was tried, 409 `provider_disabled`, 422
/// otherwise.
pub(crate) async fn retry(
    state: &AppState,
    order: OrderId,
    origin: &Origin,
    request: RetryRequest,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let elsewhere = request.region.is_some() || request.plan_id.is_some();
    let retried = if elsewhere {
        let wish = Elsewhere { region: request.region, plan_id: request.plan_id, set_up: state.set_up() };
        state.store.retry_provisioning_elsewhere(order, &wish, origin).await?
    } else {
        state.store.retry_provisioning(order, origin).await?
    };
    tracing::info!(order_id = %order, retry = retried.retry, elsewhere, "provisioning retried by hand");
    Ok((StatusCode::ACCEPTED, Json(retried.into())))
}

impl From<RetryError> for Problem {
    fn from(error: RetryError) -> Self {
        let refusal = match error {
            RetryError::Store(error) => return error.into(),
            RetryError::Refused(refusal) => refusal,
        };
        let (code, field) = match refusal {
            ElsewhereRefusal::UnknownPlan => ("unknown_plan", "plan_id"),
            ElsewhereRefusal::PlanInactive => ("plan_inactive", "plan_id"),
            ElsewhereRefusal::RegionUnknown => ("region_unknown", "region"),
            ElsewhereRefusal::RegionWithoutPlan => ("region_without_plan", "region"),
            ElsewhereRefusal::RegionRequired => ("region_required", "region"),
            ElsewhereRefusal::ImageNotForProvider => ("image_not_for_provider", "plan_id"),
            ElsewhereRefusal::ProviderDisabled => {
                return Self::new(StatusCode::CONFLICT, "provider_disabled", refusal.to_string());
            }
            ElsewhereRefusal::OutcomePending => {
                return Self::new(StatusCode::CONFLICT, "outcome_pending", refusal.to_string());
            }
        };
        Self::field(code, field, refusal.to_string())
    }
}
