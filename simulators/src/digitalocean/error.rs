//! The vendor's error envelope and its words.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer `{id, message}`.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    id: &'static str,
    message: String,
}

impl Error {
    fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into() }
    }

    pub(super) fn unauthorized() -> Self {
        Self::usual(StatusCode::UNAUTHORIZED)
    }

    pub(super) fn too_many_requests() -> Self {
        Self::usual(StatusCode::TOO_MANY_REQUESTS)
    }

    pub(super) fn not_found() -> Self {
        Self::usual(StatusCode::NOT_FOUND)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable_entity", message)
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn conflict(message: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    pub(super) fn pending_event() -> Self {
        Self::unprocessable("Droplet already has a pending event.")
    }

    pub(super) fn sold_out() -> Self {
        Self::unprocessable("Size is not available in this region.")
    }

    pub(super) fn smaller_disk() -> Self {
        Self::unprocessable("This size is not available because it has a smaller disk.")
    }

    /// What the vendor says for a status when there is nothing particular to say.
    pub(super) fn usual(status: StatusCode) -> Self {
        let (id, message) = match status {
            StatusCode::UNAUTHORIZED => ("unauthorized", "Unable to authenticate you."),
            StatusCode::FORBIDDEN => ("forbidden", "You do not have access for the attempted action."),
            StatusCode::NOT_FOUND => ("not_found", "The resource you requested could not be found."),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "Method not allowed."),
            StatusCode::CONFLICT => ("conflict", "The request could not be completed due to a conflict."),
            StatusCode::UNPROCESSABLE_ENTITY => {
                ("unprocessable_entity", "The request could not be processed.")
            }
            StatusCode::TOO_MANY_REQUESTS => ("too_many_requests", "API rate limit exceeded."),
            StatusCode::SERVICE_UNAVAILABLE => ("service_unavailable", "Service temporarily unavailable."),
            status if status.is_server_error() => ("server_error", "Unexpected server-side error"),
            _ => ("bad_request", "The request is invalid."),
        };
        Self::new(status, id, message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "id": self.id, "message": self.message }))).into_response()
    }
}
