//! PPN by date: rate and base of a day in Jakarta. Before the first there is no tax.

use domain::tax::TaxRule;
use sqlx::PgConnection;

use crate::Result;

/// The rule of today.
pub(crate) async fn rule_of_today(connection: &mut PgConnection) -> Result<TaxRule> {
    let row = sqlx::query!(
        "SELECT rate_bp, base_numerator, base_denominator FROM tax_rates
         WHERE valid_from <= (now() AT TIME ZONE 'Asia/Jakarta')::date ORDER BY valid_from DESC LIMIT 1"
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or(TaxRule::NONE, |row| rule(row.rate_bp, row.base_numerator, row.base_denominator)))
}

/// A rule as its row has it.
pub(crate) const fn rule(rate_bp: i32, base_numerator: i32, base_denominator: i32) -> TaxRule {
    TaxRule {
        rate: rate_bp.unsigned_abs(),
        base_numerator: base_numerator.unsigned_abs(),
        base_denominator: base_denominator.unsigned_abs(),
    }
}
