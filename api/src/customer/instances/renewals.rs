//! Further terms of my servers: bought, or had by themselves.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, InvoiceStatus, PaymentMethod},
    ids::{InstanceId, InvoiceId, RenewalId},
    payment_limits::Payable,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{idempotency::Idempotency, renewals::NewRenewal, versions::Thing};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::Instance,
    charging::{charge, charged_elsewhere},
    customer::payments::PaymentBody,
    extract::{Body, Id, IdempotencyKey, Ids, Paged, Paging, Seen, Versioned},
    payment_ways::{gateway_for, not_begun},
    problem::Problem,
};

/// Routes under `/instances/{id}/renew` and `/instances/{id}/renewals`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(renew))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(set_auto_renew))
}

/// How long to go on, and how it will be paid.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct RenewRequest {
    /// Months: one of the terms on offer.
    #[schema(example = 3)]
    term_months: u32,
    /// `QRIS`, `VIRTUAL_ACCOUNT` or `WALLET` (my balance).
    payment_method: PaymentMethod,
    /// With `VIRTUAL_ACCOUNT`, and only then.
    #[serde(default)]
    bank: Option<Bank>,
}

/// A further term of a server.
#[derive(Debug, Serialize, ToSchema)]
struct RenewalBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: RenewalId,
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    instance_id: InstanceId,
    #[schema(example = 3)]
    term_months: i32,
    /// When the term begins: where the one before ends; null until it is paid.
    starts_at: Option<DateTime<Utc>>,
    /// When the term ends; null until it is paid.
    ends_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    invoice: RenewalInvoice,
    /// The latest attempt to pay it; null when it was billed by itself and I have not tried yet.
    payment: Option<PaymentBody>,
}

/// The bill of a further term, in short.
#[derive(Debug, Serialize, ToSchema)]
struct RenewalInvoice {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: InvoiceId,
    #[schema(example = "INV/2026/000124")]
    number: String,
    /// `VOID` when another wish for the same server replaced it.
    status: InvoiceStatus,
    /// Whole rupiah.
    #[schema(example = 408_092)]
    total: Rupiah,
}

impl From<store::renewals::Renewal> for RenewalBody {
    fn from(row: store::renewals::Renewal) -> Self {
        Self {
            id: row.id,
            instance_id: row.instance_id,
            term_months: row.term_months,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            created_at: row.created_at,
            invoice: RenewalInvoice {
                id: row.invoice.id,
                number: row.invoice.number,
                status: row.invoice.status,
                total: row.invoice.total,
            },
            payment: row.payment.map(PaymentBody::from),
        }
    }
}

/// Buy a further term of one of my servers. It begins where the present one ends. The answer has what I need in order
/// to pay; from the balance (`WALLET`) it is paid at once. A wish for the same server that is not paid yet is replaced by
/// this one. The same `Idempotency-Key` with the same body answers with the same renewal.
#[utoipa::path(
    post, path = "/instances/{id}/renew", tag = "instances", operation_id = "renew_instance",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("Idempotency-Key" = String, Header, description = "New for each new term, the same for a retry."),
    ),
    request_body(content = RenewRequest, example = json!({ "term_months": 3, "payment_method": "WALLET" })),
    responses(
        (status = 201, description = "The term, its invoice and its payment.", body = RenewalBody,
         headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: it does not run, is being deleted or called off; `detail` \
         says which. \
         `insufficient_balance`: `WALLET`, and there is not enough. Nothing was asked for.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`term_not_offered`, `payment_method_unavailable`, `bank_required`, \
         `bank_not_allowed`, `payment_method_limit`: the method does not take so much or so little, `detail` says \
         what does; `idempotency_key_reused`, `invalid_body`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 429, description = "`too_many_renewals`: a further term of this server was asked for as often within a \
         day as it may be; `WALLET` is always possible. Or `rate_limited`.",
         body = Problem, content_type = "application/problem+json",
         headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
async fn renew(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<RenewRequest>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<RenewalBody>), Problem> {
    let idempotency = Idempotency::new(&format!("POST /instances/{instance}/renew"), &key, &request)?;
    let gateway = gateway_for(&state.payments, Payable::Invoice, request.payment_method, request.bank)?;
    let new = NewRenewal {
        user: me.id,
        instance,
        term_months: request.term_months,
        method: request.payment_method,
        bank: request.bank,
        gateway,
        pay_within_ms: state.orders.policy.payment_window_ms,
    };
    let opened = state.store.open_renewal(&new, &idempotency).await;
    let opened = opened.map_err(|error| not_begun(&state, Payable::Invoice, error))?;
    if let Some(payment) = opened.to_charge {
        charge(&state, payment).await?;
    }
    let mut renewal = state.store.renewal(opened.renewal_id, me.id).await?;
    if opened.to_charge.is_none()
        && let Some(payment) = renewal.payment
    {
        renewal.payment = Some(charged_elsewhere(&state, payment).await?);
    }
    let location = format!("/api/v1/instances/{instance}/renewals/{}", renewal.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(renewal.into())))
}

/// List the further terms of one of my servers, newest first.
#[utoipa::path(
    get, path = "/instances/{id}/renewals", tag = "instances", operation_id = "list_instance_renewals",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server."), Paging),
    responses((status = 200, description = "A part of the list.", body = Paged<RenewalBody>))
)]
async fn list(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    paging: Paging,
) -> Result<Paged<RenewalBody>, Problem> {
    let page = state.store.renewals_of(instance, me.id, &paging.request()).await?;
    Ok(Paged::new(page, RenewalBody::from))
}

/// Read a further term of one of my servers.
#[utoipa::path(
    get, path = "/instances/{id}/renewals/{renewal_id}", tag = "instances", operation_id = "get_instance_renewal",
    security(("bearer" = [])),
    params(
        ("id" = InstanceId, Path, description = "The server."),
        ("renewal_id" = RenewalId, Path, description = "The renewal."),
    ),
    responses((status = 200, description = "The term, its invoice and its payment.", body = RenewalBody))
)]
async fn get(
    me: CurrentUser,
    State(state): State<AppState>,
    Ids(instance, renewal): Ids<InstanceId, RenewalId>,
) -> Result<Json<RenewalBody>, Problem> {
    let renewal = state.store.renewal(renewal, me.id).await?;
    if renewal.instance_id != instance {
        return Err(Problem::not_found("renewal"));
    }
    Ok(Json(renewal.into()))
}

/// Whether to go on by itself.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
struct AutoRenewRequest {
    #[garde(skip)]
    enabled: bool,
}

/// Have the terms of one of my servers renewed from my balance some days before they end, or no longer. When there is too
/// little on it, I am told how much is missing, and get an invoice that I can pay in any way.
#[utoipa::path(
    put, path = "/instances/{id}/auto-renew", tag = "instances", operation_id = "set_instance_auto_renew",
    security(("bearer" = [])), params(("id" = InstanceId, Path, description = "The server.")),
    request_body(content = AutoRenewRequest, example = json!({ "enabled": true })),
    responses(
        (status = 200, description = "The server.", body = Instance),
        (status = 404, description = "`not_found`: I have no such server.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`instance_conflict`: it is gone or going; `detail` says which.", body = Problem,
         content_type = "application/problem+json"),
    )
)]
async fn set_auto_renew(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(instance): Id<InstanceId>,
    Seen(condition): Seen,
    Body(request): Body<AutoRenewRequest>,
) -> Result<Versioned<Instance>, Problem> {
    state.store.set_auto_renew(me.id, instance, request.enabled, &condition).await?;
    let version = state.store.version(Thing::Instance(instance)).await?;
    Ok(Versioned { version, body: state.store.instance_of(me.id, instance).await?.into() })
}
