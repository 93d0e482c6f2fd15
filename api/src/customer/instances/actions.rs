//! What customers have done to their servers. Each request is taken in at once and carried out by the server's
//! workflow, one after the other.

use axum::{Json, extract::State, http::StatusCode};
use domain::ids::{ActionId, InstanceId};
use serde::Serialize;
use store::instance_actions::RequestedBy;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    client::Client,
    extract::{Body, Id, IdempotencyKey, Ids, Paged, Paging},
    instance_actions::{Action, ActionRequest, Requester, ask},
    problem::Problem,
};

/// Routes under `/instances/{id}/actions`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, request)).routes(routes!(get))
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionTaken {
    pub action: Action,
}

/// Ask for something to be done to one of my servers. It is done in the order asked for; watch it by its id. An
/// `Idempotency-Key` is optional here: with it, a repeated request gives the first one's action.
#[utoipa::path(
    post, path = "/instances/{id}/actions", tag = "instances", operation_id = "request_instance_action",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("Idempotency-Key" = Option<String>, Header, description = "A value of your own for this request."),
    ),
    request_body(content = ActionRequest, example = json!({ "action": "reboot" })),
    responses(
        (status = 202, description = "Taken in.", body = ActionTaken),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: the server's state is in the way, `detail` says how; \
         `unsupported_action`: its provider can't do this; `not_supported_yet`: customers can't ask for this yet; \
         `provider_disabled`: its provider is switched off here.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_action`, `invalid_params`, `image_not_for_provider`, `snapshot_unknown`, or \
         `idempotency_key_reused`: the key came with another action before; `invalid_body`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_actions`: I asked for as many within an hour as I may; `too_many_calls`: \
         for more of the provider than one customer may. Or `rate_limited`. Try again after `Retry-After` seconds.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn request(
    me: CurrentUser,
    client: Client,
    key: Option<IdempotencyKey>,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    Body(body): Body<ActionRequest>,
) -> Result<(StatusCode, Json<ActionTaken>), Problem> {
    let requester = Requester {
        by: RequestedBy::Customer(me.id),
        origin: client.origin(me.actor()),
        key,
        may_delete: false,
    };
    let action = ask(&state, instance, body, &requester).await?;
    Ok((StatusCode::ACCEPTED, Json(ActionTaken { action: Action::in_language(action, me.language) })))
}

/// List what was asked for one of my servers, newest first.
#[utoipa::path(
    get, path = "/instances/{id}/actions", tag = "instances", operation_id = "list_instance_actions",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server."), Paging),
    responses(
        (status = 200, description = "A part of the list.", body = Paged<Action>),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    paging: Paging,
) -> Result<Paged<Action>, Problem> {
    let page = state.store.actions_of(me.id, instance, &paging.request()).await?;
    Ok(Paged::new(page, |row| Action::in_language(row, me.language)))
}

/// Watch something that was asked for one of my servers.
#[utoipa::path(
    get, path = "/instances/{id}/actions/{action_id}", tag = "instances", operation_id = "get_instance_action",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("action_id" = ActionId, Path, description = "The action."),
    ),
    responses(
        (status = 200, description = "The action as it stands.", body = Action),
        (status = 404, description = "`not_found`: I have no such server, or it no such action.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Ids(instance, action): Ids<InstanceId, ActionId>,
) -> Result<Json<Action>, Problem> {
    let action = state.store.action_of(me.id, instance, action).await?;
    Ok(Json(Action::in_language(action, me.language)))
}
