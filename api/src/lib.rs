//! The HTTP side: axum routes grouped by audience (`public`, `customer`, `admin`, `internal`, `webhooks`), who is
//! asking (`auth`), one shape for every error (`problem`) and the OpenAPI document. A handler reads in a few lines:
//! extractors in, a call into `store` (and, where the customer waits for it, one to a gateway or provider), a typed answer
//! out. Rules are `domain`'s, SQL is `store`'s; Temporal is never
//! called from here: what a workflow must know leaves through the outbox.

use utoipa_axum::router::OpenApiRouter;

mod admin;
mod at_provider;
mod auth;
pub mod crash_point;
mod customer;
mod documents;
mod etag;
pub mod extract;
mod headers;
mod in_time;
mod internal;
mod observe;
mod openapi;
mod payment_ways;
pub mod problem;
mod provider_reads;
pub mod public;
mod rate_limit;
pub mod serve;
mod server;
mod state;
mod webhooks;
mod wording;

pub use auth::{
    PasswordCost,
    password::{PasswordError, Unacceptable, acceptable as acceptable_password, hash as hash_password},
};
pub use documents::Seller;
pub use openapi::{document, internal_document};
pub use server::{internal_router, router};
pub use state::{AppState, AuthConfig, Limits, OrderConfig, PaymentConfig};

/// Every route under `/api/v1`, with its documentation.
fn v1() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(public::catalog::routes())
        .merge(public::payment_methods::routes())
        .merge(customer::orders::routes())
        .merge(customer::invoices::routes())
        .merge(customer::documents::routes())
        .merge(customer::instances::routes())
        .merge(customer::credentials::routes())
        .merge(customer::payments::routes())
        .merge(customer::proofs::routes())
        .merge(customer::promos::routes())
        .merge(customer::notifications::routes())
        .merge(customer::wallet::routes())
        .merge(customer::refunds::routes())
        .merge(admin::routes())
        .merge(internal::routes())
        .merge(webhooks::routes())
}
