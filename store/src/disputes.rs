//! Money of paid attempts that gateways took back without our asking: kept as disputes, told to administrators once
//! however often it is told to us, and decided by one of them ([`decide`]). Refunds that we asked for stay quiet.

mod decide;
mod read;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::WebhookOutcome,
    dispute::{DisputeStatus, Reversal, ReversalKind},
    ids::{DepositId, DisputeId, InvoiceId, OrderId, PaymentId, UserId},
    notification::NotificationKind,
};
use serde_json::json;
use sqlx::PgConnection;

pub use decide::Decision;
pub use read::DisputeFilter;

use crate::{
    Result,
    catalog_sync::administrators,
    new_id,
    notifications::{self, Notice},
    payments::LockedPayment,
    webhooks::{Misfit, tell_administrators},
};

/// Money that a gateway took back, and what we make of it.
#[derive(Debug, Clone)]
pub struct Dispute {
    /// Its id, also the cursor of lists.
    pub id: DisputeId,
    /// The paid attempt.
    pub payment_id: PaymentId,
    /// Who paid.
    pub customer_id: UserId,
    /// The order it paid for, if it was an order.
    pub order_id: Option<OrderId>,
    /// The invoice it paid for: the order's, or one without an order.
    pub invoice_id: Option<InvoiceId>,
    /// The deposit it was, if it was one.
    pub deposit_id: Option<DepositId>,
    /// Slug of the gateway.
    pub gateway: String,
    /// Our name for the attempt there.
    pub gateway_order_id: String,
    /// How the money was taken back.
    pub kind: ReversalKind,
    /// The gateway's name for that.
    pub name: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// How much.
    pub amount: Rupiah,
    /// The amount in the gateway's own words; empty when it names none.
    pub amount_told: String,
    /// Whether the server was powered off with the acceptance.
    pub suspends_server: bool,
    /// What was said with the decision.
    pub note: Option<String>,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Accepted: what the customer owes us for it.
    pub receivable: Option<Rupiah>,
    /// When the gateway first told of it.
    pub created_at: DateTime<Utc>,
}

/// Something taken back that is neither a refund of ours nor in dispute yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    reversal: Reversal,
    /// How much of the payment it can still be about; nothing when all of it went back or is in dispute already.
    amount: Rupiah,
}

/// What of `reversals` is news about an attempt, which is locked.
pub(crate) async fn claims(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    reversals: &[Reversal],
) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    if reversals.is_empty() {
        return Ok(claims);
    }
    let mut left = undisputed(tx, payment.id).await?;
    for reversal in reversals {
        let found = sqlx::query!(
            r#"SELECT EXISTS (SELECT FROM disputes WHERE payment_id = $1 AND name = $2) AS "is_known!",
                      (SELECT amount FROM refunds WHERE payment_id = $1 AND id::text = $3
                       AND status <> 'RETURNED_TO_WALLET') AS "ours: Rupiah""#,
            payment.id.0,
            reversal.name,
            reversal.refund_key,
        )
        .fetch_one(&mut *tx)
        .await?;
        let beyond_ours = match found.ours {
            Some(ours) => reversal.amount.unwrap_or(ours).minus(ours)?,
            None => reversal.amount.unwrap_or(payment.amount),
        };
        let amount = beyond_ours.min(left);
        let said_already = reversal.kind == ReversalKind::Withdrawn && amount == Rupiah::ZERO;
        if found.is_known || said_already || beyond_ours <= Rupiah::ZERO {
            continue;
        }
        left = left.minus(amount)?;
        claims.push(Claim { reversal: reversal.clone(), amount });
    }
    Ok(claims)
}

/// Whether nothing is left of an attempt after what was taken back.
pub(crate) fn is_all(payment: &LockedPayment, claims: &[Claim]) -> bool {
    claims.iter().map(|claim| claim.amount.get()).sum::<i64>() >= payment.amount.get()
}

/// Opens disputes about an attempt, which is paid and locked, and tells administrators of each. Answers with the first.
pub(crate) async fn open(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    claims: &[Claim],
) -> Result<Option<DisputeId>> {
    let mut first = None;
    for claim in claims {
        if claim.amount == Rupiah::ZERO {
            tell_of_more_than_all(tx, payment, claim).await?;
            continue;
        }
        let id: DisputeId = new_id();
        let inserted = sqlx::query!(
            "INSERT INTO disputes (id, payment_id, user_id, kind, name, status, amount, amount_told)
             SELECT $1, id, user_id, $3, $4, 'OPEN', $5, $6 FROM payments WHERE id = $2
             ON CONFLICT (payment_id, name) DO NOTHING",
            id.0,
            payment.id.0,
            claim.reversal.kind.as_str(),
            claim.reversal.name,
            claim.amount.get(),
            claim.reversal.amount_as_received,
        )
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            tell(tx, payment, claim, id).await?;
            first = first.or(Some(id));
        }
    }
    Ok(first)
}

/// What of a payment neither went back through its gateway nor is in dispute.
pub(crate) async fn undisputed(tx: &mut PgConnection, payment: PaymentId) -> Result<Rupiah> {
    Ok(sqlx::query_scalar!(r#"SELECT undisputed($1) AS "left!: Rupiah""#, payment.0).fetch_one(tx).await?)
}

async fn tell(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    claim: &Claim,
    dispute: DisputeId,
) -> Result<()> {
    let how = match claim.reversal.kind {
        ReversalKind::Refund => "gave back",
        ReversalKind::Chargeback => "let the customer's bank take back",
        ReversalKind::Withdrawn => "took back",
    };
    let gateway = payment.gateway.as_deref().unwrap_or_default();
    let message = format!(
        "{gateway} {how} {} of {} without our asking. Please accept or dismiss it.",
        claim.amount, payment.gateway_order_id
    );
    let notice = Notice {
        kind: NotificationKind::PaymentDisputed,
        title: "A gateway took money back",
        message: &message,
        action_url: Some(&format!("/admin/disputes/{dispute}")),
        metadata: json!({ "dispute_id": dispute, "payment_id": payment.id, "amount": claim.amount }),
        dedupe_key: &format!("dispute/{dispute}"),
    };
    for administrator in administrators(tx).await? {
        notifications::notify(tx, administrator, &notice).await?;
    }
    Ok(())
}

/// All of the payment went back or is in dispute, and its gateway tells of something else that took money back.
async fn tell_of_more_than_all(tx: &mut PgConnection, payment: &LockedPayment, claim: &Claim) -> Result<()> {
    let misfit = Misfit {
        gateway: payment.gateway.as_deref().unwrap_or_default(),
        subject: &payment.gateway_order_id,
        payment_id: Some(payment.id),
        outcome: WebhookOutcome::Disputed,
        reason: &format!(
            "{} took back {}, and nothing of the payment is left to be taken",
            claim.reversal.name, claim.reversal.amount_as_received
        ),
        key: &format!("payment/{}/reversal/{}", payment.id, claim.reversal.name),
    };
    tell_administrators(tx, &misfit).await
}
