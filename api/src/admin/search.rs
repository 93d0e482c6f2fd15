//! One search over everything that staff are told a piece of.

use axum::{Json, extract::State};
use domain::{
    ids::UserId,
    search::{HitField, HitKind},
};
use serde::{Deserialize, Serialize};
use store::admin::{Hit, SEARCH_MINIMUM};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    AppState,
    auth::Staff,
    extract::{Params, invalid_query},
    problem::Problem,
};

/// Most characters that are looked for.
const MOST_CHARACTERS: usize = 100;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchQuery {
    /// Three to a hundred characters.
    #[param(example = "203.0.113.7", min_length = 3, max_length = 100)]
    q: String,
}

/// Something that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminHit {
    kind: HitKind,
    /// Its id.
    id: Uuid,
    /// Whose it is.
    customer_id: UserId,
    /// What to call it.
    #[schema(example = "web-1.example.com")]
    label: String,
    /// What of it matched.
    field: HitField,
    /// What stands there.
    #[schema(example = "203.0.113.7")]
    value: String,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminHits {
    data: Vec<AdminHit>,
}

/// Find what has these words in it, in any case: an account by address or name, an order by host name, a server by name, IP
/// address or the provider's id, an invoice by number, a payment by its virtual account, and each of them by its id or the first
/// eight digits of it. Up to ten of a kind, in no particular order.
#[utoipa::path(
    get, path = "/admin/search", tag = "admin", operation_id = "admin_search_everything", security(("bearer" = [])),
    params(SearchQuery),
    responses(
        (status = 200, description = "What was found.", body = AdminHits),
        (status = 400, description = "`invalid_query`: too short or too long.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn find(
    _: Staff,
    State(state): State<AppState>,
    Params(query): Params<SearchQuery>,
) -> Result<Json<AdminHits>, Problem> {
    if !(SEARCH_MINIMUM..=MOST_CHARACTERS).contains(&query.q.trim().chars().count()) {
        return Err(invalid_query(&format!("q: {SEARCH_MINIMUM} to {MOST_CHARACTERS} characters")));
    }
    let hits = state.store.search_for_staff(&query.q).await?;
    Ok(Json(AdminHits { data: hits.into_iter().map(AdminHit::from).collect() }))
}

impl From<Hit> for AdminHit {
    fn from(hit: Hit) -> Self {
        Self {
            kind: hit.kind,
            id: hit.id,
            customer_id: hit.customer_id,
            label: hit.label,
            field: hit.field,
            value: hit.value,
        }
    }
}
