//! Revenue is recognised as it is earned: what is not served yet, evenly over the rest of the term. What was given back of
//! it meanwhile is not earned by anybody.

use chrono::{DateTime, Utc};
use domain::{
    Rupiah,
    ledger::{Movement, Parties, Service, earned},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{columns, position, post};
use crate::{
    Result, Store, boxed,
    locks::{lock_invoice, lock_order},
    term,
};

/// Something paid for whose term has begun, with money that is not recognised yet.
struct Due {
    id: Uuid,
    is_order: bool,
    now: DateTime<Utc>,
}

/// What is left of a term.
struct Rest {
    since: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    now: DateTime<Utc>,
}

/// What became of one part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recognised {
    /// The last order or invoice of the part, where the next one goes on; `None` at the end.
    pub last: Option<Uuid>,
    /// How many movements were made.
    pub made: usize,
    /// How many orders and invoices failed. The log names each.
    pub failed: usize,
}

impl Store {
    /// Recognises what was earned until now, each order and invoice by a movement of its own, at most one a day: over
    /// its term what an order, a renewal or a dearer plan brought in, at once what an invoice over something else did. Up to `limit`
    /// of them after `cursor`, in the order of their ids. One that fails does not stop those behind it. Doing it again the
    /// same day changes nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Db`] when the database does not answer; what was recognised by then stays.
    #[boxed]
    pub async fn recognise_revenue(&self, cursor: Option<Uuid>, limit: i64) -> Result<Recognised> {
        let due = sqlx::query_as!(
            Due,
            r#"SELECT id AS "id!", is_order AS "is_order!", now() AS "now!"
               FROM (SELECT o.id, true AS is_order
                     FROM orders o JOIN instances i ON i.order_id = o.id
                     WHERE o.status = 'ACTIVE' AND i.starts_at IS NOT NULL
                     UNION ALL SELECT id, false FROM invoices WHERE order_id IS NULL AND status = 'PAID') s
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
        let mut run = Recognised { last: due.last().map(|service| service.id), ..Recognised::default() };
        for service in &due {
            match self.recognise(service).await {
                Ok(booked) => run.made += usize::from(booked),
                Err(error) => {
                    run.failed += 1;
                    tracing::error!(
                        event = "revenue.failed",
                        service_id = %service.id,
                        is_order = service.is_order,
                        %error,
                        "revenue could not be recognised"
                    );
                }
            }
        }
        Ok(run)
    }

    async fn recognise(&self, due: &Due) -> Result<bool> {
        let mut tx = self.pool.begin().await?;
        let parties = if due.is_order {
            lock_order(&mut tx, due.id.into()).await?.parties()
        } else {
            lock_invoice(&mut tx, due.id.into()).await?.parties()
        };
        let day = due.now.format("%Y-%m-%d").to_string();
        let booked = recognise(&mut tx, parties, &day).await?;
        tx.commit().await?;
        Ok(booked)
    }
}

/// Recognises what a service has earned until now by a movement for `period`, within the caller's transaction, which
/// holds the service's order or invoice. `false` when nothing is earned, or something was booked for that period before.
pub(crate) async fn recognise(tx: &mut PgConnection, parties: Parties, period: &str) -> Result<bool> {
    let Some(rest) = rest_of_term(tx, parties.service).await? else { return Ok(false) };
    let position = position(tx, parties.service).await?;
    let amount = earned(position.deferred, rest.since, rest.ends_at, rest.now)?;
    if amount <= Rupiah::ZERO {
        return Ok(false);
    }
    post(tx, &Movement::revenue_recognised(parties, period, amount)?, None).await
}

/// The term that is being served, from where revenue was last recognised: an order's first, that of a renewal, or what a
/// dearer plan is for. What an invoice bills that is none of these is served when it is paid.
async fn rest_of_term(tx: &mut PgConnection, service: Service) -> Result<Option<Rest>> {
    let (order, invoice) = columns(service);
    let row = sqlx::query!(
        r#"WITH term AS (
               SELECT i.starts_at, NULL::timestamptz AS ends_at, o.term_months, i.anchor_day
               FROM orders o JOIN instances i ON i.order_id = o.id WHERE o.id = $1 AND o.status = 'ACTIVE'
               UNION ALL
               SELECT coalesce(r.starts_at, z.starts_at, v.paid_at),
                      coalesce(r.ends_at, CASE WHEN z.starts_at IS NOT NULL THEN z.term_ends_at END, v.paid_at), 0, NULL
               FROM invoices v LEFT JOIN renewals r ON r.invoice_id = v.id LEFT JOIN resizes z ON z.invoice_id = v.id
               WHERE v.id = $2 AND v.status = 'PAID')
           SELECT starts_at AS "starts_at!", ends_at, term_months AS "term_months!", anchor_day,
                  greatest(starts_at, (SELECT max(m.at) FROM ledger_movements m
                                       WHERE (m.order_id = $1 OR m.invoice_id = $2) AND m.kind = 'REVENUE')) AS "since!",
                  now() AS "now!"
           FROM term WHERE starts_at IS NOT NULL"#,
        order.map(|id| id.0),
        invoice.map(|id| id.0),
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| {
        // What is no server's first term says itself when it ends.
        let ends_at = match row.anchor_day {
            Some(day) => {
                let anchor = term::anchor(day, row.starts_at);
                domain::term::end(row.starts_at, row.term_months.unsigned_abs(), anchor)
            }
            None => row.ends_at.unwrap_or(row.starts_at),
        };
        Rest { since: row.since, ends_at, now: row.now }
    }))
}
