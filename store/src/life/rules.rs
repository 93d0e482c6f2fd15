//! The rules of servers' lives, by version. Servers that live by older ones are taken over in batches by the sweep.

use chrono::{DateTime, Utc};
use domain::{
    ids::{InstanceId, UserId},
    life::LifePolicy,
    outbox::Message,
};
use serde_json::json;

use super::gates;
use crate::{
    Result, Store,
    audit::{self, AuditEntry, Origin},
    boxed, outbox,
};

/// A version of the rules.
#[derive(Debug, Clone)]
pub struct LifeRules {
    /// Which.
    pub version: i32,
    /// The rules.
    pub rules: LifePolicy,
    /// Who made them; none of the first.
    pub created_by: Option<UserId>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Servers that live by them.
    pub servers: i64,
}

impl Store {
    /// All versions, newest first.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn life_rules(&self) -> Result<Vec<LifeRules>> {
        let rows = sqlx::query!(
            r#"SELECT l.version, l.rules, l.created_by AS "created_by: UserId", l.created_at,
                      (SELECT count(*) FROM instances s WHERE s.life_policy = l.version
                       AND s.status IN ('ACTIVE', 'SUSPENDED')) AS "servers!"
               FROM life_policies l ORDER BY l.version DESC"#,
        )
        .fetch_all(&self.pool)
        .await?;
        let rules = rows.into_iter().map(|row| {
            Ok(LifeRules {
                version: row.version,
                rules: serde_json::from_value(row.rules)?,
                created_by: row.created_by,
                created_at: row.created_at,
                servers: row.servers,
            })
        });
        rules.collect()
    }

    /// Makes rules that hold for new servers at once, and for all others as the sweep takes them over
    /// ([`Store::adopt_life_rules`]). Answers with their version; the newest rules are not made again. The rules were checked
    /// by the caller.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn set_life_rules(&self, rules: &LifePolicy, by: UserId, origin: &Origin) -> Result<i32> {
        let mut tx = self.pool.begin().await?;
        let wanted = serde_json::to_value(rules)?;
        let newest =
            sqlx::query!("SELECT version, rules FROM life_policies ORDER BY version DESC LIMIT 1 FOR UPDATE")
                .fetch_one(&mut *tx)
                .await?;
        // As they are read: rules from before a field was one have its usual value.
        if serde_json::from_value::<LifePolicy>(newest.rules)? == *rules {
            return Ok(newest.version);
        }
        let version = sqlx::query_scalar!(
            "INSERT INTO life_policies (rules, created_by) VALUES ($1, $2) RETURNING version",
            wanted,
            by.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        let act = AuditEntry {
            action: "life.rules",
            object_kind: "life_policy",
            object_id: None,
            before: None,
            after: Some(json!({ "version": version, "rules": rules })),
        };
        audit::record(&mut tx, origin, &act).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Has up to `most` servers that live by older rules live by the newest, and look at once what is due by them.
    /// Answers how many.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn adopt_life_rules(&self, most: i64) -> Result<usize> {
        let mut tx = self.pool.begin().await?;
        let adopted: Vec<InstanceId> = sqlx::query_scalar!(
            r#"WITH newest AS (SELECT max(version) AS version FROM life_policies),
                    older AS (SELECT s.id FROM instances s, newest
                              WHERE s.life_policy < newest.version AND s.status IN ('ACTIVE', 'SUSPENDED')
                              ORDER BY s.id LIMIT $1 FOR NO KEY UPDATE OF s SKIP LOCKED)
               UPDATE instances s SET life_policy = newest.version, next_due_at = now()
               FROM older, newest WHERE s.id = older.id RETURNING s.id AS "id: InstanceId""#,
            most,
        )
        .fetch_all(&mut *tx)
        .await?;
        for instance_id in &adopted {
            outbox::enqueue(&mut tx, &Message::ActionRequested { instance_id: *instance_id }).await?;
        }
        tx.commit().await?;
        Ok(adopted.len())
    }

    /// Notes that all payments that were due were asked about: nobody is suspended for want of money that nobody looked
    /// for.
    ///
    /// # Errors
    /// [`StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn note_payments_checked(&self) -> Result<()> {
        sqlx::query!(
            "INSERT INTO upkeep_successes (kind) VALUES ($1) ON CONFLICT (kind) DO UPDATE SET at = now()",
            gates::PAYMENT_CHECK,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
