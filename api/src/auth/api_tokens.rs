//! Tokens that people make for their own programs.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    api_token::{LONGEST_LIFE_DAYS, TokenScope},
    ids::ApiTokenId,
    label::Label,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::api_tokens::{ApiToken, NewApiToken};
use utoipa::ToSchema;

use super::{
    LoggedIn,
    account::{NotCached, not_cached},
};
use crate::{
    AppState,
    client::Client,
    extract::{Body, Id, Paged, Paging},
    problem::Problem,
};

const DAY: u64 = 86_400;

/// A token to be made.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiTokenRequest {
    /// What its owner calls it.
    #[garde(custom(acceptable_name))]
    #[schema(min_length = 1, max_length = 100, example = "Terraform")]
    name: String,
    /// What it may do, at least one; `read` is not part of the others.
    #[garde(length(min = 1, max = 10))]
    #[schema(min_items = 1, max_items = 10, example = json!(["read", "instances"]))]
    scopes: Vec<TokenScope>,
    /// In how many days it ends, a year at most; without, it does not.
    #[garde(inner(range(min = 1, max = LONGEST_LIFE_DAYS)))]
    #[schema(minimum = 1, maximum = 365, example = 90)]
    expires_in_days: Option<u32>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiTokenBody {
    /// Identifies it.
    id: ApiTokenId,
    /// What its owner calls it.
    #[schema(example = "Terraform")]
    name: String,
    /// What it may do.
    scopes: Vec<TokenScope>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends; `null`: it does not.
    expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiToken> for ApiTokenBody {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, name, scopes, created_at, expires_at, last_used_at } = token;
        Self { id, name, scopes, created_at, expires_at, last_used_at }
    }
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct NewApiTokenBody {
    /// The token as it is listed.
    #[serde(flatten)]
    listed: ApiTokenBody,
    /// What is sent as `Authorization: Bearer`; shown once.
    #[schema(example = "wbp_5d41402abc4b2a76b9719d911017c592ae1f0d2c9b3e8f7a6c5d4e3f2a1b0c9d1f0e2a3b")]
    token: String,
}

/// List my API tokens
///
/// Newest first; those that ended, too, until they are removed.
#[utoipa::path(get, path = "/auth/me/api-tokens", tag = "auth", operation_id = "list_api_tokens",
    security(("bearer" = [])), params(Paging), responses(
        (status = 200, description = "A part of the list", body = Paged<ApiTokenBody>),
    ))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: LoggedIn,
    paging: Paging,
) -> Result<Paged<ApiTokenBody>, Problem> {
    let page = state.store.api_tokens(user.id, paging.request()).await?;
    Ok(Paged::new(page, ApiTokenBody::from))
}

/// Make an API token
///
/// For a program of one's own: sent as `Authorization: Bearer`, it does what its scopes say, as a customer. It can't change how
/// its owner proves who they are (password, second factor, sessions, tokens) and never acts as staff. An account has 20 at most.
#[utoipa::path(post, path = "/auth/me/api-tokens", tag = "auth", operation_id = "make_api_token",
    security(("bearer" = [])), request_body = ApiTokenRequest, responses(
        (status = 201, description = "The token, shown once", body = NewApiTokenBody),
        (status = 409, description = "`too_many_api_tokens`: remove one first", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, or `validation_failed`: a name, scopes or a life that we don't accept",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn make(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(mut body): Body<ApiTokenRequest>,
) -> Result<(StatusCode, NotCached<NewApiTokenBody>), Problem> {
    body.scopes.sort();
    body.scopes.dedup();
    let new = NewApiToken {
        name: body.name.trim().to_owned(),
        scopes: body.scopes,
        life: body.expires_in_days.map(|days| Duration::from_secs(u64::from(days) * DAY)),
    };
    let (made, token) = state.store.make_api_token(user.id, &new, &client.origin(user.actor())).await?;
    Ok((StatusCode::CREATED, not_cached(Json(NewApiTokenBody { listed: made.into(), token }))))
}

/// Remove an API token
///
/// It does nothing any more from now on.
#[utoipa::path(delete, path = "/auth/me/api-tokens/{id}", tag = "auth", operation_id = "remove_api_token",
    security(("bearer" = [])), params(("id" = ApiTokenId, Path, description = "The token's id")), responses(
        (status = 204, description = "It is gone"),
    ))]
pub(super) async fn remove(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Id(token): Id<ApiTokenId>,
) -> Result<StatusCode, Problem> {
    state.store.remove_api_token(user.id, token, &client.origin(user.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn acceptable_name<C>(name: &str, _: &C) -> garde::Result {
    Label::parse(name, 100).map(drop).map_err(|why| garde::Error::new(why.to_string()))
}
