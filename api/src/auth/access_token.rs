//! Access tokens: short-lived HS256 JWTs (RFC 7519). They carry ids only, no personal data. Their header names the key
//! that signed them (`kid`), so that a new key is taken into use while tokens of the one before are out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{
    ids::{SessionId, UserId},
    role::Role,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::principal::TOKEN_CHALLENGE;
use crate::{
    AuthConfig,
    problem::{Code, Problem},
};

const ISSUER: &str = "webrana";
/// Whom tokens are for: no other service that shares a key by mistake takes them, and we take none of its.
const AUDIENCE: &str = "webrana-api";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Claims {
    /// The user.
    pub sub: UserId,
    /// The login session.
    pub sid: SessionId,
    /// The role at the time of issue, for clients; handlers ask the database.
    pub role: Role,
    /// Who of the staff acts in the user's name (RFC 8693, 4.1), for clients; handlers ask the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<ActingParty>,
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
}

/// Who acts in somebody else's name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct ActingParty {
    /// Who.
    pub sub: UserId,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidToken {
    /// It was good once.
    Expired,
    /// Malformed, tampered with, or not ours.
    Invalid,
}

impl From<InvalidToken> for Problem {
    fn from(error: InvalidToken) -> Self {
        match error {
            InvalidToken::Expired => {
                Self::new(Code::TokenExpired, "the access token has expired; get a new one at /auth/refresh")
            }
            InvalidToken::Invalid => Self::new(Code::TokenInvalid, "this is not an access token of ours"),
        }
        .challenge(TOKEN_CHALLENGE)
    }
}

/// Issues a token that ends after the configured time.
///
/// # Errors
/// 500 when signing fails.
pub(super) fn issue(
    user: UserId,
    session: SessionId,
    role: Role,
    config: &AuthConfig,
) -> Result<String, Problem> {
    issued(user, session, role, None, config.access_ttl, config)
}

/// Issues a token of a session of staff in a customer's name, for as long as that lasts.
///
/// # Errors
/// 500 when signing fails.
pub(crate) fn issue_for_staff(
    customer: UserId,
    session: SessionId,
    staff: UserId,
    life: Duration,
    config: &AuthConfig,
) -> Result<String, Problem> {
    issued(customer, session, Role::Customer, Some(ActingParty { sub: staff }), life, config)
}

#[expect(clippy::disallowed_methods, reason = "tokens are checked without the database, by the API's clock")]
fn issued(
    sub: UserId,
    sid: SessionId,
    role: Role,
    act: Option<ActingParty>,
    life: Duration,
    config: &AuthConfig,
) -> Result<String, Problem> {
    let now = Utc::now().timestamp();
    let lifetime = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
    let claims = Claims {
        sub,
        sid,
        role,
        act,
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        exp: now.saturating_add(lifetime),
    };
    sign(&claims, &config.jwt_secret)
}

fn sign(claims: &Claims, secret: &SecretString) -> Result<String, Problem> {
    let header = Header { kid: Some(key_id(secret)), ..Header::new(Algorithm::HS256) };
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&header, claims, &key).map_err(|e| Problem::internal(&e))
}

/// What tokens call their key: enough of its hash to tell two apart, and no help to find it.
fn key_id(secret: &SecretString) -> String {
    let hash =
        Sha256::new().chain_update("access token key\0").chain_update(secret.expose_secret()).finalize();
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Claims {
    /// How long the token is still good.
    #[expect(clippy::disallowed_methods, reason = "as where tokens are issued")]
    pub(super) fn left(&self) -> Duration {
        let until = DateTime::from_timestamp(self.exp, 0).unwrap_or_default();
        (until - Utc::now()).to_std().unwrap_or_default()
    }
}

/// Reads a token that we issued, with the key of now or the one before it, and that has not ended.
pub(super) fn verify(token: &str, config: &AuthConfig) -> Result<Claims, InvalidToken> {
    let named = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
    let secret = [Some(&config.jwt_secret), config.jwt_secret_previous.as_ref()]
        .into_iter()
        .flatten()
        .find(|secret| named.as_ref().is_some_and(|named| *named == key_id(secret)))
        .ok_or(InvalidToken::Invalid)?;
    let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.leeway = 0;
    // RFC 7519 section 4.1.4: not accepted "on or after" `exp`; the library accepts it on.
    validation.reject_tokens_expiring_in_less_than = 1;
    match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => Err(InvalidToken::Expired),
        Err(_) => Err(InvalidToken::Invalid),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "as where tokens are issued")]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use uuid::Uuid;

    use super::*;

    const NOW: &str = "a secret of at least 32 bytes....";
    const BEFORE: &str = "another secret, also 32 bytes....";

    fn config(secret: &str) -> AuthConfig {
        AuthConfig {
            jwt_secret: secret.to_owned().into(),
            jwt_secret_previous: None,
            access_ttl: std::time::Duration::from_secs(60),
            sessions: store::sessions::SessionPolicy {
                refresh_ttl: std::time::Duration::from_secs(600),
                longest: std::time::Duration::from_secs(6000),
                grace: std::time::Duration::from_secs(10),
            },
            password_cost: crate::password::PasswordCost::QUICK,
        }
    }

    fn claims(exp: i64) -> Claims {
        let (sub, sid) = (Uuid::now_v7().into(), Uuid::now_v7().into());
        Claims {
            sub,
            sid,
            role: Role::Customer,
            act: None,
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            iat: exp - 60,
            exp,
        }
    }

    fn issued(config: &AuthConfig) -> String {
        issue(Uuid::now_v7().into(), Uuid::now_v7().into(), Role::Admin, config).unwrap()
    }

    #[test]
    fn an_issued_token_is_accepted_until_it_ends() {
        let config = config(NOW);
        let (user, session) = (Uuid::now_v7().into(), Uuid::now_v7().into());
        let token = issue(user, session, Role::Admin, &config).unwrap();
        let read = verify(&token, &config).unwrap();
        assert_eq!((read.sub, read.sid, read.role), (user, session, Role::Admin));
        assert_eq!((read.exp - read.iat, read.aud.as_str()), (60, AUDIENCE));

        let ended = sign(&claims(Utc::now().timestamp()), &config.jwt_secret).unwrap();
        assert_eq!(verify(&ended, &config), Err(InvalidToken::Expired));
    }

    #[test]
    fn two_keys_are_good_at_once_and_the_new_one_signs() {
        let (before, mut now) = (config(BEFORE), config(NOW));
        let (old, new) = (issued(&before), issued(&now));
        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        assert_ne!(kid(&old), kid(&new), "the header names the key");
        assert_eq!(verify(&old, &now), Err(InvalidToken::Invalid));
        now.jwt_secret_previous = Some(BEFORE.to_owned().into());
        assert!(verify(&old, &now).is_ok() && verify(&new, &now).is_ok());
        assert_eq!(kid(&issued(&now)), kid(&new));
    }

    #[test]
    fn what_we_did_not_sign_is_refused() {
        let config = config(NOW);
        let future = Utc::now().timestamp() + 60;
        let ours = |change: fn(&mut Claims)| {
            let mut claims = claims(future);
            change(&mut claims);
            sign(&claims, &config.jwt_secret).unwrap()
        };
        let foreign = sign(&claims(future), &BEFORE.to_owned().into()).unwrap();
        let other_issuer = ours(|claims| claims.iss = "somebody".into());
        let other_audience = ours(|claims| claims.aud = "somebody-elses-api".into());
        // Signed with our key, but without its name in the header.
        let key = EncodingKey::from_secret(NOW.as_bytes());
        let unnamed = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(future), &key).unwrap();
        let named = Header { kid: Some(key_id(&config.jwt_secret)), ..Header::new(Algorithm::HS256) };
        let other_key = EncodingKey::from_secret(BEFORE.as_bytes());
        let misnamed = jsonwebtoken::encode(&named, &claims(future), &other_key).unwrap();
        let body = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims(future)).unwrap());
        let unsigned = format!("{}.{body}.", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
        let wrong = [&foreign, &other_issuer, &other_audience, &unnamed, &misnamed, &unsigned];
        for token in wrong.into_iter().map(String::as_str).chain(["", "x", "a.b.c"]) {
            assert_eq!(verify(token, &config), Err(InvalidToken::Invalid), "{token}");
        }
        // Foreign and ended: the signature is what counts.
        let old = sign(&claims(1), &BEFORE.to_owned().into()).unwrap();
        assert_eq!(verify(&old, &config), Err(InvalidToken::Invalid));
    }
}
