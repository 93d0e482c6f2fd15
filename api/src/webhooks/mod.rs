//! What payment gateways tell us. They authenticate by signing, or by a token after which they are asked; nothing of a
//! webhook event is believed before. The status of our answer tells the gateway whether to send it again.
//!
//! A gateway is a file: its address with what it sends there, for the API's document, and a line in [`routes`].

use axum::extract::DefaultBodyLimit;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod intake;
mod midtrans;
mod xendit;

pub(crate) use intake::{Receipt, replay};

/// Largest event that is read, in bytes; a gateway's have about a thousand.
const MAX_BODY: usize = 64 * 1024;

/// Routes under `/webhooks`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(midtrans::notification))
        .routes(routes!(xendit::webhook))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}
