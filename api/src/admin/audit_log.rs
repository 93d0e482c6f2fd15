//! Who did what.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::sorting::AuditSort;
use serde::{Deserialize, Serialize};
use store::admin::{AuditEntry, AuditFilter};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    AppState,
    auth::Staff,
    extract::{Paged, Params, SortedPaging},
    problem::Problem,
};

/// Which acts are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Only this action.
    #[param(example = "order.retry_provisioning")]
    action: Option<String>,
    /// Only acts on this kind of thing.
    #[param(example = "order")]
    object_kind: Option<String>,
    /// Only acts on this thing.
    object_id: Option<Uuid>,
    /// Only acts of this person or key.
    actor_id: Option<Uuid>,
    /// Only acts of staff in this customer's name.
    on_behalf_of: Option<Uuid>,
}

/// Who acted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditActor {
    /// `user`, `api_key` or `system`.
    #[schema(example = "user")]
    kind: String,
    /// Null for the system.
    id: Option<Uuid>,
    /// The person's email or the key's name.
    #[schema(example = "admin@example.com")]
    name: Option<String>,
}

/// One act. Acts are never changed and never removed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditLogEntry {
    id: Uuid,
    at: DateTime<Utc>,
    actor: AuditActor,
    /// The customer in whose name staff did it; null where it was in their own.
    on_behalf_of: Option<Uuid>,
    #[schema(example = "order.retry_provisioning")]
    action: String,
    /// What kind of thing it was done to.
    #[schema(example = "order")]
    object_kind: String,
    object_id: Option<Uuid>,
    /// The thing before the act, as far as it matters.
    #[schema(value_type = Option<Object>)]
    before: Option<serde_json::Value>,
    /// The thing after the act, as far as it matters.
    #[schema(value_type = Option<Object>)]
    after: Option<serde_json::Value>,
    /// Address the request came from.
    #[schema(example = "203.0.113.7")]
    ip: Option<String>,
    request_id: Option<String>,
}

/// List who did what, newest first where no other order is asked for: every act of staff and every act that matters for security.
#[utoipa::path(
    get, path = "/admin/audit-log", tag = "admin", operation_id = "admin_list_audit_log", security(("bearer" = [])),
    params(SortedPaging<AuditSort>, AuditQuery),
    responses((status = 200, description = "A part of the log.", body = Paged<AuditLogEntry>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<AuditSort>,
    Params(query): Params<AuditQuery>,
) -> Result<Paged<AuditLogEntry>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.audit_log(&query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AuditLogEntry::from))
}

impl From<AuditQuery> for AuditFilter {
    fn from(query: AuditQuery) -> Self {
        Self {
            action: query.action,
            object_kind: query.object_kind,
            object_id: query.object_id,
            actor_id: query.actor_id,
            on_behalf_of: query.on_behalf_of,
        }
    }
}

impl From<AuditEntry> for AuditLogEntry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: AuditActor { kind: entry.actor_kind, id: entry.actor_id, name: entry.actor_name },
            on_behalf_of: entry.on_behalf_of,
            action: entry.action,
            object_kind: entry.object_kind,
            object_id: entry.object_id,
            before: entry.before,
            after: entry.after,
            ip: entry.ip,
            request_id: entry.request_id,
        }
    }
}
