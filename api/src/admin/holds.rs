//! What staff hold servers for.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, UserId},
    life::HoldKind,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::life::{InstanceHold, NewHold};
use utoipa::ToSchema;
use uuid::Uuid;

use super::order_commands::not_blank;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Ids, Moment},
    problem::Problem,
};

/// A hold to be put on a server.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct HoldRequest {
    kind: HoldKind,
    /// Whether no time passes towards suspension and deletion meanwhile. Without it only the steps themselves wait.
    stops_clock: bool,
    /// For colleagues: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(min_length = 3, max_length = 500, example = "The customer disputes a payment")]
    reason: String,
    /// When it ends by itself; else it is released.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<Moment>,
}

/// A hold of a server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminHold {
    id: Uuid,
    kind: HoldKind,
    stops_clock: bool,
    reason: String,
    held_by: UserId,
    held_from: DateTime<Utc>,
    /// When it ends by itself; null: when it is released.
    held_until: Option<DateTime<Utc>>,
    /// Null while nobody has released it.
    released_at: Option<DateTime<Utc>>,
}

/// All holds of a server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminHolds {
    data: Vec<AdminHold>,
}

impl From<InstanceHold> for AdminHold {
    fn from(row: InstanceHold) -> Self {
        let InstanceHold { id, kind, stops_clock, reason, held_by, held_from, held_until, released_at } = row;
        Self { id, kind, stops_clock, reason, held_by, held_from, held_until, released_at }
    }
}

/// List what a server is and was held for, newest first.
#[utoipa::path(
    get, path = "/admin/instances/{id}/holds", tag = "admin", operation_id = "admin_list_instance_holds",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses((status = 200, description = "All of them.", body = AdminHolds))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<Json<AdminHolds>, Problem> {
    let holds = state.store.holds_of(instance).await?;
    Ok(Json(AdminHolds { data: holds.into_iter().map(AdminHold::from).collect() }))
}

/// Hold a server: while that lasts it is neither suspended nor deleted for want of money.
#[utoipa::path(
    post, path = "/admin/instances/{id}/holds", tag = "admin", operation_id = "admin_hold_instance",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    request_body(content = HoldRequest),
    responses(
        (status = 201, description = "It is held.", body = AdminHold),
        (status = 409, description = "`instance_conflict`: it is gone or going, held for this already, or the hold would be \
         over by now; `detail` says which.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn hold(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    Body(request): Body<HoldRequest>,
) -> Result<(StatusCode, Json<AdminHold>), Problem> {
    let new = NewHold {
        instance,
        kind: request.kind,
        stops_clock: request.stops_clock,
        reason: request.reason.trim(),
        until: request.until.map(Moment::get),
        by: admin.id,
    };
    let hold = state.store.hold_instance(&new, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "instance.held", instance_id = %instance, kind = %request.kind, "a server is held");
    Ok((StatusCode::CREATED, Json(hold.into())))
}

/// Release a server. Once released it stays so.
#[utoipa::path(
    delete, path = "/admin/instances/{id}/holds/{hold_id}", tag = "admin", operation_id = "admin_release_instance",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("hold_id" = Uuid, Path, description = "The hold."),
    ),
    responses((status = 200, description = "It is released.", body = AdminHold))
)]
pub(super) async fn release(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Ids(instance, hold): Ids<InstanceId, Uuid>,
) -> Result<Json<AdminHold>, Problem> {
    let hold = state.store.release_hold(instance, hold, admin.id, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "instance.released", instance_id = %instance, "a server is released");
    Ok(Json(hold.into()))
}
