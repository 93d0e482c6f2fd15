//! Another plan for a server of mine.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, InvoiceStatus, PaymentMethod},
    ids::{ActionId, InstanceId, InvoiceId, PlanId, ResizeId},
    instance::ActionKind,
    money::CURRENCY,
    payment_limits::Payable,
    rate_limit::Caller,
    resize::{ResizeDirection, ResizeStatus},
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    idempotency::Idempotency,
    resizes::{NewResize, OpenedResize, Resize, ResizeQuote},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState, at_provider,
    auth::CurrentUser,
    charging::{charge, charged_elsewhere},
    customer::payments::PaymentBody,
    extract::{Body, Id, IdempotencyKey, Ids, Paged, Paging},
    instance_actions::{require_ability, require_plan},
    payment_ways::{gateway_for, not_begun},
    problem::Problem,
};

/// Routes under `/instances/{id}/resize` and `/instances/{id}/resizes`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(quote)).routes(routes!(list, resize)).routes(routes!(get))
}

/// Which plan is wanted.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ResizeQuoteRequest {
    /// A plan of the server's provider that its region has, with a disk that is not smaller.
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    plan_id: PlanId,
}

/// Which plan is wanted, and how the difference is paid.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ResizeRequest {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    plan_id: PlanId,
    /// `QRIS`, `VIRTUAL_ACCOUNT` or `WALLET` (my balance). For a plan that does not cost more nothing is charged.
    payment_method: PaymentMethod,
    /// With `VIRTUAL_ACCOUNT`, and only then.
    #[serde(default)]
    bank: Option<Bank>,
}

/// What another plan would mean. Whole rupiah.
#[derive(Debug, Serialize, ToSchema)]
struct ResizeQuoteBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    plan_id: PlanId,
    /// Slug of the plan.
    #[schema(example = "do-basic-2gb")]
    plan: String,
    #[schema(example = "Basic 2 GB")]
    plan_name: String,
    /// The present one.
    #[schema(example = "Basic 1 GB")]
    from_plan_name: String,
    direction: ResizeDirection,
    /// Before tax: the difference of a month's prices for what is left of the paid term.
    #[schema(example = 60_000)]
    subtotal: Rupiah,
    /// PPN on it.
    #[schema(example = 6_600)]
    tax: Rupiah,
    /// What I pay before it is begun.
    #[schema(example = 66_600)]
    total: Rupiah,
    /// What goes to my balance when the server has the plan, PPN included, as of now: the share of what I paid and is not
    /// served by which the plan costs less.
    #[schema(example = 0)]
    credit: Rupiah,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// The end of the paid term, for which that is reckoned.
    until: DateTime<Utc>,
    /// What a month costs from then on, before tax and the discount of a longer term.
    #[schema(example = 249_000)]
    next_price_monthly: Rupiah,
    /// The same with PPN.
    #[schema(example = 276_390)]
    next_price_monthly_with_tax: Rupiah,
    /// True when the disk grows. That can't be undone: afterwards the server can't have a plan with a smaller disk.
    grows_disk: bool,
    /// True when the server is shut down for it and started again; else its provider restarts it as it needs to.
    stops_server: bool,
}

/// Another plan for a server.
#[derive(Debug, Serialize, ToSchema)]
struct ResizeBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: ResizeId,
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    instance_id: InstanceId,
    /// `OPEN`: to be paid. `APPLYING`: among the server's actions. `LAPSED`: not paid in time, or another wish took its place.
    status: ResizeStatus,
    direction: ResizeDirection,
    /// Slug of the plan before.
    #[schema(example = "do-basic-1gb")]
    from_plan: String,
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    plan_id: PlanId,
    /// Slug of the plan.
    #[schema(example = "do-basic-2gb")]
    plan: String,
    /// The end of the paid term, for which the difference is.
    until: DateTime<Utc>,
    /// To be watched among the server's actions; null before it is begun.
    action_id: Option<ActionId>,
    /// Whole rupiah that went to my balance: the difference to a cheaper plan, or what I paid for one that could not be had.
    #[schema(example = 0)]
    credited: Rupiah,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    /// The bill; absent where nothing is to be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<ResizeInvoice>,
    /// The latest attempt to pay it.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<PaymentBody>,
}

/// The bill of another plan, in short.
#[derive(Debug, Serialize, ToSchema)]
struct ResizeInvoice {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: InvoiceId,
    #[schema(example = "INV/2026/000124")]
    number: String,
    status: InvoiceStatus,
    /// Whole rupiah.
    #[schema(example = 66_600)]
    total: Rupiah,
}

impl ResizeQuoteBody {
    fn new(quote: ResizeQuote, stops_server: bool) -> Result<Self, Problem> {
        let with_tax = quote.price_monthly.plus(quote.price_monthly_tax).map_err(store::StoreError::from)?;
        Ok(Self {
            plan_id: quote.plan_id,
            plan: quote.plan,
            plan_name: quote.plan_name,
            from_plan_name: quote.from_plan_name,
            direction: quote.direction,
            subtotal: quote.price.subtotal,
            tax: quote.price.tax,
            total: quote.price.total,
            credit: quote.credit,
            currency: CURRENCY,
            until: quote.until,
            next_price_monthly: quote.price_monthly,
            next_price_monthly_with_tax: with_tax,
            grows_disk: quote.grows_disk,
            stops_server,
        })
    }
}

impl From<Resize> for ResizeBody {
    fn from(row: Resize) -> Self {
        let invoice = row.invoice.map(|invoice| ResizeInvoice {
            id: invoice.id,
            number: invoice.number,
            status: invoice.status,
            total: invoice.total,
        });
        Self {
            id: row.id,
            instance_id: row.instance_id,
            status: row.status,
            direction: row.direction,
            from_plan: row.from_plan,
            plan_id: row.to_plan_id,
            plan: row.to_plan,
            until: row.term_ends_at,
            action_id: row.action_id,
            credited: row.credited,
            created_at: row.created_at,
            ended_at: row.ended_at,
            invoice,
            payment: row.payment.map(PaymentBody::from),
        }
    }
}

/// See what another plan would cost one of my servers: what is paid now or goes to my balance, what a month costs from the
/// next term on, and whether the disk grows, which can't be undone. Nothing is written.
#[utoipa::path(
    post, path = "/instances/{id}/resize/quote", tag = "instances", operation_id = "quote_instance_resize",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    request_body(content = ResizeQuoteRequest),
    responses(
        (status = 200, description = "The price.", body = ResizeQuoteBody),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: its state is in the way, `detail` says how; \
         `unsupported_action`: its provider can't do this; `provider_disabled`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`plan_not_offered`: the server can't have this plan, `errors` says why; `invalid_body`.",
         body = Problem, content_type = "application/problem+json"),
    )
)]
async fn quote(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    Body(request): Body<ResizeQuoteRequest>,
) -> Result<Json<ResizeQuoteBody>, Problem> {
    let stops_server = stops_server(&state, &me, instance).await?;
    require_plan(&state, instance, request.plan_id, "plan_id").await?;
    let quote = state.store.quote_resize(me.id, instance, request.plan_id).await?;
    Ok(Json(ResizeQuoteBody::new(quote, stops_server)?))
}

/// Give one of my servers another plan. One that costs more is begun once the difference for what is left of the paid term is
/// paid: the answer has what I need in order to pay, and from the balance (`WALLET`) it is paid at once. Unpaid it lapses, as
/// it does when another wish for the server takes its place or its term gets longer. If the provider does not do it, what I
/// paid is on my balance again. One that costs less is begun at once, and the difference goes to my balance when the server
/// has it. A disk that grew stays so. The same `Idempotency-Key` with the same body answers with the same change.
#[utoipa::path(
    post, path = "/instances/{id}/resizes", tag = "instances", operation_id = "resize_instance",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("Idempotency-Key" = String, Header, description = "New for each change, the same for a retry."),
    ),
    request_body(content = ResizeRequest),
    responses(
        (status = 202, description = "The change, with its invoice and payment where something is to be paid.",
         body = ResizeBody, headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: it is being made, suspended, called off, held, being deleted or \
         resized, busy, or past its term; `detail` says which. `insufficient_balance`: `WALLET`, and there is not enough. \
         `unsupported_action`: its provider can't do this; `provider_disabled`. Nothing was asked for.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`plan_not_offered`: the server can't have this plan, `errors` says why; \
         `payment_method_unavailable`, `bank_required`, `bank_not_allowed`, `payment_method_limit`: the method does not take \
         so much or so little, `detail` says what does; `idempotency_key_reused`, `invalid_body`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "`too_many_renewals`: terms and plans of this server were asked for as often within a \
         day as they may be; `WALLET` is always possible. Or `rate_limited`.", body = Problem,
         content_type = "application/problem+json",
         headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
async fn resize(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<ResizeRequest>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<ResizeBody>), Problem> {
    let idempotency = Idempotency::new(&format!("POST /instances/{instance}/resizes"), &key, &request)?;
    let opened = match state.store.resize_of_request(me.id, &idempotency).await? {
        Some(earlier) => earlier,
        None => open(&state, &me, instance, &request, &idempotency).await?,
    };
    if let Some(payment) = opened.to_charge {
        charge(&state, payment).await?;
    }
    let mut resize = state.store.resize(opened.resize_id, me.id).await?;
    if opened.to_charge.is_none()
        && let Some(payment) = resize.payment.take()
    {
        resize.payment = Some(charged_elsewhere(&state, payment).await?);
    }
    let location = format!("/api/v1/instances/{instance}/resizes/{}", resize.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(resize.into())))
}

async fn open(
    state: &AppState,
    me: &CurrentUser,
    instance: InstanceId,
    request: &ResizeRequest,
    idempotency: &Idempotency,
) -> Result<OpenedResize, Problem> {
    let gateway = gateway_for(&state.payments, Payable::Invoice, request.payment_method, request.bank)?;
    let stops_server = stops_server(state, me, instance).await?;
    require_plan(state, instance, request.plan_id, "plan_id").await?;
    let new = NewResize {
        user: me.id,
        instance,
        plan: request.plan_id,
        method: request.payment_method,
        bank: request.bank,
        gateway,
        pay_within_ms: state.orders.policy.payment_window_ms,
        stops_server,
    };
    let opened = state.store.open_resize(&new, idempotency).await;
    opened.map_err(|error| not_begun(state, Payable::Invoice, error))
}

/// List the changes of plans of one of my servers, newest first.
#[utoipa::path(
    get, path = "/instances/{id}/resizes", tag = "instances", operation_id = "list_instance_resizes",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server."), Paging),
    responses((status = 200, description = "A part of the list.", body = Paged<ResizeBody>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    paging: Paging,
) -> Result<Paged<ResizeBody>, Problem> {
    let page = state.store.resizes_of(instance, me.id, &paging.request()).await?;
    Ok(Paged::new(page, ResizeBody::from))
}

/// Read a change of plans of one of my servers.
#[utoipa::path(
    get, path = "/instances/{id}/resizes/{resize_id}", tag = "instances", operation_id = "get_instance_resize",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("resize_id" = ResizeId, Path, description = "The change."),
    ),
    responses((status = 200, description = "The change, its invoice and its payment.", body = ResizeBody))
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Ids(instance, resize): Ids<InstanceId, ResizeId>,
) -> Result<Json<ResizeBody>, Problem> {
    let resize = state.store.resize(resize, me.id).await?;
    if resize.instance_id != instance {
        return Err(Problem::not_found("resize"));
    }
    Ok(Json(resize.into()))
}

/// Whether a server of mine has to be off for it. Refuses what its provider can't do.
async fn stops_server(state: &AppState, me: &CurrentUser, instance: InstanceId) -> Result<bool, Problem> {
    let server = state.store.server_ref_of(me.id, instance).await?;
    require_ability(state, &server, ActionKind::Resize)?;
    let server = at_provider::reach(state, server, Caller::Action(me.id.into()))?;
    Ok(server.provider.resizes_only_off())
}
