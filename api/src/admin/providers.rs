//! The clouds we resell, as staff see them, and whether they are on sale.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use domain::ids::ProviderId;
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{catalog::ProviderDetail, versions::Thing};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Seen, Versioned},
    problem::{Code, Problem},
};

/// A provider with what staff want to know about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminProvider {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: ProviderId,
    #[schema(example = "vultr")]
    slug: String,
    #[schema(example = "Vultr")]
    name: String,
    /// Whether it is wanted on sale.
    is_active: bool,
    /// Whether this installation has credentials for it. Only what is active and set up is sold.
    is_set_up: bool,
    /// What its servers can do.
    #[schema(example = json!(["power_on", "reboot", "snapshot"]))]
    capabilities: Vec<String>,
    /// Active plans of it.
    #[schema(example = 6)]
    plan_count: i64,
    /// Those of them that the provider lacks at present; they are not sold.
    #[schema(example = 0)]
    unavailable_plan_count: i64,
    /// Servers there that are not terminated.
    #[schema(example = 42)]
    server_count: i64,
    /// When it last told its catalog.
    synced_at: Option<DateTime<Utc>>,
}

/// All providers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminProviders {
    data: Vec<AdminProvider>,
}

/// What to change about a provider.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct ChangeProvider {
    /// Whether it is to be on sale. Its servers are not touched.
    is_active: bool,
}

impl AdminProvider {
    fn new(row: ProviderDetail, state: &AppState) -> Self {
        Self {
            is_set_up: state.providers.capabilities(&row.slug).is_ok(),
            id: row.id,
            slug: row.slug,
            name: row.name,
            is_active: row.is_active,
            capabilities: row.capabilities,
            plan_count: row.plan_count,
            unavailable_plan_count: row.unavailable_plan_count,
            server_count: row.server_count,
            synced_at: row.synced_at,
        }
    }
}

/// List all providers, also those that are not on sale.
#[utoipa::path(
    get, path = "/admin/providers", tag = "admin", operation_id = "admin_list_providers", security(("bearer" = [])),
    responses((status = 200, description = "Providers in alphabetical order.", body = AdminProviders))
)]
pub(super) async fn list(_: Staff, State(state): State<AppState>) -> Result<Json<AdminProviders>, Problem> {
    let rows = state.store.providers_for_staff(None).await?;
    Ok(Json(AdminProviders { data: rows.into_iter().map(|row| AdminProvider::new(row, &state)).collect() }))
}

/// Read a provider, on sale or not.
#[utoipa::path(
    get, path = "/admin/providers/{slug}", tag = "admin", operation_id = "admin_get_provider", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The provider's slug.", example = "vultr")),
    responses((status = 200, description = "The provider.", body = AdminProvider))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Path(slug): Path<String>,
) -> Result<Versioned<AdminProvider>, Problem> {
    let version = state.store.version(Thing::Provider(&slug)).await?;
    let found = state.store.providers_for_staff(Some(&slug)).await?.pop();
    let row = found.ok_or_else(|| Problem::not_found("provider"))?;
    Ok(Versioned { version, body: AdminProvider::new(row, &state) })
}

/// Put a provider on sale, or take it off. Running servers there go on, and orders that are paid are provisioned; only
/// quotes and new orders are refused. For superadministrators.
#[utoipa::path(
    patch, path = "/admin/providers/{slug}", tag = "admin", operation_id = "admin_change_provider",
    security(("bearer" = [])),
    params(("slug" = String, Path, description = "The provider's slug.", example = "vultr")),
    request_body(content = ChangeProvider, example = json!({ "is_active": false })),
    responses((status = 200, description = "The provider as it is now.", body = AdminProvider))
)]
pub(super) async fn change(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Seen(condition): Seen,
    Body(request): Body<ChangeProvider>,
) -> Result<Json<AdminProvider>, Problem> {
    let origin = client.origin(admin.actor());
    let row = state.store.set_provider_active(&slug, request.is_active, &condition, &origin).await?;
    tracing::info!(
        event = "provider.changed",
        provider = row.slug,
        is_active = row.is_active,
        "provider changed by hand"
    );
    Ok(Json(AdminProvider::new(row, &state)))
}

/// Fails when there is no such provider, or none that could be asked anything from here.
pub(super) async fn require_set_up(state: &AppState, slug: &str) -> Result<(), Problem> {
    state.store.provider_exists(slug).await?;
    state
        .providers
        .capabilities(slug)
        .map(|_| ())
        .map_err(|error| Problem::new(Code::ProviderNotSetUp, error.to_string()))
}
