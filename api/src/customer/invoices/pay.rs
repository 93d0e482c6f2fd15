//! Paying an invoice, whatever it is over.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header::LOCATION},
};
use domain::{ids::InvoiceId, payment_limits::Payable};
use store::{
    idempotency::Idempotency,
    payments::{NewAttempt, NewInvoiceAttempt},
};

use crate::{
    AppState,
    auth::CurrentUser,
    charging::{charge, charged_elsewhere},
    customer::payments::{PayRequest, PaymentBody},
    extract::{Body, Id, IdempotencyKey},
    payment_ways::{gateway_for, not_begun},
    problem::Problem,
};

/// Begin another attempt to pay an open invoice. Earlier attempts stay payable; whichever is paid first counts. From the
/// balance (`WALLET`) it is paid at once. For an order's invoice this is `POST /orders/{id}/pay`; `MANUAL_TRANSFER` is
/// for these only.
#[utoipa::path(
    post, path = "/invoices/{id}/pay", tag = "billing", operation_id = "pay_invoice", security(("bearer" = [])),
    params(
        ("id" = InvoiceId, Path, description = "The invoice."),
        ("Idempotency-Key" = String, Header, description = "New for each new attempt, the same for a retry."),
    ),
    request_body(content = PayRequest, example = json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": "BCA" })),
    responses(
        (status = 201, description = "The attempt. Without instructions when the gateway did not answer in time.",
         body = PaymentBody, headers(("Location" = String, description = "Where to read it again."))),
        (status = 400, description = "`malformed_json`, `idempotency_key_required` or `idempotency_key_invalid`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`invoice_conflict` or `order_conflict`: it does not wait for money, or its server is \
         gone or being deleted; `detail` says which. Nothing moved. `insufficient_balance`: `WALLET`, and there is not enough.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`payment_method_unavailable`, `bank_required`, `bank_not_allowed`, \
         `payment_method_limit`: the method does not take so much or so little, `detail` says what does; \
         `idempotency_key_reused`, or `invalid_body`.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_attempts`: the invoice had as many within a day as it may; `WALLET` is \
         always possible. Or `rate_limited`.",
         body = Problem, content_type = "application/problem+json",
         headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(super) async fn pay(
    me: CurrentUser,
    State(state): State<AppState>,
    Id(id): Id<InvoiceId>,
    IdempotencyKey(key): IdempotencyKey,
    Body(request): Body<PayRequest>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<PaymentBody>), Problem> {
    let (invoice, _) = state.store.invoice(id, me.id).await?;
    let idempotency = Idempotency::new(&format!("POST /invoices/{id}/pay"), &key, &request)?;
    let (method, bank) = (request.payment_method, request.bank);
    let opened = if let Some(order) = invoice.order_id {
        let gateway = gateway_for(&state.payments, Payable::Order, method, bank)?;
        let attempt = NewAttempt { user: me.id, order, method, bank, gateway };
        let opened = state.store.open_payment(&attempt, &idempotency).await;
        opened.map_err(|error| not_begun(&state, Payable::Order, error))?
    } else {
        let gateway = gateway_for(&state.payments, Payable::Invoice, method, bank)?;
        let pay_within_ms = state.orders.policy.payment_window_ms;
        let attempt = NewInvoiceAttempt { user: me.id, invoice: id, method, bank, gateway, pay_within_ms };
        let opened = state.store.open_invoice_payment(&attempt, &idempotency).await;
        opened.map_err(|error| not_begun(&state, Payable::Invoice, error))?
    };
    let payment = if opened.is_new {
        charge(&state, opened.payment_id).await?
    } else {
        charged_elsewhere(&state, state.store.payment_of(me.id, opened.payment_id).await?).await?
    };
    let location = format!("/api/v1/payments/{}", payment.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(payment.into())))
}
