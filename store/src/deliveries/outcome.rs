//! What came of an attempt, told by that attempt alone; and the end of what was tried for long enough.

use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryRun, DeliveryState, DeliveryTrouble},
    event::DeliveriesFailed,
    ids::{DeliveryId, UserId},
};
use sqlx::PgConnection;

use crate::{Result, Store, boxed, events::Entry};

impl Store {
    /// The other side took what an attempt sent.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn delivery_taken(&self, id: DeliveryId, attempt: i32) -> Result<()> {
        sqlx::query!(
            "UPDATE notification_deliveries SET state = 'SENT', sending_since = NULL, finished_at = now()
             WHERE id = $1 AND attempts = $2 AND state = 'SENDING'",
            id.0,
            attempt,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// An attempt was certainly not taken; another one may be.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn delivery_not_taken(
        &self,
        id: DeliveryId,
        attempt: i32,
        trouble: DeliveryTrouble,
        error: &str,
    ) -> Result<()> {
        sqlx::query!(
            "UPDATE notification_deliveries SET state = 'PENDING', sending_since = NULL, trouble = $3, error = $4
             WHERE id = $1 AND attempts = $2 AND state = 'SENDING'",
            id.0,
            attempt,
            trouble.as_str(),
            error,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// It is not known whether an attempt was taken. Answers with how the delivery stands: what is not sent again is
    /// `UNKNOWN` at once.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn delivery_in_doubt(
        &self,
        id: DeliveryId,
        attempt: i32,
        error: &str,
        policy: &DeliveryPolicy,
    ) -> Result<DeliveryState> {
        let mut tx = self.pool.begin().await?;
        let state = note_doubt(&mut tx, id, attempt, DeliveryTrouble::LostAnswer, error, policy).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// The other side will never take it. A bad address, or a chat that keeps us out, is left alone from now on.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn delivery_refused(
        &self,
        id: DeliveryId,
        attempt: i32,
        trouble: DeliveryTrouble,
        error: &str,
    ) -> Result<DeliveryState> {
        let mut tx = self.pool.begin().await?;
        // What was in doubt before may have been taken, whatever is said now.
        let refused = sqlx::query!(
            r#"UPDATE notification_deliveries
               SET state = CASE WHEN in_doubt > 0 THEN 'UNKNOWN' ELSE 'FAILED' END, sending_since = NULL,
                   finished_at = now(), trouble = $3, error = $4
               WHERE id = $1 AND attempts = $2 AND state = 'SENDING'
               RETURNING user_id AS "user_id: UserId", channel AS "channel: DeliveryChannel",
                         state AS "state: DeliveryState""#,
            id.0,
            attempt,
            trouble.as_str(),
            error,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(refused) = refused else {
            drop(tx);
            return self.delivery_state(id).await;
        };
        match (trouble, refused.user_id) {
            (DeliveryTrouble::BadAddress, Some(person)) => {
                leave_alone(&mut tx, id, person, refused.channel, error).await?;
            }
            // One's own address may be wrong; what is refused otherwise is for administrators to look into.
            _ => tell_of_failure(&mut tx, id, refused.channel, trouble).await?,
        }
        tx.commit().await?;
        Ok(refused.state)
    }

    /// Ends a delivery that was tried for as long as it is worth it. One of which an attempt may have been taken is `UNKNOWN`.
    /// One that staff had sent once more since `run` began is left to the run that does so.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn give_up_delivery(&self, run: DeliveryRun) -> Result<DeliveryState> {
        let id = run.delivery_id;
        let mut tx = self.pool.begin().await?;
        let given_up = sqlx::query!(
            r#"UPDATE notification_deliveries
               SET state = CASE WHEN in_doubt > 0 OR state = 'SENDING' THEN 'UNKNOWN' ELSE 'FAILED' END,
                   sending_since = NULL, finished_at = now(), trouble = 'TOO_LATE'
               WHERE id = $1 AND resends = $2 AND state IN ('PENDING', 'SENDING')
               RETURNING channel AS "channel: DeliveryChannel", state AS "state: DeliveryState""#,
            id.0,
            run.resends,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(given_up) = given_up else {
            drop(tx);
            return self.delivery_state(id).await;
        };
        tell_of_failure(&mut tx, id, given_up.channel, DeliveryTrouble::TooLate).await?;
        tx.commit().await?;
        Ok(given_up.state)
    }
}

/// An attempt may have been taken. Whether it is tried again is the channel's, and has an end.
pub(super) async fn note_doubt(
    tx: &mut PgConnection,
    id: DeliveryId,
    attempt: i32,
    trouble: DeliveryTrouble,
    error: &str,
    policy: &DeliveryPolicy,
) -> Result<DeliveryState> {
    let again: Vec<&str> = DeliveryChannel::ALL
        .iter()
        .filter(|channel| channel.is_sent_again_in_doubt())
        .map(|channel| channel.as_str())
        .collect();
    let noted = sqlx::query!(
        r#"UPDATE notification_deliveries d
           SET in_doubt = in_doubt + 1, sending_since = NULL, trouble = $3, error = nullif($4, ''),
               state = CASE WHEN again.is_due THEN 'PENDING' ELSE 'UNKNOWN' END,
               finished_at = CASE WHEN again.is_due THEN NULL ELSE now() END
           FROM (SELECT channel = ANY ($5) AND in_doubt + 1 < $6 AS is_due
                 FROM notification_deliveries WHERE id = $1) AS again
           WHERE d.id = $1 AND d.attempts = $2 AND d.state = 'SENDING'
           RETURNING d.channel AS "channel: DeliveryChannel", d.state AS "state: DeliveryState""#,
        id.0,
        attempt,
        trouble.as_str(),
        error,
        &again as &[&str],
        i32::try_from(policy.most_in_doubt).unwrap_or(i32::MAX),
    )
    .fetch_optional(&mut *tx)
    .await?;
    // A later attempt speaks for the delivery.
    let Some(noted) = noted else { return Ok(DeliveryState::Sending) };
    if noted.state.is_over() {
        tell_of_failure(tx, id, noted.channel, trouble).await?;
    }
    Ok(noted.state)
}

/// A person is not written to any more by a channel until the address changes, or the chat is linked anew. An address that
/// is yet to be somebody's says nothing of the present one.
async fn leave_alone(
    tx: &mut PgConnection,
    delivery: DeliveryId,
    person: UserId,
    channel: DeliveryChannel,
    why: &str,
) -> Result<()> {
    match channel {
        DeliveryChannel::Email => {
            sqlx::query!(
                "UPDATE users SET email_undeliverable_since = now(), email_undeliverable_why = $2
                 WHERE id = $1 AND email_undeliverable_since IS NULL AND NOT EXISTS (
                     SELECT FROM mailed_links l WHERE l.delivery_id = $3 AND l.email <> users.email)",
                person.0,
                why,
                delivery.0,
            )
            .execute(tx)
            .await?;
        }
        DeliveryChannel::Telegram => {
            sqlx::query!(
                "UPDATE telegram_links SET blocked_at = now() WHERE user_id = $1 AND blocked_at IS NULL",
                person.0,
            )
            .execute(tx)
            .await?;
        }
    }
    Ok(())
}

/// Administrators are told once an hour and channel.
async fn tell_of_failure(
    tx: &mut PgConnection,
    id: DeliveryId,
    channel: DeliveryChannel,
    trouble: DeliveryTrouble,
) -> Result<()> {
    let hour = sqlx::query_scalar!(r#"SELECT to_char(now(), 'YYYYMMDDHH24') AS "hour!""#)
        .fetch_one(&mut *tx)
        .await?;
    Entry::of(DeliveriesFailed { delivery_id: id, channel, trouble, hour }).tell_administrators(tx).await
}
