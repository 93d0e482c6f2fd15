//! Servers' lives as staff steer them: their rules, what is paused, and what is held back until somebody lets it go.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, UserId},
    life::{Held, LifePolicy, Process},
    sorting::HeldSort,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    life::{HeldServer, LifePause, LifeRules, Release},
    pauses::EVERYWHERE,
    versions::Thing,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{order_commands::not_blank, pauses::ALL, reason::WithReason};
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Paged, Params, Seen, SortedPaging, Versioned},
    problem::Problem,
};

/// A server for which a step is due and held back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminHeldServer {
    #[schema(example = "0193e7d0-8c1d-7a6b-9f0e-0d2f0a9b7c11")]
    instance_id: InstanceId,
    user_id: UserId,
    #[schema(example = "web-1")]
    name: String,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    step: Held,
    #[schema(example = "more than usual within an hour")]
    why: String,
    since: DateTime<Utc>,
    /// When it is looked at again by itself.
    next_due_at: Option<DateTime<Utc>>,
}

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HeldQuery {
    /// Only this step.
    step: Option<Held>,
}

/// What is to be let go.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct ReleaseRequest {
    step: Held,
    /// As many as wait: whoever lets them go has to have seen how many.
    #[garde(range(min = 1))]
    #[schema(minimum = 1, example = 412)]
    number: i32,
    /// For colleagues: 3 to 500 characters.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(
        min_length = 3,
        max_length = 500,
        example = "The gateway was down yesterday; payments arrive again"
    )]
    reason: String,
}

/// What was let go.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRelease {
    id: Uuid,
    step: Held,
    number: i32,
    /// So many made use of it.
    used: i32,
    reason: String,
    created_by: UserId,
    created_at: DateTime<Utc>,
}

/// A version of the rules.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLifeRules {
    #[schema(example = 2)]
    version: i32,
    rules: LifePolicy,
    /// Null: they came with the product.
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    /// Servers that live by them.
    servers: i64,
}

/// All versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLifeRulesList {
    data: Vec<AdminLifeRules>,
}

/// A pause of something that is done to servers by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLifePause {
    /// A provider's slug, or `all`.
    #[schema(example = "all")]
    scope: String,
    process: Process,
    reason: String,
    paused_at: DateTime<Utc>,
    paused_by: UserId,
}

/// What is paused.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminLifePauses {
    data: Vec<AdminLifePause>,
}

impl From<HeldServer> for AdminHeldServer {
    fn from(row: HeldServer) -> Self {
        let HeldServer { instance_id, user_id, name, provider, step, why, since, next_due_at } = row;
        Self { instance_id, user_id, name, provider, step, why, since, next_due_at }
    }
}

impl From<Release> for AdminRelease {
    fn from(row: Release) -> Self {
        let Release { id, step, number, used, reason, created_by, created_at } = row;
        Self { id, step, number, used, reason, created_by, created_at }
    }
}

impl From<LifeRules> for AdminLifeRules {
    fn from(row: LifeRules) -> Self {
        let LifeRules { version, rules, created_by, created_at, servers } = row;
        Self { version, rules, created_by, created_at, servers }
    }
}

impl From<LifePause> for AdminLifePause {
    fn from(row: LifePause) -> Self {
        let scope = if row.scope == EVERYWHERE { ALL.to_owned() } else { row.scope };
        let LifePause { process, reason, paused_at, paused_by, .. } = row;
        Self { scope, process, reason, paused_at, paused_by }
    }
}

fn scope_of(path: &str) -> &str {
    if path == ALL { EVERYWHERE } else { path }
}

/// List the servers for which a renewal, a suspension or a deletion is due and held back, whatever keeps it: with all of them
/// paused, this is what would be done.
#[utoipa::path(
    get, path = "/admin/life/held", tag = "admin", operation_id = "admin_list_held", security(("bearer" = [])),
    params(SortedPaging<HeldSort>, HeldQuery),
    responses((status = 200, description = "A part of the list, newest servers first.", body = Paged<AdminHeldServer>))
)]
pub(super) async fn held(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<HeldSort>,
    Params(query): Params<HeldQuery>,
) -> Result<Paged<AdminHeldServer>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.held_servers(query.step, sort, &request).await?;
    Ok(Paged::sorted(page, sort, AdminHeldServer::from))
}

/// Let go what is held back because there is more of it than usual: exactly so many as wait.
#[utoipa::path(
    post, path = "/admin/life/releases", tag = "admin", operation_id = "admin_release_held",
    security(("bearer" = [])), request_body(content = ReleaseRequest),
    responses(
        (status = 201, description = "They are looked at at once.", body = AdminRelease),
        (status = 409, description = "`held_changed`: another number waits; `detail` names it.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn release(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Body(request): Body<ReleaseRequest>,
) -> Result<(StatusCode, Json<AdminRelease>), Problem> {
    let origin = client.origin(admin.actor());
    let ReleaseRequest { step, number, reason } = request;
    let release = state.store.release_held(step, number, reason.trim(), admin.id, &origin).await?;
    tracing::warn!(event = "life.released", step = %step, number, "what was held back is let go");
    Ok((StatusCode::CREATED, Json(release.into())))
}

/// Say that somebody has looked at a database that was put back to an earlier state: suspensions and deletions go on.
#[utoipa::path(
    post, path = "/admin/life/confirm-restore", tag = "admin", operation_id = "admin_confirm_restore",
    security(("bearer" = [])),
    responses((status = 204, description = "They go on; also when they were not held back."))
)]
pub(super) async fn confirm_restore(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    if state.store.confirm_put_back(&client.origin(admin.actor())).await? {
        tracing::warn!(event = "life.restore_confirmed", "suspensions and deletions go on after a restore");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// List the rules of servers' lives, all versions, newest first.
#[utoipa::path(
    get, path = "/admin/life/rules", tag = "admin", operation_id = "admin_list_life_rules", security(("bearer" = [])),
    responses((status = 200, description = "All versions.", body = AdminLifeRulesList))
)]
pub(super) async fn rules(
    _: Staff,
    State(state): State<AppState>,
) -> Result<Json<AdminLifeRulesList>, Problem> {
    let rules = state.store.life_rules().await?;
    Ok(Json(AdminLifeRulesList { data: rules.into_iter().map(AdminLifeRules::from).collect() }))
}

/// Make new rules. New servers live by them at once, all others are taken over in batches within minutes; what is due by
/// them is then done at once, never without its notice and the days between.
#[utoipa::path(
    post, path = "/admin/life/rules", tag = "admin", operation_id = "admin_set_life_rules",
    security(("bearer" = [])), request_body(content = LifePolicy),
    responses(
        (status = 201, description = "The rules with their version.", body = AdminLifeRulesList),
        (status = 422, description = "`life_rules_invalid`: they don't fit together, `detail` says which; `invalid_body`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_rules(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Body(policy): Body<RulesRequest>,
) -> Result<(StatusCode, Json<AdminLifeRulesList>), Problem> {
    let RulesRequest(policy) = policy;
    policy.check()?;
    let version = state.store.set_life_rules(&policy, admin.id, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "life.rules_set", version, "servers live by new rules");
    let rules = state.store.life_rules().await?;
    let data = rules.into_iter().filter(|rules| rules.version == version).map(AdminLifeRules::from);
    Ok((StatusCode::CREATED, Json(AdminLifeRulesList { data: data.collect() })))
}

/// Rules as a body; whether they fit together is asked of them.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(super) struct RulesRequest(#[garde(skip)] LifePolicy);

/// List which renewals, suspensions and deletions are paused.
#[utoipa::path(
    get, path = "/admin/life/pauses", tag = "admin", operation_id = "admin_list_life_pauses",
    security(("bearer" = [])),
    responses((status = 200, description = "What is paused, everything first.", body = AdminLifePauses))
)]
pub(super) async fn pauses(
    _: Staff,
    State(state): State<AppState>,
) -> Result<Json<AdminLifePauses>, Problem> {
    let pauses = state.store.life_pauses().await?;
    Ok(Json(AdminLifePauses { data: pauses.into_iter().map(AdminLifePause::from).collect() }))
}

/// Read a pause of renewals, suspensions or deletions.
#[utoipa::path(
    get, path = "/admin/life/pauses/{scope}/{process}", tag = "admin", operation_id = "admin_get_life_pause",
    security(("bearer" = [])),
    params(
        ("scope" = String, Path, description = "A provider's slug, or `all`.", example = "all"),
        ("process" = Process, Path, description = "What is paused."),
    ),
    responses((status = 200, description = "The pause.", body = AdminLifePause))
)]
pub(super) async fn get_pause(
    _: Staff,
    State(state): State<AppState>,
    Path((scope, process)): Path<(String, String)>,
) -> Result<Versioned<AdminLifePause>, Problem> {
    let (scope, process) = (scope_of(&scope), process_of(&process)?);
    let version = state.store.version(Thing::LifePause(scope, process)).await?;
    let pauses = state.store.life_pauses().await?;
    let found = pauses.into_iter().find(|pause| pause.scope == scope && pause.process == process);
    Ok(Versioned { version, body: found.ok_or_else(|| Problem::not_found("pause"))?.into() })
}

/// Pause renewals from the balance, suspensions or deletions: none is done from now on. Notices are still sent. Again:
/// another reason.
#[utoipa::path(
    put, path = "/admin/life/pauses/{scope}/{process}", tag = "admin", operation_id = "admin_pause_life",
    security(("bearer" = [])),
    params(
        ("scope" = String, Path, description = "A provider's slug, or `all`.", example = "all"),
        ("process" = Process, Path, description = "What to pause."),
    ),
    request_body(content = WithReason),
    responses(
        (status = 200, description = "It is paused.", body = AdminLifePause),
        (status = 404, description = "`not_found`: there is no such provider or process.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn pause(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path((scope, process)): Path<(String, String)>,
    Seen(condition): Seen,
    Body(request): Body<WithReason>,
) -> Result<Json<AdminLifePause>, Problem> {
    let process = process_of(&process)?;
    let origin = client.origin(admin.actor());
    let reason = request.reason();
    let scoped = scope_of(&scope);
    let pause = state.store.pause_life(scoped, process, reason, admin.id, &condition, &origin).await?;
    tracing::warn!(event = "life.paused", scope, process = %process, reason, "a part of servers' lives is paused");
    Ok(Json(pause.into()))
}

/// End a pause. What it held back is looked at at once.
#[utoipa::path(
    delete, path = "/admin/life/pauses/{scope}/{process}", tag = "admin", operation_id = "admin_resume_life",
    security(("bearer" = [])),
    params(
        ("scope" = String, Path, description = "A provider's slug, or `all`.", example = "all"),
        ("process" = Process, Path, description = "What goes on."),
    ),
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
    Path((scope, process)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let process = process_of(&process)?;
    state.store.resume_life(scope_of(&scope), process, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "life.resumed", scope, process = %process, "a part of servers' lives goes on");
    Ok(StatusCode::NO_CONTENT)
}

fn process_of(word: &str) -> Result<Process, Problem> {
    word.parse().map_err(|_| Problem::not_found("process"))
}
