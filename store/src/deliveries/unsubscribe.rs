//! The links of mails that switch such mails off: whoever has one may do that, and nothing else.

use domain::notification::NotificationKind;

use crate::{Result, Store, StoreError, boxed, opaque_token};

impl Store {
    /// The type of notifications that a mail's link switches off.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such link.
    #[boxed]
    pub async fn unsubscribable(&self, token: &str) -> Result<NotificationKind> {
        let kind = sqlx::query_scalar!(
            "SELECT d.type FROM unsubscribe_tokens t JOIN notification_deliveries d ON d.id = t.delivery_id
             WHERE t.token_hash = $1",
            opaque_token::hash(token.as_bytes()),
        )
        .fetch_optional(&self.pool)
        .await?;
        kind.and_then(|kind| kind.parse().ok()).ok_or(StoreError::NotFound("link"))
    }

    /// Switches the mails of a link's type off for its reader. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such link.
    #[boxed]
    pub async fn unsubscribe(&self, token: &str) -> Result<NotificationKind> {
        let kind = self.unsubscribable(token).await?;
        sqlx::query!(
            "INSERT INTO notification_preferences (user_id, type, channel, enabled)
             SELECT d.user_id, d.type, d.channel, false
             FROM unsubscribe_tokens t JOIN notification_deliveries d ON d.id = t.delivery_id
             WHERE t.token_hash = $1
             ON CONFLICT (user_id, type, channel) DO UPDATE SET enabled = false, changed_at = now()
                 WHERE notification_preferences.enabled",
            opaque_token::hash(token.as_bytes()),
        )
        .execute(&self.pool)
        .await?;
        Ok(kind)
    }
}
