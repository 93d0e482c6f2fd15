//! Numbers of papers, a series per kind and year, without gaps.
//!
//! A number is had for good with the commit only, so whoever takes one holds the year's counter until then, and everybody
//! else who wants one waits. Hence the rule: **whoever holds a counter waits for nobody.** What a transaction has to lock,
//! it locks before it takes its number. [`take`] sees to it: from then on the transaction waits for a lock for no longer
//! than [`PATIENCE`], so that one which breaks the rule fails by itself instead of stopping the shop.

use sqlx::PgConnection;

use crate::Result;

/// How long a transaction that holds a counter waits for a lock, as Postgres writes it.
pub(crate) const PATIENCE: &str = "100ms";

/// What is numbered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Series {
    /// `INV/2026/000123`.
    Invoice,
    /// `CN/2026/000123`.
    CreditNote,
}

/// Takes the year's next number; the year is Jakarta's. Everything that the transaction locks is locked by the caller.
pub(crate) async fn take(tx: &mut PgConnection, series: Series) -> Result<String> {
    let number = match series {
        Series::Invoice => {
            sqlx::query_scalar!(
                r#"WITH counter AS (
                       INSERT INTO invoice_counters AS c (year, last)
                       VALUES (extract(year FROM now() AT TIME ZONE 'Asia/Jakarta')::integer, 1)
                       ON CONFLICT (year) DO UPDATE SET last = c.last + 1 RETURNING year, last::text AS last),
                   held AS (SELECT set_config('lock_timeout', $1, true) FROM counter)
                   SELECT 'INV/' || year || '/' || lpad(last, greatest(6, length(last)), '0') AS "number!"
                   FROM counter, held"#,
                PATIENCE,
            )
            .fetch_one(tx)
            .await?
        }
        Series::CreditNote => {
            sqlx::query_scalar!(
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
            .await?
        }
    };
    Ok(number)
}
