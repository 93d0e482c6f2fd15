//! Beginning an attempt: noted before it is sent.

use std::time::Duration;

use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryState, DeliveryTrouble},
    event::EventKind,
    ids::{DeliveryId, MailedLinkId, UserId},
    language::Language,
    locale::{Locale, TimeZone},
    notification::NotificationKind,
};
use sqlx::PgConnection;

use super::{DeliveryJob, DeliveryTurn, Reader, outcome::note_doubt};
use crate::{Elapsed, Result, Store, StoreError, boxed, events, mailed_links, opaque_token};

/// What the tokens of mails' links begin with.
const UNSUBSCRIBE_PREFIX: &str = "wbu_";

/// A delivery with what its next attempt depends on.
struct Standing {
    state: DeliveryState,
    channel: DeliveryChannel,
    user_id: Option<UserId>,
    kind: String,
    attempts: i32,
    in_doubt: i32,
    sending_for: Option<Elapsed>,
    event: String,
    data: serde_json::Value,
    email: Option<String>,
    name: Option<String>,
    language: Option<Language>,
    time_zone: Option<TimeZone>,
    is_undeliverable: bool,
    chat_id: Option<i64>,
    is_blocked: bool,
    is_wanted: bool,
    /// The link that it is about, if that is still good.
    link: Option<MailedLinkId>,
}

impl Standing {
    /// Nobody can do without it.
    fn is_required(&self) -> bool {
        self.kind.parse().is_ok_and(NotificationKind::is_required)
    }

    /// It is sent for the sake of a link.
    fn is_a_link(&self) -> bool {
        self.event.parse().is_ok_and(EventKind::is_a_link)
    }

    /// Why it is not to be sent, if there is a reason by now.
    fn reason_against(&self) -> Option<DeliveryTrouble> {
        let is_ours = self.user_id.is_none();
        match self.channel {
            _ if is_ours => None,
            _ if !self.is_wanted && !self.is_required() => Some(DeliveryTrouble::SwitchedOff),
            // Somebody asked for it just now, so the address is tried even if it took no mail before.
            _ if self.is_a_link() => self.link.is_none().then_some(DeliveryTrouble::LinkOver),
            DeliveryChannel::Email if self.is_undeliverable => Some(DeliveryTrouble::Undeliverable),
            DeliveryChannel::Telegram if self.chat_id.is_none() => Some(DeliveryTrouble::NotLinked),
            DeliveryChannel::Telegram if self.is_blocked => Some(DeliveryTrouble::Undeliverable),
            _ => None,
        }
    }

    fn reader(&self) -> Reader {
        match (&self.email, &self.name, self.language, self.time_zone) {
            (Some(email), Some(name), Some(language), Some(time_zone)) => Reader::Person {
                email: email.clone(),
                name: name.clone(),
                locale: Locale { language, time_zone },
                chat_id: self.chat_id,
            },
            _ => Reader::Administrators,
        }
    }
}

impl Store {
    /// Begins an attempt, if there is to be one, and notes it before it is sent. An earlier one of which nothing is known has
    /// to be older than the policy's `settle_ms`; then it counts as in doubt.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such delivery.
    #[boxed]
    pub async fn begin_delivery(&self, id: DeliveryId, policy: &DeliveryPolicy) -> Result<DeliveryTurn> {
        let mut tx = self.pool.begin().await?;
        let mut standing = standing(&mut tx, id).await?;
        if standing.state.is_over() {
            return Ok(DeliveryTurn::Over(standing.state));
        }
        if let Some(sending_for) = standing.sending_for {
            if let Some(left) = sending_for.left_of(Duration::from_millis(policy.settle_ms)) {
                return Ok(DeliveryTurn::Wait(left));
            }
            let fence = standing.attempts;
            let state = note_doubt(&mut tx, id, fence, DeliveryTrouble::LostAttempt, "", policy).await?;
            if state.is_over() {
                tx.commit().await?;
                return Ok(DeliveryTurn::Over(state));
            }
            standing.in_doubt += 1;
        }
        if let Some(trouble) = standing.reason_against() {
            let state = suppress(&mut tx, id, trouble, standing.in_doubt > 0).await?;
            tx.commit().await?;
            return Ok(DeliveryTurn::Over(state));
        }
        let job = begin_attempt(&mut tx, id, &standing).await?;
        tx.commit().await?;
        Ok(DeliveryTurn::Send(Box::new(job)))
    }
}

async fn standing(tx: &mut PgConnection, id: DeliveryId) -> Result<Standing> {
    sqlx::query_as!(
        Standing,
        r#"SELECT d.state AS "state: DeliveryState", d.channel AS "channel: DeliveryChannel",
                  d.user_id AS "user_id: UserId", d.type AS kind, d.attempts, d.in_doubt,
                  extract(epoch FROM clock_timestamp() - d.sending_since)::float8 AS "sending_for: Elapsed",
                  e.kind AS event, e.data, coalesce(l.email, u.email) AS "email?", u.full_name AS "name?", u.language AS "language?: Language",
                  u.time_zone AS "time_zone?: TimeZone",
                  (u.email_undeliverable_since IS NOT NULL) AS "is_undeliverable!", t.chat_id AS "chat_id?",
                  (t.blocked_at IS NOT NULL) AS "is_blocked!", coalesce(p.enabled, true) AS "is_wanted!",
                  CASE WHEN l.used_at IS NULL AND l.voided_at IS NULL AND l.expires_at > now() THEN l.id END
                      AS "link?: MailedLinkId"
           FROM notification_deliveries d
           JOIN events e ON e.id = d.event_id
           LEFT JOIN users u ON u.id = d.user_id
           LEFT JOIN telegram_links t ON t.user_id = d.user_id
           LEFT JOIN notification_preferences p
               ON p.user_id = d.user_id AND p.type = d.type AND p.channel = d.channel
           LEFT JOIN mailed_links l ON l.delivery_id = d.id
           WHERE d.id = $1 FOR NO KEY UPDATE OF d"#,
        id.0,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(StoreError::NotFound("delivery"))
}

async fn begin_attempt(tx: &mut PgConnection, id: DeliveryId, standing: &Standing) -> Result<DeliveryJob> {
    let attempt = sqlx::query_scalar!(
        "UPDATE notification_deliveries
         SET state = 'SENDING', attempts = attempts + 1, sending_since = clock_timestamp()
         WHERE id = $1 RETURNING attempts",
        id.0,
    )
    .fetch_one(&mut *tx)
    .await?;
    let may_be_switched_off =
        standing.user_id.is_some() && standing.channel == DeliveryChannel::Email && !standing.is_required();
    let unsubscribe_token = if may_be_switched_off {
        let token = opaque_token::generate(UNSUBSCRIBE_PREFIX)?;
        sqlx::query!(
            "INSERT INTO unsubscribe_tokens (token_hash, delivery_id) VALUES ($1, $2)",
            opaque_token::hash(token.as_bytes()),
            id.0,
        )
        .execute(&mut *tx)
        .await?;
        Some(token)
    } else {
        None
    };
    let link_token = match standing.link {
        Some(link) => Some(mailed_links::generate(tx, link).await?.into()),
        None => None,
    };
    Ok(DeliveryJob {
        id,
        attempt,
        channel: standing.channel,
        event: events::read(&standing.event, standing.data.clone()),
        reader: standing.reader(),
        unsubscribe_token,
        link_token,
        is_in_doubt: standing.in_doubt > 0,
    })
}

/// What may have been taken before stays in doubt.
async fn suppress(
    tx: &mut PgConnection,
    id: DeliveryId,
    trouble: DeliveryTrouble,
    is_in_doubt: bool,
) -> Result<DeliveryState> {
    let state = if is_in_doubt { DeliveryState::Unknown } else { DeliveryState::Suppressed };
    sqlx::query!(
        "UPDATE notification_deliveries SET state = $2, sending_since = NULL, finished_at = now(), trouble = $3
         WHERE id = $1",
        id.0,
        state.as_str(),
        trouble.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(state)
}
