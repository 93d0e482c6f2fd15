//! The user's own account: profile, password, sessions.

use axum::{Json, extract::State, http::StatusCode};
use domain::{device::device, ids::SessionId};
use store::{users::ProfileChange, versions::Thing};

use super::{
    CurrentUser, LoggedIn,
    bodies::{PasswordBody, ProfileBody, SessionBody, UserBody},
    proving,
};
use crate::{
    AppState,
    client::Client,
    extract::{Body, Id, Paged, Paging, Seen, Versioned},
    password,
    problem::{Code, Problem},
};

/// Who am I?
///
/// The logged-in user's profile.
#[utoipa::path(get, path = "/auth/me", tag = "auth", operation_id = "get_me", security(("bearer" = [])), responses(
    (status = 200, description = "The user", body = UserBody),
))]
pub(super) async fn me(
    State(state): State<AppState>,
    user: CurrentUser,
) -> Result<Versioned<UserBody>, Problem> {
    let version = state.store.version(Thing::User(user.id)).await?;
    Ok(Versioned { version, body: state.store.user(user.id).await?.into() })
}

/// Change the profile
///
/// Changes the fields that are given.
#[utoipa::path(patch, path = "/auth/me", tag = "auth", operation_id = "update_me", security(("bearer" = [])), request_body = ProfileBody, responses(
    (status = 200, description = "The user as they are now", body = UserBody),
))]
pub(super) async fn update_me(
    State(state): State<AppState>,
    user: LoggedIn,
    Seen(condition): Seen,
    Body(body): Body<ProfileBody>,
) -> Result<Json<UserBody>, Problem> {
    let change = ProfileChange {
        full_name: body.full_name.map(|name| name.trim().to_owned()),
        language: body.language.map(|language| language.as_str().to_owned()),
        time_zone: body.time_zone,
    };
    Ok(Json(state.store.update_profile(user.id, &change, &condition).await?.into()))
}

/// Change the password
///
/// Needs the present one. Wrong ones make this session wait as failed logins would, and nothing else; failed logins of
/// others don't stand in the way. Every other session is logged out.
#[utoipa::path(put, path = "/auth/me/password", tag = "auth", security(("bearer" = [])), request_body = PasswordBody,
    responses(
        (status = 204, description = "Changed"),
        (status = 422, description = "`wrong_password`, or `validation_failed`: a password that we don't accept",
            body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
            body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn change_password(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Body(body): Body<PasswordBody>,
) -> Result<StatusCode, Problem> {
    let email = state.store.user(user.id).await?.email;
    password::acceptable(&body.new_password, &email)
        .map_err(|why| Problem::field(Code::ValidationFailed, "new_password", why.to_string()))?;
    let proven = proving::by_password(&state, &user, body.current_password, "current_password").await?;
    let hash = password::hash(body.new_password, state.auth.password_cost).await?;
    let origin = client.origin(user.actor());
    state.store.change_password(user.id, &proven.attempt, &hash, user.session, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the sessions
///
/// The user's logins that still work, newest first.
#[utoipa::path(get, path = "/auth/me/sessions", tag = "auth", operation_id = "list_sessions", security(("bearer" = [])), params(Paging), responses(
    (status = 200, description = "A part of the list", body = Paged<SessionBody>),
))]
pub(super) async fn sessions(
    State(state): State<AppState>,
    user: LoggedIn,
    paging: Paging,
) -> Result<Paged<SessionBody>, Problem> {
    let longest = state.auth.sessions.longest;
    let page = state.store.sessions(user.id, longest, paging.request()).await?;
    Ok(Paged::new(page, |session| SessionBody {
        current: session.id == user.session,
        id: session.id,
        device: session.user_agent.as_deref().and_then(device),
        user_agent: session.user_agent,
        ip: session.ip,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        support_until: session.support_until,
    }))
}

/// Log one session out
///
/// Its tokens stop working at once.
#[utoipa::path(delete, path = "/auth/me/sessions/{id}", tag = "auth", operation_id = "revoke_session", security(("bearer" = [])),
    params(("id" = SessionId, Path, description = "The session's id")), responses(
        (status = 204, description = "Logged out"),
    ))]
pub(super) async fn revoke_session(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
    Id(session): Id<SessionId>,
) -> Result<StatusCode, Problem> {
    state.store.revoke_session(user.id, session, &client.origin(user.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}
