//! Endpoints for programs of ours, by `X-API-Key`: those beside the public API ([`routes`]), and the provider API on a
//! port of its own ([`provider_routes`]).

use axum::{Json, extract::State, http::StatusCode};
use domain::ids::OrderId;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::InternalKey,
    client::Client,
    extract::{Body, Id},
    problem::Problem,
    provisioning_retry::{RetryAccepted, RetryRequest, retry},
};

mod catalog;
mod instances;
mod provision;

/// Routes under `/internal` of the internal port.
pub fn provider_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(provision::routes()).merge(instances::routes()).merge(catalog::routes())
}

/// Routes under `/api/v1/internal` of the public port.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(retry_provisioning))
}

/// Send a failed order back to provisioning. Of several calls at once exactly one is accepted.
#[utoipa::path(
    post, path = "/internal/orders/{id}/retry-provisioning", tag = "internal",
    operation_id = "internal_retry_provisioning", security(("api_key" = ["orders:retry"])),
    params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = Option<RetryRequest>, description = "May be left out.", example = json!({})),
    responses(
        (status = 202, description = "The order is `PROVISIONING` again.", body = RetryAccepted),
        (status = 404, description = "`not_found`: there is no such order.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`order_conflict`: the order is not `PROVISIONING_FAILED`; `detail` names its \
         status. Where it is wanted elsewhere: `outcome_pending` while a server of it may exist where it was tried; \
         `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`; where it is wanted elsewhere: `unknown_plan`, \
         `plan_inactive`, `region_unknown`, `region_without_plan`, `region_required`, `image_not_for_provider`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn retry_provisioning(
    key: InternalKey,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    body: Option<Body<RetryRequest>>,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    retry(&state, order, &client.origin(key.actor()), request).await
}
