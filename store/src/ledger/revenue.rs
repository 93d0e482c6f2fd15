//! Revenue is recognised as it is earned.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ledger::{Movement, earned},
};
use uuid::Uuid;

use super::{position, post};
use crate::{
    Result, Store,
    payments::{lock_invoice, lock_order},
};

/// Something paid for whose term has begun, with money that is not recognised yet.
struct Due {
    id: Uuid,
    is_order: bool,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Store {
    /// Recognises what was earned until now, each order and invoice by a movement of its own, at most one a day: over
    /// its term what an order or a renewal brought in, at once what an invoice over something else did. Up to `limit`
    /// of them after `cursor`, in the order of their ids; answers with the last one, where the next call goes on, or
    /// `None` at the end, and how many movements were made. Doing it again the same day changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; what was recognised by then stays.
    pub async fn recognise_revenue(&self, cursor: Option<Uuid>, limit: i64) -> Result<(Option<Uuid>, usize)> {
        let due = sqlx::query_as!(
            Due,
            r#"SELECT id AS "id!", is_order AS "is_order!", starts_at AS "starts_at!", ends_at AS "ends_at!",
                      now() AS "now!"
               FROM (SELECT o.id, true AS is_order, i.starts_at,
                            i.starts_at + make_interval(months => o.term_months) AS ends_at
                     FROM orders o JOIN instances i ON i.order_id = o.id
                     WHERE o.status = 'ACTIVE' AND i.starts_at IS NOT NULL
                     UNION ALL
                     SELECT v.id, false, coalesce(r.starts_at, v.paid_at), coalesce(r.ends_at, v.paid_at)
                     FROM invoices v LEFT JOIN renewals r ON r.invoice_id = v.id
                     WHERE v.order_id IS NULL AND v.status = 'PAID') s
               WHERE ($1::uuid IS NULL OR id > $1)
                 AND (SELECT sum(e.amount) FROM ledger_movements m JOIN ledger_entries e ON e.movement_id = m.id
                      JOIN ledger_accounts a ON a.id = e.account_id
                      WHERE (m.order_id = s.id OR m.invoice_id = s.id) AND a.kind = 'DEFERRED_REVENUE') > 0
               ORDER BY id LIMIT $2"#,
            cursor,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut made = 0;
        for service in &due {
            made += usize::from(self.recognise(service).await?);
        }
        Ok((due.last().map(|service| service.id), made))
    }

    async fn recognise(&self, due: &Due) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let parties = if due.is_order {
            lock_order(&mut tx, due.id.into(), None).await?.parties()
        } else {
            lock_invoice(&mut tx, due.id.into(), None).await?.parties()
        };
        let position = position(&mut tx, parties.service).await?;
        let net = position.deferred.plus(position.revenue)?;
        let amount = earned(net, due.starts_at, due.ends_at, due.now)?.minus(position.revenue)?;
        if amount <= Rupiah::ZERO {
            return Ok(false);
        }
        let day = due.now.format("%Y-%m-%d").to_string();
        let booked = post(&mut tx, &Movement::revenue_recognised(parties, &day, amount)?, None).await?;
        tx.commit().await?;
        Ok(booked)
    }
}
