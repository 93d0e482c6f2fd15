//! What the classes of callers, and each party of a class, may still take of a lane. Read and written under the lock on the
//! lane's row.

use chrono::{DateTime, Utc};
use domain::rate_limit::{Allowances, Balances, Lane, Micros};
use sqlx::PgConnection;

use crate::Result;

/// What the caller's allowances hold.
pub(super) async fn read(
    tx: &mut PgConnection,
    provider: &str,
    lane: &Lane,
    allowances: &Allowances,
) -> Result<Balances> {
    let Some(party) = allowances.ids().map(|id| id.party.map(|party| party.as_uuid())).max() else {
        return Ok(Balances::new());
    };
    let kept = sqlx::query!(
        "SELECT class, party, full_at FROM provider_allowances
         WHERE provider = $1 AND lane = $2 AND (party IS NULL OR party = $3)",
        provider,
        lane.name,
        party,
    )
    .fetch_all(tx)
    .await?;
    let balance = |id: domain::rate_limit::AllowanceId| {
        let is_it = |class: &str, party| class == id.class && party == id.party.map(|party| party.as_uuid());
        let row = kept.iter().find(|row| is_it(&row.class, row.party))?;
        Some((id, row.full_at.iter().map(DateTime::timestamp_micros).collect()))
    };
    Ok(allowances.ids().filter_map(balance).collect())
}

/// Keeps what was taken. With the first call of a party, those are forgotten whose allowances are full again.
pub(super) async fn write(
    tx: &mut PgConnection,
    provider: &str,
    lane: &Lane,
    now: DateTime<Utc>,
    balances: &Balances,
) -> Result<()> {
    for (id, full_at) in balances {
        let full_at: Vec<DateTime<Utc>> = full_at.iter().copied().filter_map(moment).collect();
        let is_new = sqlx::query_scalar!(
            r#"INSERT INTO provider_allowances (provider, lane, class, party, full_at, all_full_at)
               VALUES ($1, $2, $3, $4, $5, (SELECT max(at) FROM unnest($5::timestamptz[]) at))
               ON CONFLICT (provider, lane, class, party)
               DO UPDATE SET full_at = EXCLUDED.full_at, all_full_at = EXCLUDED.all_full_at
               RETURNING xmax = 0 AS "is_new!""#,
            provider,
            lane.name,
            id.class,
            id.party.map(|party| party.as_uuid()),
            &full_at,
        )
        .fetch_one(&mut *tx)
        .await?;
        if is_new {
            sqlx::query!(
                "DELETE FROM provider_allowances
                 WHERE provider = $1 AND lane = $2 AND party IS NOT NULL AND all_full_at < $3",
                provider,
                lane.name,
                now,
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

fn moment(at: Micros) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(at)
}
