//! The vendor's error envelope and its words.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An answer `{status_code, status_message, id}`, with what is wrong with each field if it is about fields.
#[derive(Debug)]
pub(super) struct Error {
    status: StatusCode,
    message: String,
    validation: Vec<String>,
}

impl Error {
    fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: message.to_owned(), validation: Vec::new() }
    }

    pub(super) fn invalid(validation: Vec<String>) -> Self {
        let message = "One or more parameters in the payload is invalid.";
        Self { validation, ..Self::new(StatusCode::BAD_REQUEST, message) }
    }

    pub(super) fn unknown_transaction() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Transaction doesn't exist.")
    }

    pub(super) fn duplicate() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "Duplicate order ID. order_id has already been utilized previously.",
        )
    }

    pub(super) fn not_modifiable() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "Merchant cannot modify the status of the transaction")
    }

    pub(super) fn refund_key_used() -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "Duplicate refund_key. refund_key has already been utilized.")
    }

    pub(super) fn not_refundable(why: &str) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, why)
    }

    /// What the vendor says for a status when there is nothing particular to say.
    pub(super) fn usual(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::UNAUTHORIZED => {
                "Transaction cannot be authorized with the current client/server key."
            }
            StatusCode::NOT_FOUND => "The requested resource is not found.",
            StatusCode::METHOD_NOT_ALLOWED => "HTTP method is not allowed.",
            StatusCode::TOO_MANY_REQUESTS => "API rate limit exceeded.",
            StatusCode::SERVICE_UNAVAILABLE => "Service is temporarily unavailable.",
            status if status.is_server_error() => "Sorry. Our system is recovering from unexpected issues.",
            _ => "The request could not be processed.",
        };
        Self::new(status, message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut body = json!({
            "status_code": self.status.as_u16().to_string(),
            "status_message": self.message,
            "id": uuid::Uuid::new_v4(),
        });
        if !self.validation.is_empty() {
            body["validation_messages"] = json!(self.validation);
        }
        (self.status, Json(body)).into_response()
    }
}
