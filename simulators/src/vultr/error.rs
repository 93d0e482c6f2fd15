//! The vendor's error envelope and its words.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer `{error, status}`.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    message: String,
    retry_after: Option<u64>,
}

impl Error {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    pub(super) fn unauthorized() -> Self {
        Self::usual(StatusCode::UNAUTHORIZED)
    }

    /// One call too many; `seconds` until the next is admitted.
    pub(super) fn too_many_requests(seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::usual(StatusCode::TOO_MANY_REQUESTS) }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    pub(super) fn instance_not_found() -> Self {
        Self::not_found("instance")
    }

    /// Something is under way that `verb` must wait for. The vendor calls that a server error.
    pub(super) fn locked(verb: &str) -> Self {
        let inner = if verb == "destroy" { "Unable to remove VM: " } else { "" };
        let message = format!("Unable to {verb} server: {inner}Server is currently locked");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The server is still pending. The vendor calls that a server error, too.
    pub(super) fn not_active(verb: &str) -> Self {
        let message = format!(
            "Unable to {verb} server: This subscription is not currently active, you cannot {verb} it."
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    pub(super) fn sold_out() -> Self {
        Self::bad_request(
            "Server add failed: Plan is not available in the selected datacenter.  This could mean you have chosen \
             the wrong plan (for example, a storage plan in a location that does not offer them), or the location \
             you have selected does not have any more capacity.",
        )
    }

    pub(super) fn account_full() -> Self {
        Self::bad_request(
            "Server add failed: You have reached the maximum number of active virtual machines for this account.  \
             Please contact our support team to have your limit raised.",
        )
    }

    /// What the vendor says for a status when there is nothing particular to say.
    pub(super) fn usual(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::UNAUTHORIZED => "Invalid API token.",
            StatusCode::FORBIDDEN => "Unauthorized IP address",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::METHOD_NOT_ALLOWED => "Method not allowed",
            StatusCode::TOO_MANY_REQUESTS => {
                "Rate limit reached - please try your request again later.  Current rate limit: 30 requests/sec"
            }
            StatusCode::SERVICE_UNAVAILABLE => "Service temporarily unavailable",
            status if status.is_server_error() => "Internal server error",
            _ => "Invalid request",
        };
        Self::new(status, message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.message, "status": self.status.as_u16() });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
