//! The private networks that customers' servers are in: one per customer, provider and region.

use domain::ids::{InstanceId, OrderId};

use crate::{Object, Result, Store, StoreError, boxed};

impl Store {
    /// The network of an order's customer where its server is to be made, if it is known and stays.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn network_of(&self, order: OrderId) -> Result<Option<String>> {
        Ok(sqlx::query_scalar!(
            "SELECT n.provider_network_id
             FROM orders o
             JOIN current_placements c ON c.order_id = o.id
             JOIN customer_networks n ON n.user_id = o.user_id AND n.provider_id = c.provider_id
                                     AND n.region_id = c.region_id AND n.removing_since IS NULL
             WHERE o.id = $1",
            order.0,
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Keeps the network of an order's customer where its server is to be made; it is not to be removed any more. Doing it
    /// again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is another customer's.
    #[boxed]
    pub async fn save_network(&self, order: OrderId, provider_network_id: &str) -> Result<()> {
        let saved = sqlx::query!(
            "INSERT INTO customer_networks (user_id, provider_id, region_id, provider_network_id)
             SELECT o.user_id, c.provider_id, c.region_id, $2
             FROM orders o JOIN current_placements c ON c.order_id = o.id WHERE o.id = $1
             ON CONFLICT (user_id, provider_id, region_id)
                 DO UPDATE SET provider_network_id = EXCLUDED.provider_network_id, removing_since = NULL",
            order.0,
            provider_network_id,
        )
        .execute(&self.pool)
        .await;
        match saved.map_err(StoreError::from) {
            Err(StoreError::Taken { .. }) => {
                Err(StoreError::Conflict { object: Object::Network, state: "another customer's".to_owned() })
            }
            outcome => outcome.map(drop),
        }
    }

    /// Forgets a network that the provider does not know any more.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn forget_network(&self, provider: &str, provider_network_id: &str) -> Result<()> {
        sqlx::query!(
            "DELETE FROM customer_networks n USING providers p
             WHERE p.id = n.provider_id AND p.slug = $1 AND n.provider_network_id = $2",
            provider,
            provider_network_id,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The provider's ids of networks that are to be removed there: no server of their customer is or is to be in them. From
    /// now on none of them is given to an order before it asked the provider for it again. `of` asks for those alone of the
    /// customer whose server this was.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn networks_to_remove(&self, provider: &str, of: Option<InstanceId>) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!(
            "UPDATE customer_networks n SET removing_since = coalesce(n.removing_since, now())
             FROM providers p
             WHERE p.id = n.provider_id AND p.slug = $1
               AND ($2::uuid IS NULL OR n.user_id = (SELECT i.user_id FROM instances i WHERE i.id = $2))
               AND NOT EXISTS (SELECT FROM instances s
                               WHERE s.user_id = n.user_id AND s.provider_id = n.provider_id
                                 AND s.region_id = n.region_id AND s.status <> 'TERMINATED')
             RETURNING n.provider_network_id",
            provider,
            of.map(|id| id.0),
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Notes that a network that was to be removed is gone. One that is wanted again meanwhile is kept; whoever wants to
    /// create in it learns that it is gone.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer; it is then deleted again.
    #[boxed]
    pub async fn note_network_removed(&self, provider: &str, provider_network_id: &str) -> Result<()> {
        sqlx::query!(
            "DELETE FROM customer_networks n USING providers p
             WHERE p.id = n.provider_id AND p.slug = $1 AND n.provider_network_id = $2
               AND n.removing_since IS NOT NULL",
            provider,
            provider_network_id,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
