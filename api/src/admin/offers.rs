//! Regions, images and terms, also those that are not on offer. The lists are short, and are given whole.

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    catalog::{ChangeOffer, ChangeTerm, ImageDetail, ImageSource, RegionDetail, TermDetail},
    versions::Thing,
};
use utoipa::{IntoParams, ToSchema};

use super::order_commands::not_blank;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Params, Seen, Versioned},
    problem::Problem,
};

/// Which regions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RegionQuery {
    /// Only regions of this provider (slug).
    #[param(example = "vultr")]
    provider: Option<String>,
}

/// A region with what staff want to know about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRegion {
    #[schema(example = "sgp1")]
    slug: String,
    #[schema(example = "Singapore")]
    name: String,
    /// ISO 3166-1 alpha-2 code.
    #[schema(example = "SG")]
    country: String,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    /// What the provider calls it.
    #[schema(example = "sgp1")]
    provider_slug: String,
    /// Whether it is on offer.
    is_active: bool,
    /// Where it stands in lists: the least first.
    #[schema(example = 10)]
    sort_order: i32,
    /// Plans that are sold in it.
    #[schema(example = 8)]
    plan_count: i64,
    /// Those of them that the provider lacks there at present.
    #[schema(example = 0)]
    unavailable_plan_count: i64,
    /// Servers there that are not terminated.
    #[schema(example = 42)]
    server_count: i64,
}

/// All regions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminRegions {
    /// Nearest to Indonesia first.
    data: Vec<AdminRegion>,
}

/// An image at a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminImageSource {
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    /// What the provider calls it.
    #[schema(example = "ubuntu-24-04-x64")]
    provider_slug: String,
    /// Since when the provider lacks it; it is not sold there then.
    unavailable_since: Option<DateTime<Utc>>,
    /// Why.
    unavailable_reason: Option<String>,
}

/// An image with what staff want to know about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminImage {
    #[schema(example = "ubuntu-24-04")]
    slug: String,
    #[schema(example = "Ubuntu 24.04 LTS")]
    name: String,
    #[schema(example = "ubuntu")]
    distribution: String,
    #[schema(example = "24.04")]
    version: String,
    /// Whether it is on offer.
    is_active: bool,
    /// Where it stands in lists: the least first.
    #[schema(example = 10)]
    sort_order: i32,
    /// Where it is to be had.
    sources: Vec<AdminImageSource>,
}

/// All images.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminImages {
    data: Vec<AdminImage>,
}

/// How many months can be bought at once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminTerm {
    #[schema(example = 12)]
    months: i32,
    /// What is taken off the price, in hundredths of a percent.
    #[schema(example = 1500)]
    discount_bp: i32,
    /// Whether it is on offer.
    is_active: bool,
}

/// All terms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminTerms {
    /// The shortest first.
    data: Vec<AdminTerm>,
}

/// What to change about a region or an image. What is left out stays.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChangeOfferRequest {
    /// Its name for people: 1 to 100 characters.
    #[garde(inner(length(chars, min = 1, max = 100), custom(not_blank)))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Whether it is to be on offer.
    #[garde(skip)]
    is_active: Option<bool>,
    /// Where it stands in lists: the least first.
    #[garde(inner(range(min = 0, max = 100_000)))]
    #[schema(minimum = 0, maximum = 100_000)]
    sort_order: Option<i32>,
}

/// What to change about a term. What is left out stays.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChangeTermRequest {
    /// What is taken off the price, in hundredths of a percent: 0 to 9000, since nothing is sold for nothing.
    #[garde(inner(range(min = 0, max = 9_000)))]
    #[schema(minimum = 0, maximum = 9_000, example = 1500)]
    discount_bp: Option<i32>,
    /// Whether it is to be on offer.
    #[garde(skip)]
    is_active: Option<bool>,
}

/// List all regions, also those that are not on offer.
#[utoipa::path(
    get, path = "/admin/regions", tag = "admin", operation_id = "admin_list_regions", security(("bearer" = [])),
    params(RegionQuery),
    responses((status = 200, description = "Regions, nearest first.", body = AdminRegions))
)]
pub(super) async fn regions(
    _: Staff,
    State(state): State<AppState>,
    Params(query): Params<RegionQuery>,
) -> Result<Json<AdminRegions>, Problem> {
    let rows = state.store.regions_for_staff(query.provider.as_deref(), None).await?;
    Ok(Json(AdminRegions { data: rows.into_iter().map(AdminRegion::from).collect() }))
}

/// Read a region, also one that is not on offer.
#[utoipa::path(
    get, path = "/admin/regions/{slug}", tag = "admin", operation_id = "admin_get_region", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The region's slug.", example = "sgp1")),
    responses((status = 200, description = "The region.", body = AdminRegion))
)]
pub(super) async fn region(
    _: Staff,
    State(state): State<AppState>,
    Path(slug): Path<String>,
) -> Result<Versioned<AdminRegion>, Problem> {
    let version = state.store.version(Thing::Region(&slug)).await?;
    let found = state.store.regions_for_staff(None, Some(&slug)).await?.pop();
    Ok(Versioned { version, body: found.ok_or_else(|| Problem::not_found("region"))?.into() })
}

/// Put a region on offer or take it off, or have it called otherwise. Its servers go on.
#[utoipa::path(
    patch, path = "/admin/regions/{slug}", tag = "admin", operation_id = "admin_change_region",
    security(("bearer" = [])),
    params(("slug" = String, Path, description = "The region's slug.", example = "sgp1")),
    request_body(content = ChangeOfferRequest, example = json!({ "is_active": false })),
    responses((status = 200, description = "The region as it is now.", body = AdminRegion))
)]
pub(super) async fn change_region(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Seen(condition): Seen,
    Body(request): Body<ChangeOfferRequest>,
) -> Result<Json<AdminRegion>, Problem> {
    let origin = client.origin(admin.actor());
    let region = state.store.change_region(&slug, &request.into(), &condition, &origin).await?;
    tracing::info!(
        event = "region.changed",
        region = region.slug,
        is_active = region.is_active,
        "region changed"
    );
    Ok(Json(region.into()))
}

/// List all images, also those that are not on offer.
#[utoipa::path(
    get, path = "/admin/images", tag = "admin", operation_id = "admin_list_images", security(("bearer" = [])),
    responses((status = 200, description = "Images with where they are to be had.", body = AdminImages))
)]
pub(super) async fn images(_: Staff, State(state): State<AppState>) -> Result<Json<AdminImages>, Problem> {
    let rows = state.store.images_for_staff(None).await?;
    Ok(Json(AdminImages { data: rows.into_iter().map(AdminImage::from).collect() }))
}

/// Read an image, also one that is not on offer.
#[utoipa::path(
    get, path = "/admin/images/{slug}", tag = "admin", operation_id = "admin_get_image", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The image's slug.", example = "ubuntu-24-04")),
    responses((status = 200, description = "The image.", body = AdminImage))
)]
pub(super) async fn image(
    _: Staff,
    State(state): State<AppState>,
    Path(slug): Path<String>,
) -> Result<Versioned<AdminImage>, Problem> {
    let version = state.store.version(Thing::Image(&slug)).await?;
    let found = state.store.images_for_staff(Some(&slug)).await?.pop();
    Ok(Versioned { version, body: found.ok_or_else(|| Problem::not_found("image"))?.into() })
}

/// Put an image on offer or take it off, or have it called otherwise. Servers that were made from it go on.
#[utoipa::path(
    patch, path = "/admin/images/{slug}", tag = "admin", operation_id = "admin_change_image",
    security(("bearer" = [])),
    params(("slug" = String, Path, description = "The image's slug.", example = "ubuntu-24-04")),
    request_body(content = ChangeOfferRequest, example = json!({ "name": "Ubuntu 24.04 LTS" })),
    responses((status = 200, description = "The image as it is now.", body = AdminImage))
)]
pub(super) async fn change_image(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Seen(condition): Seen,
    Body(request): Body<ChangeOfferRequest>,
) -> Result<Json<AdminImage>, Problem> {
    let origin = client.origin(admin.actor());
    let image = state.store.change_image(&slug, &request.into(), &condition, &origin).await?;
    tracing::info!(event = "image.changed", image = image.slug, is_active = image.is_active, "image changed");
    Ok(Json(image.into()))
}

/// List all terms, also those that are not on offer.
#[utoipa::path(
    get, path = "/admin/terms", tag = "admin", operation_id = "admin_list_terms", security(("bearer" = [])),
    responses((status = 200, description = "Terms, the shortest first.", body = AdminTerms))
)]
pub(super) async fn terms(_: Staff, State(state): State<AppState>) -> Result<Json<AdminTerms>, Problem> {
    let rows = state.store.terms_for_staff().await?;
    Ok(Json(AdminTerms { data: rows.into_iter().map(AdminTerm::from).collect() }))
}

/// Read a term, also one that is not on offer.
#[utoipa::path(
    get, path = "/admin/terms/{months}", tag = "admin", operation_id = "admin_get_term", security(("bearer" = [])),
    params(("months" = i32, Path, description = "How many months the term has.", example = 12)),
    responses((status = 200, description = "The term.", body = AdminTerm))
)]
pub(super) async fn term(
    _: Staff,
    State(state): State<AppState>,
    Path(months): Path<String>,
) -> Result<Versioned<AdminTerm>, Problem> {
    let months = months_of(&months)?;
    let version = state.store.version(Thing::Term(months)).await?;
    let found = state.store.terms_for_staff().await?.into_iter().find(|term| term.months == months);
    Ok(Versioned { version, body: found.ok_or_else(|| Problem::not_found("term"))?.into() })
}

/// Change a term's discount, put it on offer or take it off. Terms that were bought stay as they are; further ones cost what is
/// said here.
#[utoipa::path(
    patch, path = "/admin/terms/{months}", tag = "admin", operation_id = "admin_change_term",
    security(("bearer" = [])),
    params(("months" = i32, Path, description = "How many months the term has.", example = 12)),
    request_body(content = ChangeTermRequest, example = json!({ "discount_bp": 1500 })),
    responses((status = 200, description = "The term as it is now.", body = AdminTerm))
)]
pub(super) async fn change_term(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Path(months): Path<String>,
    Seen(condition): Seen,
    Body(request): Body<ChangeTermRequest>,
) -> Result<Json<AdminTerm>, Problem> {
    let months = months_of(&months)?;
    let change = ChangeTerm { discount_bp: request.discount_bp, is_active: request.is_active };
    let origin = client.origin(admin.actor());
    let term = state.store.change_term(months, &change, &condition, &origin).await?;
    tracing::info!(event = "term.changed", months, is_active = term.is_active, "term changed");
    Ok(Json(term.into()))
}

fn months_of(text: &str) -> Result<i32, Problem> {
    text.parse().map_err(|_| Problem::not_found("term"))
}

impl From<ChangeOfferRequest> for ChangeOffer {
    fn from(request: ChangeOfferRequest) -> Self {
        let ChangeOfferRequest { name, is_active, sort_order } = request;
        Self { name: name.map(|name| name.trim().to_owned()), is_active, sort_order }
    }
}

impl From<RegionDetail> for AdminRegion {
    fn from(region: RegionDetail) -> Self {
        Self {
            slug: region.slug,
            name: region.name,
            country: region.country,
            provider: region.provider,
            provider_slug: region.provider_slug,
            is_active: region.is_active,
            sort_order: region.sort_order,
            plan_count: region.plan_count,
            unavailable_plan_count: region.unavailable_plan_count,
            server_count: region.server_count,
        }
    }
}

impl From<ImageDetail> for AdminImage {
    fn from(image: ImageDetail) -> Self {
        Self {
            slug: image.slug,
            name: image.name,
            distribution: image.distribution,
            version: image.version,
            is_active: image.is_active,
            sort_order: image.sort_order,
            sources: image.sources.into_iter().map(AdminImageSource::from).collect(),
        }
    }
}

impl From<ImageSource> for AdminImageSource {
    fn from(source: ImageSource) -> Self {
        let ImageSource { provider, provider_slug, unavailable_since, unavailable_reason } = source;
        Self { provider, provider_slug, unavailable_since, unavailable_reason }
    }
}

impl From<TermDetail> for AdminTerm {
    fn from(term: TermDetail) -> Self {
        Self { months: term.months, discount_bp: term.discount_bp, is_active: term.is_active }
    }
}
