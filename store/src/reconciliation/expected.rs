//! What we believe of servers, as far as a comparison needs it.

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, OrderId},
    instance::{InstanceStatus, PowerState},
    order::OrderStatus,
    reconciliation::{KnownInstance, KnownOrder},
    server::ProviderServer,
};
use uuid::Uuid;

use crate::{Result, Store, boxed};

/// A row of the queries that orders with their servers come from.
struct Row {
    order_id: OrderId,
    order_status: OrderStatus,
    instance_id: Option<InstanceId>,
    instance_status: Option<InstanceStatus>,
    provider: Option<String>,
    server: Option<String>,
    size: Option<String>,
    region: Option<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    power: Option<PowerState>,
    busy: bool,
}

impl From<Row> for KnownOrder {
    fn from(row: Row) -> Self {
        let instance =
            row.instance_id.zip(row.instance_status).zip(row.power).map(|((id, status), power)| {
                KnownInstance {
                    id,
                    status,
                    provider: row.provider.unwrap_or_default(),
                    server: row.server,
                    size: row.size.unwrap_or_default(),
                    region: row.region.unwrap_or_default(),
                    ipv4: row.ipv4,
                    ipv6: row.ipv6,
                    power,
                    busy: row.busy,
                }
            });
        Self { order_id: row.order_id, order_status: row.order_status, instance }
    }
}

impl Store {
    /// The orders of these ids, and those whose server is one of these at the provider. What changed since `look_began`
    /// counts as being worked on.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn known_servers(
        &self,
        provider: &str,
        orders: &[OrderId],
        servers: &[String],
        look_began: DateTime<Utc>,
    ) -> Result<Vec<KnownOrder>> {
        let orders: Vec<Uuid> = orders.iter().map(|order| order.0).collect();
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT o.id AS "order_id: OrderId", o.status AS "order_status: OrderStatus",
                      i.id AS "instance_id?: InstanceId", i.status AS "instance_status?: InstanceStatus",
                      p.slug AS "provider?", i.provider_instance_id AS "server?", l.provider_slug AS "size?",
                      r.provider_slug AS "region?", i.ipv4 AS "ipv4?", i.ipv6 AS "ipv6?",
                      i.power_state AS "power?: PowerState",
                      (coalesce(i.updated_at > $4, false)
                       OR EXISTS (SELECT FROM instance_actions a
                                  WHERE a.instance_id = i.id AND a.status IN ('pending', 'in_progress'))) AS "busy!"
               FROM orders o
               LEFT JOIN instances i ON i.order_id = o.id
               LEFT JOIN providers p ON p.id = i.provider_id
               LEFT JOIN plans l ON l.id = i.plan_id
               LEFT JOIN regions r ON r.id = i.region_id
               WHERE o.id IN (SELECT unnest($2::uuid[])
                              UNION
                              SELECT s.order_id FROM instances s
                              WHERE s.provider_id = (SELECT id FROM providers WHERE slug = $1)
                                AND s.provider_instance_id = ANY($3))"#,
            provider,
            &orders,
            servers,
            look_began,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(KnownOrder::from).collect())
    }

    /// Servers we believe to run at the provider that are not among `listed`, and that began before `settled`.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn unlisted_servers(
        &self,
        provider: &str,
        listed: &[String],
        settled: DateTime<Utc>,
        look_began: DateTime<Utc>,
    ) -> Result<Vec<KnownOrder>> {
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT o.id AS "order_id: OrderId", o.status AS "order_status: OrderStatus",
                      i.id AS "instance_id?: InstanceId", i.status AS "instance_status?: InstanceStatus",
                      p.slug AS "provider?", i.provider_instance_id AS "server?", l.provider_slug AS "size?",
                      r.provider_slug AS "region?", i.ipv4 AS "ipv4?", i.ipv6 AS "ipv6?",
                      i.power_state AS "power?: PowerState",
                      (i.updated_at > $4
                       OR EXISTS (SELECT FROM instance_actions a
                                  WHERE a.instance_id = i.id AND a.status IN ('pending', 'in_progress'))) AS "busy!"
               FROM instances i
               JOIN orders o ON o.id = i.order_id
               JOIN providers p ON p.id = i.provider_id
               JOIN plans l ON l.id = i.plan_id
               JOIN regions r ON r.id = i.region_id
               WHERE p.slug = $1 AND i.status IN ('ACTIVE', 'SUSPENDED', 'TERMINATING') AND i.provider_instance_id IS NOT NULL
                 AND coalesce(i.starts_at, i.created_at) < $3
                 AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS s (id) WHERE s.id = i.provider_instance_id)
               ORDER BY i.id"#,
            provider,
            listed,
            settled,
            look_began,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(KnownOrder::from).collect())
    }

    /// Takes the provider's word for a server's power and addresses, unless our record changed since `believed` was
    /// read or somebody is at work on the server. `false` when it was left as it is.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn correct_record(&self, believed: &KnownInstance, seen: &ProviderServer) -> Result<bool> {
        let power = if seen.power == PowerState::Unknown { believed.power } else { seen.power };
        // Addresses are compared with IS NOT DISTINCT FROM: one that we do not have yet is NULL, which equals nothing.
        let corrected = sqlx::query!(
            "UPDATE instances i SET power_state = $2, ipv4 = coalesce($3, ipv4), ipv6 = coalesce($4, ipv6),
                    updated_at = now()
             WHERE id = $1 AND status = $5 AND power_state = $6 AND ipv4 IS NOT DISTINCT FROM $7
               AND ipv6 IS NOT DISTINCT FROM $8 AND provider_instance_id = $9
               AND NOT EXISTS (SELECT FROM instance_actions a
                               WHERE a.instance_id = i.id AND a.status IN ('pending', 'in_progress'))",
            believed.id.0,
            power.as_str(),
            seen.ipv4.map(|ip| ip.to_string()),
            seen.ipv6.map(|ip| ip.to_string()),
            believed.status.as_str(),
            believed.power.as_str(),
            believed.ipv4,
            believed.ipv6,
            seen.id,
        )
        .execute(&self.pool)
        .await?;
        Ok(corrected.rows_affected() == 1)
    }
}
