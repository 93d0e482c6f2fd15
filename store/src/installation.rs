//! Which installation the database belongs to. A copy of it, such as staging's of production's, knows the original's
//! servers by their ids: whoever works on it has to say first that it is a copy.

use crate::{Result, Store, StoreError, boxed};

impl Store {
    /// Takes the database for this installation, when nobody has.
    ///
    /// # Errors
    /// [`StoreError::OtherInstallation`] when it belongs to another.
    #[boxed]
    pub async fn claim_installation(&self) -> Result<()> {
        let ours = self.installation().id();
        sqlx::query!("INSERT INTO installation (id) VALUES ($1) ON CONFLICT (singleton) DO NOTHING", ours)
            .execute(&self.pool)
            .await?;
        let theirs = sqlx::query_scalar!("SELECT id FROM installation").fetch_one(&self.pool).await?;
        if theirs == ours { Ok(()) } else { Err(self.other_installation(theirs)) }
    }

    /// Takes over a database that was copied from the installation `from`. The private networks of its customers are left
    /// to the original: servers of this installation get others. Idempotent by its effect.
    ///
    /// # Errors
    /// [`StoreError::OtherInstallation`] when it belongs neither to `from` nor to this installation.
    #[boxed]
    pub async fn take_over_installation(&self, from: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let taken = sqlx::query!(
            "UPDATE installation SET id = $2, claimed_at = now() WHERE id = $1",
            from,
            self.installation().id(),
        )
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 1 {
            sqlx::query!("DELETE FROM customer_networks").execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.claim_installation().await
    }

    fn other_installation(&self, database: String) -> StoreError {
        StoreError::OtherInstallation { database, ours: self.installation().id().to_owned() }
    }
}
