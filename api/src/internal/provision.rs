//! Having an order's server made.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    ids::{InstanceId, OrderId},
    order::OrderStatus,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::StoreError;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::InternalKey,
    extract::Body,
    problem::{Code, Problem},
};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(provision))
}

/// Whose server is wanted.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ProvisionRequest {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    order_id: OrderId,
}

/// How an order's server comes along.
#[derive(Debug, Serialize, ToSchema)]
struct Provisioned {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    order_id: OrderId,
    /// `PAID` (its workflow is about to begin), `PROVISIONING` or `ACTIVE`.
    status: OrderStatus,
    /// Null until work on it began.
    instance_id: Option<InstanceId>,
}

/// Have a paid order's server made. Idempotent by the order: however often and by whomever it is called, there is one
/// server, and the answer says how it comes along.
#[utoipa::path(
    post, path = "/internal/provision", tag = "internal", operation_id = "provision_instance",
    security(("api_key" = ["orders:provision"])),
    request_body(content = ProvisionRequest),
    responses(
        (status = 200, description = "The server runs.", body = Provisioned),
        (status = 202, description = "It is being made, or about to.", body = Provisioned),
        (status = 404, description = "`not_found`: there is no such order.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`order_not_paid`; `provisioning_failed`: retry-provisioning tries again; \
         `order_conflict`: it was called off or refunded.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn provision(
    _key: InternalKey,
    State(state): State<AppState>,
    Body(request): Body<ProvisionRequest>,
) -> Result<(StatusCode, Json<Provisioned>), Problem> {
    let order_id = request.order_id;
    let standing = state.store.ask_for_provisioning(order_id).await?;
    let status = accepted(order_id, standing.status)?;
    let answer = Provisioned { order_id, status: standing.status, instance_id: standing.instance_id };
    Ok((status, Json(answer)))
}

fn accepted(order: OrderId, status: OrderStatus) -> Result<StatusCode, Problem> {
    let refuse = |code, detail| Err(Problem::new(code, detail));
    match status {
        OrderStatus::Active => Ok(StatusCode::OK),
        OrderStatus::Paid | OrderStatus::Provisioning => Ok(StatusCode::ACCEPTED),
        OrderStatus::PendingPayment | OrderStatus::Expired => {
            refuse(Code::OrderNotPaid, format!("the order is {status}: nothing is made before it is paid"))
        }
        OrderStatus::ProvisioningFailed => refuse(
            Code::ProvisioningFailed,
            format!(
                "the last try failed; POST /api/v1/internal/orders/{order}/retry-provisioning on the public port \
                 tries again"
            ),
        ),
        OrderStatus::Cancelled | OrderStatus::Refunded => {
            Err(StoreError::Conflict { object: store::Object::Order, state: status.to_string() }.into())
        }
    }
}
