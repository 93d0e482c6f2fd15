//! Numbers of papers, a series per kind and year, without gaps. The year is Jakarta's.
//!
//! A number is had for good with the commit only, so whoever takes one holds the year's counter until then, and everybody
//! else who wants one waits. Hence the rule: **whoever holds a counter waits for nobody.** What a transaction has to lock,
//! it locks before it takes its number. Each of these sees to it: from then on the transaction waits for a lock for no longer
//! than [`PATIENCE`], so that one which breaks the rule fails by itself instead of stopping the shop.

use chrono::{DateTime, Utc};
use domain::ids::InvoiceId;
use sqlx::PgConnection;

use crate::Result;

/// How long a transaction that holds a counter waits for a lock, as Postgres writes it.
const PATIENCE: &str = "100ms";

/// Issues an invoice under the year's next number, such as `INV/2026/000123`, which it answers with. One statement, not two:
/// the counter is held for one round trip less, and every order of the moment waits for it (ADR 55). Everything that the
/// transaction locks is locked by the caller, the invoice too.
pub(crate) async fn issue_invoice(
    tx: &mut PgConnection,
    invoice: InvoiceId,
    due_at: DateTime<Utc>,
) -> Result<String> {
    Ok(sqlx::query_scalar!(
        r#"WITH counter AS (
               INSERT INTO invoice_counters AS c (year, last)
               VALUES (extract(year FROM now() AT TIME ZONE 'Asia/Jakarta')::integer, 1)
               ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING year, last::text AS last),
           held AS (SELECT set_config('lock_timeout', $1, true) FROM counter)
           UPDATE invoices
           SET status = 'OPEN', issued_at = now(), due_at = $3,
               number = 'INV/' || year || '/' || lpad(last, greatest(6, length(last)), '0')
           FROM counter, held WHERE id = $2 RETURNING number AS "number!""#,
        PATIENCE,
        invoice.0,
        due_at,
    )
    .fetch_one(tx)
    .await?)
}

/// Takes the number of a credit note, such as `CN/2026/000123`. Everything that the transaction locks is locked by the
/// caller.
pub(crate) async fn take_for_credit_note(tx: &mut PgConnection) -> Result<String> {
    Ok(sqlx::query_scalar!(
        r#"WITH counter AS (
                       INSERT INTO credit_note_counters AS c (year, last)
                       VALUES (extract(year FROM now() AT TIME ZONE 'Asia/Jakarta')::integer, 1)
                       ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING year, last::text AS last),
                   held AS (SELECT set_config('lock_timeout', $1, true) FROM counter)
                   SELECT 'CN/' || year || '/' || lpad(last, greatest(6, length(last)), '0') AS "number!"
                   FROM counter, held"#,
        PATIENCE,
    )
    .fetch_one(tx)
    .await?)
}
