//! Orders whose create was made again because nobody knew what became of the first: its server may surface later than
//! any list was to lag, so it is looked for a few times more.

use domain::{ids::OrderId, provisioning::CREATE_LOOKS};

use crate::{Result, Store, boxed};

/// Most orders that one look is about.
const AT_ONCE: i64 = 200;

impl Store {
    /// Notes that no server of the create of `fence` was found, so that another will be made, and has the first one's
    /// looked for. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn create_again(&self, order: OrderId, fence: i32) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let cleared = sqlx::query!(
            "UPDATE provisioning_tasks SET create_sent_at = NULL, updated_at = now()
             WHERE order_id = $1 AND create_fence = $2 AND create_sent_at IS NOT NULL",
            order.0,
            fence,
        )
        .execute(&mut *tx)
        .await?;
        if cleared.rows_affected() == 1 {
            sqlx::query!(
                "INSERT INTO create_watches (order_id, provider_id, next_look_at)
                 SELECT order_id, provider_id, now() + make_interval(secs => $2)
                 FROM current_placements WHERE order_id = $1
                 ON CONFLICT (order_id, provider_id)
                     DO UPDATE SET began_at = now(), looks = 0, next_look_at = EXCLUDED.next_look_at",
                order.0,
                CREATE_LOOKS[0].as_secs_f64(),
            )
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Orders whose servers at this provider are to be looked at now, those that wait longest first.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn due_create_watches(&self, provider: &str) -> Result<Vec<OrderId>> {
        Ok(sqlx::query_scalar!(
            r#"SELECT w.order_id AS "id: OrderId" FROM create_watches w JOIN providers p ON p.id = w.provider_id
               WHERE p.slug = $1 AND w.next_look_at <= now() ORDER BY w.next_look_at LIMIT $2"#,
            provider,
            AT_ONCE,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Notes that these orders' servers were looked at. While an order is being provisioned it can't be told which of
    /// its servers is one too many: such a look does not count.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; the look is then made once more.
    #[boxed]
    pub async fn note_create_looks(&self, provider: &str, orders: &[OrderId]) -> Result<()> {
        let orders: Vec<uuid::Uuid> = orders.iter().map(|order| order.0).collect();
        let looks: Vec<f64> = CREATE_LOOKS.iter().map(std::time::Duration::as_secs_f64).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "UPDATE create_watches w
             SET looks = CASE WHEN o.status = 'PROVISIONING' THEN w.looks ELSE w.looks + 1 END,
                 next_look_at = CASE WHEN o.status = 'PROVISIONING' THEN now() + make_interval(secs => ($3::float8[])[1])
                     ELSE w.began_at + make_interval(secs => coalesce(($3::float8[])[w.looks + 2], 0)) END
             FROM orders o, providers p
             WHERE o.id = w.order_id AND p.id = w.provider_id AND p.slug = $1 AND w.order_id = ANY($2)
               AND w.next_look_at <= now()",
            provider,
            &orders,
            &looks,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "DELETE FROM create_watches w USING providers p
             WHERE p.id = w.provider_id AND p.slug = $1 AND w.order_id = ANY($2) AND w.looks >= $3",
            provider,
            &orders,
            i16::try_from(looks.len()).unwrap_or(i16::MAX),
        )
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// How many calls in a row failed lately that orders depend on, of the kind where most did.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn provider_trouble(&self, provider: &str) -> Result<u32> {
        let failures = sqlx::query_scalar!(
            r#"SELECT coalesce(max(failures), 0) AS "failures!" FROM provider_circuits
               WHERE provider = $1 AND scope IN ('account', 'creates', 'lists', 'servers')"#,
            provider,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(u32::try_from(failures).unwrap_or_default())
    }
}
