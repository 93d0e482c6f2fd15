//! Deleting rows that serve nobody any more, a few at a time and oldest first. Rows that somebody holds are left to the
//! next run. What was billed, booked, told or logged is never deleted: its tables refuse it.

use domain::purge::{PurgeRule, Purgeable};

use crate::{Result, Store, boxed};

/// Runs the DELETE of a kind, whose parameters are an age in seconds and how many at most. It skips rows that somebody holds:
/// the next run takes them, and nobody waits for upkeep.
macro_rules! delete {
    ($sql:literal, $store:expr, $age:expr, $most:expr) => {
        sqlx::query!($sql, $age, $most).execute(&$store.pool).await?.rows_affected()
    };
}

impl Store {
    /// Deletes at most `most` rows of one kind that are older than the rule says, by the database's clock. Answers how
    /// many; less than `most` means that none is left.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn purge(&self, rule: &PurgeRule, most: u32) -> Result<u64> {
        #[allow(clippy::cast_precision_loss, reason = "an age to the millisecond is precise enough")]
        let (age, most) = (rule.kept_for_ms as f64 / 1000.0, i64::from(most));
        Ok(match rule.what {
            // By place (ctid), since its key is of three parts, and as an array, since a join would read the whole table.
            Purgeable::IdempotencyKeys => delete!(
                "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM idempotency_keys WHERE created_at < now() - make_interval(secs => $1)
                     ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
                self,
                age,
                most
            ),
            // Messages of an order that is under way and of a refund that is, and the one that starts a server's workflow,
            // stay: delivered again, they make a workflow that the engine lost.
            Purgeable::DeliveredMessages => delete!(
                "DELETE FROM outbox WHERE id IN (
                     SELECT m.id FROM outbox m
                     WHERE m.dispatched_at < now() - make_interval(secs => $1)
                       AND CASE split_part(m.workflow_id, '/', 1)
                           WHEN 'order' THEN NOT EXISTS (
                               SELECT FROM orders o WHERE o.id = split_part(m.workflow_id, '/', 2)::uuid
                               AND o.status NOT IN ('ACTIVE', 'EXPIRED', 'CANCELLED', 'REFUNDED'))
                           WHEN 'instance' THEN m.kind <> 'start_instance' OR NOT EXISTS (
                               SELECT FROM instances s WHERE s.id = split_part(m.workflow_id, '/', 2)::uuid
                               AND s.status <> 'TERMINATED')
                           WHEN 'refund' THEN NOT EXISTS (
                               SELECT FROM refunds r WHERE r.id = split_part(m.workflow_id, '/', 2)::uuid
                               AND r.status IN ('REQUESTED', 'SENT'))
                           ELSE true END
                     ORDER BY m.dispatched_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
            Purgeable::LoginThrottles => delete!(
                "DELETE FROM auth_throttles WHERE (subject_hash, network) IN (
                     SELECT subject_hash, network FROM auth_throttles
                     WHERE updated_at < now() - make_interval(secs => $1) AND (locked_until IS NULL OR locked_until < now())
                     ORDER BY updated_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
            Purgeable::RefreshTokens => delete!(
                "DELETE FROM refresh_tokens WHERE token_hash IN (
                     SELECT token_hash FROM refresh_tokens WHERE expires_at < now() - make_interval(secs => $1)
                     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
            Purgeable::LoginChallenges => delete!(
                "DELETE FROM login_challenges WHERE token_hash IN (
                     SELECT token_hash FROM login_challenges WHERE expires_at < now() - make_interval(secs => $1)
                     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
            // With what they prove themselves by.
            Purgeable::MailedLinks => delete!(
                "DELETE FROM mailed_links WHERE id IN (
                     SELECT id FROM mailed_links WHERE expires_at < now() - make_interval(secs => $1)
                     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
            Purgeable::LiveChanges => self.purge_live_changes(age, most).await?,
            Purgeable::UnsubscribeTokens => delete!(
                "DELETE FROM unsubscribe_tokens WHERE token_hash IN (
                     SELECT token_hash FROM unsubscribe_tokens WHERE created_at < now() - make_interval(secs => $1)
                     ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
            // A session begins with a token, and each exchange leaves one: without any it was over long ago.
            Purgeable::Sessions => delete!(
                "DELETE FROM sessions WHERE id IN (
                     SELECT s.id FROM sessions s
                     WHERE s.created_at < now() - make_interval(secs => $1)
                       AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.session_id = s.id)
                     ORDER BY s.created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
                self,
                age,
                most
            ),
        })
    }

    /// With how far back something may be missing from then on, for who comes back with a place from before. A number that lies
    /// ahead is of another server, whose rows were copied here.
    async fn purge_live_changes(&self, age: f64, most: i64) -> Result<u64> {
        let deleted = sqlx::query_scalar!(
            r#"WITH gone AS (
                   DELETE FROM live_changes WHERE ctid = ANY (ARRAY(
                       SELECT ctid FROM live_changes WHERE created_at < now() - make_interval(secs => $1)
                       ORDER BY xid, id LIMIT $2 FOR UPDATE SKIP LOCKED))
                   RETURNING xid),
               last AS (
                   SELECT xid FROM gone WHERE pg_visible_in_snapshot(xid, pg_current_snapshot()) ORDER BY xid DESC LIMIT 1),
               noted AS (
                   UPDATE live_purge SET through = last.xid FROM last
                   WHERE live_purge.through IS NULL OR live_purge.through < last.xid)
               SELECT count(*) AS "count!" FROM gone"#,
            age,
            most,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(deleted.unsigned_abs())
    }
}
