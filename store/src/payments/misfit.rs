//! What gateways say of payments and does not fit what we know.

use domain::{billing::WebhookOutcome, dispute::MisfitReason, event::PaymentMismatched, ids::PaymentId};
use sqlx::PgConnection;

use crate::{Result, events::Entry};

/// Something that a gateway says and that does not fit, for administrators.
pub(crate) struct Misfit<'a> {
    pub(crate) gateway: &'a str,
    /// What it is about, in the gateway's words.
    pub(crate) subject: &'a str,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) outcome: WebhookOutcome,
    pub(crate) reason: MisfitReason,
    /// The fact itself, however it came to us: it is told once.
    pub(crate) key: &'a str,
}

/// Tells administrators of something that does not fit, once.
pub(crate) async fn tell_of_misfit(tx: &mut PgConnection, misfit: Misfit<'_>) -> Result<()> {
    let mismatched = PaymentMismatched {
        gateway: misfit.gateway.to_owned(),
        subject: misfit.subject.to_owned(),
        payment_id: misfit.payment_id,
        outcome: misfit.outcome,
        reason: misfit.reason,
        key: misfit.key.to_owned(),
    };
    Entry::of(mismatched).tell_administrators(tx).await
}
