//! Deliveries of what people are told, step by step. [`crate::events`] writes them; a workflow of its own carries each out.
//!
//! Before an attempt is sent it is noted ([`Store::begin_delivery`]), and only the attempt whose number the note has may say
//! what came of it. So an attempt whose process died leaves its note, and whoever comes next knows that the message may have
//! been taken. What follows from that is the channel's ([`DeliveryChannel::is_sent_again_in_doubt`]).

use std::time::Duration;

use domain::{
    delivery::{DeliveryChannel, DeliveryPolicy, DeliveryState},
    event::Event,
    ids::DeliveryId,
    locale::Locale,
};
use secrecy::SecretString;

use crate::{Result, Store, StoreError, boxed};

mod attempt;
mod outcome;
mod preferences;
mod staff;
mod unsubscribe;

pub use preferences::Preference;
pub use staff::{DeliveryFilter, StaffDelivery};

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    /// A person with an account.
    Person {
        /// Their address, or the one that a link proves.
        email: String,
        /// How to address them.
        name: String,
        /// How they read.
        locale: Locale,
        /// Their chat, of a delivery by Telegram.
        chat_id: Option<i64>,
    },
    /// The administrators, in the place that they share.
    Administrators,
}

/// An attempt that is noted, to be sent now.
#[derive(Debug, Clone)]
pub struct DeliveryJob {
    /// The delivery.
    pub id: DeliveryId,
    /// Its number, by which its end is told.
    pub attempt: i32,
    /// By what it goes.
    pub channel: DeliveryChannel,
    /// What is told; `None` when another version of the program recorded it.
    pub event: Option<Event>,
    /// Who is told.
    pub reader: Reader,
    /// What a link proves itself by that switches such mails off, where that may be done.
    pub unsubscribe_token: Option<String>,
    /// What the link proves itself by that the mail is sent for.
    pub link_token: Option<SecretString>,
    /// Whether an earlier attempt may have been taken.
    pub is_in_doubt: bool,
}

/// What there is to be done about a delivery.
#[derive(Debug)]
pub enum DeliveryTurn {
    /// To send it.
    Send(Box<DeliveryJob>),
    /// To wait: an attempt is out that may not have ended yet.
    Wait(Duration),
    /// Nothing: it is over.
    Over(DeliveryState),
}

impl Store {
    /// From now on what people are told is delivered by a channel too, and so patiently; `tells_staff` when administrators
    /// have a place there. What was recorded before is not.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn open_delivery_channel(
        &self,
        channel: DeliveryChannel,
        policy: &DeliveryPolicy,
        tells_staff: bool,
    ) -> Result<()> {
        sqlx::query!(
            "INSERT INTO delivery_channels (channel, policy, tells_staff) VALUES ($1, $2, $3)
             ON CONFLICT (channel) DO UPDATE SET policy = excluded.policy, tells_staff = excluded.tells_staff
             WHERE (delivery_channels.policy, delivery_channels.tells_staff)
                   IS DISTINCT FROM (excluded.policy, excluded.tells_staff)",
            channel.as_str(),
            serde_json::to_value(policy)?,
            tells_staff,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How a delivery stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such delivery.
    #[boxed]
    pub async fn delivery_state(&self, id: DeliveryId) -> Result<DeliveryState> {
        sqlx::query_scalar!(
            r#"SELECT state AS "state: DeliveryState" FROM notification_deliveries WHERE id = $1"#,
            id.0,
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound("delivery"))
    }
}
