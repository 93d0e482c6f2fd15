//! Looking at an account as its owner sees it: for a while, told to the owner, changing nothing.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode, http::header};
use chrono::{DateTime, Utc};
use domain::ids::{SessionId, UserId};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::admin::Impersonation;
use utoipa::ToSchema;

use super::order_commands::not_blank;
use crate::{
    AppState,
    auth::{Staff, issue_for_staff},
    client::Client,
    extract::{Body, Id},
    problem::Problem,
};

/// How long it lasts where nobody says, in minutes.
const USUAL_MINUTES: u32 = 15;

/// Why an account is looked at, and for how long.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImpersonationWish {
    /// For the audit log: 3 to 500 characters. The customer is told that it happens, not why.
    #[garde(length(chars, min = 3, max = 500), custom(not_blank))]
    #[schema(example = "Ticket 4711: says that an invoice is missing")]
    reason: String,
    /// 1 to 60; 15 where it is left out.
    #[garde(range(min = 1, max = 60))]
    #[schema(example = 15)]
    minutes: Option<u32>,
}

/// An access token of a session in a customer's name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImpersonationBegun {
    session_id: SessionId,
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln")]
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds. There is no refresh token.
    #[schema(example = 900)]
    expires_in: u64,
    ends_at: DateTime<Utc>,
}

/// Look at an account as its owner sees it: gives an access token of a session in the customer's name. It shows no secrets and
/// changes nothing; what it may is `support` in `x-access`. The customer is told, and sees it among the sessions. It ends with the
/// session it was asked for from, which has to have begun within the last hour.
#[utoipa::path(
    post, path = "/admin/users/{id}/impersonate", tag = "admin", operation_id = "admin_impersonate_user",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The customer.")),
    request_body(content = ImpersonationWish),
    responses(
        (status = 201, description = "The session has begun.", body = ImpersonationBegun),
        (status = 403, description = "`own_account`: it is your own. `forbidden`: it is of staff, or you may not. \
         `login_not_fresh`: log in again first.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such account.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`user_conflict`: it is suspended.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn begin(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(customer): Id<UserId>,
    Body(request): Body<ImpersonationWish>,
) -> Result<(StatusCode, [(header::HeaderName, &'static str); 1], Json<ImpersonationBegun>), Problem> {
    let minutes = request.minutes.unwrap_or(USUAL_MINUTES);
    let (staff, from, reason) = (admin.id, admin.session, request.reason.trim());
    let wish = Impersonation { customer, staff, from, minutes, reason };
    let begun = state.store.impersonate(&wish, &client.origin(admin.actor())).await?;
    tracing::warn!(event = "user.impersonated", user_id = %customer, session_id = %begun.session, "account looked at");
    let life = Duration::from_secs(u64::from(minutes) * 60);
    let answer = ImpersonationBegun {
        session_id: begun.session,
        access_token: issue_for_staff(customer, begun.session, staff, life, &state.auth)?,
        token_type: "Bearer",
        expires_in: life.as_secs(),
        ends_at: begun.ends_at,
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)))
}

/// End every session that staff have in a customer's name, whoever of them began it.
#[utoipa::path(
    delete, path = "/admin/users/{id}/impersonate", tag = "admin", operation_id = "admin_end_impersonation",
    security(("bearer" = [])), params(("id" = UserId, Path, description = "The customer.")),
    responses(
        (status = 204, description = "Ended."),
        (status = 404, description = "`not_found`: there is none.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn end(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(customer): Id<UserId>,
) -> Result<StatusCode, Problem> {
    state.store.end_impersonations(customer, &client.origin(admin.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}
