//! Everybody's servers, with what only staff may see.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ids::{InstanceId, OrderId, UserId},
    instance::{InstanceStatus, PowerState},
    language::Language,
    order::OrderStatus,
    outbox::instance_workflow_id,
    sorting::InstanceSort,
};
use serde::{Deserialize, Serialize};
use store::{
    admin::{CustomerSummary, InstanceDetail, InstanceFilter, InstanceSummary},
    final_snapshots::FinalSnapshot,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    orders::{AdminOrderCustomer, AdminOrderWorkflow},
    reason::WithReason,
};
use crate::{
    AppState,
    auth::Staff,
    client::Client,
    extract::{Body, Id, Moment, Paged, Params, SortedPaging},
    instance_actions::Action,
    problem::Problem,
};

/// Which servers are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct InstanceQuery {
    /// Only servers in this status.
    status: Option<InstanceStatus>,
    /// Only servers at this provider (slug).
    #[param(example = "digitalocean")]
    provider: Option<String>,
    /// Only servers of this plan (slug).
    #[param(example = "do-starter")]
    plan: Option<String>,
    /// Only servers in this region (slug).
    #[param(example = "sgp1")]
    region: Option<String>,
    /// Only servers of this customer.
    customer_id: Option<UserId>,
    /// Only servers whose life has to be looked at before then.
    #[param(value_type = Option<DateTime<Utc>>)]
    due_before: Option<Moment>,
    /// `true`: only servers of which a step that is due is held back; `false`: only the others.
    held: Option<bool>,
}

/// A step of a server's life that is due and held back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminHeldStep {
    /// `renew`, `suspend` or `terminate`.
    #[schema(example = "suspend")]
    step: String,
    /// Why.
    why: Option<String>,
    since: Option<DateTime<Utc>>,
}

/// A server in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminInstanceSummary {
    #[schema(example = "0193e7d0-8c1d-7a6b-9f0e-0d2f0a9b7c11")]
    id: InstanceId,
    /// The order it was bought with.
    order_id: OrderId,
    customer: AdminOrderCustomer,
    /// Its display name.
    #[schema(example = "web-1")]
    name: String,
    #[schema(example = "web-1.example.com")]
    hostname: String,
    status: InstanceStatus,
    /// As last told by the provider.
    power_state: PowerState,
    #[schema(example = "203.0.113.7")]
    ipv4: Option<String>,
    #[schema(example = "2001:db8::7")]
    ipv6: Option<String>,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    /// The provider's own id of it.
    #[schema(example = "3164494")]
    provider_instance_id: Option<String>,
    /// Slug of the plan.
    #[schema(example = "do-starter")]
    plan: String,
    #[schema(example = "sgp1")]
    region: String,
    #[schema(example = "ubuntu-24-04")]
    image: String,
    /// Whether the term is renewed by itself.
    auto_renew: bool,
    /// Whether it goes when the present term ends.
    cancels_at_period_end: bool,
    /// When the paid term began.
    starts_at: Option<DateTime<Utc>>,
    /// When the paid term ends.
    expires_at: Option<DateTime<Utc>>,
    /// When its life has to be looked at next; null when nothing is due until something happens to it.
    next_due_at: Option<DateTime<Utc>>,
    suspended_at: Option<DateTime<Utc>>,
    /// Null unless a step that is due is held back.
    held: Option<AdminHeldStep>,
    terminated_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

/// Something that was asked for a server, as staff see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminInstanceAction {
    #[serde(flatten)]
    action: Action,
    /// `user`, `api_key` or `system`.
    #[schema(example = "user")]
    requested_by: String,
    /// The user's or the key's id.
    requester_id: Option<Uuid>,
    /// The latest trouble with the provider, in its words.
    #[schema(value_type = Option<Object>)]
    trouble: Option<serde_json::Value>,
}

/// A server's order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminInstanceOrder {
    id: OrderId,
    status: OrderStatus,
}

/// The last snapshot of a server whose plan includes one: taken before the server is deleted, or done without.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminFinalSnapshot {
    /// The provider's id of it; null when it was done without.
    #[schema(example = "119192817")]
    provider_snapshot_id: Option<String>,
    taken_at: Option<DateTime<Utc>>,
    kept_until: Option<DateTime<Utc>>,
    /// When its days were over and it was deleted.
    deleted_at: Option<DateTime<Utc>>,
    /// When it was decided to do without.
    waived_at: Option<DateTime<Utc>>,
    waived_reason: Option<String>,
}

/// A server with what is around it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminInstance {
    #[serde(flatten)]
    server: AdminInstanceSummary,
    order: AdminInstanceOrder,
    /// Months of its present term.
    #[schema(example = 1)]
    term_months: i32,
    /// Whole rupiah that its plan costs a month for new orders, without tax.
    #[schema(example = 120_000)]
    price_monthly: Rupiah,
    /// Version of the rules it lives by.
    #[schema(example = 1)]
    policy_version: i32,
    /// What became of its last snapshot; null while nothing did, or where its plan includes none.
    final_snapshot: Option<AdminFinalSnapshot>,
    /// The latest twenty actions, newest first.
    actions: Vec<AdminInstanceAction>,
    workflow: AdminOrderWorkflow,
}

/// List everybody's servers, newest first where no other order is asked for. `sort=next_due_at` shows whose life has something
/// due next, `held=true` what is held back.
#[utoipa::path(
    get, path = "/admin/instances", tag = "admin", operation_id = "admin_list_instances", security(("bearer" = [])),
    params(SortedPaging<InstanceSort>, InstanceQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminInstanceSummary>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<InstanceSort>,
    Params(query): Params<InstanceQuery>,
) -> Result<Paged<AdminInstanceSummary>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.instances_for_staff(&query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminInstanceSummary::from))
}

/// Show one server with its customer, order, term, latest actions and a link to its process.
#[utoipa::path(
    get, path = "/admin/instances/{id}", tag = "admin", operation_id = "admin_get_instance", security(("bearer" = [])),
    params(("id" = InstanceId, Path, description = "The server.")),
    responses(
        (status = 200, description = "The server.", body = AdminInstance),
        (status = 404, description = "`not_found`: there is no such server.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    staff: Staff,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
) -> Result<Json<AdminInstance>, Problem> {
    let detail = state.store.instance_for_staff(instance).await?;
    Ok(Json(AdminInstance::new(detail, state.temporal_ui_url.as_deref(), staff.language)))
}

/// Have a server deleted without its last snapshot: where its provider can't make one, its delete would be tried for ever.
#[utoipa::path(
    post, path = "/admin/instances/{id}/waive-final-snapshot", tag = "admin",
    operation_id = "admin_waive_final_snapshot", security(("bearer" = [])),
    params(("id" = InstanceId, Path, description = "The server.")),
    request_body(content = WithReason),
    responses(
        (status = 204, description = "It is deleted without."),
        (status = 409, description = "`instance_conflict`: no last snapshot is to be taken of it, or it was before.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn waive_final_snapshot(
    admin: Staff,
    client: Client,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    Body(request): Body<WithReason>,
) -> Result<StatusCode, Problem> {
    let origin = client.origin(admin.actor());
    state.store.waive_final_snapshot(instance, admin.id, request.reason(), &origin).await?;
    tracing::warn!(event = "final_snapshot.waived", instance_id = %instance, "a server goes without its last snapshot");
    Ok(StatusCode::NO_CONTENT)
}

impl AdminInstance {
    fn new(detail: InstanceDetail, temporal_ui: Option<&str>, language: Language) -> Self {
        let action = |row| AdminInstanceAction::in_language(row, language);
        Self {
            workflow: AdminOrderWorkflow::of(instance_workflow_id(detail.server.id), temporal_ui),
            order: AdminInstanceOrder { id: detail.server.order_id, status: detail.order_status },
            term_months: detail.term_months,
            price_monthly: detail.price_monthly,
            policy_version: detail.policy_version,
            final_snapshot: detail.final_snapshot.map(AdminFinalSnapshot::from),
            actions: detail.actions.into_iter().map(action).collect(),
            server: detail.server.into(),
        }
    }
}

impl From<FinalSnapshot> for AdminFinalSnapshot {
    fn from(row: FinalSnapshot) -> Self {
        let FinalSnapshot {
            provider_snapshot_id,
            taken_at,
            kept_until,
            deleted_at,
            waived_at,
            waived_reason,
        } = row;
        Self { provider_snapshot_id, taken_at, kept_until, deleted_at, waived_at, waived_reason }
    }
}

impl AdminInstanceAction {
    fn in_language(row: store::instance_actions::Action, language: Language) -> Self {
        Self {
            requested_by: row.requested_by.clone(),
            requester_id: row.requester_id,
            trouble: row.trouble.clone(),
            action: Action::in_language(row, language),
        }
    }
}

impl From<InstanceQuery> for InstanceFilter {
    fn from(query: InstanceQuery) -> Self {
        Self {
            status: query.status,
            provider: query.provider,
            plan: query.plan,
            region: query.region,
            customer: query.customer_id,
            due_before: query.due_before.map(Moment::get),
            held: query.held,
        }
    }
}

impl From<InstanceSummary> for AdminInstanceSummary {
    fn from(server: InstanceSummary) -> Self {
        let customer = CustomerSummary {
            id: server.customer_id,
            email: server.customer_email,
            full_name: server.customer_name,
            suspended_at: server.customer_suspended_at,
        };
        let (why, since) = (server.held_why, server.held_since);
        Self {
            id: server.id,
            order_id: server.order_id,
            customer: customer.into(),
            name: server.name,
            hostname: server.hostname,
            status: server.status,
            power_state: server.power_state,
            ipv4: server.ipv4,
            ipv6: server.ipv6,
            provider: server.provider,
            provider_instance_id: server.provider_instance_id,
            plan: server.plan,
            region: server.region,
            image: server.image,
            auto_renew: server.auto_renew,
            cancels_at_period_end: server.cancels_at_period_end,
            starts_at: server.starts_at,
            expires_at: server.expires_at,
            next_due_at: server.next_due_at,
            suspended_at: server.suspended_at,
            held: server.held_step.map(|step| AdminHeldStep { step, why, since }),
            terminated_at: server.terminated_at,
            created_at: server.created_at,
        }
    }
}
