//! A customer's servers.

use axum::{Json, extract::State};
use domain::{ids::InstanceId, instance::InstanceStatus};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::Instance,
    extract::{Id, Paged, Paging, Params},
    problem::Problem,
};

mod actions;
mod cancel;
mod renewals;
mod reports;
mod resizes;

/// Routes under `/instances`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .merge(actions::routes())
        .merge(reports::routes())
        .merge(renewals::routes())
        .merge(cancel::routes())
        .merge(resizes::routes())
}

/// Which servers are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InstanceQuery {
    /// Only servers in this status.
    status: Option<InstanceStatus>,
}

/// List my servers, newest first.
#[utoipa::path(
    get, path = "/instances", tag = "instances", operation_id = "list_instances",
    security(("bearer" = [])), params(Paging, InstanceQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<Instance>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: Paging,
    Params(query): Params<InstanceQuery>,
) -> Result<Paged<Instance>, Problem> {
    let page = state.store.instances_of(me.id, query.status, &paging.request()).await?;
    Ok(Paged::new(page, Instance::from))
}

/// Read one of my servers.
#[utoipa::path(
    get, path = "/instances/{id}", tag = "instances", operation_id = "get_instance",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "The server.", body = Instance),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
) -> Result<Json<Instance>, Problem> {
    Ok(Json(state.store.instance_of(me.id, id).await?.into()))
}
