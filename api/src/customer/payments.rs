//! Paying: further attempts, and the customer's payments.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::{Bank, PaymentMethod, PaymentStatus},
    ids::{DepositId, InvoiceId, OrderId, PaymentId},
    payment_limits::Payable,
};
use garde::Validate;
use serde::{Deserialize, Serialize};
use store::{
    idempotency::Idempotency,
    payments::{NewAttempt, Payment},
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    auth::CurrentUser,
    bodies::PaymentProof,
    charging::{charge, charged_elsewhere},
    extract::{Body, Id, IdempotencyKey, Paged, Paging, Params},
    payment_ways::{gateway_for, not_begun},
    problem::Problem,
};

/// Routes under `/payments`, and `/orders/{id}/pay`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).routes(routes!(pay))
}

/// An attempt to pay, with what the customer needs in order to pay.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentBody {
    #[schema(example = "0193e7d0-4362-7709-b262-4de1f9ad2f5e")]
    id: PaymentId,
    /// The order it pays, if it pays one.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// The invoice it pays, if it pays one.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<InvoiceId>,
    /// The deposit it pays, if it pays one.
    #[serde(skip_serializing_if = "Option::is_none")]
    deposit_id: Option<DepositId>,
    /// What the gateway calls the attempt.
    #[schema(example = "WB-0193e7d043627709b2624de1f9ad2f5e-1")]
    gateway_order_id: String,
    method: PaymentMethod,
    /// `UNKNOWN`: the gateway did not answer in time. Begin another attempt; if this one gets paid, it counts.
    status: PaymentStatus,
    /// Whole rupiah.
    #[schema(example = 133_200)]
    amount: Rupiah,
    /// Bank transfers: what has arrived so far; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 100_000)]
    amount_received: Option<Rupiah>,
    /// What it still has to bring: less than `amount` when a part was transferred; absent when nobody waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 33_200)]
    amount_due: Option<Rupiah>,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// QRIS: show this text as a QR code. Absent when the gateway did not answer in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "00020101021226550014COM.GO-JEK.WWW")]
    qr_string: Option<String>,
    /// Virtual account: the number to transfer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "8127812345678901")]
    va_number: Option<String>,
    /// Virtual account: whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<Bank>,
    /// Mandiri, instead of an account number: with the biller's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "990000000260")]
    bill_key: Option<String>,
    /// Mandiri: with the bill's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "70012")]
    biller_code: Option<String>,
    /// Until when it can be paid.
    expires_at: Option<DateTime<Utc>>,
    paid_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Payment> for PaymentBody {
    fn from(payment: Payment) -> Self {
        let amount_due = payment.amount_due();
        Self {
            id: payment.id,
            order_id: payment.order_id,
            invoice_id: payment.invoice_id,
            deposit_id: payment.deposit_id,
            gateway_order_id: payment.gateway_order_id,
            method: payment.method,
            status: payment.status,
            amount: payment.amount,
            amount_received: payment.amount_received,
            amount_due,
            currency: domain::money::CURRENCY,
            qr_string: payment.qr_string,
            va_number: payment.va_number,
            bank: payment.bank,
            bill_key: payment.bill_key,
            biller_code: payment.biller_code,
            expires_at: payment.expires_at,
            paid_at: payment.paid_at,
            created_at: payment.created_at,
        }
    }
}

/// An attempt to pay with the files that were sent to prove it.
#[derive(Debug, Serialize, ToSchema)]
struct PaymentDetail {
    #[serde(flatten)]
    payment: PaymentBody,
    /// Bank transfers: the first first.
    proofs: Vec<PaymentProof>,
}

/// How to pay.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct PayRequest {
    /// `QRIS`, `VIRTUAL_ACCOUNT`, `MANUAL_TRANSFER` or `WALLET`.
    pub payment_method: PaymentMethod,
    /// With `VIRTUAL_ACCOUNT`, and only then.
    #[serde(default)]
    pub bank: Option<Bank>,
}

/// Which payments are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PaymentQuery {
    /// Only those of this order.
    order_id: Option<OrderId>,
}

/// List your payments, newest first.
#[utoipa::path(
    get, path = "/payments", tag = "billing", operation_id = "list_payments", security(("bearer" = [])),
    params(PaymentQuery, Paging),
    responses((status = 200, description = "A part of the list.", body = Paged<PaymentBody>))
)]
async fn list(
    customer: CurrentUser,
    State(state): State<AppState>,
    Params(query): Params<PaymentQuery>,
    paging: Paging,
) -> Result<Paged<PaymentBody>, Problem> {
    let page = state.store.payments_of(customer.id, query.order_id, &paging.request()).await?;
    Ok(Paged::new(page, PaymentBody::from))
}

/// Get one of your payments.
#[utoipa::path(
    get, path = "/payments/{id}", tag = "billing", operation_id = "get_payment", security(("bearer" = [])),
    params(("id" = PaymentId, Path, description = "The payment.")),
    responses((status = 200, description = "The payment.", body = PaymentDetail))
)]
async fn get(
    customer: CurrentUser,
    State(state): State<AppState>,
    Id(payment): Id<PaymentId>,
) -> Result<Json<PaymentDetail>, Problem> {
    let proofs = state.store.proofs_of(customer.id, payment).await?;
    let payment = state.store.payment_of(customer.id, payment).await?.into();
    Ok(Json(PaymentDetail { payment, proofs: proofs.into_iter().map(PaymentProof::from).collect() }))
}

/// Begin another attempt to pay an order: another method, or the same again because its code expired or the gateway
/// did not answer in time. Earlier attempts stay payable; whichever is paid first counts. From
/// the balance (`WALLET`) it is paid at once.
#[utoipa::path(
    post, path = "/orders/{id}/pay", tag = "billing", operation_id = "pay_order", security(("bearer" = [])),
    params(
        ("id" = OrderId, Path, description = "The order."),
        ("Idempotency-Key" = String, Header, description = "New for each new attempt, the same for a retry."),
    ),
    request_body(content = PayRequest, example = json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": "BCA" })),
    responses(
        (status = 201, description = "The attempt. Without instructions when the gateway did not answer in time.",
         body = PaymentBody, headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`order_conflict`: the order does not wait for money; `detail` names its status. \
         `insufficient_balance`: `WALLET`, and there is not enough.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`payment_method_unavailable`, `bank_required`, `bank_not_allowed`, \
         `payment_method_limit`: the method does not take so much or so little, `detail` says what does; \
         `idempotency_key_reused`, or `invalid_body`.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`: the order had as many within a day as it may; `WALLET` is always \
         possible. Or `rate_limited`.",
         body = Problem, content_type = "application/problem+json",
         headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
async fn pay(
    customer: CurrentUser,
    State(state): State<AppState>,
    Id(order): Id<OrderId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<PayRequest>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<PaymentBody>), Problem> {
    let gateway = gateway_for(&state.payments, Payable::Order, request.payment_method, request.bank)?;
    let attempt =
        NewAttempt { user: customer.id, order, method: request.payment_method, bank: request.bank, gateway };
    let idempotency = Idempotency::new(&format!("POST /orders/{order}/pay"), &key, &request)?;
    let opened = state.store.open_payment(&attempt, &idempotency).await;
    let opened = opened.map_err(|error| not_begun(&state, Payable::Order, error))?;
    let payment = if opened.is_new {
        charge(&state, opened.payment_id).await?
    } else {
        charged_elsewhere(&state, state.store.payment_of(customer.id, opened.payment_id).await?).await?
    };
    let location = format!("/api/v1/payments/{}", payment.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(payment.into())))
}
