//! The admin area: staff read (`orders`, `payments`, `audit_log`), administrators act (`order_acts`). Whoever may do
//! neither gets 403 `forbidden`. What the internal endpoints share with this area is in `retry`.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod audit_log;
mod order_acts;
mod orders;
mod payments;
pub(crate) mod retry;

/// Routes under `/admin`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::timeline))
        .routes(routes!(order_acts::retry_provisioning))
        .routes(routes!(order_acts::approve_payment))
        .routes(routes!(order_acts::reject_payment))
        .routes(routes!(order_acts::cancel))
        .routes(routes!(payments::list))
        .routes(routes!(audit_log::list))
}
