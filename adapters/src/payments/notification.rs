//! What gateways tell by themselves, and how far it may be believed.

use super::{Attempt, GatewayError, PaymentGateway, Report};

/// A notification whose origin is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Our name for the attempt: [`super::Charge::gateway_order_id`].
    pub gateway_order_id: String,
    /// The gateway's identity of the event: two notifications with the same key tell of the same event.
    pub dedupe_key: String,
    /// What it says.
    pub report: Report,
    /// Whether its content is proven too, as by a signature over it. A token that anybody who ever saw it can repeat
    /// proves nothing of the content.
    pub is_proof: bool,
}

/// Turns a notification into what may be believed: itself if it is proof, else what the gateway says when it is asked.
/// Where the two name different amounts, the amount becomes `None`: somebody has to look into it.
///
/// # Errors
/// [`GatewayError`] when the gateway has to be asked and does not answer; [`GatewayError::NotFound`] when it knows
/// nothing of what it is said to have told.
pub async fn confirm(gateway: &dyn PaymentGateway, told: Notification) -> Result<Notification, GatewayError> {
    if told.is_proof {
        return Ok(told);
    }
    let attempt = Attempt {
        gateway_order_id: &told.gateway_order_id,
        transaction_id: told.report.transaction_id.as_deref(),
    };
    let mut report = gateway.status(attempt).await?;
    if report.amount != told.report.amount {
        report.amount_as_received =
            format!("{} told, {} when asked", told.report.amount_as_received, report.amount_as_received);
        report.amount = None;
    }
    // What was asked for counts: told too early, the same event may be worth something later.
    let dedupe_key = format!("{}:{}", told.dedupe_key, report.status);
    Ok(Notification { dedupe_key, report, is_proof: true, gateway_order_id: told.gateway_order_id })
}
