//! RFC 9457 problem details: the one shape of every error answer, every code that it may have
//! ([`Code`]), and the one mapping from other crates' errors to it (`mapping`).

use std::{
    borrow::Cow,
    ops::{Deref, DerefMut},
    time::Duration,
};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{causes::in_full, ids::PaymentId, payment_limits::OutsideLimits, rate_limit::HeldBy};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

mod code;
mod mapping;

pub use code::Code;

/// An error answer. Boxed, so that a `Result` with it stays small.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Details>);

/// What went wrong, for programs (`code`, `errors`) and people (`title`, `detail`).
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub struct Details {
    /// A URI that names the kind of problem: `https://webrana.id/problems/<code>`.
    #[serde(rename = "type")]
    #[schema(example = "https://webrana.id/problems/order_conflict")]
    pub kind: String,
    /// The kind of problem in a few words.
    #[schema(example = "Conflict")]
    pub title: String,
    /// HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What happened in this case.
    #[schema(example = "the order is ACTIVE")]
    pub detail: String,
    /// The request's id, to quote to support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Stable word for programs.
    #[schema(value_type = String, example = "order_conflict")]
    pub code: Code,
    /// Fields at fault, when it is about fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// `several_payments_wait`: the payments of which one is to be named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payment_ids: Vec<PaymentId>,
    /// Seconds after which the same request may succeed; sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u64>,
    /// How to authenticate, sent as `WWW-Authenticate` with a 401.
    #[serde(skip)]
    pub challenge: Option<&'static str>,
}

/// One field at fault.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field in the body, or the name of the parameter.
    #[schema(example = "hostname")]
    pub field: String,
    /// What is wrong with it.
    #[schema(example = "a host name has only letters, digits, dashes and dots")]
    pub message: String,
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Details::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Details::schemas(schemas);
    }
}

impl Problem {
    /// A problem of its code's status, explained.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let status = code.status();
        Self(Box::new(Details {
            kind: format!("https://webrana.id/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            code,
            errors: Vec::new(),
            payment_ids: Vec::new(),
            retry_after: None,
            challenge: None,
        }))
    }

    /// 404: no such thing, or not yours.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// A problem with one field.
    #[must_use]
    pub fn field(code: Code, field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(code, message.clone());
        problem.errors.push(FieldError { field: field.to_owned(), message });
        problem
    }

    /// 500: our fault; the cause goes to the log, not to the client.
    #[must_use]
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::failed(&in_full(cause))
    }

    /// 500, where nothing but words says why; they are for the log.
    #[must_use]
    pub fn failed(why: &str) -> Self {
        tracing::error!(event = "http.request_failed", error = why, "request failed");
        Self::new(Code::Internal, "something went wrong on our side")
    }

    /// 422: so much can't be paid in this way; `advice` says what takes it.
    pub(crate) fn beyond_limit(outside: &OutsideLimits, advice: Option<&str>) -> Self {
        let mut message = outside.to_string();
        if let Some(advice) = advice {
            message.push_str(". ");
            message.push_str(advice);
        }
        Self::field(Code::PaymentMethodLimit, "payment_method", message)
    }

    /// 503: the answer would have to come from a provider.
    #[must_use]
    pub fn provider_unavailable() -> Self {
        Self::new(
            Code::ProviderUnavailable,
            "the server's provider does not answer at the moment; please try again a little later",
        )
        .retry_after(10)
    }

    /// The provider could be asked, but not by so many, or not so often by one: 503 where others took the share, 429
    /// where the one who asks did.
    fn no_share(by: HeldBy, retry_after: Duration) -> Self {
        if by != HeldBy::Party {
            return Self::provider_busy(retry_after);
        }
        let detail =
            "you asked the server's provider for more than one customer may; please try again a little later";
        Self::new(Code::TooManyCalls, detail).retry_after(retry_after.as_secs().max(1))
    }

    /// 503: the provider could be asked, but not by so many.
    pub(crate) fn provider_busy(retry_after: Duration) -> Self {
        let detail = "the server's provider is being asked for too much at the moment; please try again a little later";
        Self::new(Code::ProviderBusy, detail).retry_after(retry_after.as_secs().max(1))
    }

    /// Asks the client to come back later.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Says how to authenticate; without it a 401 asks for a bearer token.
    #[must_use]
    pub fn challenge(mut self, challenge: &'static str) -> Self {
        self.0.challenge = Some(challenge);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let challenge = self.challenge.unwrap_or(r#"Bearer realm="webrana""#);
        self.instance = self.0.instance.take().or_else(crate::request_id::current);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
