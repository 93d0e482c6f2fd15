//! A customer's orders: placing ([`place`]), reading, calling off.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::InvoiceStatus,
    ids::{InstanceId, InvoiceId, OrderId, PlanId},
    language::Language,
    money::CURRENCY,
    order::OrderStatus,
    provisioning::FailureClass,
    sorting::OwnOrderSort,
};
use serde::{Deserialize, Serialize};
use store::{StoreError, orders::OwnOrderFilter, payments::Payment, timeline::TimelineEntry};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::payments::PaymentBody;
use crate::{
    AppState,
    auth::CurrentUser,
    extract::{Id, Moment, Paged, Params, SortedPaging},
    problem::Problem,
    wording,
};

pub(crate) mod place;

/// Routes under `/orders`, except `/orders/{id}/pay`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(place::quote))
        .routes(routes!(list, place::place))
        .routes(routes!(get))
        .routes(routes!(timeline))
        .routes(routes!(cancel))
}

/// Which orders are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrderQuery {
    /// Only orders in this status.
    status: Option<OrderStatus>,
    /// Only orders of this plan (slug).
    #[param(max_length = 50, example = "do-basic-1gb")]
    plan: Option<String>,
    /// Only orders with this in their host name, in any case.
    #[param(max_length = 255, example = "web")]
    search: Option<String>,
    /// Only orders that were placed then or later.
    #[param(value_type = Option<DateTime<Utc>>)]
    from: Option<Moment>,
    /// Only orders that were placed before then.
    #[param(value_type = Option<DateTime<Utc>>)]
    until: Option<Moment>,
}

impl From<OrderQuery> for OwnOrderFilter {
    fn from(query: OrderQuery) -> Self {
        let OrderQuery { status, plan, search, from, until } = query;
        Self { status, plan, search, from: from.map(Moment::get), until: until.map(Moment::get) }
    }
}

/// An order in a list.
#[derive(Debug, Serialize, ToSchema)]
struct OrderSummary {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: OrderId,
    status: OrderStatus,
    /// Why there is no server (yet); only with `PROVISIONING_FAILED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<OrderFailure>,
    /// The server; absent until work on it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<InstanceId>,
    plan_id: PlanId,
    /// Slug of the plan.
    #[schema(example = "do-basic-1gb")]
    plan: String,
    #[schema(example = "Basic 1 GB")]
    plan_name: String,
    /// Slug of the provider.
    #[schema(example = "digitalocean")]
    provider: String,
    #[schema(example = "DigitalOcean")]
    provider_name: String,
    /// Slug of the region.
    #[schema(example = "sgp1")]
    region: String,
    #[schema(example = "Singapore")]
    region_name: String,
    /// Slug of the image.
    #[schema(example = "ubuntu-24-04")]
    image: String,
    #[schema(example = "Ubuntu 24.04 LTS")]
    image_name: String,
    #[schema(example = "web-1.example.com")]
    hostname: String,
    #[schema(example = 3)]
    term_months: i32,
    /// Whether the server's term is to be renewed by itself.
    auto_renew: bool,
    /// Whole rupiah, PPN included.
    #[schema(example = 408_092)]
    total: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    invoice: OrderInvoice,
    placed_at: DateTime<Utc>,
    /// An unpaid order expires then.
    expires_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
    /// When the server was ready.
    active_at: Option<DateTime<Utc>>,
    /// The promo code it was placed with; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    promo: Option<OrderPromo>,
}

/// The promo code of an order.
#[derive(Debug, Serialize, ToSchema)]
struct OrderPromo {
    #[schema(example = "HEMAT10")]
    code: String,
    /// Whole rupiah that it took off, before tax.
    #[schema(example = 36_765)]
    discount: Rupiah,
}

/// An order with its latest attempt to pay.
#[derive(Debug, Serialize, ToSchema)]
struct Order {
    #[serde(flatten)]
    summary: OrderSummary,
    payment: PaymentBody,
}

/// Why an order has no server.
#[derive(Debug, Serialize, ToSchema)]
struct OrderFailure {
    class: FailureClass,
    /// In words a customer understands.
    #[schema(example = "The region is sold out at the moment.")]
    message: &'static str,
}

/// An order's bill.
#[derive(Debug, Serialize, ToSchema)]
struct OrderInvoice {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: InvoiceId,
    #[schema(example = "INV/2026/000123")]
    number: String,
    status: InvoiceStatus,
    /// Whole rupiah.
    #[schema(example = 408_092)]
    total: Rupiah,
}

/// The story of an order, oldest step first.
#[derive(Debug, Serialize, ToSchema)]
struct Timeline {
    data: Vec<TimelineStep>,
}

/// One step of an order.
#[derive(Debug, Serialize, ToSchema)]
struct TimelineStep {
    /// What the step is called.
    #[schema(example = "payment_confirmed")]
    step: String,
    at: DateTime<Utc>,
    /// `done`, `waiting` or `failed`.
    #[schema(example = "done")]
    status: String,
    #[schema(example = "We received your payment.")]
    message: String,
}

/// List my orders, newest first where no other order is asked for.
#[utoipa::path(
    get, path = "/orders", tag = "orders", operation_id = "list_orders",
    security(("bearer" = [])), params(SortedPaging<OwnOrderSort>, OrderQuery),
    responses((status = 200, description = "A part of the list.", body = Paged<OrderSummary>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    paging: SortedPaging<OwnOrderSort>,
    Params(query): Params<OrderQuery>,
) -> Result<Paged<OrderSummary>, Problem> {
    let (sort, request) = paging.request()?;
    let page = state.store.orders_of(me.id, &query.into(), sort, request).await?;
    Ok(Paged::sorted(page, sort, |order| OrderSummary::in_language(order, me.language)))
}

/// Read one of my orders, with its latest attempt to pay.
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders", operation_id = "get_order",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "The order.", body = Order),
        (status = 404, description = "`not_found`: I have no such order.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<OrderId>,
) -> Result<Json<Order>, Problem> {
    Ok(Json(Order::read(&state, &me, id).await?))
}

/// Read what happened to one of my orders so far, in the language that `Accept-Language` asks for, else in my profile's.
#[utoipa::path(
    get, path = "/orders/{id}/timeline", tag = "orders", operation_id = "get_order_timeline",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "The steps.", body = Timeline),
        (status = 404, description = "`not_found`: I have no such order.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn timeline(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<OrderId>,
) -> Result<Json<Timeline>, Problem> {
    let entries = state.store.timeline_of(me.id, id).await?;
    let step = |entry: TimelineEntry| {
        let message = wording::on_timeline(&entry, me.locale())?;
        Ok(TimelineStep { step: entry.step, at: entry.at, status: entry.status, message })
    };
    Ok(Json(Timeline { data: entries.into_iter().map(step).collect::<Result<_, Problem>>()? }))
}

/// Call off an order that is not paid yet. Its invoice becomes void and its open payments are cancelled.
#[utoipa::path(
    post, path = "/orders/{id}/cancel", tag = "orders", operation_id = "cancel_order",
    security(("bearer" = [])), params(("id" = OrderId, Path, description = "The order.")),
    responses(
        (status = 200, description = "The cancelled order.", body = Order),
        (status = 404, description = "`not_found`: I have no such order.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`order_conflict`: it does not wait for payment (any more); `detail` names \
         its status.", body = Problem, content_type = "application/problem+json",
         example = json!({ "type": "https://webrana.id/problems/order_conflict", "title": "Conflict", "status": 409,
                           "detail": "the order is PAID", "code": "order_conflict" })),
    )
)]
async fn cancel(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<OrderId>,
) -> Result<Json<Order>, Problem> {
    state.store.cancel_order(id, me.id).await?;
    Ok(Json(Order::read(&state, &me, id).await?))
}

impl Order {
    async fn read(state: &AppState, owner: &CurrentUser, id: OrderId) -> Result<Self, StoreError> {
        let order = state.store.order_of(owner.id, id).await?;
        let payment = state.store.latest_payment(id).await?;
        Ok(Self::new(order, payment, owner.language))
    }

    fn new(order: store::orders::Order, payment: Payment, language: Language) -> Self {
        Self { summary: OrderSummary::in_language(order, language), payment: payment.into() }
    }
}

impl OrderSummary {
    fn in_language(row: store::orders::Order, language: Language) -> Self {
        Self {
            id: row.id,
            status: row.status,
            failure: row.failure_class.map(|class| OrderFailure::in_language(class, language)),
            instance_id: row.instance_id,
            plan_id: row.plan_id,
            plan: row.plan,
            plan_name: row.plan_name,
            provider: row.provider,
            provider_name: row.provider_name,
            region: row.region,
            region_name: row.region_name,
            image: row.image,
            image_name: row.image_name,
            hostname: row.hostname,
            term_months: row.term_months,
            auto_renew: row.auto_renew,
            total: row.total,
            currency: CURRENCY,
            invoice: OrderInvoice {
                id: row.invoice.id,
                number: row.invoice.number,
                status: row.invoice.status,
                total: row.invoice.total,
            },
            placed_at: row.placed_at,
            expires_at: row.expires_at,
            paid_at: row.paid_at,
            active_at: row.active_at,
            promo: row.promo.map(|promo| OrderPromo { code: promo.code, discount: promo.discount }),
        }
    }
}

impl OrderFailure {
    /// The provider's own words may name our account, our limits or our keys: they are for admins.
    fn in_language(class: FailureClass, language: Language) -> Self {
        Self { class, message: messages::order_failure(class, language) }
    }
}
