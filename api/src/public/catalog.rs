//! What is sold, for everybody: providers, plans, regions, images. Answers carry an ETag and may be kept.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use domain::{
    Rupiah,
    ids::{PlanId, ProviderId},
    money::CURRENCY,
    pricing::{PriceInput, quote},
    tax::TaxRule,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::cached::cached;
use crate::{AppState, extract::Params, problem::Problem};

/// Routes under `/providers`, `/plans`, `/regions` and `/images`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(providers))
        .routes(routes!(provider))
        .routes(routes!(plans))
        .routes(routes!(plan))
        .routes(routes!(regions))
        .routes(routes!(region))
        .routes(routes!(images))
        .routes(routes!(image))
}

/// Whose catalog is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProviderFilter {
    /// Only what this provider (slug) has.
    #[param(example = "digitalocean")]
    provider: Option<String>,
}

/// A whole list; catalogs are short.
#[derive(Debug, Serialize, ToSchema)]
struct Listing<T> {
    data: Vec<T>,
}

/// A cloud we resell.
#[derive(Debug, Serialize, ToSchema)]
struct Provider {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: ProviderId,
    #[schema(example = "digitalocean")]
    slug: String,
    #[schema(example = "DigitalOcean")]
    name: String,
    /// What its servers can do.
    #[schema(example = json!(["power_on", "reboot", "snapshot"]))]
    capabilities: Vec<String>,
    /// How many plans are on sale there.
    #[schema(example = 8)]
    plan_count: i64,
}

/// A plan's provider.
#[derive(Debug, Serialize, ToSchema)]
struct PlanProvider {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: ProviderId,
    #[schema(example = "digitalocean")]
    slug: String,
    #[schema(example = "DigitalOcean")]
    name: String,
}

/// A size on sale.
#[derive(Debug, Serialize, ToSchema)]
struct Plan {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: PlanId,
    #[schema(example = "do-basic-1gb")]
    slug: String,
    #[schema(example = "Basic 1 GB")]
    name: String,
    provider: PlanProvider,
    /// The same as `provider.id`.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    provider_id: ProviderId,
    /// What the provider calls the size.
    #[schema(example = "s-1vcpu-1gb")]
    provider_slug: String,
    #[schema(example = 1)]
    vcpu: i32,
    /// MiB.
    #[schema(example = 1024)]
    memory_mb: i32,
    /// GiB.
    #[schema(example = 25)]
    disk_gb: i32,
    /// GB a month, outgoing.
    #[schema(example = 1000)]
    bandwidth_gb: i32,
    /// Whole rupiah a month, before PPN.
    #[schema(example = 129_000)]
    price_monthly: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// The last snapshot of a server is included: taken before it is deleted, and kept for so many days. Null: none is taken.
    #[schema(example = 14)]
    final_snapshot_days: Option<i32>,
    /// Slugs of the regions that offer it, nearest to Indonesia first.
    #[schema(example = json!(["sgp1", "syd1"]))]
    regions: Vec<String>,
    /// How long it can be bought for.
    terms: Vec<Term>,
}

/// A length of time on offer.
#[derive(Debug, Serialize, ToSchema)]
struct Term {
    #[schema(example = 12)]
    months: u32,
    /// Discount in hundredths of a percent.
    #[schema(example = 1500)]
    discount_bp: u32,
    /// Whole rupiah for the whole term, after the discount and before PPN.
    #[schema(example = 1_315_800)]
    price: Rupiah,
}

/// A place servers stand.
#[derive(Debug, Serialize, ToSchema)]
struct Region {
    /// Its name in orders.
    #[schema(example = "sgp1")]
    slug: String,
    #[schema(example = "Singapore")]
    name: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "SG")]
    country: String,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
}

/// An operating system.
#[derive(Debug, Serialize, ToSchema)]
struct Image {
    /// Its name in orders.
    #[schema(example = "ubuntu-24-04")]
    slug: String,
    #[schema(example = "Ubuntu 24.04 LTS")]
    name: String,
    #[schema(example = "ubuntu")]
    distribution: String,
    #[schema(example = "24.04")]
    version: String,
    /// Slugs of the providers that have it.
    #[schema(example = json!(["digitalocean"]))]
    providers: Vec<String>,
}

/// List the providers on sale.
#[utoipa::path(
    get, path = "/providers", tag = "catalog", operation_id = "list_providers",
    responses(
        (status = 200, description = "Providers in alphabetical order.", body = Listing<Provider>,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
    )
)]
async fn providers(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let rows = state.store.providers(&state.configured(), None).await?;
    cached(&headers, &Listing { data: rows.into_iter().map(|row| Provider::new(row, &state)).collect() })
}

/// Read one provider.
#[utoipa::path(
    get, path = "/providers/{slug}", tag = "catalog", operation_id = "get_provider",
    params(("slug" = String, Path, description = "The provider's slug.", example = "digitalocean")),
    responses(
        (status = 200, description = "The provider.", body = Provider,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
        (status = 404, description = "`not_found`: no provider of that slug is on sale.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn provider(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let mut rows = state.store.providers(&state.configured(), Some(&slug)).await?;
    let row = rows.pop().ok_or_else(|| Problem::not_found("provider"))?;
    cached(&headers, &Provider::new(row, &state))
}

/// List the plans on sale, by provider and size.
#[utoipa::path(
    get, path = "/plans", tag = "catalog", operation_id = "list_plans", params(ProviderFilter),
    responses(
        (status = 200, description = "Plans with their provider, regions and terms.", body = Listing<Plan>,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
    )
)]
async fn plans(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(filter): Params<ProviderFilter>,
) -> Result<Response, Problem> {
    let rows = state.store.plans(&state.configured(), filter.provider.as_deref(), None).await?;
    let terms = state.store.terms().await?;
    let data: Result<Vec<Plan>, Problem> = rows.into_iter().map(|row| Plan::new(row, &terms)).collect();
    cached(&headers, &Listing { data: data? })
}

/// Read one plan.
#[utoipa::path(
    get, path = "/plans/{slug}", tag = "catalog", operation_id = "get_plan",
    params(("slug" = String, Path, description = "The plan's slug.", example = "do-basic-1gb")),
    responses(
        (status = 200, description = "The plan.", body = Plan,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
        (status = 404, description = "`not_found`: no plan of that slug is on sale.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn plan(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let mut rows = state.store.plans(&state.configured(), None, Some(&slug)).await?;
    let row = rows.pop().ok_or_else(|| Problem::not_found("plan"))?;
    cached(&headers, &Plan::new(row, &state.store.terms().await?)?)
}

/// List the regions, nearest to Indonesia first.
#[utoipa::path(
    get, path = "/regions", tag = "catalog", operation_id = "list_regions", params(ProviderFilter),
    responses(
        (status = 200, description = "Regions with their provider.", body = Listing<Region>,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
    )
)]
async fn regions(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(filter): Params<ProviderFilter>,
) -> Result<Response, Problem> {
    let rows = state.store.regions(&state.configured(), filter.provider.as_deref(), None).await?;
    cached(&headers, &Listing { data: rows.into_iter().map(Region::from).collect() })
}

/// Read one region.
#[utoipa::path(
    get, path = "/regions/{slug}", tag = "catalog", operation_id = "get_region",
    params(("slug" = String, Path, description = "The region's slug.", example = "sgp1")),
    responses(
        (status = 200, description = "The region.", body = Region,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
        (status = 404, description = "`not_found`: no region of that slug is on offer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn region(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let row = state.store.regions(&state.configured(), None, Some(&slug)).await?.pop();
    cached(&headers, &Region::from(row.ok_or_else(|| Problem::not_found("region"))?))
}

/// List the operating systems.
#[utoipa::path(
    get, path = "/images", tag = "catalog", operation_id = "list_images", params(ProviderFilter),
    responses(
        (status = 200, description = "Images with the providers that have them.", body = Listing<Image>,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
    )
)]
async fn images(
    State(state): State<AppState>,
    headers: HeaderMap,
    Params(filter): Params<ProviderFilter>,
) -> Result<Response, Problem> {
    let rows = state.store.images(&state.configured(), filter.provider.as_deref(), None).await?;
    cached(&headers, &Listing { data: rows.into_iter().map(Image::from).collect() })
}

/// Read one operating system.
#[utoipa::path(
    get, path = "/images/{slug}", tag = "catalog", operation_id = "get_image",
    params(("slug" = String, Path, description = "The image's slug.", example = "ubuntu-24-04")),
    responses(
        (status = 200, description = "The image.", body = Image,
         headers(("ETag" = String, description = "Names this answer; give it as `If-None-Match`."))),
        (status = 304, description = "Unchanged since the answer that `If-None-Match` names."),
        (status = 404, description = "`not_found`: no image of that slug is on offer.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn image(
    State(state): State<AppState>,
    headers: HeaderMap,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let row = state.store.images(&state.configured(), None, Some(&slug)).await?.pop();
    cached(&headers, &Image::from(row.ok_or_else(|| Problem::not_found("image"))?))
}

impl Provider {
    /// What its servers can do is what its adapter says; the database's word is as old as the last sync.
    fn new(row: store::catalog::Provider, state: &AppState) -> Self {
        let capabilities = match state.providers.capabilities(&row.slug) {
            Ok(capabilities) => capabilities.iter().map(ToString::to_string).collect(),
            Err(_) => row.capabilities,
        };
        Self { id: row.id, slug: row.slug, name: row.name, capabilities, plan_count: row.plan_count }
    }
}

impl Plan {
    fn new(row: store::catalog::Plan, terms: &[store::catalog::Term]) -> Result<Self, Problem> {
        let terms: Result<Vec<Term>, Problem> =
            terms.iter().map(|term| Term::new(*term, &row.name, row.price_monthly)).collect();
        Ok(Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            provider: PlanProvider { id: row.provider_id, slug: row.provider, name: row.provider_name },
            provider_id: row.provider_id,
            provider_slug: row.provider_slug,
            vcpu: row.vcpu,
            memory_mb: row.memory_mb,
            disk_gb: row.disk_gb,
            bandwidth_gb: row.bandwidth_gb,
            price_monthly: row.price_monthly,
            final_snapshot_days: row.final_snapshot_days,
            currency: CURRENCY,
            regions: row.regions,
            terms: terms?,
        })
    }
}

impl Term {
    /// Priced by the same rule as an order, so that the list and the bill agree to the rupiah.
    fn new(term: store::catalog::Term, plan_name: &str, price_monthly: Rupiah) -> Result<Self, Problem> {
        let priced = quote(&PriceInput {
            plan_name: plan_name.to_owned(),
            renewed: None,
            price_monthly,
            term_months: term.months,
            term_discount: term.discount_bp,
            promo: None,
            tax: TaxRule::NONE,
        })
        .map_err(|error| Problem::internal(&error))?;
        Ok(Self { months: term.months, discount_bp: term.discount_bp, price: priced.total })
    }
}

impl From<store::catalog::Region> for Region {
    fn from(row: store::catalog::Region) -> Self {
        Self { slug: row.slug, name: row.name, country: row.country, provider: row.provider }
    }
}

impl From<store::catalog::Image> for Image {
    fn from(row: store::catalog::Image) -> Self {
        Self {
            slug: row.slug,
            name: row.name,
            distribution: row.distribution,
            version: row.version,
            providers: row.providers,
        }
    }
}
