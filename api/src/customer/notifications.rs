//! A person's in-app notifications.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{ids::NotificationId, locale::Locale};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    extract::{Id, Paged, Paging, Params},
    problem::Problem,
    wording,
};

/// Routes under `/notifications`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(unread_count))
        .routes(routes!(read))
        .routes(routes!(read_all))
        .routes(routes!(delete))
}

/// Which notifications are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct NotificationQuery {
    /// Only those not read yet.
    #[serde(default)]
    #[param(default = false)]
    unread: bool,
}

/// A notification.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Notification {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: NotificationId,
    /// `ORDER_CREATED`, `PAYMENT_CONFIRMED`, `VPS_ACTIVE`, `PROVISIONING_FAILED` and so on.
    #[serde(rename = "type")]
    #[schema(example = "VPS_ACTIVE")]
    kind: String,
    #[schema(example = "Your server is running")]
    title: String,
    #[schema(example = "web-1.example.com is active and ready to use.")]
    message: String,
    /// Path in the customer's app.
    #[schema(example = "/instances/0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    action_url: Option<String>,
    /// What happened, for programs: ids, amounts, names.
    #[schema(value_type = Object)]
    metadata: serde_json::Value,
    is_read: bool,
    /// When it was first marked as read.
    read_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl Notification {
    pub(super) fn in_language(
        row: store::notifications::Notification,
        reader: Locale,
    ) -> Result<Self, Problem> {
        let letter = wording::in_app(row.event.as_ref(), &row.kind, reader)?;
        Ok(Self {
            id: row.id,
            kind: row.kind,
            title: letter.title,
            message: letter.message,
            action_url: row.event.and_then(|event| event.facts().action_url),
            metadata: row.data,
            is_read: row.is_read,
            read_at: row.read_at,
            created_at: row.created_at,
        })
    }
}

/// How many notifications wait to be read.
#[derive(Debug, Serialize, ToSchema)]
struct UnreadCount {
    #[schema(example = 3)]
    count: i64,
}

/// How many notifications were marked as read.
#[derive(Debug, Serialize, ToSchema)]
struct ReadAll {
    /// Those that had not been read before.
    #[schema(example = 3)]
    updated: u64,
}

/// List my notifications, newest first, in the language that `Accept-Language` asks for, else in my profile's.
#[utoipa::path(
    get, path = "/notifications", tag = "notifications", operation_id = "list_notifications",
    security(("bearer" = [])), params(Paging, NotificationQuery),
    responses(
        (status = 200, description = "A part of the list.", body = Paged<Notification>),
    )
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: Paging,
    Params(query): Params<NotificationQuery>,
) -> Result<Paged<Notification>, Problem> {
    let page = state.store.notifications(me.id, query.unread, paging.request()).await?;
    Paged::try_new(page, |row| Notification::in_language(row, me.locale()))
}

/// Count my notifications that wait to be read.
#[utoipa::path(
    get, path = "/notifications/unread-count", tag = "notifications", operation_id = "count_unread_notifications",
    security(("bearer" = [])),
    responses((status = 200, description = "How many.", body = UnreadCount))
)]
async fn unread_count(me: CurrentUser, State(state): State<AppState>) -> Result<Json<UnreadCount>, Problem> {
    Ok(Json(UnreadCount { count: state.store.unread_notifications(me.id).await? }))
}

/// Mark one of my notifications as read. Doing it again keeps the first time.
#[utoipa::path(
    post, path = "/notifications/{id}/read", tag = "notifications", operation_id = "read_notification",
    security(("bearer" = [])), params(("id" = NotificationId, Path, description = "The notification.")),
    responses(
        (status = 200, description = "The notification.", body = Notification),
        (status = 404, description = "`not_found`: I have no such notification.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn read(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<NotificationId>,
) -> Result<Json<Notification>, Problem> {
    let row = state.store.read_notification(me.id, id).await?;
    Notification::in_language(row, me.locale()).map(Json)
}

/// Mark all my notifications as read.
#[utoipa::path(
    post, path = "/notifications/read-all", tag = "notifications", operation_id = "read_all_notifications",
    security(("bearer" = [])),
    responses((status = 200, description = "How many had not been read.", body = ReadAll))
)]
async fn read_all(me: CurrentUser, State(state): State<AppState>) -> Result<Json<ReadAll>, Problem> {
    Ok(Json(ReadAll { updated: state.store.read_all_notifications(me.id).await? }))
}

/// Delete one of my notifications.
#[utoipa::path(
    delete, path = "/notifications/{id}", tag = "notifications", operation_id = "delete_notification",
    security(("bearer" = [])), params(("id" = NotificationId, Path, description = "The notification.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "`not_found`: I have no such notification.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn delete(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<NotificationId>,
) -> Result<StatusCode, Problem> {
    state.store.delete_notification(me.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
