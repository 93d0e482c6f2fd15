//! What the providers have, as they tell it now: not what is on sale, which is the public catalog.

use std::{sync::Arc, time::Duration};

use adapters::providers::{CloudProvider, ProviderError};
use axum::{Json, extract::State};
use domain::rate_limit::Caller;
use futures::{FutureExt, future::BoxFuture};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::InternalKey,
    extract::Params,
    problem::{Code, Problem},
    provider_reads::{self, Question},
};

/// How long a provider's answer is fresh.
const FRESH_FOR: Duration = Duration::from_secs(60);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_regions))
        .routes(routes!(list_sizes))
        .routes(routes!(list_images))
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
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct InternalRegion {
    #[schema(example = "digitalocean")]
    provider: String,
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
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct InternalSize {
    #[schema(example = "digitalocean")]
    provider: String,
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
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct InternalImage {
    #[schema(example = "digitalocean")]
    provider: String,
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
        (status = 503, description = "`provider_busy`, `provider_unavailable`: it does not answer; `unavailable` or `timeout`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_regions(
    key: InternalKey,
    State(state): State<AppState>,
    Params(filter): Params<ProviderFilter>,
) -> Result<Json<Listing<InternalRegion>>, Problem> {
    let list = |provider: Arc<dyn CloudProvider>| {
        async move {
            let found = provider.list_regions().await?.into_iter();
            Ok::<Vec<_>, ProviderError>(
                found
                    .map(|region| InternalRegion {
                        provider: provider.slug().to_owned(),
                        slug: region.slug,
                        name: region.name,
                        country: region.country,
                        available: region.available,
                    })
                    .collect(),
            )
        }
        .boxed()
    };
    Ok(Json(collect(&state, &filter, Caller::Display(key.id.into()), "regions", list).await?))
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
        (status = 503, description = "`provider_busy`, `provider_unavailable`: it does not answer; `unavailable` or `timeout`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_sizes(
    key: InternalKey,
    State(state): State<AppState>,
    Params(filter): Params<ProviderFilter>,
) -> Result<Json<Listing<InternalSize>>, Problem> {
    let list = |provider: Arc<dyn CloudProvider>| {
        async move {
            let found = provider.list_sizes().await?.into_iter();
            Ok::<Vec<_>, ProviderError>(
                found
                    .map(|size| InternalSize {
                        provider: provider.slug().to_owned(),
                        slug: size.slug,
                        vcpu: size.vcpu,
                        memory_mb: size.memory_mb,
                        disk_gb: size.disk_gb,
                        transfer_gb: size.transfer_gb,
                        price_monthly_usd: size.price_monthly_usd.to_string(),
                        regions: size.regions,
                        available: size.available,
                    })
                    .collect(),
            )
        }
        .boxed()
    };
    Ok(Json(collect(&state, &filter, Caller::Display(key.id.into()), "sizes", list).await?))
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
        (status = 503, description = "`provider_busy`, `provider_unavailable`: it does not answer; `unavailable` or `timeout`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_images(
    key: InternalKey,
    State(state): State<AppState>,
    Params(filter): Params<ProviderFilter>,
) -> Result<Json<Listing<InternalImage>>, Problem> {
    let list = |provider: Arc<dyn CloudProvider>| {
        async move {
            let found = provider.list_images().await?.into_iter();
            Ok::<Vec<_>, ProviderError>(
                found
                    .map(|image| InternalImage {
                        provider: provider.slug().to_owned(),
                        slug: image.slug,
                        name: image.name,
                        distribution: image.distribution,
                        available: image.available,
                    })
                    .collect(),
            )
        }
        .boxed()
    };
    Ok(Json(collect(&state, &filter, Caller::Display(key.id.into()), "images", list).await?))
}

/// What a list of a provider is asked by.
type Ask<T> = BoxFuture<'static, Result<Vec<T>, ProviderError>>;

/// What the one provider has that is named, or all have that are switched on; of all, some may fail.
async fn collect<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
    state: &AppState,
    filter: &ProviderFilter,
    caller: Caller,
    kind: &str,
    list: impl Fn(Arc<dyn CloudProvider>) -> Ask<T> + Send + Sync,
) -> Result<Listing<T>, Problem> {
    let providers = match &filter.provider {
        Some(slug) => vec![named(state, slug, caller).await?],
        None => switched_on(state, caller).await?,
    };
    let mut listing = Listing { data: Vec::new(), unavailable: Vec::new() };
    for provider in providers {
        let slug = provider.slug();
        let question = Question::of_provider(slug, kind, FRESH_FOR);
        match provider_reads::read(&state.store, question, || list(provider)).await {
            Ok(told) => listing.data.extend(told.value),
            Err(problem) if filter.provider.is_some() => return Err(problem),
            Err(_) => listing.unavailable.push(slug),
        }
    }
    Ok(listing)
}

async fn named(state: &AppState, slug: &str, caller: Caller) -> Result<Arc<dyn CloudProvider>, Problem> {
    state.store.provider_exists(slug).await.map_err(|error| match error {
        store::StoreError::NotFound(_) => {
            Problem::new(Code::UnknownProvider, format!("there is no provider `{slug}`"))
        }
        error => error.into(),
    })?;
    if !is_active(state, slug).await? {
        let detail = format!("{slug} is switched off");
        return Err(Problem::new(Code::ProviderDisabled, detail));
    }
    Ok(state.providers.get(slug, caller)?)
}

async fn switched_on(state: &AppState, caller: Caller) -> Result<Vec<Arc<dyn CloudProvider>>, Problem> {
    let mut providers = Vec::new();
    for slug in state.providers.slugs() {
        if is_active(state, slug).await? {
            providers.push(state.providers.get(slug, caller)?);
        }
    }
    Ok(providers)
}

async fn is_active(state: &AppState, slug: &str) -> Result<bool, Problem> {
    Ok(!state.store.providers(&state.configured(), Some(slug)).await?.is_empty())
}
