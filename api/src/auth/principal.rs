//! Extractors of who is asking. Every request is checked against the database, so a logout, a suspension or a change
//! of role takes effect at once, not when the access token runs out.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use domain::{
    ids::{ApiKeyId, SessionId, UserId},
    role::Role,
};
use store::audit::Actor;

use super::access_token::{self, InvalidToken};
use crate::{AppState, problem::Problem};

/// Any logged-in user whose account is not suspended. Answers 401 `token_missing`, `token_expired`, `token_invalid`
/// or `session_revoked`, and 403 `account_suspended`.
#[derive(Debug, Clone, Copy)]
pub struct Customer {
    /// Who.
    pub id: UserId,
    /// The login this request belongs to.
    pub session: SessionId,
    /// What they may do.
    pub role: Role,
    /// Whether the email address is proven.
    pub email_verified: bool,
}

/// A logged-in user who may read the admin area: `support` and above. Others get 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Staff {
    /// Who.
    pub id: UserId,
}

/// A logged-in user who may act in the admin area: `admin` and above. Others get 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Administrator {
    /// Who.
    pub id: UserId,
}

/// A logged-in user who may manage administrators, providers and keys: `superadmin`. Others get 403 `forbidden`.
#[derive(Debug, Clone, Copy)]
pub struct Superadministrator {
    /// Who.
    pub id: UserId,
}

/// A program with a valid key in `X-API-Key`. Answers 401 `api_key_missing` or `api_key_invalid`.
#[derive(Debug, Clone, Copy)]
pub struct InternalKey {
    /// The key's id.
    pub id: ApiKeyId,
}

impl Customer {
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

impl InternalKey {
    /// This key as the actor of an audited act.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        Actor::ApiKey(self.id)
    }
}

impl FromRequestParts<AppState> for Customer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let claims = access_token::verify(bearer(&parts.headers)?, &state.auth)?;
        let session = state
            .store
            .session_holder(claims.sid, claims.sub)
            .await?
            .filter(|session| !session.revoked)
            .ok_or_else(session_revoked)?;
        if session.suspended {
            return Err(account_suspended());
        }
        Ok(Self {
            id: claims.sub,
            session: claims.sid,
            role: session.role,
            email_verified: session.email_verified,
        })
    }
}

impl FromRequestParts<AppState> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = Customer::from_request_parts(parts, state).await?;
        if user.role.is_staff() { Ok(Self { id: user.id }) } else { Err(forbidden("staff")) }
    }
}

impl FromRequestParts<AppState> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = Customer::from_request_parts(parts, state).await?;
        if user.role.may_administer() { Ok(Self { id: user.id }) } else { Err(forbidden("administrators")) }
    }
}

impl FromRequestParts<AppState> for Superadministrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = Customer::from_request_parts(parts, state).await?;
        if user.role.may_manage() { Ok(Self { id: user.id }) } else { Err(forbidden("superadministrators")) }
    }
}

impl FromRequestParts<AppState> for InternalKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let refuse = |code, detail| Problem::unauthorized(code, detail).challenge(API_KEY_CHALLENGE);
        let Some(presented) = parts.headers.get("x-api-key") else {
            return Err(refuse("api_key_missing", "send the key in the X-API-Key header"));
        };
        let hash = store::opaque_token::hash(presented.as_bytes());
        match state.store.find_api_key(&hash).await? {
            Some(key) if adapters::payments::constant_time_eq(&key.key_hash, &hash) => {
                state.store.touch_api_key(&key).await?;
                Ok(Self { id: key.id })
            }
            _ => Err(refuse("api_key_invalid", "this key is not valid (any more)")),
        }
    }
}

const API_KEY_CHALLENGE: &str = r#"ApiKey realm="webrana""#;
const TOKEN_CHALLENGE: &str = r#"Bearer realm="webrana", error="invalid_token""#;

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Problem::unauthorized(
                "token_missing",
                "log in and send the header Authorization: Bearer <access token>",
            )
        })
}

impl From<InvalidToken> for Problem {
    fn from(error: InvalidToken) -> Self {
        match error {
            InvalidToken::Expired => Self::unauthorized(
                "token_expired",
                "the access token has expired; get a new one at /auth/refresh",
            ),
            InvalidToken::Invalid => {
                Self::unauthorized("token_invalid", "this is not an access token of ours")
            }
        }
        .challenge(TOKEN_CHALLENGE)
    }
}

fn session_revoked() -> Problem {
    Problem::unauthorized("session_revoked", "this session was logged out; log in again")
        .challenge(TOKEN_CHALLENGE)
}

/// 403 for an account that an admin has suspended.
pub(super) fn account_suspended() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "account_suspended",
        "this account is suspended; please contact support",
    )
}

fn forbidden(audience: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", format!("this is for {audience} only"))
}
