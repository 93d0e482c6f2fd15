//! The vendor's error envelope and its words.

use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;

/// One thing that is wrong, with the field at fault if one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// An answer `{errors: [{reason, field?}]}`.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    reasons: Vec<Reason>,
    maintenance: bool,
}

impl Reason {
    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), field: None }
    }

    pub(super) fn of(field: &str, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), field: Some(field.to_owned()) }
    }
}

impl Error {
    fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reasons: vec![Reason::whole(reason)], maintenance: false }
    }

    /// A 400 about the request as a whole.
    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// A 400 about one field.
    pub(super) fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::reasons(vec![Reason::of(field, reason)])
    }

    /// A 400 that names everything that is wrong.
    pub(super) const fn reasons(reasons: Vec<Reason>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, reasons, maintenance: false }
    }

    pub(super) fn not_found() -> Self {
        Self::usual(StatusCode::NOT_FOUND)
    }

    pub(super) fn busy() -> Self {
        Self::bad_request("Linode busy.")
    }

    pub(super) fn sold_out() -> Self {
        Self::field("region", "No open slots for this plan!")
    }

    /// The whole API is closed for maintenance: clients must not try again at once.
    pub(super) fn maintenance() -> Self {
        Self { maintenance: true, ..Self::usual(StatusCode::SERVICE_UNAVAILABLE) }
    }

    /// What the vendor says for a status when there is nothing particular to say.
    pub(super) fn usual(status: StatusCode) -> Self {
        let reason = match status {
            StatusCode::UNAUTHORIZED => "Invalid Token",
            StatusCode::FORBIDDEN => "Unauthorized",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::METHOD_NOT_ALLOWED => "Method Not Allowed",
            StatusCode::REQUEST_TIMEOUT => "Please try again",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            StatusCode::SERVICE_UNAVAILABLE => "Service Unavailable",
            status if status.is_server_error() => "Internal Server Error",
            _ => "Bad request",
        };
        Self::new(status, reason)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "errors": self.reasons }))).into_response();
        if self.maintenance {
            response
                .headers_mut()
                .insert("x-maintenance-mode", HeaderValue::from_static("Scheduled maintenance"));
        }
        response
    }
}
