//! What gateways tell by themselves, and how far it may be believed.

use domain::billing::Evidence;

use super::{Attempt, GatewayError, PaymentGateway, Report};

/// A notification whose origin is proven, or one that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What it is about.
    pub about: About,
    /// The gateway's identity of the event, with all that decides what it means: two notifications with the same key tell of
    /// the same event.
    pub dedupe_key: String,
    /// What it says.
    pub report: Report,
    /// What stands behind its content. `None`: nothing, as with a token that anybody who ever saw it can repeat.
    pub evidence: Option<Evidence>,
}

/// What a notification is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// An attempt, by our name for it: [`super::Charge::gateway_order_id`].
    Attempt(String),
    /// A refund, by the gateway's id: of which attempt has to be asked for.
    Refund(String),
}

impl About {
    /// Our name for the attempt; the gateway's id of the refund while that is all that is known.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Attempt(name) | Self::Refund(name) => name,
        }
    }
}

/// Turns a notification into what may be believed: itself if something stands behind it, else what the gateway says when it
/// is asked.
///
/// # Errors
/// As [`ask`].
pub async fn confirm(gateway: &dyn PaymentGateway, told: Notification) -> Result<Notification, GatewayError> {
    if told.evidence.is_some() {
        return Ok(told);
    }
    ask(gateway, told).await
}

/// Turns a notification into what the gateway says when it is asked. Where the two name different amounts, the amount
/// becomes `None`: somebody has to look into it.
///
/// # Errors
/// [`GatewayError`] when the gateway does not answer; [`GatewayError::NotFound`] when it knows nothing of what it is said
/// to have told.
pub async fn ask(gateway: &dyn PaymentGateway, told: Notification) -> Result<Notification, GatewayError> {
    let (amount, amount_as_received) = (told.report.amount, told.report.amount_as_received.clone());
    let is_comparable = matches!(told.about, About::Attempt(_));
    let mut asked = ask_anew(gateway, told).await?;
    let report = &mut asked.report;
    if is_comparable && report.amount != amount {
        report.amount_as_received =
            format!("{amount_as_received} told, {} when asked", report.amount_as_received);
        report.amount = None;
    }
    Ok(asked)
}

/// What the gateway says when it is asked about what a notification is about, whatever the notification said.
///
/// # Errors
/// As [`ask`].
pub async fn ask_anew(
    gateway: &dyn PaymentGateway,
    told: Notification,
) -> Result<Notification, GatewayError> {
    let (name, report) = match told.about {
        About::Attempt(name) => {
            let attempt =
                Attempt { gateway_order_id: &name, transaction_id: told.report.transaction_id.as_deref() };
            let report = gateway.status(attempt).await?;
            (name, report)
        }
        About::Refund(id) => gateway.status_by_refund(&id).await?,
    };
    Ok(Notification {
        about: About::Attempt(name),
        dedupe_key: told.dedupe_key,
        report,
        evidence: Some(Evidence::Asked),
    })
}
