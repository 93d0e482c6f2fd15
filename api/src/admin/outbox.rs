//! Messages to Temporal that were not delivered.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{ids::OutboxId, outbox::MessageClass, sorting::AgeSort};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::outbox::{DeadFilter, OutboxMessage, OutboxState};
use utoipa::{IntoParams, ToSchema};

use super::reason::WithReason;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Which messages are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OutboxQuery {
    /// Only those that are not tried any more, or only those that are.
    #[param(example = true)]
    dead: Option<bool>,
    /// Only those that say this.
    #[param(example = "payment_confirmed")]
    kind: Option<String>,
    /// Only those to this workflow.
    #[param(example = "order/0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    workflow_id: Option<String>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum AdminMessageState {
    /// It is to be delivered.
    Waiting,
    /// It failed too often and is not tried any more.
    Dead,
    /// It was delivered.
    Delivered,
    /// Staff decided that it need not be delivered.
    Skipped,
}

/// A message to a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminMessage {
    id: OutboxId,
    /// The workflow it is for.
    #[schema(example = "order/0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    workflow_id: String,
    /// What it says.
    #[schema(example = "payment_confirmed")]
    kind: String,
    class: MessageClass,
    state: AdminMessageState,
    /// How often a dispatcher took it.
    #[schema(example = 12)]
    attempts: i32,
    /// How often it failed by its own fault; an engine that is away is not counted.
    #[schema(example = 12)]
    failures: i32,
    /// Why it failed last.
    #[schema(example = "Temporal answered The client specified an invalid argument: unknown namespace")]
    last_error: Option<String>,
    created_at: DateTime<Utc>,
    /// Until when it is left alone, or a dispatcher has it; null when it is due.
    next_try_at: Option<DateTime<Utc>>,
    /// Since when it is not tried any more.
    dead_at: Option<DateTime<Utc>>,
}

/// Which dead messages are to be tried anew.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RequeueDead {
    /// Only those that say this; left out: all.
    #[garde(inner(length(min = 1, max = 100)))]
    #[schema(min_length = 1, max_length = 100, example = "payment_confirmed")]
    kind: Option<String>,
}

/// What is tried anew.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Requeued {
    /// How many messages.
    #[schema(example = 12)]
    requeued: u64,
}

impl From<OutboxState> for AdminMessageState {
    fn from(state: OutboxState) -> Self {
        match state {
            OutboxState::Waiting => Self::Waiting,
            OutboxState::Dead => Self::Dead,
            OutboxState::Delivered => Self::Delivered,
            OutboxState::Skipped => Self::Skipped,
        }
    }
}

impl From<OutboxMessage> for AdminMessage {
    fn from(message: OutboxMessage) -> Self {
        Self {
            id: message.id,
            state: message.state().into(),
            workflow_id: message.workflow_id,
            kind: message.kind,
            class: message.class,
            attempts: message.attempts,
            failures: message.failures,
            last_error: message.last_error,
            created_at: message.created_at,
            next_try_at: message.claimed_until,
            dead_at: message.dead_at,
        }
    }
}

/// List messages to Temporal that were not delivered, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/outbox", tag = "admin", operation_id = "admin_list_outbox", security(("bearer" = [])),
    params(SortedPaging<AgeSort>, OutboxQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminMessage>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AgeSort>,
    Params(query): Params<OutboxQuery>,
) -> Result<Paged<AdminMessage>, Problem> {
    let filter = DeadFilter { dead: query.dead, kind: query.kind, workflow_id: query.workflow_id };
    let (sort, request) = paging.request()?;
    let page = state.store.undelivered_messages(&filter, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminMessage::from))
}

/// Have a dead message tried anew, once its cause is mended.
#[utoipa::path(
    post, path = "/admin/outbox/{id}/requeue", tag = "admin", operation_id = "admin_requeue_message",
    security(("bearer" = [])), params(("id" = OutboxId, Path, description = "The message.")),
    responses(
        (status = 200, description = "It waits to be delivered, as if it were new.", body = AdminMessage),
        (status = 409, description = "`message_conflict`: it is not dead; `detail` names its state.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn requeue(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(message): Id<OutboxId>,
) -> Result<Json<AdminMessage>, Problem> {
    Ok(Json(state.store.requeue_message(message, &client.origin(admin.actor())).await?.into()))
}

/// Have all dead messages tried anew, or those of one kind, once their cause is mended.
#[utoipa::path(
    post, path = "/admin/outbox/requeue-dead", tag = "admin", operation_id = "admin_requeue_dead_messages",
    security(("bearer" = [])),
    request_body(content = Option<RequeueDead>, description = "May be left out.", example = json!({})),
    responses((status = 200, description = "They wait to be delivered.", body = Requeued))
)]
pub(super) async fn requeue_dead(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    body: Option<Body<RequeueDead>>,
) -> Result<Json<Requeued>, Problem> {
    let request = body.map(|Body(request)| request).unwrap_or_default();
    let origin = client.origin(admin.actor());
    let requeued = state.store.requeue_dead_messages(request.kind.as_deref(), &origin).await?;
    tracing::info!(
        event = "outbox.requeued",
        kind = request.kind,
        requeued,
        "dead messages requeued by hand"
    );
    Ok(Json(Requeued { requeued }))
}

/// Decide that a dead message need not be delivered.
#[utoipa::path(
    post, path = "/admin/outbox/{id}/skip", tag = "admin", operation_id = "admin_skip_message",
    security(("bearer" = [])), params(("id" = OutboxId, Path, description = "The message.")),
    request_body(content = WithReason),
    responses(
        (status = 200, description = "It is `SKIPPED`.", body = AdminMessage),
        (status = 409, description = "`message_conflict`: it is not dead; `detail` names its state.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn skip(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(message): Id<OutboxId>,
    Body(request): Body<WithReason>,
) -> Result<Json<AdminMessage>, Problem> {
    let origin = client.origin(admin.actor());
    Ok(Json(state.store.skip_message(message, request.reason(), &origin).await?.into()))
}
