//! News from us to customers: administrators write, list and call them off.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{
    announcement::AnnouncementStatus,
    ids::{AnnouncementId, UserId},
    language::Language,
    sorting::AnnouncementSort,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    admin::{Announcement, Audience, NewAnnouncement},
    idempotency::Idempotency,
};
use utoipa::ToSchema;

use super::order_commands::not_blank;
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, IdempotencyKey, Moment, Paged, SortedPaging},
    problem::Problem,
};

/// Whom an announcement is for: customers to whom all of it applies. What is left out does not restrict.
#[derive(Debug, Default, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdminAudience {
    /// Who has an active server at this provider (slug).
    #[garde(inner(length(min = 1, max = 50)))]
    #[schema(min_length = 1, max_length = 50, example = "digitalocean")]
    provider: Option<String>,
    /// Who has an active server in this region (slug).
    #[garde(inner(length(min = 1, max = 50)))]
    #[schema(min_length = 1, max_length = 50, example = "sgp1")]
    region: Option<String>,
    /// Who reads this language.
    #[garde(skip)]
    language: Option<Language>,
}

/// News to be told.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteAnnouncement {
    /// Its title: a line of 1 to 200 characters. It is told as it is written.
    #[garde(length(chars, min = 1, max = 200), custom(not_blank), custom(one_line))]
    #[schema(min_length = 1, max_length = 200, example = "Maintenance in Singapore")]
    title: String,
    /// What it says: 1 to 10,000 characters. It is told as it is written.
    #[garde(length(chars, min = 1, max = 10_000), custom(not_blank))]
    #[schema(
        example = "On Sunday from 01:00 to 03:00 WIB servers in Singapore may be unreachable for some minutes."
    )]
    body: String,
    /// Whom it is for; left out: all customers.
    #[garde(dive)]
    #[serde(default)]
    audience: AdminAudience,
    /// When it is told: in the future, within a year. Left out: now.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    publish_at: Option<Moment>,
}

fn one_line(text: &str, (): &()) -> garde::Result {
    match text.chars().any(char::is_control) {
        true => Err(garde::Error::new("must be one line")),
        false => Ok(()),
    }
}

/// News with how far they are told.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminAnnouncement {
    id: AnnouncementId,
    #[schema(example = "Maintenance in Singapore")]
    title: String,
    #[schema(
        example = "On Sunday from 01:00 to 03:00 WIB servers in Singapore may be unreachable for some minutes."
    )]
    body: String,
    audience: AdminAudience,
    status: AnnouncementStatus,
    /// When they are told.
    publish_at: DateTime<Utc>,
    created_by: UserId,
    created_at: DateTime<Utc>,
    cancelled_at: Option<DateTime<Utc>>,
    /// How many customers they are for; null until the telling began.
    #[schema(example = 1_200)]
    recipients: Option<i64>,
    /// How many were told.
    #[schema(example = 500)]
    delivered: i64,
    /// When all were.
    delivered_at: Option<DateTime<Utc>>,
}

/// Tell customers something, in your own words, in the app as `SYSTEM_ANNOUNCEMENT`. Each customer whom it is for, and who has an
/// account when it is published, is told once; the first of them at once, the others within minutes.
#[utoipa::path(
    post, path = "/admin/announcements", tag = "admin", operation_id = "admin_create_announcement",
    security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "New for each new announcement, the same for a retry.")),
    request_body(content = WriteAnnouncement, example = json!({
        "title": "Maintenance in Singapore",
        "body": "On Sunday from 01:00 to 03:00 WIB servers in Singapore may be unreachable for some minutes.",
        "audience": { "provider": "digitalocean", "region": "sgp1" }
    })),
    responses(
        (status = 201, description = "The announcement; with a key of before, the one that it made.",
         body = AdminAnnouncement, headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_body`, `validation_failed` with the field, `provider_unknown`, \
         `region_unknown`, or `idempotency_key_reused`. Nobody is told.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<WriteAnnouncement>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<AdminAnnouncement>), Problem> {
    let promise = Idempotency::new("POST /admin/announcements", &key, &request)?;
    let origin = client.origin(admin.actor());
    let made = state.store.create_announcement(&request.into(), admin.id, &promise, &origin).await?;
    tracing::info!(event = "announcement.created", announcement_id = %made.id, "an announcement is made");
    state.store.tell_announcements(1).await?;
    let location = format!("/api/v1/admin/announcements/{}", made.id);
    let body = state.store.announcement(made.id).await?.into();
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(body)))
}

/// List announcements with how far they are told, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/admin/announcements", tag = "admin", operation_id = "admin_list_announcements",
    security(("bearer" = [])), params(SortedPaging<AnnouncementSort>),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminAnnouncement>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AnnouncementSort>,
) -> Result<Paged<AdminAnnouncement>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.announcements(sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminAnnouncement::from))
}

/// Show an announcement with how far it is told.
#[utoipa::path(
    get, path = "/admin/announcements/{id}", tag = "admin", operation_id = "admin_get_announcement",
    security(("bearer" = [])), params(("id" = AnnouncementId, Path, description = "The announcement.")),
    responses(
        (status = 200, description = "As it stands.", body = AdminAnnouncement),
        (status = 404, description = "`not_found`: there is no such one.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(id): Id<AnnouncementId>,
) -> Result<Json<AdminAnnouncement>, Problem> {
    Ok(Json(state.store.announcement(id).await?.into()))
}

/// Call an announcement off before anybody is told.
#[utoipa::path(
    post, path = "/admin/announcements/{id}/cancel", tag = "admin", operation_id = "admin_cancel_announcement",
    security(("bearer" = [])), params(("id" = AnnouncementId, Path, description = "The announcement.")),
    responses(
        (status = 200, description = "It is called off.", body = AdminAnnouncement),
        (status = 404, description = "`not_found`: there is no such one.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`announcement_conflict`: somebody was told, or it was called off before.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(id): Id<AnnouncementId>,
) -> Result<Json<AdminAnnouncement>, Problem> {
    let cancelled = state.store.cancel_announcement(id, &client.origin(admin.actor())).await?;
    tracing::info!(event = "announcement.cancelled", announcement_id = %id, "an announcement is called off");
    Ok(Json(cancelled.into()))
}

impl From<WriteAnnouncement> for NewAnnouncement {
    fn from(request: WriteAnnouncement) -> Self {
        let AdminAudience { provider, region, language } = request.audience;
        Self {
            title: request.title,
            message: request.body,
            audience: Audience { provider, region, language },
            publish_at: request.publish_at.map(Moment::get),
        }
    }
}

impl From<Announcement> for AdminAnnouncement {
    fn from(one: Announcement) -> Self {
        Self {
            status: one.status(),
            id: one.id,
            title: one.title,
            body: one.message,
            audience: AdminAudience { provider: one.provider, region: one.region, language: one.language },
            publish_at: one.publish_at,
            created_by: one.created_by,
            created_at: one.created_at,
            cancelled_at: one.cancelled_at,
            recipients: one.recipients,
            delivered: one.delivered,
            delivered_at: one.delivered_at,
        }
    }
}
