//! Having workflows started that are lost, and woken that are asleep.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    ids::{InstanceId, OrderId},
    instance::InstanceStatus,
    order::OrderStatus,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{AppState, auth::Staff, client::Client, extract::Id, problem::Problem};

/// An order whose workflow is started or woken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WokenOrder {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where the order stands; its workflow goes on from there.
    status: OrderStatus,
}

/// A server whose workflow is started or woken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WokenInstance {
    #[schema(example = "0193e7d0-8c1d-7a6b-9f0e-0d2f0a9b7c11")]
    id: InstanceId,
    /// Where the server stands.
    status: InstanceStatus,
}

/// Have an order's workflow started where it is lost, and woken where it is asleep. It goes on from where the order stands,
/// and nothing is done twice: call it whenever an order does not get on. What is lost is also found by itself within two
/// minutes.
#[utoipa::path(
    post, path = "/admin/orders/{id}/wake", tag = "admin", operation_id = "admin_wake_order",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 202, description = "Its workflow is started or woken.", body = WokenOrder),
        (status = 409, description = "`order_conflict`: it has come to its end; `detail` names its status.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn order(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
) -> Result<(StatusCode, Json<WokenOrder>), Problem> {
    let woken = state.store.wake_order(order, &client.origin(admin.actor())).await?;
    tracing::info!(
        event = "order.woken",
        order_id = %order,
        status = %woken.status,
        is_new = woken.is_new,
        "order woken by hand"
    );
    Ok((StatusCode::ACCEPTED, Json(WokenOrder { id: order, status: woken.status })))
}

/// Have a server's workflow started where it is lost, and woken where it is asleep. It then looks for what is to be done to
/// the server.
#[utoipa::path(
    post, path = "/admin/instances/{id}/wake", tag = "admin", operation_id = "admin_wake_instance",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 202, description = "Its workflow is started or woken.", body = WokenInstance),
        (status = 409, description = "`instance_conflict`: it is gone, or being made by its order's workflow; `detail` \
         names its status.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn instance(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<(StatusCode, Json<WokenInstance>), Problem> {
    let status = state.store.wake_instance(instance, &client.origin(admin.actor())).await?;
    tracing::info!(event = "instance.woken", instance_id = %instance, %status, "server woken by hand");
    Ok((StatusCode::ACCEPTED, Json(WokenInstance { id: instance, status })))
}
