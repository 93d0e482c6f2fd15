//! Whether gateways accept our credentials: what any process was told last, for all of them.

use chrono::{DateTime, Utc};
use domain::event::GatewayRefuses;

use crate::{Result, Store, boxed, events::Entry};

/// A gateway that does not accept our credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusingGateway {
    /// Its slug.
    pub gateway: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Store {
    /// Notes that a gateway does not accept our credentials, in its words, and tells administrators: once for as long as it
    /// goes on, and at most once an hour. Answers whether they were told just now.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_credentials_refused(&self, gateway: &str, message: &str) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let noted = sqlx::query!(
            r#"INSERT INTO gateway_credentials AS g (gateway, refused_since, message) VALUES ($1, now(), $2)
               ON CONFLICT (gateway) DO UPDATE
               SET refused_since = coalesce(g.refused_since, now()), message = $2, updated_at = now()
               RETURNING refused_since AS "since!",
                         coalesce(alerted_at < refused_since AND alerted_at < now() - interval '1 hour', true) AS "is_news!""#,
            gateway,
            message,
        )
        .fetch_one(&mut *tx)
        .await?;
        if noted.is_news {
            sqlx::query!("UPDATE gateway_credentials SET alerted_at = now() WHERE gateway = $1", gateway)
                .execute(&mut *tx)
                .await?;
            let refuses = GatewayRefuses {
                gateway: gateway.to_owned(),
                since: noted.since,
                reason: message.to_owned(),
            };
            Entry::of(refuses).tell_administrators(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(noted.is_news)
    }

    /// Notes that a gateway accepts our credentials. Answers whether it did not before.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_credentials_accepted(&self, gateway: &str) -> Result<bool> {
        let mended = sqlx::query!(
            "UPDATE gateway_credentials SET refused_since = NULL, message = NULL, updated_at = now()
             WHERE gateway = $1 AND refused_since IS NOT NULL",
            gateway,
        )
        .execute(&self.pool)
        .await?;
        Ok(mended.rows_affected() == 1)
    }

    /// The gateways that do not accept our credentials.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn refusing_gateways(&self) -> Result<Vec<RefusingGateway>> {
        Ok(sqlx::query_as!(
            RefusingGateway,
            r#"SELECT gateway, refused_since AS "since!" FROM gateway_credentials WHERE refused_since IS NOT NULL"#
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
