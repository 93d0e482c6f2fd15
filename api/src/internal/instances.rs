//! Servers, for programs of ours. Deletes and actions go through the server's workflow like its owner's.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    api_key::Scope,
    ids::{ActionId, InstanceId},
    instance::{InstanceAction, PowerState},
    language::Language,
    rate_limit::Caller,
    server::ProviderServer,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::instance_actions::RequestedBy;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState, at_provider,
    auth::InternalKey,
    bodies::Instance,
    client::Client,
    extract::{Body, Id, IdempotencyKey, Ids},
    instance_actions::{Action, ActionRequest, Requester, ask, submit},
    problem::{Code, Problem},
    provider_reads::{self, Question, Told},
};

/// How long what a provider told of a server is fresh.
const LIVE_FOR: Duration = Duration::from_secs(15);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get, delete)).routes(routes!(act)).routes(routes!(get_action))
}

/// A server with what its provider tells of it.
#[derive(Debug, Serialize, ToSchema)]
struct InternalInstance {
    #[serde(flatten)]
    instance: Instance,
    /// The provider's own id; null until it was told.
    #[schema(example = "3164444")]
    provider_instance_id: Option<String>,
    /// What the provider told at `live_as_of`; null when it has nothing to tell, or never told and does not answer.
    live: Option<Live>,
    /// Seconds ago at most while the provider can be asked.
    live_as_of: Option<DateTime<Utc>>,
    /// Why `live` is null: `not_there`, `provider_disabled`, `provider_busy` or `provider_unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "provider_unavailable")]
    live_problem: Option<String>,
}

/// A server as its provider tells of it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Live {
    /// Its name or label there.
    #[schema(example = "web-1.example.com")]
    name: String,
    #[schema(example = json!(["webrana-production", "wb-0193e7d0-4362-7709-b262-4de1f9ad2f5e"]))]
    tags: Vec<String>,
    /// The provider's slug of its size.
    #[schema(example = "s-1vcpu-1gb")]
    size: String,
    /// The provider's slug of its region.
    #[schema(example = "sgp1")]
    region: String,
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    ipv4: Option<Ipv4Addr>,
    #[schema(value_type = Option<String>, example = "2001:db8::7")]
    ipv6: Option<Ipv6Addr>,
    power_state: PowerState,
    /// Whether a customer can log in.
    ready: bool,
    created_at: DateTime<Utc>,
}

/// An action with what its failure looked like from within.
#[derive(Debug, Serialize, ToSchema)]
struct InternalAction {
    #[serde(flatten)]
    action: Action,
    /// `user`, `api_key` or `system`.
    #[schema(example = "api_key")]
    requested_by: String,
    /// The user or the key.
    requester_id: Option<uuid::Uuid>,
    /// The latest trouble with the provider in its own words: `class`, `message`, `code`, `provider_request_id`, `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    trouble: Option<Value>,
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
struct InternalActionTaken {
    action: InternalAction,
}

/// Read a server: our record, and what its provider tells, kept for a quarter of a minute and longer while it can't be
/// asked.
#[utoipa::path(
    get, path = "/internal/instances/{id}", tag = "internal", operation_id = "internal_get_instance",
    security(("api_key" = ["instances:read"])), params(("id" = InstanceId, Path, description = "The server; our id.")),
    responses(
        (status = 200, description = "The server.", body = InternalInstance),
        (status = 404, description = "`not_found`: there is no such server.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    key: InternalKey,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
) -> Result<Json<InternalInstance>, Problem> {
    let instance = state.store.any_instance(id).await?.into();
    let provider_instance_id = state.store.any_server_ref(id).await?.provider_instance_id;
    let (live, live_as_of, live_problem) = match live(&state, id, Caller::Display(key.id.into())).await {
        Ok(told) => (Some(told.value), Some(told.as_of), None),
        Err(problem) if problem.code == Code::InstanceConflict => (None, None, Some("not_there".to_owned())),
        Err(problem) => (None, None, Some(problem.code.word().to_owned())),
    };
    Ok(Json(InternalInstance { instance, provider_instance_id, live, live_as_of, live_problem }))
}

async fn live(state: &AppState, id: InstanceId, caller: Caller) -> Result<Told<Live>, Problem> {
    let server = at_provider::reach(state, state.store.any_server_ref(id).await?, caller)?;
    let question = Question::of_instance(server.provider.slug(), id, "server".to_owned(), LIVE_FOR);
    let ask = || async move { server.provider.get_server(&server.id).await.map(Live::from) };
    provider_reads::read(&state.store, question, ask).await
}

/// Delete a server at its provider, for good. It is `TERMINATED` only once the provider neither reads nor lists it any
/// more; until then tries go on. Deleting again gives the same action.
#[utoipa::path(
    delete, path = "/internal/instances/{id}", tag = "internal", operation_id = "internal_delete_instance",
    security(("api_key" = ["instances:delete"])), params(("id" = InstanceId, Path, description = "The server; our id.")),
    responses(
        (status = 202, description = "Taken in, or taken in before.", body = InternalActionTaken),
        (status = 404, description = "`not_found`: there is no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: its order is still being worked on, or it was never made.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn delete(
    key: InternalKey,
    client: Client,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
) -> Result<(StatusCode, Json<InternalActionTaken>), Problem> {
    let requester = Requester {
        by: RequestedBy::Program,
        origin: client.origin(key.actor()),
        key: None,
        may_delete: true,
    };
    let action = submit(&state, id, &InstanceAction::Delete, &requester).await?;
    Ok((StatusCode::ACCEPTED, Json(InternalActionTaken { action: action.into() })))
}

/// Ask for something to be done to a server: what its owner may ask for, and `resize` (`params.plan_id`) and `delete`
/// as well, which needs the scope `instances:delete` besides.
#[utoipa::path(
    post, path = "/internal/instances/{id}/action", tag = "internal", operation_id = "internal_request_action",
    security(("api_key" = ["instances:act"])),
    params(
        ("id" = InstanceId, Path, description = "The server; our id."),
        ("Idempotency-Key" = Option<String>, Header, description = "A value of your own for this request."),
    ),
    request_body(content = ActionRequest, example = json!({ "action": "reboot" })),
    responses(
        (status = 202, description = "Taken in.", body = InternalActionTaken),
        (status = 404, description = "`not_found`: there is no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`, `unsupported_action`, `provider_disabled`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_action`, `invalid_params`, `image_not_for_provider`, \
         `plan_not_offered`, `snapshot_unknown`, `idempotency_key_reused`, `invalid_body`.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn act(
    key: InternalKey,
    client: Client,
    idempotency_key: Option<IdempotencyKey>,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
    Body(body): Body<ActionRequest>,
) -> Result<(StatusCode, Json<InternalActionTaken>), Problem> {
    let may_delete = key.has(Scope::InstancesDelete);
    let requester = Requester {
        by: RequestedBy::Program,
        origin: client.origin(key.actor()),
        key: idempotency_key,
        may_delete,
    };
    let action = ask(&state, id, body, &requester).await?;
    Ok((StatusCode::ACCEPTED, Json(InternalActionTaken { action: action.into() })))
}

/// Watch something that was asked for a server.
#[utoipa::path(
    get, path = "/internal/instances/{id}/actions/{action_id}", tag = "internal",
    operation_id = "internal_get_action", security(("api_key" = ["instances:read"])),
    params(
        ("id" = InstanceId, Path, description = "The server; our id."),
        ("action_id" = ActionId, Path, description = "The action."),
    ),
    responses(
        (status = 200, description = "The action as it stands.", body = InternalAction),
        (status = 404, description = "`not_found`: there is no such server, or it has no such action.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_action(
    _key: InternalKey,
    State(state): State<AppState>,
    Ids(instance, action): Ids<InstanceId, ActionId>,
) -> Result<Json<InternalAction>, Problem> {
    Ok(Json(state.store.any_action(instance, action).await?.into()))
}

impl From<ProviderServer> for Live {
    fn from(server: ProviderServer) -> Self {
        Self {
            name: server.name,
            tags: server.tags,
            size: server.size,
            region: server.region,
            ipv4: server.ipv4,
            ipv6: server.ipv6,
            power_state: server.power,
            ready: server.ready,
            created_at: server.created_at,
        }
    }
}

impl From<store::instance_actions::Action> for InternalAction {
    fn from(row: store::instance_actions::Action) -> Self {
        Self {
            requested_by: row.requested_by.clone(),
            requester_id: row.requester_id,
            trouble: row.trouble.clone(),
            // Programs read English.
            action: Action::in_language(row, Language::English),
        }
    }
}
