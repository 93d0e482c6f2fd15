//! Extractors of who is asking. Every request is checked against the database, so a logout, a suspension or a change
//! of role takes effect at once, not when the access token runs out.

use std::marker::PhantomData;

use axum::{
    extract::{FromRequestParts, MatchedPath},
    http::{HeaderMap, header, request::Parts},
};
use domain::{
    api_key::Scope,
    ids::{ApiKeyId, SessionId, UserId},
    language::Language,
    role::Role,
};
use store::{
    api_keys::ValidKey,
    api_tokens::{API_TOKEN_PREFIX, TokenHolder},
    audit::Actor,
};

use super::{
    TokenAccess,
    access_token::{self, Claims},
    token_access,
};
use crate::{
    AppState,
    problem::{Code, Problem},
};

/// Any user whose account is not suspended: logged in, or their program with a personal API token that has the right which the
/// operation takes ([`super::token_access`]). Answers 401 `token_missing`, `token_expired`, `token_invalid`, `session_revoked` or
/// `session_ended`, and 403 `account_suspended`, `scope_missing` or `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct CurrentUser {
    /// Who.
    pub id: UserId,
    /// What they may do; a program is a customer, whoever made its token.
    pub role: Role,
    /// Whether the email address is proven.
    pub email_verified: bool,
    /// What they read: the language that `Accept-Language` asks for, else their profile's.
    pub language: Language,
}

/// Any user who logged in, and no program of theirs: for what is about who they are. Answers as [`CurrentUser`].
#[derive(Debug, Clone, Copy)]
pub struct LoggedIn {
    /// Who.
    pub id: UserId,
    /// The login this request belongs to.
    pub session: SessionId,
    /// What they may do.
    pub role: Role,
    /// What they read, as [`CurrentUser::language`].
    pub language: Language,
}

/// A logged-in user who may read the admin area: `support` and above. Others get 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Staff {
    /// Who.
    pub id: UserId,
    /// What they read, as [`CurrentUser::language`].
    pub language: Language,
}

/// A logged-in user who may act in the admin area: `admin` and above. Others get 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Administrator {
    /// Who.
    pub id: UserId,
    /// What they read, as [`CurrentUser::language`].
    pub language: Language,
}

/// A logged-in user who may manage administrators, providers and keys: `superadmin`. Others get 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Superadministrator {
    /// Who.
    pub id: UserId,
}

/// A program with a valid key in `X-API-Key` that has the right `R`. Answers 401 `api_key_missing` or `api_key_invalid`,
/// and 403 `scope_missing`. There is no key without a right, so no route can forget to name one.
#[derive(Debug, Clone)]
pub struct InternalKey<R: Right> {
    /// The key's id.
    pub id: ApiKeyId,
    scopes: Vec<Scope>,
    right: PhantomData<R>,
}

/// A [`Scope`] as a type, for [`InternalKey`].
pub trait Right {
    /// The right that is wanted.
    const SCOPE: Scope;
}

/// The rights that routes ask for.
pub mod right {
    use super::{Right, Scope};

    macro_rules! rights {
        ($($name:ident),+) => {
            $(
                #[doc = concat!("[`Scope::", stringify!($name), "`].")]
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl Right for $name {
                    const SCOPE: Scope = Scope::$name;
                }
            )+
        };
    }
    rights!(CatalogRead, OrdersProvision, OrdersRetry, InstancesRead, InstancesAct, InstancesDelete);
}

impl CurrentUser {
    /// This user as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::User(self.id)
    }
}

impl LoggedIn {
    /// This user as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::User(self.id)
    }
}

impl Staff {
    /// This user as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::User(self.id)
    }
}

impl Administrator {
    /// This user as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::User(self.id)
    }
}

impl Superadministrator {
    /// This user as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::User(self.id)
    }
}

impl<R: Right> InternalKey<R> {
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
        let (user, _) = of_session(token, accepted_language(&parts.headers), state).await?;
        Ok(user)
    }
}

impl FromRequestParts<AppState> for LoggedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        if token.starts_with(API_TOKEN_PREFIX) {
            // Whatever is no token is told so before.
            of_token(token, parts, state).await?;
            return Err(no_tokens());
        }
        let (user, claims) = of_session(token, accepted_language(&parts.headers), state).await?;
        let CurrentUser { id, role, language, .. } = user;
        Ok(Self { id, session: claims.sid, role, language })
    }
}

/// Whose an access token is, and of which session.
pub(super) async fn of_session(
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
        email_verified: session.email_verified,
        language: Language::of_reader(asked, session.language),
    };
    Ok((user, claims))
}

/// Whose a personal API token is, if it has the right that the operation takes.
async fn of_token(token: &str, parts: &Parts, state: &AppState) -> Result<CurrentUser, Problem> {
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let asked = accepted_language(&parts.headers);
    let (user, _) = with_token(token, asked, token_access(&parts.method, path), state).await?;
    Ok(user)
}

/// The same for what takes tokens like this.
pub(super) async fn with_token(
    token: &str,
    asked: Option<Language>,
    access: Option<TokenAccess>,
    state: &AppState,
) -> Result<(CurrentUser, TokenHolder), Problem> {
    let holder = state.store.use_api_token(token).await?.ok_or_else(|| {
        Problem::new(Code::TokenInvalid, "this API token is not valid (any more)").challenge(TOKEN_CHALLENGE)
    })?;
    if holder.suspended {
        return Err(account_suspended());
    }
    match access {
        Some(TokenAccess::With(scope)) if holder.scopes.contains(&scope) => {
            let user = CurrentUser {
                id: holder.user,
                role: Role::Customer,
                email_verified: holder.email_verified,
                language: Language::of_reader(asked, holder.language),
            };
            Ok((user, holder))
        }
        Some(TokenAccess::With(scope)) => Err(Problem::new(
            Code::ScopeMissing,
            format!("this API token may not do that: it lacks the scope {scope}"),
        )),
        Some(TokenAccess::LoginOnly) | None => Err(no_tokens()),
    }
}

impl FromRequestParts<AppState> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = LoggedIn::from_request_parts(parts, state).await?;
        if user.role.is_staff() {
            Ok(Self { id: user.id, language: user.language })
        } else {
            Err(forbidden("staff"))
        }
    }
}

impl FromRequestParts<AppState> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = LoggedIn::from_request_parts(parts, state).await?;
        if user.role.may_administer() {
            Ok(Self { id: user.id, language: user.language })
        } else {
            Err(forbidden("administrators"))
        }
    }
}

impl FromRequestParts<AppState> for Superadministrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = LoggedIn::from_request_parts(parts, state).await?;
        if user.role.may_manage() { Ok(Self { id: user.id }) } else { Err(forbidden("superadministrators")) }
    }
}

impl<R: Right> FromRequestParts<AppState> for InternalKey<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let key = valid_key(&parts.headers, state).await?;
        if !key.scopes.contains(&R::SCOPE) {
            return Err(scope_missing(R::SCOPE));
        }
        Ok(Self { id: key.id, scopes: key.scopes, right: PhantomData })
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

fn forbidden(audience: &str) -> Problem {
    Problem::new(Code::Forbidden, format!("this is for {audience} only"))
}
