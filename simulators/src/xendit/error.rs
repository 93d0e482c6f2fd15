//! The vendor's error envelope and its words.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer `{error_code, message}`, with what is wrong with each field if it is about fields.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    errors: Vec<String>,
}

impl Error {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), errors: Vec::new() }
    }

    pub(super) fn invalid(errors: Vec<String>) -> Self {
        let message = "There was an error with the format submitted to the server.";
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, "API_VALIDATION_ERROR", message) }
    }

    pub(super) fn unknown_version() -> Self {
        Self::invalid(vec!["api-version must be 2024-11-11".to_owned()])
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "DATA_NOT_FOUND", &format!("{what} not found"))
    }

    pub(super) fn duplicate(what: &str) -> Self {
        let message = format!("{what} has been used before with another request.");
        Self::new(StatusCode::CONFLICT, "DUPLICATE_ERROR", &message)
    }

    /// What the vendor says for a status when there is nothing particular to say.
    pub(super) fn usual(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::UNAUTHORIZED => ("INVALID_API_KEY", "API key is not authorized for this API service"),
            StatusCode::NOT_FOUND => ("NOT_FOUND", "The requested resource was not found"),
            StatusCode::METHOD_NOT_ALLOWED => ("METHOD_NOT_ALLOWED", "The method is not allowed"),
            StatusCode::TOO_MANY_REQUESTS => ("RATE_LIMIT_EXCEEDED", "Too many requests"),
            StatusCode::SERVICE_UNAVAILABLE => {
                ("CHANNEL_UNAVAILABLE", "The payment channel is currently experiencing unexpected issues")
            }
            status if status.is_server_error() => {
                ("SERVER_ERROR", "An unexpected error occurred. Our team has been notified.")
            }
            _ => ("REQUEST_FAILED", "The request could not be processed"),
        };
        Self::new(status, code, message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut body = json!({ "error_code": self.code, "message": self.message });
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        (self.status, Json(body)).into_response()
    }
}
