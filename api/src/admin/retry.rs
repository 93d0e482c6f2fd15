//! Manual re-provisioning, as the admin area and the internal endpoints offer it.

use axum::{Json, http::StatusCode};
use domain::{
    ids::{OrderId, PlanId},
    order::OrderStatus,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{admin::RetriedOrder, audit::Origin};
use utoipa::ToSchema;

use crate::{AppState, problem::Problem};

/// How to try again. Without a body: exactly as ordered.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct RetryRequest {
    /// Another region (slug). Not supported yet.
    pub region: Option<String>,
    /// Another plan. Not supported yet.
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

/// Sends a failed order back to provisioning.
///
/// # Errors
/// 404 when there is no such order, 409 `order_conflict` naming its status when it has not failed, 422
/// `not_supported_yet` when another region or plan is asked for.
pub(crate) async fn retry(
    state: &AppState,
    order: OrderId,
    origin: &Origin,
    request: &RetryRequest,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let elsewhere = [("region", request.region.is_some()), ("plan_id", request.plan_id.is_some())];
    if let Some((field, _)) = elsewhere.iter().find(|(_, given)| *given) {
        let message = "an order can only be retried as it was placed for now; leave this out";
        return Err(Problem::field("not_supported_yet", field, message));
    }
    let retried = state.store.retry_provisioning(order, origin).await?;
    tracing::info!(order_id = %order, retry = retried.retry, "provisioning retried by hand");
    Ok((StatusCode::ACCEPTED, Json(retried.into())))
}
