//! Every route, by port.

use utoipa_axum::router::OpenApiRouter;

use crate::{AppState, admin, auth, customer, internal, public, webhooks};

/// Every route under `/api/v1`, with its documentation.
pub(crate) fn v1() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(auth::routes())
        .merge(public::catalog::routes())
        .merge(public::payment_methods::routes())
        .merge(public::unsubscribe::routes())
        .merge(customer::orders::routes())
        .merge(customer::invoices::routes())
        .merge(customer::credit_notes::routes())
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

/// What whoever writes words looks at; nothing of it is there in production.
pub(crate) fn for_writers() -> axum::Router<AppState> {
    public::previews::routes()
}

/// The provider API under `/internal`, on the internal port.
pub(crate) fn for_programs() -> OpenApiRouter<AppState> {
    internal::provider_routes()
}

/// Open connections, on the public port.
pub(crate) fn live() -> OpenApiRouter<AppState> {
    customer::live::routes()
}

/// What monitoring asks, on either port.
pub(crate) fn health() -> OpenApiRouter<AppState> {
    public::health::routes()
}
