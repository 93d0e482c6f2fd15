//! How far what gateways tell by themselves may be believed.

use domain::{
    billing::Evidence,
    gateway::{About, WebhookEvent},
};

use super::{Attempt, GatewayError, PaymentGateway};

/// Turns an event into what may be believed: itself if something stands behind it, else what the gateway says when it
/// is asked.
///
/// # Errors
/// As [`ask`].
pub async fn confirm(
    gateway: &dyn PaymentGateway,
    event: WebhookEvent,
) -> Result<WebhookEvent, GatewayError> {
    if event.evidence.is_some() {
        return Ok(event);
    }
    ask(gateway, event).await
}

/// Turns an event into what the gateway says when it is asked. Where the two name different amounts, the amount
/// becomes `None`: somebody has to look into it.
///
/// # Errors
/// [`GatewayError`] when the gateway does not answer; [`GatewayError::NotFound`] when it knows nothing of what it is said
/// to have told.
pub async fn ask(gateway: &dyn PaymentGateway, event: WebhookEvent) -> Result<WebhookEvent, GatewayError> {
    let (amount, amount_as_received) = (event.report.amount, event.report.amount_as_received.clone());
    let is_comparable = matches!(event.about, About::Attempt(_));
    let mut asked = ask_anew(gateway, event).await?;
    let report = &mut asked.report;
    if is_comparable && report.amount != amount {
        report.amount_as_received =
            format!("{amount_as_received} told, {} when asked", report.amount_as_received);
        report.amount = None;
    }
    Ok(asked)
}

/// What the gateway says when it is asked about what an event is about, whatever the event said.
///
/// # Errors
/// As [`ask`].
pub async fn ask_anew(
    gateway: &dyn PaymentGateway,
    event: WebhookEvent,
) -> Result<WebhookEvent, GatewayError> {
    let (name, report) = match &event.about {
        About::Attempt(name) => {
            let attempt =
                Attempt { gateway_order_id: name, transaction_id: event.report.transaction_id.as_deref() };
            (name.clone(), gateway.status(attempt).await?)
        }
        About::Refund(id) => gateway.status_by_refund(id).await?,
    };
    Ok(WebhookEvent { about: About::Attempt(name), report, evidence: Some(Evidence::Asked), ..event })
}
