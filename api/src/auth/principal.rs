//! Extractors of who is asking. Every request is checked against the database, so a logout, a suspension or a change
//! of role takes effect at once, not when the access token runs out.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use domain::{
    api_key::Scope,
    ids::{ApiKeyId, SessionId, UserId},
    language::Language,
    locale::{Locale, TimeZone},
    permission::Permission,
    role::Role,
};
use store::{
    api_keys::ValidKey,
    api_tokens::{API_TOKEN_PREFIX, TokenHolder},
    audit::Actor,
};

use super::{
    access::{self, Access},
    access_token::{self, Claims},
};
use crate::{
    AppState, AuthConfig,
    client::Client,
    problem::{Code, Problem},
};

/// Any user whose account is not suspended: logged in, or their program with a personal API token that has the right which the
/// operation takes ([`super::access`]). Answers 401 `token_missing`, `token_expired`, `token_invalid`, `session_revoked` or
/// `session_ended`, and 403 `account_suspended`, `scope_missing` or `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct CurrentUser {
    /// Who.
    pub id: UserId,
    /// What they may do; a program is a customer, whoever made its token.
    pub role: Role,
    /// Who of the staff asks in this user's name; `None` where they do so themselves.
    pub impersonator: Option<UserId>,
    /// Whether the email address is proven.
    pub email_verified: bool,
    /// What they read: the language that `Accept-Language` asks for, else their profile's.
    pub language: Language,
    /// The clock that they are told times by.
    pub time_zone: TimeZone,
}

/// Any user who logged in, and no program of theirs: for what is about who they are. Answers as [`CurrentUser`].
#[derive(Debug, Clone, Copy)]
pub struct LoggedIn {
    /// Who.
    pub id: UserId,
    /// The login this request belongs to.
    pub session: SessionId,
    /// As [`CurrentUser::impersonator`].
    pub impersonator: Option<UserId>,
}

/// Somebody of the staff who logged in, and whose role has the permission that the operation takes ([`super::access`]). Others get
/// 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Staff {
    /// Who.
    pub id: UserId,
    /// The login this request belongs to.
    pub session: SessionId,
    /// What they read, as [`CurrentUser::language`].
    pub language: Language,
    /// What the operation takes, and they may.
    pub permission: Permission,
}

/// A program with a valid key in `X-API-Key` that has the right which the operation takes ([`super::access`]). Answers 401
/// `api_key_missing` or `api_key_invalid`, and 403 `scope_missing`.
#[derive(Debug, Clone)]
pub struct InternalKey {
    /// The key's id.
    pub id: ApiKeyId,
    scopes: Vec<Scope>,
}

impl CurrentUser {
    /// This user as the actor of an audited act.
    #[must_use]
    pub fn actor(&self) -> Actor {
        actor(self.id, self.impersonator)
    }

    /// How they read.
    #[must_use]
    pub const fn locale(&self) -> Locale {
        Locale { language: self.language, time_zone: self.time_zone }
    }
}

impl LoggedIn {
    /// This user as the actor of an audited act.
    #[must_use]
    pub fn actor(&self) -> Actor {
        actor(self.id, self.impersonator)
    }
}

fn actor(user: UserId, impersonator: Option<UserId>) -> Actor {
    impersonator.map_or(Actor::User(user), |staff| Actor::Impersonator { staff, customer: user })
}

impl Staff {
    /// This user as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::User(self.id)
    }
}

impl InternalKey {
    /// This key as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::ApiKey(self.id)
    }

    /// Whether it has a further right, for what only the request's body tells.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        if token.starts_with(API_TOKEN_PREFIX) {
            return of_token(token, parts, state).await;
        }
        let (user, _) = of_session(token, parts, state).await?;
        match access::of_request(parts) {
            Some(Access::Own { .. }) => Ok(user),
            _ => Err(not_for_customers()),
        }
    }
}

impl FromRequestParts<AppState> for LoggedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let (CurrentUser { id, impersonator, .. }, session) = logged_in(parts, state).await?;
        match access::of_request(parts) {
            Some(Access::Own { .. }) => Ok(Self { id, session, impersonator }),
            _ => Err(not_for_customers()),
        }
    }
}

impl FromRequestParts<AppState> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let (CurrentUser { id, role, language, .. }, session) = logged_in(parts, state).await?;
        match access::of_request(parts) {
            Some(Access::Staff(permission)) if role.may(permission) => {
                Ok(Self { id, session, language, permission })
            }
            _ if role.is_staff() => Err(forbidden("this is not for your role")),
            _ => Err(forbidden("this is for staff only")),
        }
    }
}

/// Who logged in, and not a program of theirs.
async fn logged_in(parts: &Parts, state: &AppState) -> Result<(CurrentUser, SessionId), Problem> {
    let token = bearer(&parts.headers)?;
    if token.starts_with(API_TOKEN_PREFIX) {
        // Whatever is no token is told so before.
        of_token(token, parts, state).await?;
        return Err(no_tokens());
    }
    of_session(token, parts, state).await
}

/// Who says to ask, as far as is known without a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever an access token of ours is of; where staff ask in a customer's name, they.
    User(UserId),
    /// The hash of what may be a personal API token.
    Token(Vec<u8>),
}

/// Who says to ask, by what these headers show; `None` of nobody, and of access tokens that are none of ours or ended.
pub(crate) fn caller(headers: &HeaderMap, config: &AuthConfig) -> Option<Caller> {
    let token = bearer(headers).ok()?;
    if token.starts_with(API_TOKEN_PREFIX) {
        return Some(Caller::Token(store::opaque_token::hash(token.as_bytes())));
    }
    let claims = access_token::verify(token, config).ok()?;
    Some(Caller::User(claims.act.map_or(claims.sub, |staff| staff.sub)))
}

/// Whose an access token is, and of which session, for what a request asks for.
async fn of_session(
    token: &str,
    parts: &Parts,
    state: &AppState,
) -> Result<(CurrentUser, SessionId), Problem> {
    let (user, claims) = with_session(token, accepted_language(&parts.headers), state).await?;
    if user.impersonator.is_some() {
        admit_impersonator(&user, claims.sid, parts, state).await?;
    }
    Ok((user, claims.sid))
}

/// Whose an access token is, and what it says. Whether staff may do in a customer's name what is asked for is for the caller.
pub(super) async fn with_session(
    token: &str,
    asked: Option<Language>,
    state: &AppState,
) -> Result<(CurrentUser, Claims), Problem> {
    let claims = access_token::verify(token, &state.auth)?;
    let session = state
        .store
        .session_holder(claims.sid, claims.sub, state.auth.sessions.longest)
        .await?
        .ok_or_else(session_revoked)?;
    // A suspension ends all sessions, so it is said first: who is suspended can't help it by logging in anew.
    if session.suspended {
        return Err(account_suspended());
    }
    if session.revoked {
        return Err(session_revoked());
    }
    if session.ended {
        return Err(session_ended());
    }
    let user = CurrentUser {
        id: claims.sub,
        role: session.role,
        impersonator: session.impersonator,
        email_verified: session.email_verified,
        language: Language::of_reader(asked, session.language),
        time_zone: session.time_zone,
    };
    Ok((user, claims))
}

/// Lets staff do in a customer's name what the table has for them, and notes whatever they ask for, before it is done.
async fn admit_impersonator(
    user: &CurrentUser,
    session: SessionId,
    parts: &Parts,
    state: &AppState,
) -> Result<(), Problem> {
    let may = matches!(access::of_request(parts), Some(Access::Own { support: true, .. }));
    let operation = format!("{} {}", parts.method, access::path_of_request(parts));
    let client =
        parts.extensions.get::<Client>().ok_or_else(|| Problem::failed("the request has no client"))?;
    let origin = client.origin(user.actor());
    state.store.note_impersonated(session, &operation, parts.uri.path(), !may, &origin).await?;
    if may {
        return Ok(());
    }
    let detail = "staff who look at an account in its owner's name may not do this";
    Err(Problem::new(Code::ImpersonationForbidden, detail))
}

/// Whose a personal API token is, if it has the right that the operation takes.
async fn of_token(token: &str, parts: &Parts, state: &AppState) -> Result<CurrentUser, Problem> {
    let asked = accepted_language(&parts.headers);
    let (user, _) = with_token(token, asked, access::of_request(parts), state).await?;
    Ok(user)
}

/// The same for what takes tokens like this.
pub(super) async fn with_token(
    token: &str,
    asked: Option<Language>,
    access: Option<Access>,
    state: &AppState,
) -> Result<(CurrentUser, TokenHolder), Problem> {
    let holder = state.store.use_api_token(token).await?.ok_or_else(|| {
        Problem::new(Code::TokenInvalid, "this API token is not valid (any more)").challenge(TOKEN_CHALLENGE)
    })?;
    if holder.suspended {
        return Err(account_suspended());
    }
    match access {
        Some(Access::Own { token: Some(scope), .. }) if holder.scopes.contains(&scope) => {
            let user = CurrentUser {
                id: holder.user,
                role: Role::Customer,
                impersonator: None,
                email_verified: holder.email_verified,
                language: Language::of_reader(asked, holder.language),
                time_zone: holder.time_zone,
            };
            Ok((user, holder))
        }
        Some(Access::Own { token: Some(scope), .. }) => Err(Problem::new(
            Code::ScopeMissing,
            format!("this API token may not do that: it lacks the scope {scope}"),
        )),
        _ => Err(no_tokens()),
    }
}

impl FromRequestParts<AppState> for InternalKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let ValidKey { id, scopes, .. } = valid_key(&parts.headers, state).await?;
        match access::of_request(parts) {
            Some(Access::Key(scope)) if scopes.contains(&scope) => Ok(Self { id, scopes }),
            Some(Access::Key(scope)) => Err(scope_missing(scope)),
            _ => Err(forbidden("this is not for programs")),
        }
    }
}

async fn valid_key(headers: &HeaderMap, state: &AppState) -> Result<ValidKey, Problem> {
    let refuse = |code, detail| Problem::new(code, detail).challenge(API_KEY_CHALLENGE);
    let Some(presented) = headers.get("x-api-key") else {
        return Err(refuse(Code::ApiKeyMissing, "send the key in the X-API-Key header"));
    };
    let hash = store::opaque_token::hash(presented.as_bytes());
    match state.store.find_api_key(&hash).await? {
        Some(key) if adapters::payments::constant_time_eq(&key.key_hash, &hash) => {
            state.store.touch_api_key(&key).await?;
            Ok(key)
        }
        _ => Err(refuse(Code::ApiKeyInvalid, "this key is not valid (any more)")),
    }
}

/// 403 for a key without the right that is wanted.
pub(crate) fn scope_missing(scope: Scope) -> Problem {
    Problem::new(Code::ScopeMissing, format!("this key may not do that: it lacks the scope {scope}"))
}

const API_KEY_CHALLENGE: &str = r#"ApiKey realm="webrana""#;
/// What a token that is no good is answered with (RFC 6750, 3).
pub(super) const TOKEN_CHALLENGE: &str = r#"Bearer realm="webrana", error="invalid_token""#;

pub(super) fn accepted_language(headers: &HeaderMap) -> Option<Language> {
    headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok().and_then(Language::accepted)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Problem::new(
                Code::TokenMissing,
                "log in and send the header Authorization: Bearer <access token>",
            )
        })
}

fn session_revoked() -> Problem {
    Problem::new(Code::SessionRevoked, "this session was logged out; log in again").challenge(TOKEN_CHALLENGE)
}

fn session_ended() -> Problem {
    Problem::new(Code::SessionEnded, "this session reached its longest life; log in again")
        .challenge(TOKEN_CHALLENGE)
}

/// 403 for an account that an admin has suspended.
pub(super) fn account_suspended() -> Problem {
    Problem::new(Code::AccountSuspended, "this account is suspended; please contact support")
}

/// 403 for a program where somebody has to log in.
fn no_tokens() -> Problem {
    Problem::new(Code::Forbidden, "API tokens are not for this: log in")
}

/// 403 where the table has an operation for others, or not at all.
fn not_for_customers() -> Problem {
    forbidden("this is not for customers")
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(Code::Forbidden, detail)
}
