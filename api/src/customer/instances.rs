//! A customer's servers.

use axum::extract::State;
use domain::{
    ids::InstanceId,
    instance::InstanceStatus,
    sorting::OwnInstanceSort,
    tag::{InvalidTags, MOST_TAGS, Tags},
};
use garde::Validate;
use serde::Deserialize;
use store::{instances::OwnInstanceFilter, versions::Thing};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::Instance,
    extract::{Body, Id, Moment, Paged, Params, Seen, SortedPaging, Versioned},
    problem::{Code, Problem},
};

mod actions;
mod cancel;
mod renewals;
mod reports;
mod resizes;

/// Routes under `/instances`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(set_tags))
        .merge(actions::routes())
        .merge(reports::routes())
        .merge(renewals::routes())
        .merge(cancel::routes())
        .merge(resizes::routes())
}

/// Which servers are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InstanceQuery {
    /// Only servers in this status.
    status: Option<InstanceStatus>,
    /// Only servers of this plan (slug).
    #[param(max_length = 50, example = "do-basic-1gb")]
    plan: Option<String>,
    /// Only the server of this display name; if several have it, all of them.
    #[param(max_length = 255, example = "web-1")]
    name: Option<String>,
    /// Only servers that have this tag.
    #[param(pattern = "^[a-z0-9:_-]{1,64}$", example = "env:prod")]
    tag: Option<String>,
    /// Only servers with this in their host name or display name, in any case.
    #[param(max_length = 255, example = "web")]
    search: Option<String>,
    /// Only servers that were made then or later.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    from: Option<Moment>,
    /// Only servers that were made before then.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    until: Option<Moment>,
}

impl From<InstanceQuery> for OwnInstanceFilter {
    fn from(query: InstanceQuery) -> Self {
        let InstanceQuery { status, plan, name, tag, search, from, until } = query;
        let (from, until) = (from.map(Moment::get), until.map(Moment::get));
        Self { status, plan, name, tag, search, from, until }
    }
}

/// List my servers, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/instances", tag = "instances", operation_id = "list_instances",
    security(("bearer" = [])), params(SortedPaging<OwnInstanceSort>, InstanceQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<Instance>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: SortedPaging<OwnInstanceSort>,
    Params(query): Params<InstanceQuery>,
) -> Result<Paged<Instance>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.instances_of(me.id, &query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, Instance::from))
}

/// Read one of my servers.
#[utoipa::path(
    get, path = "/instances/{id}", tag = "instances", operation_id = "get_instance",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "The server.", body = Instance),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
) -> Result<Versioned<Instance>, Problem> {
    let version = state.store.version(Thing::Instance(id)).await?;
    Ok(Versioned { version, body: state.store.instance_of(me.id, id).await?.into() })
}

/// My own words for a server.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct TagsRequest {
    /// In place of those that it has. A word that comes twice counts once.
    #[garde(length(max = MOST_TAGS))]
    #[schema(max_items = 20, example = json!(["env:prod", "web"]))]
    tags: Vec<String>,
}

/// Give one of my servers tags, in place of those that it has. Servers are listed by them (`tag`).
#[utoipa::path(
    put, path = "/instances/{id}/tags", tag = "instances", operation_id = "set_instance_tags",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    request_body(content = TagsRequest, example = json!({ "tags": ["env:prod", "web"] })),
    responses(
        (status = 200, description = "The server.", body = Instance),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`: too many, or one that is no tag; `invalid_body`.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn set_tags(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InstanceId>,
    Seen(condition): Seen,
    Body(request): Body<TagsRequest>,
) -> Result<Versioned<Instance>, Problem> {
    let tags = Tags::new(request.tags).map_err(|error| {
        let field = match error {
            InvalidTags::TooMany => "tags".to_owned(),
            InvalidTags::NoTag { place } => format!("tags[{place}]"),
        };
        Problem::field(Code::ValidationFailed, &field, error.to_string())
    })?;
    state.store.set_tags(me.id, id, &tags, &condition).await?;
    let version = state.store.version(Thing::Instance(id)).await?;
    Ok(Versioned { version, body: state.store.instance_of(me.id, id).await?.into() })
}
