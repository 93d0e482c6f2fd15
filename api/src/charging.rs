//! Charging a gateway while the customer waits for its answer: what follows the commit that began an attempt to pay.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use adapters::payments::{Charge, GatewayError, GatewayFailure, PaymentGateway};
use domain::{billing::PaymentStatus, gateway::Instructions, ids::PaymentId};
use store::{
    Elapsed, StoreError,
    payments::{ChargeResult, Payment},
};

use crate::{AppState, crash_point::crash_point};

/// First wait before a charge is made again; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Asks the gateway of a payment to take the customer's money, and keeps its answer: instructions, a refusal, or not
/// knowing. A gateway that is slow or down is no error here; the payment then has no instructions. The call goes on
/// when the customer hangs up, so that its answer is kept.
///
/// # Errors
/// [`StoreError`] only: the answer could not be kept.
pub(crate) async fn charge(state: &AppState, payment: PaymentId) -> Result<Payment, StoreError> {
    let charging = {
        let state = state.clone();
        async move { charge_now(&state, payment).await }
    };
    match tokio::spawn(charging).await {
        Ok(payment) => payment,
        Err(panic) => {
            tracing::error!(
                event = "charge.panicked",
                payment_id = %payment,
                %panic,
                "charging ended unexpectedly"
            );
            state.store.any_payment(payment).await
        }
    }
}

/// The payment that an earlier request began. If that request is still waiting for the gateway, so does this one, so
/// that both get the same answer. One that was cut off before it asked the gateway is made up for: an answer of 503, or
/// none at all, is not the end of a promise.
pub(crate) async fn charged_elsewhere(state: &AppState, mut payment: Payment) -> Result<Payment, StoreError> {
    let started = Instant::now();
    let patience = state.payments.charge_timeout;
    while awaits_gateway(&payment) {
        if payment.age.get().max(started.elapsed()) > patience {
            return charge(state, payment.id).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        payment = state.store.any_payment(payment.id).await?;
    }
    Ok(payment)
}

/// True when the gateway has not answered (and perhaps was never asked), and still can.
fn awaits_gateway(payment: &Payment) -> bool {
    payment.gateway.is_some()
        && payment.time_left.is_none_or(|left| left > Elapsed::default())
        && payment.status == PaymentStatus::Pending
        && payment.qr_string.is_none()
        && payment.va_number.is_none()
        && payment.bill_key.is_none()
}

async fn charge_now(state: &AppState, payment: PaymentId) -> Result<Payment, StoreError> {
    let payment = state.store.any_payment(payment).await?;
    let Some(slug) = payment.gateway.as_deref() else { return Ok(payment) };
    crash_point("charge.before");
    let result = match state.payments.gateways.get(slug) {
        Some(gateway) => ask(gateway, &payment, state.payments.charge_timeout).await,
        None => ChargeResult::Refused(format!("the gateway {slug} is not in use")),
    };
    crash_point("charge.answered");
    match &result {
        ChargeResult::Ready(_) => {}
        ChargeResult::Refused(reason) => {
            tracing::error!(
                alert = "charge.refused",
                payment_id = %payment.id,
                order_id = payment.order_id.map(tracing::field::display),
                reason,
                "a charge was refused"
            );
        }
        ChargeResult::Unknown(reason) => {
            tracing::warn!(
                event = "charge.unknown",
                payment_id = %payment.id,
                order_id = payment.order_id.map(tracing::field::display),
                reason,
                "a charge is unknown"
            );
        }
    }
    let payment = state.store.record_charge(payment.id, &result).await?;
    crash_point("charge.kept");
    Ok(payment)
}

async fn ask(gateway: &Arc<dyn PaymentGateway>, payment: &Payment, patience: Duration) -> ChargeResult {
    let charge = Charge {
        gateway_order_id: payment.gateway_order_id.clone(),
        amount: payment.amount,
        method: payment.method,
        bank: payment.bank,
        pay_within: payment.time_left.unwrap_or_default().get(),
    };
    match tokio::time::timeout(patience, create(gateway, &charge, patience)).await {
        Ok(Ok(instructions)) => ChargeResult::Ready(instructions),
        Ok(Err(error)) => failed(&error),
        Err(_) => ChargeResult::Unknown(format!("no answer within {patience:?}")),
    }
}

/// Charges, and again when the gateway certainly did nothing and says that it may later, as long as the customer waits.
async fn create(
    gateway: &Arc<dyn PaymentGateway>,
    charge: &Charge,
    patience: Duration,
) -> Result<Instructions, GatewayError> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match gateway.create(charge).await {
            Ok(instructions) => return Ok(instructions),
            Err(error) => error,
        };
        let GatewayFailure::Retryable { retry_after } = error.class() else { return Err(error) };
        let wait = retry_after.unwrap_or(pause);
        if started.elapsed() + wait >= patience {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        pause *= 2;
    }
}

/// Only a refusal closes the attempt. One that is to be made again later is left without instructions, as one that got
/// no answer: the customer begins another, and the janitor closes this one when its gateway never got it.
fn failed(error: &GatewayError) -> ChargeResult {
    match error.class() {
        GatewayFailure::Refused => ChargeResult::Refused(error.to_string()),
        GatewayFailure::Retryable { .. } | GatewayFailure::Unknown { .. } => {
            ChargeResult::Unknown(error.to_string())
        }
    }
}
