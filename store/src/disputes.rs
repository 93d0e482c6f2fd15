//! Money of paid attempts that gateways took back without our asking: kept as disputes, told to administrators once
//! however often it is told to us, and decided by one of them ([`decide`]). Refunds that we asked for stay quiet.

mod decide;
mod read;

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    billing::WebhookOutcome,
    dispute::{DisputeStatus, MisfitReason, Reversal, ReversalKind},
    event::PaymentDisputed,
    ids::{DepositId, DisputeId, InvoiceId, OrderId, PaymentId, UserId},
};
use sqlx::PgConnection;

pub use decide::Decision;
pub use read::DisputeFilter;

use crate::{
    Result,
    events::Entry,
    locks::LockedPayment,
    new_id,
    payments::{Misfit, tell_of_misfit, undisputed},
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
    /// How much of what we charged.
    pub amount: Rupiah,
    /// How much of a fee, besides, that the gateway had made the payer pay.
    pub payer_fee: Rupiah,
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
    /// How much of the payer's fee, besides.
    payer_fee: Rupiah,
}

impl Claim {
    /// Whether anything is left that it can be about.
    fn is_disputable(&self) -> bool {
        self.amount > Rupiah::ZERO || self.payer_fee > Rupiah::ZERO
    }
}

/// What of `reversals` is news about an attempt, which is locked and was paid with `payer_fee` on top. What is taken back
/// beyond all that we charged is of that fee. What could not be in dispute when it was told of, since a refund of ours was
/// under way that failed afterwards, is news too.
pub(crate) async fn claims(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    payer_fee: Rupiah,
    reversals: &[Reversal],
) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    if reversals.is_empty() {
        return Ok(claims);
    }
    let mut left = undisputed(tx, payment.id).await?;
    // One that is not paid yet has no disputes.
    let mut fee_left = if payment.payer_fee > Rupiah::ZERO {
        undisputed_payer_fee(tx, payment.id).await?
    } else {
        payer_fee
    };
    let gross = payment.amount.plus(payer_fee)?;
    for reversal in reversals {
        let known = known(tx, payment.id, reversal).await?;
        let beyond_ours = match known.ours {
            Some(ours) => reversal.amount.unwrap_or(ours).minus(ours)?,
            None => reversal.amount.unwrap_or(gross),
        };
        let rest = beyond_ours.minus(known.amount)?;
        let amount = rest.min(left);
        let payer_fee = rest.minus(amount)?.min(fee_left);
        let said_already = amount.plus(payer_fee)? == Rupiah::ZERO
            && (known.times > 0 || reversal.kind == ReversalKind::Withdrawn);
        if said_already || rest <= Rupiah::ZERO {
            continue;
        }
        (left, fee_left) = (left.minus(amount)?, fee_left.minus(payer_fee)?);
        claims.push(Claim { reversal: known.named(reversal), amount, payer_fee });
    }
    Ok(claims)
}

/// What we know of a reversal.
struct Known {
    /// How much of it is or was in dispute.
    amount: Rupiah,
    /// In how many disputes.
    times: i64,
    /// The amount of the refund of ours that it is.
    ours: Option<Rupiah>,
}

impl Known {
    /// The reversal by a name of its own for what of it is news.
    fn named(&self, reversal: &Reversal) -> Reversal {
        let name = match self.times {
            0 => reversal.name.clone(),
            earlier => format!("{}#{}", reversal.name, earlier + 1),
        };
        Reversal { name, ..reversal.clone() }
    }
}

async fn known(tx: &mut PgConnection, payment: PaymentId, reversal: &Reversal) -> Result<Known> {
    Ok(sqlx::query_as!(
        Known,
        r#"SELECT coalesce(sum(amount + payer_fee), 0)::bigint AS "amount!: Rupiah", count(*) AS "times!",
                  (SELECT amount FROM refunds WHERE payment_id = $1 AND id::text = $3
                   AND status <> 'RETURNED_TO_WALLET') AS "ours: Rupiah"
           FROM disputes WHERE payment_id = $1 AND (name = $2 OR starts_with(name, $2 || '#'))"#,
        payment.0,
        reversal.name,
        reversal.refund_key,
    )
    .fetch_one(tx)
    .await?)
}

/// Whether nothing is left of an attempt, and of the payer's fee on top, after what was taken back.
pub(crate) fn is_all(payment: &LockedPayment, payer_fee: Rupiah, claims: &[Claim]) -> bool {
    let taken: i64 = claims.iter().map(|claim| claim.amount.get() + claim.payer_fee.get()).sum();
    taken >= payment.amount.get() + payer_fee.get()
}

/// Whether any of them can be in dispute: of the others all went back or is in dispute already.
pub(crate) fn is_any_disputable(claims: &[Claim]) -> bool {
    claims.iter().any(Claim::is_disputable)
}

/// Opens disputes about an attempt, which is paid and locked, and tells administrators of each. Answers with the first.
pub(crate) async fn open(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    claims: &[Claim],
) -> Result<Option<DisputeId>> {
    let mut first = None;
    for claim in claims {
        if !claim.is_disputable() {
            tell_of_more_than_all(tx, payment, claim).await?;
            continue;
        }
        let id: DisputeId = new_id();
        let inserted = sqlx::query!(
            "INSERT INTO disputes (id, payment_id, user_id, kind, name, status, amount, amount_told, payer_fee)
             SELECT $1, id, user_id, $3, $4, 'OPEN', $5, $6, $7 FROM payments WHERE id = $2
             ON CONFLICT (payment_id, name) DO NOTHING",
            id.0,
            payment.id.0,
            claim.reversal.kind.as_str(),
            claim.reversal.name,
            claim.amount.get(),
            claim.reversal.amount_as_received,
            claim.payer_fee.get(),
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

/// What of the fee that the payer of a payment paid is not in dispute.
async fn undisputed_payer_fee(tx: &mut PgConnection, payment: PaymentId) -> Result<Rupiah> {
    Ok(sqlx::query_scalar!(r#"SELECT undisputed_payer_fee($1) AS "left!: Rupiah""#, payment.0)
        .fetch_one(tx)
        .await?)
}

async fn tell(
    tx: &mut PgConnection,
    payment: &LockedPayment,
    claim: &Claim,
    dispute: DisputeId,
) -> Result<()> {
    let disputed = PaymentDisputed {
        dispute_id: dispute,
        payment_id: payment.id,
        gateway: payment.gateway.clone().unwrap_or_default(),
        gateway_order_id: payment.gateway_order_id.clone(),
        reversal: claim.reversal.kind,
        amount: claim.amount,
        payer_fee: claim.payer_fee,
    };
    Entry::of(disputed).tell_administrators(tx).await
}

/// All of the payment went back or is in dispute, and its gateway tells of something else that took money back.
async fn tell_of_more_than_all(tx: &mut PgConnection, payment: &LockedPayment, claim: &Claim) -> Result<()> {
    let misfit = Misfit {
        gateway: payment.gateway.as_deref().unwrap_or_default(),
        subject: &payment.gateway_order_id,
        payment_id: Some(payment.id),
        outcome: WebhookOutcome::Disputed,
        reason: MisfitReason::MoreThanAll {
            reversal: claim.reversal.name.clone(),
            amount: claim.reversal.amount_as_received.clone(),
        },
        key: &format!("payment/{}/reversal/{}", payment.id, claim.reversal.name),
    };
    tell_of_misfit(tx, misfit).await
}
