//! What the providers have, as they tell it now: not what is on sale, which is the public catalog.

use std::{sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, ProviderError, ProviderImage, ProviderRegion, ProviderSize};
use axum::{Extension, Json, extract::State, http::StatusCode};
use futures::{FutureExt, future::BoxFuture};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState, at_provider,
    auth::{InternalKey, right},
    extract::Params,
    problem::Problem,
    recent::Recent,
};

/// How long a provider's answer is kept.
const KEPT: Duration = Duration::from_secs(60);

type Lists<T> = Arc<Recent<&'static str, Arc<Vec<T>>>>;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    let regions: Lists<ProviderRegion> = Arc::new(Recent::new(KEPT));
    let sizes: Lists<ProviderSize> = Arc::new(Recent::new(KEPT));
    let images: Lists<ProviderImage> = Arc::new(Recent::new(KEPT));
    OpenApiRouter::new()
        .routes(routes!(list_regions))
        .routes(routes!(list_sizes))
        .routes(routes!(list_images))
        .layer(Extension(regions))
        .layer(Extension(sizes))
        .layer(Extension(images))
}

/// Whose.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ProviderFilter {
    /// Only this provider's (slug); all that are switched on without it.
    #[param(example = "digitalocean")]
    provider: Option<String>,
}

/// What the providers have.
#[derive(Debug, Serialize, ToSchema)]
struct Listing<T> {
    data: Vec<T>,
    /// Providers (slugs) that did not answer; only without `provider`.
    unavailable: Vec<&'static str>,
}

/// A place where servers can be made.
#[derive(Debug, Serialize, ToSchema)]
struct InternalRegion {
    #[schema(example = "digitalocean")]
    provider: &'static str,
    /// The provider's slug.
    #[schema(example = "sgp1")]
    slug: String,
    #[schema(example = "Singapore 1")]
    name: String,
    /// ISO 3166-1 alpha-2, where the provider tells it.
    #[schema(example = "SG")]
    country: Option<String>,
    /// Whether servers can be made there now.
    available: bool,
}

/// A size of server.
#[derive(Debug, Serialize, ToSchema)]
struct InternalSize {
    #[schema(example = "digitalocean")]
    provider: &'static str,
    /// The provider's slug.
    #[schema(example = "s-1vcpu-1gb")]
    slug: String,
    #[schema(example = 1)]
    vcpu: u32,
    /// MiB.
    #[schema(example = 1024)]
    memory_mb: u32,
    /// GiB.
    #[schema(example = 25)]
    disk_gb: u32,
    /// GB a month included.
    #[schema(example = 1000)]
    transfer_gb: u32,
    /// US dollars.
    #[schema(example = "6.00")]
    price_monthly_usd: String,
    /// The provider's slugs of the regions that have it; empty when it does not tell.
    #[schema(example = json!(["sgp1"]))]
    regions: Vec<String>,
    /// Whether it can be had at all now.
    available: bool,
}

/// An operating system.
#[derive(Debug, Serialize, ToSchema)]
struct InternalImage {
    #[schema(example = "digitalocean")]
    provider: &'static str,
    /// The provider's slug or id.
    #[schema(example = "ubuntu-24-04-x64")]
    slug: String,
    #[schema(example = "24.04 (LTS) x64")]
    name: String,
    #[schema(example = "Ubuntu")]
    distribution: String,
    /// Whether servers can be made from it now.
    available: bool,
}

/// List where the providers can make servers. Kept for a minute.
#[utoipa::path(
    get, path = "/internal/regions", tag = "internal", operation_id = "internal_list_regions",
    security(("api_key" = ["catalog:read"])), params(ProviderFilter),
    responses(
        (status = 200, description = "By provider.", body = Listing<InternalRegion>),
        (status = 404, description = "`unknown_provider`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`provider_disabled`: it is switched off, or not set up here.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`: it does not answer; `unavailable` or `timeout`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_regions(
    _key: InternalKey<right::CatalogRead>,
    State(state): State<AppState>,
    Extension(recent): Extension<Lists<ProviderRegion>>,
    Params(filter): Params<ProviderFilter>,
) -> Result<Json<Listing<InternalRegion>>, Problem> {
    let lists =
        collect(&state, &filter, &recent, |provider| async move { provider.list_regions().await }.boxed())
            .await?;
    Ok(Json(lists.entries(|provider, region| InternalRegion {
        provider,
        slug: region.slug.clone(),
        name: region.name.clone(),
        country: region.country.clone(),
        available: region.available,
    })))
}

/// List the sizes the providers have, with their list prices. Kept for a minute.
#[utoipa::path(
    get, path = "/internal/sizes", tag = "internal", operation_id = "internal_list_sizes",
    security(("api_key" = ["catalog:read"])), params(ProviderFilter),
    responses(
        (status = 200, description = "By provider.", body = Listing<InternalSize>),
        (status = 404, description = "`unknown_provider`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`provider_disabled`: it is switched off, or not set up here.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`: it does not answer; `unavailable` or `timeout`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_sizes(
    _key: InternalKey<right::CatalogRead>,
    State(state): State<AppState>,
    Extension(recent): Extension<Lists<ProviderSize>>,
    Params(filter): Params<ProviderFilter>,
) -> Result<Json<Listing<InternalSize>>, Problem> {
    let lists =
        collect(&state, &filter, &recent, |provider| async move { provider.list_sizes().await }.boxed())
            .await?;
    Ok(Json(lists.entries(|provider, size| InternalSize {
        provider,
        slug: size.slug.clone(),
        vcpu: size.vcpu,
        memory_mb: size.memory_mb,
        disk_gb: size.disk_gb,
        transfer_gb: size.transfer_gb,
        price_monthly_usd: size.price_monthly_usd.to_string(),
        regions: size.regions.clone(),
        available: size.available,
    })))
}

/// List the operating systems the providers have. Kept for a minute.
#[utoipa::path(
    get, path = "/internal/images", tag = "internal", operation_id = "internal_list_images",
    security(("api_key" = ["catalog:read"])), params(ProviderFilter),
    responses(
        (status = 200, description = "By provider.", body = Listing<InternalImage>),
        (status = 404, description = "`unknown_provider`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`provider_disabled`: it is switched off, or not set up here.", body = Problem,
         content_type = "application/problem+json"),
        (status = 503, description = "`provider_unavailable`: it does not answer; `unavailable` or `timeout`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_images(
    _key: InternalKey<right::CatalogRead>,
    State(state): State<AppState>,
    Extension(recent): Extension<Lists<ProviderImage>>,
    Params(filter): Params<ProviderFilter>,
) -> Result<Json<Listing<InternalImage>>, Problem> {
    let lists =
        collect(&state, &filter, &recent, |provider| async move { provider.list_images().await }.boxed())
            .await?;
    Ok(Json(lists.entries(|provider, image| InternalImage {
        provider,
        slug: image.slug.clone(),
        name: image.name.clone(),
        distribution: image.distribution.clone(),
        available: image.available,
    })))
}

/// What each provider answered.
struct Collected<T> {
    lists: Vec<(&'static str, Arc<Vec<T>>)>,
    unavailable: Vec<&'static str>,
}

impl<T> Collected<T> {
    fn entries<E>(self, entry: impl Fn(&'static str, &T) -> E) -> Listing<E> {
        let entry = &entry;
        let entries = self.lists.iter().flat_map(|(slug, list)| list.iter().map(move |one| entry(slug, one)));
        Listing { data: entries.collect(), unavailable: self.unavailable }
    }
}

/// Asks the one provider that is named, or all that are switched on; of all, some may fail.
async fn collect<T>(
    state: &AppState,
    filter: &ProviderFilter,
    recent: &Recent<&'static str, Arc<Vec<T>>>,
    list: impl Fn(Arc<dyn CloudProvider>) -> BoxFuture<'static, Result<Vec<T>, ProviderError>>,
) -> Result<Collected<T>, Problem> {
    let providers = match &filter.provider {
        Some(slug) => vec![named(state, slug).await?],
        None => switched_on(state).await?,
    };
    let mut collected = Collected { lists: Vec::new(), unavailable: Vec::new() };
    for provider in providers {
        let slug = provider.slug();
        let answer =
            recent.get(slug, async { at_provider::answer(list(provider)).await.map(Arc::new) }).await;
        match answer {
            Ok(answer) => collected.lists.push((slug, answer)),
            Err(problem) if filter.provider.is_some() => return Err(problem),
            Err(_) => collected.unavailable.push(slug),
        }
    }
    Ok(collected)
}

async fn named(state: &AppState, slug: &str) -> Result<Arc<dyn CloudProvider>, Problem> {
    state.store.provider_exists(slug).await.map_err(|error| match error {
        store::StoreError::NotFound(_) => {
            Problem::new(StatusCode::NOT_FOUND, "unknown_provider", format!("there is no provider `{slug}`"))
        }
        error => error.into(),
    })?;
    if !is_active(state, slug).await? {
        let detail = format!("{slug} is switched off");
        return Err(Problem::new(StatusCode::CONFLICT, "provider_disabled", detail));
    }
    Ok(state.providers.for_customers(slug)?)
}

async fn switched_on(state: &AppState) -> Result<Vec<Arc<dyn CloudProvider>>, Problem> {
    let mut providers = Vec::new();
    for slug in state.providers.slugs() {
        if is_active(state, slug).await? {
            providers.push(state.providers.for_customers(slug)?);
        }
    }
    Ok(providers)
}

async fn is_active(state: &AppState, slug: &str) -> Result<bool, Problem> {
    Ok(!state.store.providers(&state.set_up(), Some(slug)).await?.is_empty())
}
