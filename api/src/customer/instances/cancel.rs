//! Calling a server of mine off.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{ActionId, CancellationId, InstanceId},
    instance::CancelWhen,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{cancellations::NewCancellation, idempotency::Idempotency};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::Instance,
    client::Client,
    extract::{Body, Id, IdempotencyKey},
    problem::Problem,
};

/// Routes under `/instances/{id}/cancel`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(cancel, revoke))
}

/// When the server is to go.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct CancelRequest {
    /// `now`: it is deleted at once, and what was paid and is not served yet goes to my balance. `period_end`: it runs to
    /// the end of what is paid.
    when: CancelWhen,
}

/// A server that I called off.
#[derive(Debug, Serialize, ToSchema)]
struct CancellationBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: CancellationId,
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    instance_id: InstanceId,
    when: CancelWhen,
    /// When the server goes.
    effective_at: DateTime<Utc>,
    /// `now`: the delete, to be watched among the server's actions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    action_id: Option<ActionId>,
    /// What went to my balance, PPN included; whole rupiah. The credit notes are with my refunds.
    #[schema(example = 71_595)]
    credited: Rupiah,
    created_at: DateTime<Utc>,
    /// When I revoked it.
    revoked_at: Option<DateTime<Utc>>,
}

impl From<store::cancellations::Cancellation> for CancellationBody {
    fn from(row: store::cancellations::Cancellation) -> Self {
        Self {
            id: row.id,
            instance_id: row.instance_id,
            when: row.when,
            effective_at: row.effective_at,
            action_id: row.action_id,
            credited: row.credited,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// Call one of my servers off. Its snapshots go with it, but for the last one that some plans include. `now` deletes it with
/// everything on it, and what was paid for the present term and those
/// after it and is not served yet goes to my balance, by the second, with its PPN and a credit note for each invoice.
/// `period_end` lets it run to the end of what is paid: it is not renewed, an unpaid invoice over a further term is void, and
/// I can revoke it until then. The same `Idempotency-Key` with the same body answers with the same cancellation; a server
/// that is called off for the end of its term already stays so.
#[utoipa::path(
    post, path = "/instances/{id}/cancel", tag = "instances", operation_id = "cancel_instance",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("Idempotency-Key" = String, Header, description = "New for each cancellation, the same for a retry."),
    ),
    request_body(content = CancelRequest, example = json!({ "when": "period_end" })),
    responses(
        (status = 202, description = "It is called off.", body = CancellationBody),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: it is being made, being deleted or gone, held by our team, or \
         its term is over (then it can be called off at once); `detail` says which. Nothing changed.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`idempotency_key_reused`: the key came with another request before; `invalid_body`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn cancel(
    me: CurrentUser,
    client: Client,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<CancelRequest>,
) -> Result<(StatusCode, Json<CancellationBody>), Problem> {
    let idempotency = Idempotency::new(&format!("POST /instances/{instance}/cancel"), &key, &request)?;
    let origin = client.origin(me.actor());
    let new = NewCancellation { user: me.id, instance, when: request.when, origin: &origin };
    let cancellation = state.store.cancel_instance(&new, &idempotency).await?;
    tracing::info!(
        event = "instance.cancelled",
        instance_id = %instance,
        when = %cancellation.when,
        credited = cancellation.credited.get(),
        "a server was called off by its owner"
    );
    Ok((StatusCode::ACCEPTED, Json(cancellation.into())))
}

/// Have a server stay that I called off for the end of its term. It is renewed by itself again if it was before. One that is
/// not called off stays as it is.
#[utoipa::path(
    delete, path = "/instances/{id}/cancel", tag = "instances", operation_id = "revoke_instance_cancellation",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "The server, which stays.", body = Instance),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: it is being deleted or gone, or its term is over.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn revoke(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<Json<Instance>, Problem> {
    if state.store.revoke_cancellation(me.id, instance).await? {
        tracing::info!(
            event = "instance.cancellation_revoked",
            instance_id = %instance,
            "a server stays after all"
        );
    }
    Ok(Json(state.store.instance_of(me.id, instance).await?.into()))
}
