//! Plans: everything that is or could be sold, for staff to read and administrators to decide about.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{Rupiah, ids::PlanId, money::AmountOverflow, reconciliation::monthly_cost, sorting::PlanSort};
use garde::Validate;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};
use store::{
    catalog::{ChangePlan, NewPlan, PlanDetail, PlanFilter},
    versions::Thing,
};
use utoipa::{IntoParams, ToSchema};

use super::order_commands::not_blank;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Paged, Params, Seen, SortedPaging, Versioned},
    problem::Problem,
};

/// Dearest price of a month: with it no sum of a term leaves the range of rupiah, and a zero too many is noticed.
const DEAREST: i64 = 1_000_000_000;
/// Highest cost of a month in dollars.
const COSTLIEST: i64 = 100_000;

/// Which plans are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PlanQuery {
    /// Only plans of this provider (slug).
    #[param(example = "vultr")]
    provider: Option<String>,
    /// Only those that are wanted on sale (`true`), or the others (`false`).
    active: Option<bool>,
    /// Only those that their provider has (`true`), or lacks (`false`).
    available: Option<bool>,
}

/// A plan with what staff want to know about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminPlan {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: PlanId,
    #[schema(example = "do-basic-1gb")]
    slug: String,
    #[schema(example = "Basic 1 GB")]
    name: String,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    /// What the provider calls the size.
    #[schema(example = "s-1vcpu-1gb")]
    provider_slug: String,
    #[schema(example = 1)]
    vcpu: i32,
    /// Memory in MiB.
    #[schema(example = 1024)]
    memory_mb: i32,
    /// Disk in GB.
    #[schema(example = 25)]
    disk_gb: i32,
    /// Outgoing traffic a month in GB.
    #[schema(example = 1000)]
    bandwidth_gb: i32,
    /// Whole rupiah a month before tax, for new orders and terms.
    #[schema(example = 129_000)]
    price_monthly: Rupiah,
    /// What it costs us a month, in US dollars.
    #[schema(example = "6")]
    cost_monthly_usd: String,
    /// The same in whole rupiah, at the configured rate.
    #[schema(example = 99_000)]
    cost_monthly: Rupiah,
    /// What is left of the price: whole rupiah a month. Below nothing it is sold at a loss.
    #[schema(example = 30_000)]
    margin_monthly: Rupiah,
    /// How many may be sold; null: as many as are wanted.
    #[schema(example = 50)]
    stock_limit: Option<i32>,
    /// So many days the last snapshot of a deleted server is kept; null: none is taken.
    #[schema(example = 14)]
    final_snapshot_days: Option<i32>,
    /// How many are sold: orders that are open, or have a server.
    #[schema(example = 12)]
    sold: i64,
    /// Whether it is wanted on sale.
    is_active: bool,
    /// Where it stands in lists: the least first.
    #[schema(example = 100)]
    sort_order: i32,
    /// Since when its provider lacks it; it is not sold then.
    unavailable_since: Option<DateTime<Utc>>,
    /// Why.
    unavailable_reason: Option<String>,
    /// Slugs of the regions it is sold in.
    #[schema(example = json!(["sgp1", "syd1"]))]
    regions: Vec<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A plan to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreatePlan {
    /// Its name in addresses: 2 to 50 lower-case letters, digits and dashes. It stays.
    #[garde(length(chars, min = 2, max = 50), pattern("^[a-z0-9]+(-[a-z0-9]+)*$"))]
    #[schema(
        min_length = 2,
        max_length = 50,
        pattern = "^[a-z0-9]+(-[a-z0-9]+)*$",
        example = "do-basic-8gb"
    )]
    slug: String,
    /// Its name for people: 1 to 100 characters.
    #[garde(length(chars, min = 1, max = 100), custom(not_blank))]
    #[schema(min_length = 1, max_length = 100, example = "Basic 8 GB")]
    name: String,
    /// Slug of the provider.
    #[garde(length(min = 1, max = 50))]
    #[schema(min_length = 1, max_length = 50, example = "digitalocean")]
    provider: String,
    /// What the provider calls the size. It stays.
    #[garde(length(min = 1, max = 100), custom(not_blank))]
    #[schema(min_length = 1, max_length = 100, example = "s-4vcpu-8gb")]
    provider_slug: String,
    #[garde(range(min = 1, max = 1_024))]
    #[schema(minimum = 1, maximum = 1_024, example = 4)]
    vcpu: i32,
    /// Memory in MiB.
    #[garde(range(min = 1, max = 16_777_216))]
    #[schema(minimum = 1, maximum = 16_777_216, example = 8192)]
    memory_mb: i32,
    /// Disk in GB.
    #[garde(range(min = 1, max = 1_000_000))]
    #[schema(minimum = 1, maximum = 1_000_000, example = 160)]
    disk_gb: i32,
    /// Outgoing traffic a month in GB.
    #[garde(range(min = 0, max = 10_000_000))]
    #[schema(minimum = 0, maximum = 10_000_000, example = 5000)]
    bandwidth_gb: i32,
    /// Whole rupiah a month before tax, 1 to 1,000,000,000.
    #[garde(custom(a_price))]
    #[schema(example = 899_000)]
    price_monthly: Rupiah,
    /// What it costs us a month, in US dollars with four decimals at most.
    #[garde(custom(a_cost))]
    #[schema(value_type = String, example = "48.00")]
    cost_monthly_usd: Decimal,
    /// How many may be sold; left out or null: as many as are wanted.
    #[garde(inner(range(min = 0)))]
    #[serde(default)]
    #[schema(minimum = 0)]
    stock_limit: Option<i32>,
    /// So many days the last snapshot of a deleted server is kept, 1 to 365; left out or null: none is taken.
    #[garde(inner(range(min = 1, max = 365)))]
    #[serde(default)]
    #[schema(minimum = 1, maximum = 365)]
    final_snapshot_days: Option<i32>,
    /// Whether it is put on sale at once.
    #[garde(skip)]
    #[serde(default)]
    is_active: bool,
    /// Where it stands in lists: the least first.
    #[garde(range(min = 0, max = 100_000))]
    #[serde(default = "usual_place")]
    #[schema(minimum = 0, maximum = 100_000)]
    sort_order: i32,
    /// Slugs of the provider's regions it is sold in.
    #[garde(length(max = 100))]
    #[schema(max_items = 100, example = json!(["sgp1"]))]
    regions: Vec<String>,
}

/// What to change about a plan. What is left out stays.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChangePlanRequest {
    /// Its name for people: 1 to 100 characters.
    #[garde(inner(length(chars, min = 1, max = 100), custom(not_blank)))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Whole rupiah a month before tax, 1 to 1,000,000,000.
    #[garde(inner(custom(a_price)))]
    price_monthly: Option<Rupiah>,
    /// What it costs us a month, in US dollars with four decimals at most.
    #[garde(inner(custom(a_cost)))]
    #[schema(value_type = Option<String>)]
    cost_monthly_usd: Option<Decimal>,
    /// How many may be sold; null: as many as are wanted. Fewer than are sold: no more are.
    #[garde(inner(inner(range(min = 0))))]
    #[serde(deserialize_with = "given")]
    #[schema(minimum = 0, value_type = Option<i32>)]
    stock_limit: Option<Option<i32>>,
    /// So many days the last snapshot of a deleted server is kept, 1 to 365, of servers that get the plan from now on; null: none
    /// is taken.
    #[garde(inner(inner(range(min = 1, max = 365))))]
    #[serde(deserialize_with = "given")]
    #[schema(minimum = 1, maximum = 365, value_type = Option<i32>)]
    final_snapshot_days: Option<Option<i32>>,
    /// Whether it is to be on sale.
    #[garde(skip)]
    is_active: Option<bool>,
    /// Where it stands in lists: the least first.
    #[garde(inner(range(min = 0, max = 100_000)))]
    #[schema(minimum = 0, maximum = 100_000)]
    sort_order: Option<i32>,
    /// Slugs of the provider's regions it is sold in, instead of those of before.
    #[garde(inner(length(max = 100)))]
    #[schema(max_items = 100)]
    regions: Option<Vec<String>>,
}

const fn usual_place() -> i32 {
    100
}

/// Tells a `null` from a field that is left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "garde's signature")]
fn a_price(price: &Rupiah, (): &()) -> garde::Result {
    match (1..=DEAREST).contains(&price.get()) {
        true => Ok(()),
        false => Err(garde::Error::new(format!("has to be from 1 to {DEAREST}"))),
    }
}

fn a_cost(cost: &Decimal, (): &()) -> garde::Result {
    match *cost >= Decimal::ZERO && *cost <= Decimal::from(COSTLIEST) && cost.normalize().scale() <= 4 {
        true => Ok(()),
        false => {
            Err(garde::Error::new(format!("has to be from 0 to {COSTLIEST}, with four decimals at most")))
        }
    }
}

/// List plans, on sale or not, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/plans", tag = "admin", operation_id = "admin_list_plans", security(("bearer" = [])),
    params(SortedPaging<PlanSort>, PlanQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminPlan>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<PlanSort>,
    Params(query): Params<PlanQuery>,
) -> Result<Paged<AdminPlan>, Problem> {
    let filter =
        PlanFilter { provider: query.provider, is_active: query.active, is_available: query.available };
    let (sort, request) = paging.request()?;
    let page = state.store.plans_for_staff(&filter, sort, request).await?;
    Paged::try_sorted(page, sort, |plan| AdminPlan::new(plan, &state))
        .map_err(|error: AmountOverflow| Problem::internal(&error))
}

/// Make a plan. Without `is_active` it is not on sale yet.
#[utoipa::path(
    post, path = "/admin/plans", tag = "admin", operation_id = "admin_create_plan", security(("bearer" = [])),
    request_body(content = CreatePlan, example = json!({
        "slug": "do-basic-8gb", "name": "Basic 8 GB", "provider": "digitalocean", "provider_slug": "s-4vcpu-8gb",
        "vcpu": 4, "memory_mb": 8192, "disk_gb": 160, "bandwidth_gb": 5000, "price_monthly": 899_000,
        "cost_monthly_usd": "48.00", "regions": ["sgp1"]
    })),
    responses(
        (status = 201, description = "The plan.", body = AdminPlan,
         headers(("Location" = String, description = "Where to read it again."))),
        (status = 409, description = "`slug_taken`: another plan has the slug. `size_taken`: there is a plan of this size. \
         `plan_unavailable`: it is to be on sale, and the provider lacks it. Nothing was made.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, `validation_failed` with the field, `provider_unknown`, or \
         `region_unknown`: the provider has no such region. Nothing was made.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Body(request): Body<CreatePlan>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<AdminPlan>), Problem> {
    let made = state.store.create_plan(&request.into(), &client.origin(admin.actor())).await?;
    tracing::info!(event = "plan.created", plan = made.slug, is_active = made.is_active, "plan made");
    let location = format!("/api/v1/admin/plans/{}", made.slug);
    let body = AdminPlan::new(made, &state).map_err(|error| Problem::internal(&error))?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(body)))
}

/// Read a plan.
#[utoipa::path(
    get, path = "/admin/plans/{slug}", tag = "admin", operation_id = "admin_get_plan", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The plan's slug.", example = "do-basic-1gb")),
    responses((status = 200, description = "The plan.", body = AdminPlan))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Path(slug): Path<String>,
) -> Result<Versioned<AdminPlan>, Problem> {
    let version = state.store.version(Thing::Plan(&slug)).await?;
    let plan = state.store.plan_for_staff(&slug).await?;
    let body = AdminPlan::new(plan, &state).map_err(|error| Problem::internal(&error))?;
    Ok(Versioned { version, body })
}

/// Change a plan from now on: its price, cost, stock, regions, and whether it is on sale. Orders stay as they were placed, and
/// what its size is stays for ever, since it was sold. A plan that its provider lacks can't be put on sale.
#[utoipa::path(
    patch, path = "/admin/plans/{slug}", tag = "admin", operation_id = "admin_change_plan", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The plan's slug.", example = "do-basic-1gb")),
    request_body(content = ChangePlanRequest, example = json!({ "price_monthly": 139_000, "stock_limit": null })),
    responses(
        (status = 200, description = "The plan as it is now.", body = AdminPlan),
        (status = 409, description = "`plan_unavailable`: it is to be on sale, and the provider lacks it. Nothing changed.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, `validation_failed` with the field, or `region_unknown`: the provider \
         has no such region. Nothing changed.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Seen(condition): Seen,
    Body(request): Body<ChangePlanRequest>,
) -> Result<Json<AdminPlan>, Problem> {
    let origin = client.origin(admin.actor());
    let changed = state.store.change_plan(&slug, &request.into(), &condition, &origin).await?;
    tracing::info!(
        event = "plan.changed",
        plan = changed.slug,
        is_active = changed.is_active,
        "plan changed"
    );
    AdminPlan::new(changed, &state).map(Json).map_err(|error| Problem::internal(&error))
}

impl AdminPlan {
    fn new(plan: PlanDetail, state: &AppState) -> Result<Self, AmountOverflow> {
        let cost = monthly_cost(plan.cost_monthly_usd, state.reconcile.usd_idr)?;
        Ok(Self {
            cost_monthly: cost,
            margin_monthly: plan.price_monthly.minus(cost)?,
            cost_monthly_usd: plan.cost_monthly_usd.normalize().to_string(),
            id: plan.id,
            slug: plan.slug,
            name: plan.name,
            provider: plan.provider,
            provider_slug: plan.provider_slug,
            vcpu: plan.vcpu,
            memory_mb: plan.memory_mb,
            disk_gb: plan.disk_gb,
            bandwidth_gb: plan.bandwidth_gb,
            price_monthly: plan.price_monthly,
            stock_limit: plan.stock_limit,
            final_snapshot_days: plan.final_snapshot_days,
            sold: plan.sold,
            is_active: plan.is_active,
            sort_order: plan.sort_order,
            unavailable_since: plan.unavailable_since,
            unavailable_reason: plan.unavailable_reason,
            regions: plan.regions,
            created_at: plan.created_at,
            updated_at: plan.updated_at,
        })
    }
}

impl From<CreatePlan> for NewPlan {
    fn from(request: CreatePlan) -> Self {
        Self {
            slug: request.slug,
            name: request.name.trim().to_owned(),
            provider: request.provider,
            provider_slug: request.provider_slug.trim().to_owned(),
            vcpu: request.vcpu,
            memory_mb: request.memory_mb,
            disk_gb: request.disk_gb,
            bandwidth_gb: request.bandwidth_gb,
            price_monthly: request.price_monthly,
            cost_monthly_usd: request.cost_monthly_usd,
            stock_limit: request.stock_limit,
            final_snapshot_days: request.final_snapshot_days,
            is_active: request.is_active,
            sort_order: request.sort_order,
            regions: request.regions,
        }
    }
}

impl From<ChangePlanRequest> for ChangePlan {
    fn from(request: ChangePlanRequest) -> Self {
        Self {
            name: request.name.map(|name| name.trim().to_owned()),
            price_monthly: request.price_monthly,
            cost_monthly_usd: request.cost_monthly_usd,
            stock_limit: request.stock_limit,
            final_snapshot_days: request.final_snapshot_days,
            is_active: request.is_active,
            sort_order: request.sort_order,
            regions: request.regions,
        }
    }
}
