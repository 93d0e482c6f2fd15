//! Reading the providers' own catalogs: what changed there, and what of ours can't be sold because of it.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use domain::{
    ids::{CatalogSyncId, UserId},
    sorting::AgeSort,
    upkeep::RunStatus,
};
use serde::{Deserialize, Serialize};
use store::catalog_sync::{CatalogSync, Changes, SyncReport};
use utoipa::{IntoParams, ToSchema};

use super::providers::require_set_up;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Which runs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RunQuery {
    /// Only those at this provider (slug).
    #[param(example = "vultr")]
    provider: Option<String>,
}

/// One time a provider was asked for its catalog.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminCatalogSync {
    id: CatalogSyncId,
    /// Slug of the provider.
    #[schema(example = "vultr")]
    provider: String,
    status: RunStatus,
    /// Who asked; null when it was due.
    requested_by: Option<UserId>,
    /// Regions, sizes and images that are new.
    #[schema(example = 1)]
    added: i32,
    /// Those that are gone.
    #[schema(example = 0)]
    removed: i32,
    /// Those that are different.
    #[schema(example = 2)]
    changed: i32,
    /// How much of what we offer became unavailable.
    #[schema(example = 0)]
    flagged: i32,
    /// How much of it became available again.
    #[schema(example = 0)]
    restored: i32,
    /// What was in the way of a failed run.
    error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

/// A run with what it found out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminCatalogSyncDetail {
    #[serde(flatten)]
    run: AdminCatalogSync,
    report: AdminSyncReport,
}

/// What a run found out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminSyncReport {
    regions: AdminListChanges,
    sizes: AdminListChanges,
    images: AdminListChanges,
    /// What of ours the provider lacks now, or has again.
    offers: Vec<AdminOfferChange>,
    /// Plans whose cost is not the provider's price any more.
    costs: Vec<AdminCostDifference>,
}

/// What changed in one list, by the provider's slugs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminListChanges {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<AdminListChange>,
}

/// Something that is different from before.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminListChange {
    #[schema(example = "vc2-1c-1gb")]
    slug: String,
    /// What is different, by field: before and after.
    #[schema(value_type = Object, example = json!({ "price_monthly_usd": { "before": "5", "after": "6" } }))]
    fields: BTreeMap<String, store::catalog_sync::Change>,
}

/// Something we offer that the provider lacks now, or has again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOfferChange {
    /// `plan`, `plan_region` or `image`.
    #[schema(example = "plan")]
    kind: String,
    /// Our slug of it.
    #[schema(example = "vultr-regular-1gb")]
    slug: String,
    /// Our slug of the region, for a plan's region.
    region: Option<String>,
    /// Why it can't be sold; null when it can again.
    #[schema(example = "the provider has no size vc2-1c-1gb any more")]
    reason: Option<String>,
}

/// A plan whose cost is not the provider's price.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminCostDifference {
    /// Our slug of the plan.
    #[schema(example = "vultr-regular-1gb")]
    plan: String,
    /// What we reckon with, US dollars a month.
    #[schema(example = "5")]
    ours: String,
    /// What the provider asks, US dollars a month.
    #[schema(example = "6")]
    theirs: String,
}

impl From<CatalogSync> for AdminCatalogSync {
    fn from(row: CatalogSync) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            status: row.status,
            requested_by: row.requested_by,
            added: row.added,
            removed: row.removed,
            changed: row.changed,
            flagged: row.flagged,
            restored: row.restored,
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

impl From<Changes> for AdminListChanges {
    fn from(list: Changes) -> Self {
        let change = |changed: store::catalog_sync::Changed| AdminListChange {
            slug: changed.slug,
            fields: changed.fields,
        };
        Self {
            added: list.added,
            removed: list.removed,
            changed: list.changed.into_iter().map(change).collect(),
        }
    }
}

impl From<SyncReport> for AdminSyncReport {
    fn from(report: SyncReport) -> Self {
        let offers = report.offers.into_iter().map(|offer| AdminOfferChange {
            kind: offer.kind,
            slug: offer.slug,
            region: offer.region,
            reason: offer.reason,
        });
        let costs = report.costs.into_iter().map(|cost| AdminCostDifference {
            plan: cost.plan,
            ours: cost.ours.to_string(),
            theirs: cost.theirs.to_string(),
        });
        Self {
            regions: report.regions.into(),
            sizes: report.sizes.into(),
            images: report.images.into(),
            offers: offers.collect(),
            costs: costs.collect(),
        }
    }
}

/// Read a provider's catalog now, instead of when it is due. The provider's worker does it; watch the run.
#[utoipa::path(
    post, path = "/admin/providers/{slug}/sync", tag = "admin", operation_id = "admin_sync_catalog",
    security(("bearer" = [])),
    params(("slug" = String, Path, description = "The provider's slug.", example = "vultr")),
    responses(
        (status = 202, description = "The run, which is about to begin.", body = AdminCatalogSync),
        (status = 409, description = "`provider_not_set_up`: this installation has no credentials for it.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn request(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(slug): Path<String>,
) -> Result<(StatusCode, Json<AdminCatalogSync>), Problem> {
    require_set_up(&state, &slug).await?;
    let origin = client.origin(admin.actor());
    let run = state.store.request_catalog_sync(&slug, admin.id, &origin).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// List the times providers were asked for their catalogs, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/catalog-syncs", tag = "admin", operation_id = "admin_list_catalog_syncs",
    security(("bearer" = [])), params(SortedPaging<AgeSort>, RunQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminCatalogSync>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AgeSort>,
    Params(query): Params<RunQuery>,
) -> Result<Paged<AdminCatalogSync>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.catalog_syncs(query.provider.as_deref(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminCatalogSync::from))
}

/// Read one such time with what had changed.
#[utoipa::path(
    get, path = "/admin/catalog-syncs/{id}", tag = "admin", operation_id = "admin_get_catalog_sync",
    security(("bearer" = [])), params(("id" = CatalogSyncId, Path, description = "The run.")),
    responses((status = 200, description = "The run with its report.", body = AdminCatalogSyncDetail))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<CatalogSyncId>,
) -> Result<Json<AdminCatalogSyncDetail>, Problem> {
    let (run, report) = state.store.catalog_sync(id).await?;
    Ok(Json(AdminCatalogSyncDetail { run: run.into(), report: report.into() }))
}
