//! What people are told outside of the app, and what came of it.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    delivery::{DeliveryChannel, DeliveryState, DeliveryTrouble},
    ids::{DeliveryId, UserId},
    notification::NotificationKind,
    sorting::DeliverySort,
};
use serde::{Deserialize, Serialize};
use store::deliveries::{DeliveryFilter, StaffDelivery};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
};

/// Which deliveries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// Only those that stand so: `FAILED` and `UNKNOWN` wait for a person.
    state: Option<DeliveryState>,
    /// Only those by this channel.
    channel: Option<DeliveryChannel>,
    /// Only notifications of this type.
    #[serde(rename = "type")]
    #[param(rename = "type")]
    kind: Option<NotificationKind>,
    /// Only this person's.
    user_id: Option<UserId>,
}

/// A delivery: one event, told to one person by one channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminDelivery {
    #[schema(example = "0193e7d0-8c1d-7a6b-9f0e-0d2f0a9b7c33")]
    id: DeliveryId,
    /// Who is told; null: the administrators, in the chat that they share.
    user_id: Option<UserId>,
    channel: DeliveryChannel,
    /// The notification's type.
    #[serde(rename = "type")]
    #[schema(example = "VPS_ACTIVE")]
    kind: String,
    /// The event.
    #[schema(example = "server_active")]
    event: String,
    state: DeliveryState,
    /// Attempts that were begun.
    #[schema(example = 3)]
    attempts: i32,
    /// Attempts that may have been taken without our knowing: so often more may its reader have it.
    #[schema(example = 0)]
    in_doubt: i32,
    /// The latest trouble.
    #[schema(value_type = Option<DeliveryTrouble>)]
    trouble: Option<String>,
    /// What the other side said, without addresses.
    #[schema(example = "the mail server said 550 5.1.1 (naming the recipient)")]
    error: Option<String>,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<StaffDelivery> for AdminDelivery {
    fn from(delivery: StaffDelivery) -> Self {
        Self {
            id: delivery.id,
            user_id: delivery.user_id,
            channel: delivery.channel,
            kind: delivery.kind,
            event: delivery.event,
            state: delivery.state,
            attempts: delivery.attempts,
            in_doubt: delivery.in_doubt,
            trouble: delivery.trouble,
            error: delivery.error,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}

/// List what people are told by mail and by Telegram.
#[utoipa::path(
    get, path = "/admin/deliveries", tag = "admin", operation_id = "admin_list_deliveries", security(("bearer" = [])),
    params(SortedPaging<DeliverySort>, DeliveryQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminDelivery>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<DeliverySort>,
    Params(query): Params<DeliveryQuery>,
) -> Result<Paged<AdminDelivery>, Problem> {
    let filter = DeliveryFilter {
        state: query.state,
        channel: query.channel,
        kind: query.kind.map(|kind| kind.to_string()),
        user: query.user_id,
    };
    let (sort, request) = paging.request()?;
    let page = state.store.deliveries(&filter, sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminDelivery::from))
}

/// Have a message sent once more that came to nothing, or may have. An address that was left alone is tried again.
#[utoipa::path(
    post, path = "/admin/deliveries/{id}/resend", tag = "admin", operation_id = "admin_resend_delivery",
    security(("bearer" = [])), params(("id" = DeliveryId, Path, description = "The delivery.")),
    responses(
        (status = 200, description = "It is `PENDING`.", body = AdminDelivery),
        (status = 409, description = "`delivery_conflict`: it is under way or was sent; `detail` names its state.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resend(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(delivery): Id<DeliveryId>,
) -> Result<Json<AdminDelivery>, Problem> {
    Ok(Json(state.store.resend_delivery(delivery, &client.origin(admin.actor())).await?.into()))
}
