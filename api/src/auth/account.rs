//! Getting in and out: register, login, refresh, logout.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use domain::{email::EmailKey, role::Role};
use secrecy::ExposeSecret;
use store::{
    StoreError,
    audit::Actor,
    second_factor::Challenge,
    sessions::{NewSession, Rotation},
    throttles::{Admission, Attempt},
    users::{EMAIL_CONSTRAINT, NewUser},
};

use super::{
    LoggedIn,
    bodies::{LoginAnswer, LoginBody, LoginReply, RefreshBody, Registration},
    browser_session::{self, Keeping, RefreshCookie},
    principal::account_suspended,
    turns,
    two_factor::LoginChallenge,
};
use crate::{
    AppState, AuthConfig,
    client::Client,
    extract::Body,
    password,
    problem::{Code, Problem},
};

/// RFC 6749 section 5.1: answers with tokens are not to be cached.
pub(super) type NotCached<T> = ([(HeaderName, &'static str); 1], Json<T>);

/// A login with its tokens.
pub(super) type TokenAnswer = (HeaderMap, Json<LoginAnswer>);

/// Register
///
/// Makes a customer's account, logs it in, and mails it a link that verifies the address. Addresses that differ in the case
/// of letters only are one.
#[utoipa::path(post, path = "/auth/register", tag = "auth", operation_id = "register_account", request_body = Registration,
    params(("X-Session" = Option<String>, Header,
        description = "`cookie` puts the refresh token into a cookie instead of the body")), responses(
    (status = 201, description = "Registered and logged in", body = LoginAnswer),
    (status = 409, description = "`email_taken`", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "`invalid_body`, or `validation_failed`: an email address, password or name that we \
        don't accept", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn register(
    State(state): State<AppState>,
    client: Client,
    keeping: Keeping,
    Body(body): Body<Registration>,
) -> Result<(StatusCode, HeaderMap, Json<LoginAnswer>), Problem> {
    let new = NewUser {
        email: body.email.trim().to_owned(),
        full_name: body.full_name.trim().to_owned(),
        password_hash: password::hash(body.password, state.auth.password_cost).await?,
        role: Role::Customer,
        email_verified: false,
    };
    let session = new_session(&client, &state.auth);
    let opened = match state.store.register(&new, &session, &client.origin(Actor::System)).await {
        Err(StoreError::Taken { constraint }) if constraint == EMAIL_CONSTRAINT => {
            return Err(email_taken("email"));
        }
        other => other?,
    };
    let (headers, body) = browser_session::answer(opened, keeping, &state.auth)?;
    Ok((StatusCode::CREATED, headers, body))
}

/// Log in
///
/// The answer to a wrong password and to an unknown email address is the same. An account with a second factor is answered
/// with a challenge, which `POST /auth/login/2fa` takes with a code. Attempts are counted by address and
/// network before they are checked. From the fifth on that was not right, further ones have to wait, right or wrong: 30
/// seconds, doubled with each, 15 minutes at most. All networks that the account was never logged in from have fifty
/// together.
#[utoipa::path(post, path = "/auth/login", tag = "auth", operation_id = "login_with_password", request_body = LoginBody,
    params(("X-Session" = Option<String>, Header,
        description = "`cookie` puts the refresh token into a cookie instead of the body")), responses(
    (status = 200, description = "Logged in, or the second factor is awaited", body = LoginReply),
    (status = 401, description = "`invalid_credentials`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`account_suspended`", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "`login_locked` or `rate_limited`: try again after `Retry-After` seconds",
        body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn login(
    State(state): State<AppState>,
    client: Client,
    keeping: Keeping,
    Body(body): Body<LoginBody>,
) -> Result<(HeaderMap, Json<LoginReply>), Problem> {
    let (email, network) = (EmailKey::of(&body.email), client.network().to_string());
    let origin = client.origin(Actor::System);
    let _turn = turns::take(format!("{} {network}", email.as_str())).await;
    let attempt = admitted(state.store.admit_login(&email, &network, &origin).await?)?;
    let (user, hash) = match state.store.credentials(&email).await? {
        Some(found) => (Some(found.user), Some(found.password_hash)),
        None => (None, None),
    };
    let right = password::verify(body.password, hash, state.auth.password_cost).await?;
    let user = user.filter(|_| right).ok_or_else(invalid_credentials)?;
    if user.suspended_at.is_some() {
        return Err(account_suspended());
    }
    if let Challenge::SecondFactor(token) = state.store.challenge(user.id, &attempt, &origin).await? {
        let no_store = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        return Ok((no_store, Json(LoginReply::Challenge(LoginChallenge::of(&token)))));
    }
    let opened = state.store.login(user, &attempt, &new_session(&client, &state.auth), &origin).await?;
    let (headers, Json(answer)) = browser_session::answer(opened, keeping, &state.auth)?;
    Ok((headers, Json(LoginReply::LoggedIn(Box::new(answer)))))
}

/// Renew the tokens
///
/// Exchanges a refresh token for a new pair of the same session. For a few seconds (ten, unless configured otherwise) an
/// exchanged token may be exchanged again while none of the tokens that came of it is used, because two tabs asked at
/// once or an answer was lost; each exchange then gives a token that works. Shown later, a used token ends its session,
/// since one of its two users must be a thief.
///
/// A browser's token comes by its cookie, with no body and the header `X-Requested-With: webrana`, and goes back so.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", operation_id = "refresh_session", request_body = Option<RefreshBody>,
    params(
        ("X-Session" = Option<String>, Header,
            description = "`cookie` puts the refresh token into a cookie instead of the body"),
        ("X-Requested-With" = Option<String>, Header, description = "`webrana`, with the cookie"),
    ), responses(
    (status = 200, description = "Renewed", body = LoginAnswer),
    (status = 401, description = "`refresh_token_invalid`, `refresh_token_expired`, `refresh_token_reused` or \
        `session_ended`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`account_suspended`; `csrf_header_required`: the cookie came without \
        `X-Requested-With: webrana`", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn refresh(
    State(state): State<AppState>,
    client: Client,
    keeping: Keeping,
    cookie: RefreshCookie,
    body: Option<Body<RefreshBody>>,
) -> Result<TokenAnswer, Problem> {
    let refuse = |code, detail: &str| Err(Problem::new(code, detail));
    let origin = client.origin(Actor::System);
    let (token, keeping) = match body {
        Some(Body(body)) => (Some(body.refresh_token), keeping),
        None => (cookie.token()?, Keeping::Cookie),
    };
    let Some(token) = token else {
        return refuse(
            Code::RefreshTokenInvalid,
            "there is no refresh token, neither in a body nor in a cookie",
        );
    };
    match state.store.rotate_refresh_token(token.expose_secret(), &state.auth.sessions, &origin).await? {
        Rotation::Rotated(opened) => browser_session::answer(*opened, keeping, &state.auth),
        Rotation::Invalid => {
            refuse(Code::RefreshTokenInvalid, "this is no refresh token of a session that is logged in")
        }
        Rotation::Expired => {
            refuse(Code::RefreshTokenExpired, "this refresh token has expired; log in again")
        }
        Rotation::Ended => refuse(Code::SessionEnded, "this session reached its longest life; log in again"),
        Rotation::Reused => {
            tracing::warn!(
                event = "session.token_reused",
                "a used refresh token was shown again; its session is revoked"
            );
            refuse(
                Code::RefreshTokenReused,
                "this refresh token was used before; the session was ended, log in again",
            )
        }
        Rotation::Suspended => Err(account_suspended()),
    }
}

/// Log out
///
/// Ends the session of the access token: neither it nor the refresh token works any more. A browser without an access token ends
/// the session of its cookie, with the header `X-Requested-With: webrana`; its cookie is forgotten.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", operation_id = "logout_session", security(("bearer" = [])),
    params(("X-Requested-With" = Option<String>, Header, description = "`webrana`, with the cookie")), responses(
        (status = 204, description = "Logged out"),
        (status = 403, description = "`account_suspended`; `forbidden`: not with an API token; `csrf_header_required`: the \
            cookie came without `X-Requested-With: webrana`", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn logout(
    State(state): State<AppState>,
    client: Client,
    cookie: RefreshCookie,
    user: Result<LoggedIn, Problem>,
) -> Result<(StatusCode, HeaderMap), Problem> {
    let ended = match user {
        Ok(user) => state.store.revoke_session(user.id, user.session, &client.origin(user.actor())).await,
        Err(nobody) => {
            let token = cookie.token()?.ok_or(nobody)?;
            state.store.revoke_session_of(token.expose_secret(), &client.origin(Actor::System)).await
        }
    };
    match ended {
        // Somebody else logged it out a moment ago, which is what was asked for.
        Ok(()) | Err(StoreError::NotFound(_)) => Ok((StatusCode::NO_CONTENT, browser_session::forgotten()?)),
        Err(error) => Err(error.into()),
    }
}

/// Log out everywhere
///
/// Ends every session of the user, this one included.
#[utoipa::path(post, path = "/auth/logout-all", tag = "auth", operation_id = "logout_everywhere", security(("bearer" = [])), responses(
    (status = 204, description = "Logged out everywhere"),
))]
pub(super) async fn logout_all(
    State(state): State<AppState>,
    client: Client,
    user: LoggedIn,
) -> Result<StatusCode, Problem> {
    state.store.revoke_all_sessions(user.id, &client.origin(user.actor())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The attempt, or the wait before it may be made.
pub(super) fn admitted(admission: Admission) -> Result<Attempt, Problem> {
    match admission {
        Admission::Admitted(attempt) => Ok(attempt),
        Admission::Wait(seconds) => Err(login_locked(seconds)),
    }
}

pub(super) fn new_session(client: &Client, config: &AuthConfig) -> NewSession {
    NewSession {
        user_agent: client.user_agent.clone(),
        network: client.network().to_string(),
        policy: config.sessions,
    }
}

/// What is a secret is not to be kept by anything on its way.
pub(super) const fn not_cached<T>(body: Json<T>) -> NotCached<T> {
    ([(header::CACHE_CONTROL, "no-store")], body)
}

/// 409 for an address that an account has; `field` is where it stood.
pub(super) fn email_taken(field: &str) -> Problem {
    Problem::field(Code::EmailTaken, field, "this email address has an account already")
}

fn invalid_credentials() -> Problem {
    Problem::new(Code::InvalidCredentials, "the email address or the password is wrong")
}

/// 429 for who has to wait.
pub(super) fn login_locked(seconds: u64) -> Problem {
    Problem::new(Code::LoginLocked, "too many failed attempts; please wait").retry_after(seconds)
}
