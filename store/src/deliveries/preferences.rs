//! By which channels a person wants to be told of what.

use domain::{delivery::DeliveryChannel, ids::UserId, notification::NotificationKind};

use crate::{
    Result, Store, boxed,
    versions::{IfMatch, Thing},
};

/// What a person said of a type of notifications and a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preference {
    /// Of what.
    pub kind: NotificationKind,
    /// By what.
    pub channel: DeliveryChannel,
    /// Whether they want to be told so.
    pub enabled: bool,
}

impl Store {
    /// All that a person said. What is not among it is told.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn notification_preferences(&self, user: UserId) -> Result<Vec<Preference>> {
        let rows = sqlx::query!(
            r#"SELECT type AS kind, channel AS "channel: DeliveryChannel", enabled
               FROM notification_preferences WHERE user_id = $1"#,
            user.0,
        )
        .fetch_all(&self.pool)
        .await?;
        // A type of another version of the program is none that can be shown.
        let known = rows.into_iter().filter_map(|row| {
            Some(Preference { kind: row.kind.parse().ok()?, channel: row.channel, enabled: row.enabled })
        });
        Ok(known.collect())
    }

    /// Keeps what a person says in place of what they said before: what is not among it is told. Of what nobody can do
    /// without nothing is kept.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn set_notification_preferences(
        &self,
        user: UserId,
        wanted: &[Preference],
        condition: &IfMatch,
    ) -> Result<()> {
        let off: Vec<&Preference> =
            wanted.iter().filter(|wish| !wish.enabled && !wish.kind.is_required()).collect();
        let kinds: Vec<&str> = off.iter().map(|wish| wish.kind.as_str()).collect();
        let channels: Vec<&str> = off.iter().map(|wish| wish.channel.as_str()).collect();
        let mut tx = self.pool.begin().await?;
        // One after the other, so that none overwrites what another one has not seen.
        sqlx::query!("SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE", user.0)
            .fetch_optional(&mut *tx)
            .await?;
        condition.require(&mut tx, Thing::Preferences(user)).await?;
        sqlx::query!("DELETE FROM notification_preferences WHERE user_id = $1", user.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "INSERT INTO notification_preferences (user_id, type, channel, enabled)
             SELECT $1, wish.type, wish.channel, false
             FROM unnest($2::text[], $3::text[]) AS wish (type, channel)
             ON CONFLICT (user_id, type, channel) DO UPDATE SET enabled = false, changed_at = now()",
            user.0,
            &kinds as &[&str],
            &channels as &[&str],
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
