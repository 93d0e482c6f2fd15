//! How often one client may ask the API, shared by all its processes. A budget is a row that says when it is full again (the
//! generic cell rate algorithm, as the vendors' budgets are kept); a lease is one statement, by the database's clock. What a
//! process leases it need not ask for again. See `docs/adr/0076-requests-are-counted-by-all-processes.md`.

use std::time::Duration;

use crate::{Result, Store, boxed};

/// Idle rows that whoever adds a row deletes, so that there are never many more than clients within a minute.
const DELETED_AT_ONCE: i64 = 4;

/// Whose requests of which class are counted.
#[derive(Debug, Clone, Copy)]
pub struct RequestBudget<'a> {
    /// What is asked for.
    pub class: &'a str,
    /// A digest of whoever asks, 16 bytes.
    pub key: &'a [u8; 16],
    /// Requests per minute, of which all may come at once; at least 1.
    pub per_minute: u32,
}

/// What a process may let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLease {
    /// Requests, 0 when the budget is used up.
    pub granted: u32,
    /// Requests left for all processes after it.
    pub left: u32,
    /// Until the budget is full again.
    pub full_in: Duration,
}

impl Store {
    /// Leases up to `wanted` requests of a budget.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer.
    #[boxed]
    pub async fn lease_requests(&self, budget: &RequestBudget<'_>, wanted: u32) -> Result<RequestLease> {
        let most = i32::try_from(budget.per_minute.max(1)).unwrap_or(i32::MAX);
        let interval = 60.0 / f64::from(most);
        // A hair is added before what is left is rounded down: seconds are no whole numbers of intervals.
        let row = sqlx::query!(
            r#"INSERT INTO request_budgets AS b (class, key_hash, granted, full_at)
               VALUES ($1, $2, least($3::int, $4::int), now() + make_interval(secs => least($3::int, $4::int) * $5::float8))
               ON CONFLICT (class, key_hash) DO UPDATE SET
                   granted = greatest(0, least($3, floor(
                       $4 - extract(epoch FROM greatest(b.full_at - now(), interval '0')) / $5 + 0.001)::int)),
                   full_at = greatest(b.full_at, now()) + make_interval(secs => $5 * greatest(0, least($3, floor(
                       $4 - extract(epoch FROM greatest(b.full_at - now(), interval '0')) / $5 + 0.001)::int)))
               RETURNING granted, extract(epoch FROM b.full_at - now())::float8 AS "full_in!", xmax = 0 AS "is_new!""#,
            budget.class,
            &budget.key[..],
            i32::try_from(wanted).unwrap_or(i32::MAX),
            most,
            interval,
        )
        .fetch_one(&self.pool)
        .await?;
        if row.is_new {
            self.forget_full_budgets().await?;
        }
        let full_in = row.full_in.max(0.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the budget"
        )]
        let left = (f64::from(most) - full_in / interval + 0.001).max(0.0) as u32;
        let granted = u32::try_from(row.granted).unwrap_or_default();
        Ok(RequestLease { granted, left, full_in: Duration::from_secs_f64(full_in) })
    }

    async fn forget_full_budgets(&self) -> Result<()> {
        sqlx::query!(
            "DELETE FROM request_budgets WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM request_budgets WHERE full_at < now() - interval '1 minute'
                 ORDER BY full_at LIMIT $1 FOR UPDATE SKIP LOCKED))",
            DELETED_AT_ONCE,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
