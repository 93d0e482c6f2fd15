//! Sessions of browsers: the refresh token in a cookie that no script reads, for who asks for that. The cookie goes to `/auth` of
//! this site only and is read only beside a header that a foreign page can't send, so it helps nobody else (CSRF).

use std::time::Duration;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use secrecy::{ExposeSecret, SecretString};
use store::sessions::Opened;

use super::{access_token, bodies::LoginAnswer};
use crate::{
    AuthConfig,
    problem::{Code, Problem},
};

/// The cookie's name.
const NAME: &str = "wb_refresh";

/// What the cookie is besides its value: out of scripts' reach, over TLS, never with a request that another site caused, and
/// only where refresh tokens are taken.
const ATTRIBUTES: &str = "HttpOnly; Secure; SameSite=Strict; Path=/api/v1/auth";

/// What shows that a request is of a page of ours: no other page may send it.
const OF_OURS: (&str, &str) = ("x-requested-with", "webrana");

/// How a client keeps its refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// By itself: it gets it in the body.
    Body,
    /// In a cookie, which it asks for by `X-Session: cookie`.
    Cookie,
}

impl<S: Send + Sync> FromRequestParts<S> for Keeping {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(match parts.headers.get("x-session").is_some_and(|wanted| wanted == "cookie") {
            true => Self::Cookie,
            false => Self::Body,
        })
    }
}

/// The refresh token of a browser's cookie.
#[derive(Debug)]
pub(super) struct RefreshCookie {
    token: Option<SecretString>,
    is_of_ours: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for RefreshCookie {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (name, value) = OF_OURS;
        let is_of_ours = parts.headers.get(name).is_some_and(|header| header == value);
        Ok(Self { token: cookie(&parts.headers), is_of_ours })
    }
}

impl RefreshCookie {
    /// The token; `None` where there is no cookie.
    ///
    /// # Errors
    /// 403 `csrf_header_required` where the request may be another site's.
    pub(super) fn token(self) -> Result<Option<SecretString>, Problem> {
        match self.token {
            Some(_) if !self.is_of_ours => Err(Problem::new(
                Code::CsrfHeaderRequired,
                "send the header X-Requested-With: webrana with the cookie",
            )),
            token => Ok(token),
        }
    }
}

fn cookie(headers: &HeaderMap) -> Option<SecretString> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    all.flat_map(|header| header.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == NAME && !value.is_empty()).then(|| value.to_owned().into()))
}

/// A login with its tokens, the refresh token where its client keeps it. RFC 6749, 5.1: such answers are not to be cached.
pub(super) fn answer(
    opened: Opened,
    keeping: Keeping,
    config: &AuthConfig,
) -> Result<(HeaderMap, Json<LoginAnswer>), Problem> {
    let mut headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
    let refresh_token = match keeping {
        Keeping::Body => Some(opened.refresh_token),
        Keeping::Cookie => {
            let token = SecretString::from(opened.refresh_token);
            headers.insert(header::SET_COOKIE, set(token.expose_secret(), config.sessions.refresh_ttl)?);
            None
        }
    };
    let answer = LoginAnswer {
        access_token: access_token::issue(opened.user.id, opened.session, opened.user.role, config)?,
        user: opened.user.into(),
        refresh_token,
        token_type: "Bearer",
        expires_in: config.access_ttl.as_secs(),
    };
    Ok((headers, Json(answer)))
}

/// What has a browser forget the token.
pub(super) fn forgotten() -> Result<HeaderMap, Problem> {
    Ok(HeaderMap::from_iter([(header::SET_COOKIE, set("", Duration::ZERO)?)]))
}

fn set(token: &str, life: Duration) -> Result<HeaderValue, Problem> {
    let mut cookie =
        HeaderValue::try_from(format!("{NAME}={token}; Max-Age={}; {ATTRIBUTES}", life.as_secs()))
            .map_err(|error| Problem::internal(&error))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(text))]);
            cookie(&headers).map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(of("a=b; wb_refresh=wbr_1; c=d").as_deref(), Some("wbr_1"));
        assert_eq!(of("wb_refresh=wbr_1").as_deref(), Some("wbr_1"));
        for none in ["", "a=b", "xwb_refresh=wbr_1", "wb_refresh=", "wb_refresh"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
