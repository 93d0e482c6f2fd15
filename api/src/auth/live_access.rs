//! Who holds an open connection: it says so in a message, not in a header, since browsers let no page set one there.

use std::time::Duration;

use axum::http::{HeaderMap, Method};
use domain::{ids::UserId, language::Language, locale::Locale};
use secrecy::{ExposeSecret, SecretString};
use store::api_tokens::API_TOKEN_PREFIX;
use uuid::Uuid;

use super::{access, principal};
use crate::{
    AppState,
    problem::{Code, Problem},
};

/// What a connection shows is what this operation shows, so it takes the same tokens.
const LIKE: (Method, &str) = (Method::GET, "/api/v1/notifications");

/// By what a connection is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveAccess {
    /// Whose it is.
    pub(crate) user: UserId,
    /// The login or the API token: with it the connection ends.
    pub(crate) by: Uuid,
    /// How they read.
    pub(crate) reader: Locale,
    /// How long it is good; `None` of an API token without an end.
    pub(crate) left: Option<Duration>,
}

impl LiveAccess {
    /// Whose an access token or a personal API token is; `asked` is the language that they asked for.
    ///
    /// # Errors
    /// What a request with it would be answered with.
    pub(crate) async fn of(
        token: &SecretString,
        asked: Option<Language>,
        state: &AppState,
    ) -> Result<Self, Problem> {
        let token = token.expose_secret();
        if token.starts_with(API_TOKEN_PREFIX) {
            let like = access(&LIKE.0, LIKE.1);
            let (user, holder) = principal::with_token(token, asked, like, state).await?;
            let left = holder.left.map(store::Elapsed::get);
            return Ok(Self { user: user.id, by: holder.id.0, reader: user.locale(), left });
        }
        let (user, claims) = principal::with_session(token, asked, state).await?;
        if user.impersonator.is_some() {
            // What staff see in a customer's name is noted request by request.
            return Err(Problem::new(
                Code::ImpersonationForbidden,
                "staff do not follow an account in its owner's name",
            ));
        }
        Ok(Self { user: user.id, by: claims.sid.0, reader: user.locale(), left: Some(claims.left()) })
    }

    /// The language that a request asks for.
    pub(crate) fn language_asked(headers: &HeaderMap) -> Option<Language> {
        principal::accepted_language(headers)
    }
}
