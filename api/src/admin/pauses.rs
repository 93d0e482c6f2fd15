//! Pausing provisioning, all of it or that of a provider.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde::Serialize;
use store::{
    pauses::{EVERYWHERE, Pause},
    versions::Thing,
};
use utoipa::ToSchema;

use super::reason::WithReason;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Seen, Versioned},
    problem::Problem,
};

/// The scope of a pause of everything, as it stands in paths.
pub(super) const ALL: &str = "all";

/// A pause of provisioning.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPause {
    /// A provider's slug, or `all`.
    #[schema(example = "digitalocean")]
    scope: String,
    #[schema(example = "The vendor's status page tells of an incident")]
    reason: String,
    paused_at: DateTime<Utc>,
    paused_by: UserId,
}

/// What is paused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPauses {
    data: Vec<AdminPause>,
}

impl From<Pause> for AdminPause {
    fn from(pause: Pause) -> Self {
        let scope = if pause.scope == EVERYWHERE { ALL.to_owned() } else { pause.scope };
        Self { scope, reason: pause.reason, paused_at: pause.paused_at, paused_by: pause.paused_by }
    }
}

fn scope_of(path: &str) -> &str {
    if path == ALL { EVERYWHERE } else { path }
}

/// List what is paused.
#[utoipa::path(
    get, path = "/admin/pauses", tag = "admin", operation_id = "admin_list_pauses", security(("bearer" = [])),
    responses((status = 200, description = "What is paused, everything first.", body = AdminPauses))
)]
pub(super) async fn list(_: Staff, State(state): State<AppState>) -> Result<Json<AdminPauses>, Problem> {
    let pauses = state.store.pauses().await?;
    Ok(Json(AdminPauses { data: pauses.into_iter().map(AdminPause::from).collect() }))
}

/// Read a pause.
#[utoipa::path(
    get, path = "/admin/pauses/{scope}", tag = "admin", operation_id = "admin_get_pause", security(("bearer" = [])),
    params(("scope" = String, Path, description = "A provider's slug, or `all`.", example = "digitalocean")),
    responses((status = 200, description = "The pause.", body = AdminPause))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Path(scope): Path<String>,
) -> Result<Versioned<AdminPause>, Problem> {
    let scope = scope_of(&scope);
    let version = state.store.version(Thing::Pause(scope)).await?;
    let found = state.store.pauses().await?.into_iter().find(|pause| pause.scope == scope);
    Ok(Versioned { version, body: found.ok_or_else(|| Problem::not_found("pause"))?.into() })
}

/// Pause provisioning: no server is made from now on, also for orders under way. Servers that are made already come up, and
/// orders are taken and paid. Again: another reason.
#[utoipa::path(
    put, path = "/admin/pauses/{scope}", tag = "admin", operation_id = "admin_pause_provisioning",
    security(("bearer" = [])),
    params(("scope" = String, Path, description = "A provider's slug, or `all`.", example = "digitalocean")),
    request_body(content = WithReason),
    responses((status = 200, description = "It is paused.", body = AdminPause))
)]
pub(super) async fn pause(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(scope): Path<String>,
    Seen(condition): Seen,
    Body(request): Body<WithReason>,
) -> Result<Json<AdminPause>, Problem> {
    let origin = client.origin(admin.actor());
    let reason = request.reason();
    let scoped = scope_of(&scope);
    let pause = state.store.pause_provisioning(scoped, reason, admin.id, &condition, &origin).await?;
    tracing::warn!(event = "provisioning.paused", scope, reason, "provisioning is paused");
    Ok(Json(pause.into()))
}

/// End a pause. Orders that wait go on within seconds.
#[utoipa::path(
    delete, path = "/admin/pauses/{scope}", tag = "admin", operation_id = "admin_resume_provisioning",
    security(("bearer" = [])),
    params(("scope" = String, Path, description = "A provider's slug, or `all`.", example = "digitalocean")),
    responses(
        (status = 204, description = "It goes on."),
        (status = 404, description = "`not_found`: nothing is paused there.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn resume(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(scope): Path<String>,
) -> Result<StatusCode, Problem> {
    state.store.resume_provisioning(scope_of(&scope), &client.origin(admin.actor())).await?;
    tracing::warn!(event = "provisioning.resumed", scope, "provisioning goes on");
    Ok(StatusCode::NO_CONTENT)
}
