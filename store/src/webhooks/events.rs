//! Webhook events as they are kept, and what people are told of those that do not fit.

use domain::{
    billing::WebhookOutcome,
    dispute::MisfitReason,
    gateway::WebhookEvent,
    ids::{PaymentId, WebhookEventId},
};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::Effect;
use crate::{
    Result, Store, boxed, disputes,
    locks::LockedPayment,
    new_id,
    payments::{Misfit, tell_of_misfit},
};

/// Events that are not believed and kept all the same, per hour and outcome. Anybody can send them; the log
/// tells of all.
const UNBELIEVED_PER_HOUR: i64 = 100;

/// A row of `webhook_events`. Its body is kept without proofs, which the table sees to.
struct Row<'a> {
    gateway: &'a str,
    dedupe_key: Option<&'a str>,
    payment_id: Option<PaymentId>,
    outcome: WebhookOutcome,
    reason: Option<&'a str>,
    body: &'a [u8],
}

impl Store {
    /// Keeps an event that is not believed or moves no payment, for those who look into it: what anybody can send
    /// within bounds. `false` when there were enough of late.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn keep_unbelieved(
        &self,
        gateway: &str,
        outcome: WebhookOutcome,
        reason: &str,
        body: &[u8],
    ) -> Result<bool> {
        let id: WebhookEventId = new_id();
        let kept = sqlx::query!(
            "INSERT INTO webhook_events (id, gateway, outcome, reason, body)
             SELECT $1, $2, $3::text, $4, $5
             WHERE $3::text NOT IN ('BAD_SIGNATURE', 'UNCONFIRMED', 'UNREADABLE')
                OR (SELECT count(*) FROM webhook_events
                    WHERE outcome IN ('BAD_SIGNATURE', 'UNCONFIRMED', 'UNREADABLE') AND outcome = $3::text
                      AND received_at > now() - interval '1 hour') < $6",
            id.0,
            gateway,
            outcome.as_str(),
            reason,
            body,
            UNBELIEVED_PER_HOUR,
        )
        .execute(&self.pool)
        .await?;
        Ok(kept.rows_affected() == 1)
    }

    /// Keeps an event that counts only if its gateway says the same on being asked, which it could not be. Its payment
    /// is asked about until there is an answer.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn keep_unanswered(&self, event: &WebhookEvent) -> Result<()> {
        let key = format!("{}#unanswered", event.identity());
        let mut tx = self.pool.begin().await?;
        let payment_id = sqlx::query_scalar!(
            r#"UPDATE payments SET doubted_at = coalesce(doubted_at, now())
               WHERE gateway = $1 AND gateway_order_id = $2 RETURNING id AS "id: PaymentId""#,
            event.gateway,
            event.about.name(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let row = Row {
            payment_id,
            outcome: WebhookOutcome::Unanswered,
            reason: Some("the gateway could not be asked"),
            ..Row::of(event, &key)
        };
        insert(&mut tx, &row).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps an event whose origin is proven and that can't be read, and tells administrators of it, once. `false`
    /// when there were enough of late.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn keep_unreadable(&self, gateway: &str, reason: &str, body: &[u8]) -> Result<bool> {
        if !self.keep_unbelieved(gateway, WebhookOutcome::Unreadable, reason, body).await? {
            return Ok(false);
        }
        let key = format!("webhook/{gateway}/unreadable/{:x}", Sha256::digest(body));
        let misfit = Misfit {
            gateway,
            subject: "something that can't be read",
            payment_id: None,
            outcome: WebhookOutcome::Unreadable,
            reason: MisfitReason::Written(reason.to_owned()),
            key: &key,
        };
        let mut tx = self.pool.begin().await?;
        tell_of_misfit(&mut tx, misfit).await?;
        tx.commit().await?;
        Ok(true)
    }
}

impl<'a> Row<'a> {
    fn of(event: &'a WebhookEvent, key: &'a str) -> Self {
        Self {
            gateway: event.gateway,
            dedupe_key: Some(key),
            payment_id: None,
            outcome: WebhookOutcome::Ignored,
            reason: None,
            body: &event.body,
        }
    }
}

/// Keeps one that is about no payment of ours, and tells of it.
pub(super) async fn unknown_payment(tx: &mut PgConnection, event: &WebhookEvent) -> Result<()> {
    let key = format!("{}#unknown", event.identity());
    let reason = "no payment has this order_id";
    let outcome = WebhookOutcome::UnknownPayment;
    insert(tx, &Row { outcome, reason: Some(reason), ..Row::of(event, &key) }).await?;
    let fact = format!("webhook/{}/{key}", event.gateway);
    let misfit = Misfit {
        gateway: event.gateway,
        subject: event.about.name(),
        payment_id: None,
        outcome,
        reason: MisfitReason::UnknownPayment,
        key: &fact,
    };
    tell_of_misfit(tx, misfit).await
}

/// Keeps one that names another amount than its payment's, under a key of its own, and tells of it.
pub(super) async fn mismatch(
    tx: &mut PgConnection,
    event: &WebhookEvent,
    payment: &LockedPayment,
) -> Result<()> {
    let key = format!("{}#mismatch:{}", event.identity(), event.report.amount_as_received);
    let reason = format!("says {}, not {}", event.report.amount_as_received, payment.amount);
    let row = Row {
        payment_id: Some(payment.id),
        outcome: WebhookOutcome::Mismatch,
        reason: Some(&reason),
        ..Row::of(event, &key)
    };
    insert(tx, &row).await?;
    tell_of_mismatch(tx, event.gateway, payment, &event.report.amount_as_received).await
}

/// Tells administrators that a gateway names another amount than a payment's: once, whether it told or was asked.
pub(super) async fn tell_of_mismatch(
    tx: &mut PgConnection,
    gateway: &str,
    payment: &LockedPayment,
    amount_as_received: &str,
) -> Result<()> {
    let misfit = Misfit {
        gateway,
        subject: &payment.gateway_order_id,
        payment_id: Some(payment.id),
        outcome: WebhookOutcome::Mismatch,
        reason: MisfitReason::OtherAmount { told: amount_as_received.to_owned(), expected: payment.amount },
        key: &format!("payment/{}/mismatch/{amount_as_received}", payment.id),
    };
    tell_of_misfit(tx, misfit).await
}

/// Keeps one with what becomes of it; `false` when the same event is there already.
pub(super) async fn handled(
    tx: &mut PgConnection,
    event: &WebhookEvent,
    payment: &LockedPayment,
    effect: &Effect,
) -> Result<bool> {
    let (outcome, reason) = match effect {
        Effect::Moves(..) => (WebhookOutcome::Applied, None),
        Effect::Disputed(claims) if disputes::is_any_disputable(claims) => {
            (WebhookOutcome::Disputed, Some("it takes back what was paid"))
        }
        Effect::Disputed(_) => {
            (WebhookOutcome::Ignored, Some("it takes back what went back or is in dispute already"))
        }
        Effect::Nothing | Effect::AskFirst => {
            (WebhookOutcome::Ignored, Some("it changes nothing: the payment is further on"))
        }
    };
    let key = event.identity();
    insert(tx, &Row { payment_id: Some(payment.id), outcome, reason, ..Row::of(event, &key) }).await
}

/// Keeps an event; `false` when one with its key is there already.
async fn insert(tx: &mut PgConnection, row: &Row<'_>) -> Result<bool> {
    let id: WebhookEventId = new_id();
    let inserted = sqlx::query!(
        "INSERT INTO webhook_events (id, gateway, dedupe_key, payment_id, outcome, reason, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (gateway, dedupe_key) DO NOTHING",
        id.0,
        row.gateway,
        row.dedupe_key,
        row.payment_id.map(|p| p.0),
        row.outcome.as_str(),
        row.reason,
        row.body,
    )
    .execute(tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
