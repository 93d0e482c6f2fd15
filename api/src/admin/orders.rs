//! Everybody's orders, with what only staff may see: who, how it was paid, how provisioning went.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InstanceId, InvoiceId, OrderId, PaymentId, UserId},
    language::Language,
    order::OrderStatus,
    outbox::order_workflow_id,
    provisioning::{FailureClass, TaskStatus},
    sorting::OrderSort,
    views,
};
use serde::{Deserialize, Serialize};
use store::{
    admin::{
        CustomerSummary, InvoiceSummary, OrderDetail, OrderFilter, OrderSummary, TaskDetail, WebhookSummary,
    },
    timeline::TimelineEntry,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{disputes::AdminDispute, payments::AdminPayment, placements::AdminPlacement};
use crate::{
    AppState,
    auth::Staff,
    extract::{Id, Paged, Params, SortedPaging},
    problem::Problem,
    wording,
};

/// Which orders are wanted.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OrderQuery {
    /// Only orders in this status.
    status: Option<OrderStatus>,
    /// Only orders at this provider (slug).
    #[param(example = "digitalocean")]
    provider: Option<String>,
    /// Only orders of this plan (slug).
    #[param(example = "do-starter")]
    plan: Option<String>,
    /// Only orders whose provisioning failed for a reason of this class.
    failure_class: Option<FailureClass>,
    /// Only orders of this customer.
    customer_id: Option<UserId>,
    /// Only orders with exactly this order id, host name or customer's email.
    #[param(example = "web-1.example.com")]
    search: Option<String>,
}

/// An order's customer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrderCustomer {
    id: UserId,
    #[schema(example = "budi@example.com")]
    email: String,
    #[schema(example = "Budi Santoso")]
    full_name: String,
    /// Whether the account is suspended.
    suspended: bool,
}

/// Why provisioning failed, in the provider's words.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrderFailure {
    /// What can be done about it.
    #[schema(example = "CONFIGURATION")]
    class: String,
    #[schema(example = "You specified an invalid image for Droplet creation.")]
    message: String,
}

/// An order in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrderSummary {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    status: OrderStatus,
    /// Null unless the order is `PROVISIONING_FAILED`.
    failure: Option<AdminOrderFailure>,
    customer: AdminOrderCustomer,
    #[schema(example = "digitalocean")]
    provider: String,
    /// Slug of the plan.
    #[schema(example = "do-starter")]
    plan: String,
    #[schema(example = "sgp1")]
    region: String,
    #[schema(example = "ubuntu-24-04")]
    image: String,
    #[schema(example = "web-1.example.com")]
    hostname: String,
    #[schema(example = 1)]
    term_months: i32,
    /// Whole rupiah.
    #[schema(example = 133_200)]
    total: Rupiah,
    placed_at: DateTime<Utc>,
    /// Until when it waits for money.
    expires_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
    active_at: Option<DateTime<Utc>>,
}

/// An order's bill.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrderInvoice {
    id: InvoiceId,
    #[schema(example = "INV/2026/000123")]
    number: String,
    status: InvoiceStatus,
    /// Whole rupiah.
    #[schema(example = 133_200)]
    total: Rupiah,
    paid_at: Option<DateTime<Utc>>,
}

/// The work of getting an order's server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminProvisioningTask {
    status: TaskStatus,
    /// Slug of the provider it goes to.
    #[schema(example = "digitalocean")]
    provider_type: String,
    /// How often a server was asked for.
    #[schema(example = 1)]
    attempts: i32,
    /// Set while a server may exist that we have not seen: a create went out and was not refused for certain.
    create_sent_at: Option<DateTime<Utc>>,
    #[schema(example = "CONFIGURATION")]
    error_class: Option<String>,
    /// The provider's code.
    #[schema(example = "unprocessable_entity")]
    error_code: Option<String>,
    error_message: Option<String>,
    /// The provider's id of the request, to quote to its support.
    provider_request_id: Option<String>,
    instance_id: Option<InstanceId>,
    /// The provider's id of the server.
    provider_instance_id: Option<String>,
    #[schema(example = "203.0.113.7")]
    ipv4: Option<String>,
    updated_at: DateTime<Utc>,
}

/// Where the process of an order or a server can be watched.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrderWorkflow {
    #[schema(example = "order/0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: String,
    /// The process in Temporal's web UI; null when no UI is configured.
    #[schema(
        example = "http://127.0.0.1:8233/namespaces/default/workflows/order%2F0193e7d0-4362-7709-b262-4de1f9ad2f5e"
    )]
    url: Option<String>,
}

/// A notification from a gateway, without its body.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminWebhookEvent {
    id: Uuid,
    #[schema(example = "midtrans")]
    gateway: String,
    payment_id: Option<PaymentId>,
    /// `APPLIED`, `IGNORED`, `DISPUTED`, `MISMATCH`, `UNANSWERED` or another of a webhook's outcomes.
    #[schema(example = "APPLIED")]
    outcome: String,
    /// Why nothing was moved, when nothing was.
    reason: Option<String>,
    received_at: DateTime<Utc>,
}

/// An order with everything around it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrder {
    #[serde(flatten)]
    order: AdminOrderSummary,
    invoice: Option<AdminOrderInvoice>,
    /// The latest hundred attempts to pay, newest first.
    payments: Vec<AdminPayment>,
    /// The latest hundred disputes about them, newest first.
    disputes: Vec<AdminDispute>,
    task: Option<AdminProvisioningTask>,
    /// Where the server was to be bought over time, as ordered first; the last one counts. Empty before provisioning.
    placements: Vec<AdminPlacement>,
    workflow: AdminOrderWorkflow,
    /// The latest hundred notifications from gateways, newest first.
    webhook_events: Vec<AdminWebhookEvent>,
}

/// A step of an order, with what only staff may see.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminTimelineEntry {
    #[schema(example = "provisioning_failed")]
    step: String,
    at: DateTime<Utc>,
    /// `done`, `waiting` or `failed`.
    #[schema(example = "failed")]
    status: String,
    /// What the customer reads.
    message: String,
    /// Attempts, error class, the provider's request ids and the like.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
}

/// An order's steps, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminTimeline {
    data: Vec<AdminTimelineEntry>,
}

/// List everybody's orders, newest first where no other order is asked for, filtered by status, provider, plan, class of failure,
/// customer or an exact search.
#[utoipa::path(
    get, path = "/admin/orders", tag = "admin", operation_id = "admin_list_orders", security(("bearer" = [])),
    params(SortedPaging<OrderSort>, OrderQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<AdminOrderSummary>))
)]
pub(super) async fn list(
    _: Staff,
    State(state): State<AppState>,
    paging: SortedPaging<OrderSort>,
    Params(query): Params<OrderQuery>,
) -> Result<Paged<AdminOrderSummary>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.orders_for_staff(&query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, AdminOrderSummary::from))
}

/// Show one order with its customer, bill, payments, provisioning task, gateway notifications and a link to its process.
#[utoipa::path(
    get, path = "/admin/orders/{id}", tag = "admin", operation_id = "admin_get_order", security(("bearer" = [])),
    params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "The order.", body = AdminOrder),
        (status = 404, description = "`not_found`: there is no such order.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn get(
    _: Staff,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
) -> Result<Json<AdminOrder>, Problem> {
    let detail = state.store.order_for_staff(order).await?;
    Ok(Json(AdminOrder::new(detail, state.temporal_ui_url.as_deref())))
}

/// Show an order's steps, oldest first, with what only staff may see, in the language that `Accept-Language` asks for,
/// else in my profile's.
#[utoipa::path(
    get, path = "/admin/orders/{id}/timeline", tag = "admin", operation_id = "admin_get_order_timeline",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "Its steps.", body = AdminTimeline),
        (status = 404, description = "`not_found`: there is no such order.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(super) async fn timeline(
    staff: Staff,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
) -> Result<Json<AdminTimeline>, Problem> {
    let steps = state.store.any_timeline(order).await?;
    let step = |entry| AdminTimelineEntry::in_language(entry, staff.language);
    Ok(Json(AdminTimeline { data: steps.into_iter().map(step).collect::<Result<_, _>>()? }))
}

impl AdminOrder {
    fn new(detail: OrderDetail, temporal_ui: Option<&str>) -> Self {
        Self {
            workflow: AdminOrderWorkflow::of(order_workflow_id(detail.order.id), temporal_ui),
            order: detail.order.into(),
            invoice: detail.invoice.map(AdminOrderInvoice::from),
            payments: detail.payments.into_iter().map(AdminPayment::from).collect(),
            disputes: detail.disputes.into_iter().map(AdminDispute::from).collect(),
            task: detail.task.map(AdminProvisioningTask::from),
            placements: detail.placements.into_iter().map(AdminPlacement::from).collect(),
            webhook_events: detail.webhooks.into_iter().map(AdminWebhookEvent::from).collect(),
        }
    }
}

impl AdminOrderWorkflow {
    /// The process of this id.
    pub(super) fn of(id: String, temporal_ui: Option<&str>) -> Self {
        let url = temporal_ui.map(|ui| views::workflow_url(ui, &id));
        Self { id, url }
    }
}

impl From<OrderQuery> for OrderFilter {
    fn from(query: OrderQuery) -> Self {
        Self {
            status: query.status,
            provider: query.provider,
            customer: query.customer_id,
            plan: query.plan,
            failure_class: query.failure_class.map(FailureClass::as_str),
            search: query.search.filter(|words| !words.trim().is_empty()),
        }
    }
}

impl From<OrderSummary> for AdminOrderSummary {
    fn from(order: OrderSummary) -> Self {
        Self {
            id: order.id,
            status: order.status,
            failure: order
                .failure_class
                .map(|class| AdminOrderFailure { class, message: order.failure_message.unwrap_or_default() }),
            customer: order.customer.into(),
            provider: order.provider,
            plan: order.plan,
            region: order.region,
            image: order.image,
            hostname: order.hostname,
            term_months: order.term_months,
            total: order.total,
            placed_at: order.placed_at,
            expires_at: order.expires_at,
            paid_at: order.paid_at,
            active_at: order.active_at,
        }
    }
}

impl From<CustomerSummary> for AdminOrderCustomer {
    fn from(customer: CustomerSummary) -> Self {
        Self {
            id: customer.id,
            email: customer.email,
            full_name: customer.full_name,
            suspended: customer.suspended_at.is_some(),
        }
    }
}

impl From<InvoiceSummary> for AdminOrderInvoice {
    fn from(invoice: InvoiceSummary) -> Self {
        Self {
            id: invoice.id,
            number: invoice.number,
            status: invoice.status,
            total: invoice.total,
            paid_at: invoice.paid_at,
        }
    }
}

impl From<TaskDetail> for AdminProvisioningTask {
    fn from(task: TaskDetail) -> Self {
        Self {
            status: task.status,
            provider_type: task.provider_type,
            attempts: task.attempts,
            create_sent_at: task.create_sent_at,
            error_class: task.last_error_class,
            error_code: task.last_error_code,
            error_message: task.last_error,
            provider_request_id: task.provider_request_id,
            instance_id: task.instance_id,
            provider_instance_id: task.provider_instance_id,
            ipv4: task.ipv4,
            updated_at: task.updated_at,
        }
    }
}

impl From<WebhookSummary> for AdminWebhookEvent {
    fn from(event: WebhookSummary) -> Self {
        Self {
            id: event.id,
            gateway: event.gateway,
            payment_id: event.payment_id,
            outcome: event.outcome,
            reason: event.reason,
            received_at: event.received_at,
        }
    }
}

impl AdminTimelineEntry {
    fn in_language(entry: TimelineEntry, language: Language) -> Result<Self, Problem> {
        let message = wording::on_timeline(&entry, language.into())?;
        Ok(Self { step: entry.step, at: entry.at, status: entry.status, message, detail: entry.detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_escapes_the_workflow_id() {
        let order = OrderId(Uuid::nil());
        let with = AdminOrderWorkflow::of(order_workflow_id(order), Some("http://ui/namespaces/default/"));
        assert_eq!(with.id, format!("order/{order}"));
        let expected = format!("http://ui/namespaces/default/workflows/order%2F{order}");
        assert_eq!(with.url, Some(expected));
        assert_eq!(AdminOrderWorkflow::of(order_workflow_id(order), None).url, None);
    }
}
