//! What gateways told us, as it came but for what proved it.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    billing::WebhookOutcome,
    ids::{OrderId, PaymentId, WebhookEventId},
    sorting::WebhookSort,
};
use serde::{Deserialize, Serialize};
use store::webhooks::{WebhookDetail, WebhookFilter};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
    webhooks::{self, Receipt},
};

/// Which notifications are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WebhookQuery {
    /// Only those of this gateway.
    #[param(example = "midtrans")]
    gateway: Option<String>,
    /// Only those with which this was done.
    outcome: Option<WebhookOutcome>,
    /// Only those about this payment.
    payment_id: Option<PaymentId>,
}

/// A notification of a gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminWebhook {
    id: WebhookEventId,
    /// Slug of the gateway.
    #[schema(example = "midtrans")]
    gateway: String,
    /// The payment it is about; null when none of ours has its name, or it was not believed.
    payment_id: Option<PaymentId>,
    /// The order that payment pays; null for deposits.
    order_id: Option<OrderId>,
    outcome: WebhookOutcome,
    /// Why nothing was moved; null when something was.
    #[schema(example = "says 1.00 IDR, not Rp133.200")]
    reason: Option<String>,
    received_at: DateTime<Utc>,
}

/// A notification of a gateway with its content.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminWebhookDetail {
    #[serde(flatten)]
    webhook: AdminWebhook,
    /// The identity of the event that it tells of: only the first one with it took effect. Null when it was not believed.
    #[schema(
        example = "WB-0193e7d043627709b2624de1f9ad2f5e-1:513f1f01-c9da-474c-9fc9-d5c64364b709:settlement:200:accept::PAID"
    )]
    dedupe_key: Option<String>,
    /// As it came but for what proved it, with replacement characters where it is no text.
    #[schema(
        example = r#"{"order_id":"WB-0193e7d043627709b2624de1f9ad2f5e-1","transaction_status":"settlement"}"#
    )]
    body: String,
}

/// List what gateways told us, newest first where no other order is asked for. Headers are not kept: they carry secrets.
#[utoipa::path(
    get, path = "/admin/webhooks", tag = "admin", operation_id = "admin_list_webhooks", security(("bearer" = [])),
    params(SortedPaging<WebhookSort>, WebhookQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminWebhook>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<WebhookSort>,
    Params(query): Params<WebhookQuery>,
) -> Result<Paged<AdminWebhook>, Problem> {
    let filter = WebhookFilter { gateway: query.gateway, outcome: query.outcome, payment: query.payment_id };
    let (sort, request) = paging.request()?;
    let page = state.store.webhooks(&filter, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminWebhook::from))
}

/// Get what a gateway told us, as it came but for what proved it: proofs are secrets and are not kept.
#[utoipa::path(
    get, path = "/admin/webhooks/{id}", tag = "admin", operation_id = "admin_get_webhook",
    security(("bearer" = [])), params(("id" = WebhookEventId, Path, description = "The notification.")),
    responses((status = 200, description = "The notification.", body = AdminWebhookDetail))
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(webhook): Id<WebhookEventId>,
) -> Result<Json<AdminWebhookDetail>, Problem> {
    let mut webhook = state.store.webhook(webhook).await?;
    Ok(Json(AdminWebhookDetail {
        dedupe_key: webhook.dedupe_key.take(),
        body: String::from_utf8_lossy(&webhook.body).into_owned(),
        webhook: webhook.into(),
    }))
}

/// Have the gateway asked about what a notification is about, and let its answer take effect: after a wrong key was
/// corrected, or a payment was restored. What is kept is no proof. What already took effect does not do so again.
#[utoipa::path(
    post, path = "/admin/webhooks/{id}/replay", tag = "admin", operation_id = "admin_replay_webhook",
    security(("bearer" = [])), params(("id" = WebhookEventId, Path, description = "The notification.")),
    responses(
        (status = 200, description = "It was taken in, now or before.", body = Receipt),
        (status = 400, description = "`malformed_notification`: it can't be read.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such notification, or its gateway is not in use.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`amount_mismatch`: not over the payment's amount in rupiah; `unknown_payment`; \
         `unconfirmed_payment`: the gateway does not know it when asked. Nothing moved.",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `gateway_unavailable`: try again.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn replay(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(webhook): Id<WebhookEventId>,
) -> Result<Json<Receipt>, Problem> {
    let kept = state.store.replay_webhook(webhook, &client.origin(admin.actor())).await?;
    webhooks::replay(&state, &kept).await
}

impl From<WebhookDetail> for AdminWebhook {
    fn from(webhook: WebhookDetail) -> Self {
        Self {
            id: webhook.id,
            gateway: webhook.gateway,
            payment_id: webhook.payment_id,
            order_id: webhook.order_id,
            outcome: webhook.outcome,
            reason: webhook.reason,
            received_at: webhook.received_at,
        }
    }
}
