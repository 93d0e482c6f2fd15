//! What administrators do about the server of an order that does not come up.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    ids::{InstanceId, OrderId},
    order::OrderStatus,
    rate_limit::Caller,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::admin::FoundServer;
use utoipa::ToSchema;

use super::{order_commands::not_blank, reason::WithReason};
use crate::{
    AppState, at_provider,
    auth::Staff,
    client::Client,
    extract::{Body, Id},
    problem::{Code, Problem},
};

/// An order whose server is being replaced.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminReplacedServer {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where the order stands: `PROVISIONING`.
    status: OrderStatus,
    /// The provider's id of the server that goes.
    #[schema(example = "3164444")]
    provider_instance_id: String,
}

/// Which server an order is to be given.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttachServer {
    /// The provider's id of it, at the provider that the order is at.
    #[garde(length(chars, min = 1, max = 100), custom(not_blank))]
    #[schema(min_length = 1, max_length = 100, example = "3164444")]
    provider_instance_id: String,
    /// For colleagues: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "Made by hand in the vendor's console")]
    reason: String,
}

/// An order that was given a server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminAttachedOrder {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    /// Where the order stands: `ACTIVE`.
    status: OrderStatus,
    /// The server; our id.
    #[schema(example = "0193e7d0-8c1d-7a6b-9f0e-0d2f0a9b7c11")]
    instance_id: InstanceId,
}

/// Have an order's server deleted that does not come up, and another one made. The new one is made only when the old one is
/// gone for certain. The order is `PROVISIONING`, or has failed. Asking again changes nothing.
#[utoipa::path(
    post, path = "/admin/orders/{id}/replace-server", tag = "admin", operation_id = "admin_replace_server",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = WithReason),
    responses(
        (status = 202, description = "It is being replaced.", body = AdminReplacedServer),
        (status = 409, description = "`order_conflict`: the order is neither being provisioned nor failed; `detail` names \
         its status. `server_conflict`: no server of it is known.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn replace(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<WithReason>,
) -> Result<(StatusCode, Json<AdminReplacedServer>), Problem> {
    let origin = client.origin(admin.actor());
    let replaced = state.store.replace_server(order, request.reason(), &origin).await?;
    tracing::warn!(
        event = "order.server_replaced",
        order_id = %order,
        server = replaced.provider_instance_id,
        "a server is replaced by hand"
    );
    let answer = AdminReplacedServer {
        id: replaced.order_id,
        status: replaced.status,
        provider_instance_id: replaced.provider_instance_id,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Give an order a server that is there at its provider already. The order is `ACTIVE` then, its term begins, and what was
/// set aside of the customer's balance is taken. The same server again changes nothing.
#[utoipa::path(
    post, path = "/admin/orders/{id}/attach-server", tag = "admin", operation_id = "admin_attach_server",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    request_body(content = AttachServer),
    responses(
        (status = 200, description = "The order is `ACTIVE`.", body = AdminAttachedOrder),
        (status = 409, description = "`order_conflict`: the order is neither being provisioned nor failed; `detail` names \
         its status. `server_conflict`: it has another server, or this one is another order's or another \
         installation's. `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`server_unknown`: the provider has no such server. `validation_failed`, \
         `invalid_body`.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`provider_busy` or `provider_unavailable`.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn attach(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    Body(request): Body<AttachServer>,
) -> Result<Json<AdminAttachedOrder>, Problem> {
    let caller = Caller::Action(admin.id.into());
    let server = found(&state, order, request.provider_instance_id.trim(), caller).await?;
    let origin = client.origin(admin.actor());
    let attached = state.store.attach_server(order, &server, request.reason.trim(), &origin).await?;
    tracing::warn!(
        event = "order.server_attached",
        order_id = %order,
        server = server.provider_instance_id,
        "a server is attached by hand"
    );
    Ok(Json(AdminAttachedOrder {
        id: attached.order_id,
        status: attached.status,
        instance_id: attached.instance_id,
    }))
}

/// The server as its provider tells of it.
async fn found(
    state: &AppState,
    order: OrderId,
    server: &str,
    caller: Caller,
) -> Result<FoundServer, Problem> {
    let provider = state.store.provider_of_order(order).await?;
    let provider = state.providers.get(&provider, caller)?;
    let seen = match at_provider::look(provider.get_server(server)).await? {
        Some(seen) => seen,
        None => {
            let message = format!("{} has no such server", provider.slug());
            return Err(Problem::field(Code::ServerUnknown, "provider_instance_id", message));
        }
    };
    if let Some(other) = state.store.installation().other(&seen.tags) {
        let message = format!("the server belongs to the installation `{other}`");
        return Err(Problem::new(Code::ServerConflict, message));
    }
    Ok(FoundServer {
        provider_instance_id: seen.id,
        ipv4: seen.ipv4.map(|ip| ip.to_string()),
        ipv6: seen.ipv6.map(|ip| ip.to_string()),
        power: seen.power,
    })
}
