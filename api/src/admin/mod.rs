//! The admin area: staff read (`orders`, `payments`, `webhooks`, `audit_log`), administrators act (`order_acts`, `money`). Whoever may do
//! neither gets 403 `forbidden`. What the internal endpoints share with this area is in `retry`.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::AppState;

mod audit_log;
mod money;
mod order_acts;
mod orders;
mod payments;
pub(crate) mod retry;
mod webhooks;

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
        .routes(routes!(money::refund))
        .routes(routes!(money::wallet))
        .routes(routes!(money::adjust_wallet))
        .routes(routes!(payments::list))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::get))
        .routes(routes!(webhooks::replay))
        .routes(routes!(audit_log::list))
}
