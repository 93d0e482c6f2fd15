//! Comparing the providers with the database: what was found, what it costs, and servers that wait for their deletion.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{InstanceId, OrderId, QuarantineId, ReconciliationId, UserId},
    reconciliation::{FindingAction, FindingKind, FindingReason},
    sorting::{AgeSort, QuarantineSort},
    upkeep::{ReconcileSettings, RunStatus},
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::reconciliation::{Finding, Quarantined, Reconciliation};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{providers::require_set_up, reason::WithReason};
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Paged, Paging, Params, SortedPaging},
    problem::{Code, Problem},
};

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReconciliationQuery {
    /// Only those at this provider (slug).
    #[param(example = "vultr")]
    provider: Option<String>,
}

/// Which findings are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FindingQuery {
    /// Only those of this kind.
    kind: Option<FindingKind>,
}

/// Which servers in quarantine are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct QuarantineQuery {
    /// Only those at this provider (slug).
    #[param(example = "vultr")]
    provider: Option<String>,
    /// Also those that were let go or are gone.
    #[serde(default)]
    #[param(default = false)]
    all: bool,
}

/// One comparison of a provider with the database.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminReconciliation {
    id: ReconciliationId,
    /// Slug of the provider.
    #[schema(example = "vultr")]
    provider: String,
    status: RunStatus,
    /// Whether it only reported.
    dry_run: bool,
    /// Who asked; null when it was due.
    requested_by: Option<UserId>,
    /// How many servers of ours the provider listed.
    #[schema(example = 42)]
    servers_listed: i32,
    totals: AdminReconciliationTotals,
    /// What was in the way of a failed run.
    error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// How much a comparison found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminReconciliationTotals {
    /// Servers nobody uses.
    #[schema(example = 1)]
    orphans: i64,
    /// Servers we believe to run that the provider does not know.
    #[schema(example = 0)]
    ghosts: i64,
    /// Servers whose order has another.
    #[schema(example = 1)]
    duplicates: i64,
    /// Servers that are not as we believe.
    #[schema(example = 2)]
    drifted: i64,
    /// What orphans and duplicates cost a month, whole rupiah.
    #[schema(example = 181_500)]
    monthly_cost: Rupiah,
    /// Rupiah for one US dollar it was reckoned with.
    #[schema(example = "16500")]
    usd_idr: Option<String>,
}

/// A comparison with what it found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminReconciliationDetail {
    #[serde(flatten)]
    run: AdminReconciliation,
    findings: Paged<AdminFinding>,
}

/// Something a comparison found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminFinding {
    id: Uuid,
    kind: FindingKind,
    reason: FindingReason,
    /// What was done about it.
    action: FindingAction,
    /// The provider's id of the server.
    #[schema(example = "cb676a46-66fd-4dfb-b839-443f2e6c0b60")]
    provider_instance_id: String,
    /// Its name at the provider.
    name: Option<String>,
    /// Tags it carries.
    #[schema(example = json!(["webrana-production", "wb-0193e7d0-4362-7709-b262-4de1f9ad2f5e"]))]
    tags: Vec<String>,
    /// The provider's slug of its size.
    #[schema(example = "vc2-1c-1gb")]
    size: Option<String>,
    /// The provider's slug of its region.
    #[schema(example = "sgp")]
    region: Option<String>,
    /// The order it belongs or belonged to.
    order_id: Option<OrderId>,
    /// Our record of it.
    instance_id: Option<InstanceId>,
    /// When the provider made it.
    server_created_at: Option<DateTime<Utc>>,
    /// Age in seconds when it was found.
    #[schema(example = 86_400)]
    age_seconds: Option<i64>,
    /// Whole rupiah; null when its size has no known price.
    #[schema(example = 82_500)]
    monthly_cost: Option<Rupiah>,
    /// What else there is to say: what differs, or until when it is in quarantine.
    #[schema(value_type = Object, example = json!({ "differences": [{ "field": "power", "ours": "ON", "theirs": "OFF" }] }))]
    detail: serde_json::Value,
}

/// A server nobody should pay for, powered off until it is deleted or let go.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminQuarantinedServer {
    id: QuarantineId,
    /// Slug of the provider.
    #[schema(example = "vultr")]
    provider: String,
    /// The provider's id of it.
    #[schema(example = "cb676a46-66fd-4dfb-b839-443f2e6c0b60")]
    provider_instance_id: String,
    kind: FindingKind,
    reason: FindingReason,
    /// Its name at the provider.
    name: Option<String>,
    /// Tags it carries.
    tags: Vec<String>,
    /// The order it belonged to.
    order_id: Option<OrderId>,
    /// Whole rupiah; null when its size has no known price.
    #[schema(example = 82_500)]
    monthly_cost: Option<Rupiah>,
    /// The run that found it.
    reconciliation_id: ReconciliationId,
    created_at: DateTime<Utc>,
    /// From when on it may be deleted.
    delete_after: DateTime<Utc>,
    powered_off_at: Option<DateTime<Utc>>,
    released_at: Option<DateTime<Utc>>,
    /// Who let it go; null when it turned out to be wanted.
    released_by: Option<UserId>,
    release_reason: Option<String>,
    /// When a server that was let go had its power back.
    power_restored_at: Option<DateTime<Utc>>,
    /// When the provider was asked to delete it.
    delete_requested_at: Option<DateTime<Utc>>,
    /// When the provider confirmed that it is gone.
    deleted_at: Option<DateTime<Utc>>,
}

/// What to compare.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct RequestReconciliation {
    /// Slug of the provider.
    #[schema(example = "vultr")]
    provider: String,
    /// Whether to report only, which is the default. Without, servers nobody uses are powered off, and deleted after
    /// their time in quarantine.
    #[serde(default = "yes")]
    #[schema(default = true)]
    dry_run: bool,
    /// Exactly how many servers this run may newly power off, when that is more than five and more than a tenth of those
    /// listed: `newly_unwanted` in the `detail` of the findings that the run before `held`.
    #[serde(default)]
    #[schema(example = json!(null))]
    confirmed_unwanted: Option<u32>,
}

const fn yes() -> bool {
    true
}

impl From<Reconciliation> for AdminReconciliation {
    fn from(row: Reconciliation) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            status: row.status,
            dry_run: row.dry_run,
            requested_by: row.requested_by,
            servers_listed: row.servers_listed,
            totals: AdminReconciliationTotals {
                orphans: row.orphans,
                ghosts: row.ghosts,
                duplicates: row.duplicates,
                drifted: row.drifted,
                monthly_cost: row.monthly_cost,
                usd_idr: row.usd_idr.map(|rate| rate.normalize().to_string()),
            },
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

impl AdminFinding {
    fn new(finding: Finding, found_at: DateTime<Utc>) -> Self {
        Self {
            age_seconds: finding.server_created_at.map(|made| (found_at - made).num_seconds()),
            id: finding.id,
            kind: finding.kind,
            reason: finding.reason,
            action: finding.action,
            provider_instance_id: finding.provider_instance_id,
            name: finding.name,
            tags: finding.tags,
            size: finding.size,
            region: finding.region,
            order_id: finding.order_id,
            instance_id: finding.instance_id,
            server_created_at: finding.server_created_at,
            monthly_cost: finding.monthly_cost,
            detail: finding.detail,
        }
    }
}

impl From<Quarantined> for AdminQuarantinedServer {
    fn from(row: Quarantined) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            provider_instance_id: row.provider_instance_id,
            kind: row.kind,
            reason: row.reason,
            name: row.name,
            tags: row.tags,
            order_id: row.order_id,
            monthly_cost: row.monthly_cost,
            reconciliation_id: row.reconciliation_id,
            created_at: row.created_at,
            delete_after: row.delete_after,
            powered_off_at: row.powered_off_at,
            released_at: row.released_at,
            released_by: row.released_by,
            release_reason: row.release_reason,
            power_restored_at: row.power_restored_at,
            delete_requested_at: row.delete_requested_at,
            deleted_at: row.deleted_at,
        }
    }
}

/// List comparisons of providers with the database, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/reconciliations", tag = "admin", operation_id = "admin_list_reconciliations",
    security(("bearer" = [])), params(SortedPaging<AgeSort>, ReconciliationQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminReconciliation>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AgeSort>,
    Params(query): Params<ReconciliationQuery>,
) -> Result<Paged<AdminReconciliation>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.reconciliations(query.provider.as_deref(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminReconciliation::from))
}

/// Read one comparison with its totals and a part of what it found.
#[utoipa::path(
    get, path = "/admin/reconciliations/{id}", tag = "admin", operation_id = "admin_get_reconciliation",
    security(("bearer" = [])),
    params(("id" = ReconciliationId, Path, description = "The run."), Paging, FindingQuery),
    responses((status = 200, description = "The run; `findings` is a part of its findings.", body = AdminReconciliationDetail))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<ReconciliationId>,
    paging: Paging,
    Params(query): Params<FindingQuery>,
) -> Result<Json<AdminReconciliationDetail>, Problem> {
    let run = state.store.reconciliation(id).await?;
    let page = state.store.findings(id, query.kind, paging.request()).await?;
    let found_at = run.finished_at.unwrap_or(run.created_at);
    let findings = Paged::new(page, |finding| AdminFinding::new(finding, found_at));
    Ok(Json(AdminReconciliationDetail { run: run.into(), findings }))
}

/// Compare a provider with the database now, instead of when it is due. The provider's worker does it; watch the run.
#[utoipa::path(
    post, path = "/admin/reconciliations", tag = "admin", operation_id = "admin_request_reconciliation",
    security(("bearer" = [])),
    request_body(content = RequestReconciliation, example = json!({ "provider": "vultr", "dry_run": true })),
    responses(
        (status = 202, description = "The run, which is about to begin.", body = AdminReconciliation),
        (status = 409, description = "`provider_not_set_up`: this installation has no credentials for it.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`provider_unknown`: there is no such provider; `invalid_body`.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn request(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Body(request): Body<RequestReconciliation>,
) -> Result<(StatusCode, Json<AdminReconciliation>), Problem> {
    require_set_up(&state, &request.provider).await.map_err(|problem| {
        if problem.code == Code::NotFound {
            Problem::field(
                Code::ProviderUnknown,
                "provider",
                "there is no such provider; see /admin/providers",
            )
        } else {
            problem
        }
    })?;
    let RequestReconciliation { provider, dry_run, confirmed_unwanted } = request;
    let settings = ReconcileSettings { dry_run, confirmed_unwanted, ..state.reconcile };
    let origin = client.origin(admin.actor());
    let run = state.store.request_reconciliation(&provider, settings, admin.id, &origin).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// List servers that nobody should pay for and that wait for their deletion, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/quarantined-servers", tag = "admin", operation_id = "admin_list_quarantined_servers",
    security(("bearer" = [])), params(SortedPaging<QuarantineSort>, QuarantineQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminQuarantinedServer>))
)]
pub(super) async fn quarantined(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<QuarantineSort>,
    Params(query): Params<QuarantineQuery>,
) -> Result<Paged<AdminQuarantinedServer>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.quarantined_servers(query.provider.as_deref(), query.all, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminQuarantinedServer::from))
}

/// Let a server go: it is not deleted and not accused again, and soon has its power back.
#[utoipa::path(
    post, path = "/admin/quarantined-servers/{id}/release", tag = "admin",
    operation_id = "admin_release_quarantined_server", security(("bearer" = [])),
    params(("id" = QuarantineId, Path, description = "The server in quarantine.")),
    request_body(content = WithReason),
    responses(
        (status = 200, description = "The server as it is now.", body = AdminQuarantinedServer),
        (status = 409, description = "`quarantined_server_conflict`: it was let go before, or its deletion was asked for.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn release(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(id): Id<QuarantineId>,
    Body(request): Body<WithReason>,
) -> Result<Json<AdminQuarantinedServer>, Problem> {
    let origin = client.origin(admin.actor());
    let settings = state.reconcile;
    let server = state.store.release_quarantined(id, request.reason(), settings, admin.id, &origin).await?;
    tracing::info!(
        event = "quarantine.released",
        quarantined_server_id = %id,
        "a server in quarantine was released by hand"
    );
    Ok(Json(server.into()))
}
