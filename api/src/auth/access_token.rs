//! Access tokens: short-lived HS256 JWTs (RFC 7519). They carry ids only, no personal data.

use chrono::Utc;
use domain::{
    ids::{SessionId, UserId},
    role::Role,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use secrecy::ExposeSecret;

use crate::{AuthConfig, problem::Problem};

const ISSUER: &str = "webrana";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Claims {
    /// The user.
    pub sub: UserId,
    /// The login session.
    pub sid: SessionId,
    /// The role at the time of issue, for clients; handlers ask the database.
    pub role: Role,
    /// Who issued it.
    pub iss: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidToken {
    /// It was good once.
    Expired,
    /// Malformed, tampered with, or not ours.
    Invalid,
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
    let now = Utc::now().timestamp();
    let lifetime = i64::try_from(config.access_ttl.as_secs()).unwrap_or(i64::MAX);
    let claims = Claims {
        sub: user,
        sid: session,
        role,
        iss: ISSUER.to_owned(),
        iat: now,
        exp: now.saturating_add(lifetime),
    };
    sign(&claims, config)
}

fn sign(claims: &Claims, config: &AuthConfig) -> Result<String, Problem> {
    let key = EncodingKey::from_secret(config.jwt_secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).map_err(|e| Problem::internal(&e))
}

/// Reads a token that we issued and that has not ended.
pub(super) fn verify(token: &str, config: &AuthConfig) -> Result<Claims, InvalidToken> {
    let key = DecodingKey::from_secret(config.jwt_secret.expose_secret().as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
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
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use uuid::Uuid;

    use super::*;

    fn config(secret: &str) -> AuthConfig {
        AuthConfig {
            jwt_secret: secret.to_owned().into(),
            access_ttl: std::time::Duration::from_secs(60),
            refresh_ttl: std::time::Duration::from_secs(600),
            password_cost: crate::PasswordCost::QUICK,
        }
    }

    fn claims(exp: i64) -> Claims {
        let (sub, sid) = (Uuid::now_v7().into(), Uuid::now_v7().into());
        Claims { sub, sid, role: Role::Customer, iss: ISSUER.into(), iat: exp - 60, exp }
    }

    #[test]
    fn an_issued_token_is_accepted_until_it_ends() {
        let config = config("a secret of at least 32 bytes....");
        let (user, session) = (Uuid::now_v7().into(), Uuid::now_v7().into());
        let token = issue(user, session, Role::Admin, &config).unwrap();
        let read = verify(&token, &config).unwrap();
        assert_eq!((read.sub, read.sid, read.role), (user, session, Role::Admin));
        assert_eq!(read.exp - read.iat, 60);

        let ended = sign(&claims(Utc::now().timestamp()), &config).unwrap();
        assert_eq!(verify(&ended, &config), Err(InvalidToken::Expired));
    }

    #[test]
    fn what_we_did_not_sign_is_refused() {
        let config = config("a secret of at least 32 bytes....");
        let future = Utc::now().timestamp() + 60;
        let foreign = sign(&claims(future), &self::config("another secret, also 32 bytes....")).unwrap();
        let mut other_issuer = claims(future);
        other_issuer.iss = "somebody".into();
        let other_issuer = sign(&other_issuer, &config).unwrap();
        let body = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims(future)).unwrap());
        let unsigned = format!("{}.{body}.", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
        for token in [foreign.as_str(), &other_issuer, &unsigned, "", "x", "a.b.c"] {
            assert_eq!(verify(token, &config), Err(InvalidToken::Invalid), "{token}");
        }
        // Foreign and ended: the signature is what counts.
        let old = sign(&claims(1), &self::config("another secret, also 32 bytes....")).unwrap();
        assert_eq!(verify(&old, &config), Err(InvalidToken::Invalid));
    }
}
