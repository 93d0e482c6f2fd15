//! Trying many failed orders again.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    ids::{BulkRetryId, UserId},
    provisioning::FailureClass,
    sorting::AgeSort,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::admin::{BulkRetry, NewBulkRetry};
use utoipa::ToSchema;

use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Paged, SortedPaging},
    problem::Problem,
};

/// Which failed orders are to be tried again.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryMany {
    /// Those that failed with this class.
    #[garde(skip)]
    failure_class: FailureClass,
    /// Of these, those that are at this provider (slug); left out: all.
    #[garde(inner(length(min = 1, max = 50)))]
    #[serde(default)]
    #[schema(min_length = 1, max_length = 50, example = "digitalocean")]
    provider: Option<String>,
    /// How many a minute, 1 to 600.
    #[garde(range(min = 1, max = 600))]
    #[serde(default = "usual_pace")]
    #[schema(minimum = 1, maximum = 600, example = 20)]
    per_minute: i32,
}

const fn usual_pace() -> i32 {
    20
}

/// Failed orders that are tried again together.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminBulkRetry {
    id: BulkRetryId,
    failure_class: FailureClass,
    /// None: all.
    #[schema(example = "digitalocean")]
    provider: Option<String>,
    #[schema(example = 20)]
    per_minute: i32,
    requested_by: UserId,
    created_at: DateTime<Utc>,
    /// When it was stopped.
    stopped_at: Option<DateTime<Utc>>,
    /// How many orders it is about.
    #[schema(example = 40)]
    orders: i64,
    /// How many are tried again.
    #[schema(example = 20)]
    retried: i64,
    /// How many had not failed any more when it was their turn, or with another class, or could not be tried again.
    #[schema(example = 0)]
    skipped: i64,
    /// How many are still to be tried again.
    #[schema(example = 20)]
    waiting: i64,
}

impl From<BulkRetry> for AdminBulkRetry {
    fn from(bulk: BulkRetry) -> Self {
        Self {
            waiting: bulk.waiting(),
            id: bulk.id,
            failure_class: bulk.failure_class,
            provider: bulk.provider,
            per_minute: bulk.per_minute,
            requested_by: bulk.requested_by,
            created_at: bulk.created_at,
            stopped_at: bulk.stopped_at,
            orders: bulk.orders,
            retried: bulk.retried,
            skipped: bulk.skipped,
        }
    }
}

/// Try failed orders of a kind again, where they are, some a minute. Orders that fail later are not among them.
#[utoipa::path(
    post, path = "/admin/bulk-retries", tag = "admin", operation_id = "admin_retry_orders", security(("bearer" = [])),
    request_body(content = RetryMany),
    responses(
        (status = 202, description = "The first of them are tried again.", body = AdminBulkRetry),
        (status = 404, description = "`not_found`: there is no such provider, or no such order has failed.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn request(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Body(request): Body<RetryMany>,
) -> Result<(StatusCode, Json<AdminBulkRetry>), Problem> {
    let new = NewBulkRetry {
        failure_class: request.failure_class,
        provider: request.provider,
        per_minute: request.per_minute,
        staff: admin.id,
    };
    let bulk = state.store.request_bulk_retry(&new, &client.origin(admin.actor())).await?;
    tracing::warn!(
        event = "bulk_retry.started",
        bulk_retry_id = %bulk.id,
        orders = bulk.orders,
        "failed orders are tried again"
    );
    state.store.advance_bulk_retries().await?;
    Ok((StatusCode::ACCEPTED, Json(state.store.bulk_retry(bulk.id).await?.into())))
}

/// List bulk retries with their progress, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/bulk-retries", tag = "admin", operation_id = "admin_list_bulk_retries",
    security(("bearer" = [])), params(SortedPaging<AgeSort>),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminBulkRetry>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AgeSort>,
) -> Result<Paged<AdminBulkRetry>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.bulk_retries(sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminBulkRetry::from))
}

/// Show a bulk retry with its progress.
#[utoipa::path(
    get, path = "/admin/bulk-retries/{id}", tag = "admin", operation_id = "admin_get_bulk_retry",
    security(("bearer" = [])), params(("id" = BulkRetryId, Path, description = "The bulk retry.")),
    responses(
        (status = 200, description = "As it stands.", body = AdminBulkRetry),
        (status = 404, description = "`not_found`: there is no such one.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<BulkRetryId>,
) -> Result<Json<AdminBulkRetry>, Problem> {
    Ok(Json(state.store.bulk_retry(id).await?.into()))
}

/// Stop a bulk retry: orders whose turn has not come stay failed. Again: nothing changes.
#[utoipa::path(
    post, path = "/admin/bulk-retries/{id}/stop", tag = "admin", operation_id = "admin_stop_bulk_retry",
    security(("bearer" = [])), params(("id" = BulkRetryId, Path, description = "The bulk retry.")),
    responses(
        (status = 200, description = "It is stopped.", body = AdminBulkRetry),
        (status = 404, description = "`not_found`: there is no such one.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn stop(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(id): Id<BulkRetryId>,
) -> Result<Json<AdminBulkRetry>, Problem> {
    let bulk = state.store.stop_bulk_retry(id, &client.origin(admin.actor())).await?;
    Ok(Json(bulk.into()))
}
