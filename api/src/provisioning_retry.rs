//! Manual re-provisioning, as the admin area and the internal endpoints offer it.

use axum::{Json, http::StatusCode};
use domain::{
    ids::{OrderId, PlanId, SshKeyId},
    order::OrderStatus,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{admin::RetriedOrder, audit::Origin, placements::Elsewhere};
use utoipa::ToSchema;

use crate::{
    AppState,
    bodies::server_spec::{parse_hostname, refuse_too_many},
    problem::Problem,
};

/// How to try again. Without a body: where it was tried last.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct RetryRequest {
    /// Another region (slug). Left out with a plan: the region it has, or the nearest in the same country.
    #[schema(example = "sgp1")]
    pub region: Option<String>,
    /// Another plan, perhaps of another provider. The customer's price stays.
    pub plan_id: Option<PlanId>,
    /// Another image (slug).
    #[schema(example = "debian-12")]
    pub image: Option<String>,
    /// Another host name.
    #[schema(example = "web-2.example.com")]
    pub hostname: Option<String>,
    /// Other SSH keys of the customer's, in place of all that were ordered; none: a root password.
    pub ssh_key_ids: Option<Vec<SshKeyId>>,
}

/// An order that is being provisioned once more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetryAccepted {
    /// The order.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    pub id: OrderId,
    /// Where it stands now: `PROVISIONING`.
    pub status: OrderStatus,
    /// Which manual retry of this order it is; the first is 1.
    #[schema(example = 1)]
    pub retry: i64,
}

impl From<RetriedOrder> for RetryAccepted {
    fn from(order: RetriedOrder) -> Self {
        Self { id: order.order_id, status: order.status, retry: order.retry }
    }
}

/// Sends a failed order back to provisioning, with what is wished changed.
///
/// # Errors
/// 404 when there is no such order, 409 `order_conflict` naming its status when it has not failed; when something is wanted
/// otherwise: 409 `outcome_pending` while a server may exist where it was tried, 409 `provider_disabled`, 422 for the rest.
pub(crate) async fn retry(
    state: &AppState,
    order: OrderId,
    origin: &Origin,
    request: RetryRequest,
) -> Result<(StatusCode, Json<RetryAccepted>), Problem> {
    let hostname = request.hostname.as_deref().map(parse_hostname).transpose()?;
    refuse_too_many(request.ssh_key_ids.as_deref().unwrap_or_default())?;
    let wish = Elsewhere {
        region: request.region,
        plan_id: request.plan_id,
        image: request.image,
        hostname,
        ssh_key_ids: request.ssh_key_ids,
        configured: state.configured(),
    };
    let is_plain = wish.is_nothing();
    let retried = if is_plain {
        state.store.retry_provisioning(order, origin).await?
    } else {
        state.store.retry_provisioning_elsewhere(order, &wish, origin).await?
    };
    tracing::info!(
        event = "order.retried",
        order_id = %order,
        retry = retried.retry,
        is_plain,
        "provisioning retried by hand"
    );
    Ok((StatusCode::ACCEPTED, Json(retried.into())))
}
