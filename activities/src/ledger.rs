//! The upkeep of the books.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::sync::Arc;

use domain::upkeep::LedgerUpkeepStart;
use store::Store;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::{LedgerCheckRun, LedgerChecked};

use crate::{
    catalog_sync::run_key,
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Orders looked at with one query.
const PART: i64 = 500;

/// Implements the port on the database.
#[derive(Debug, Clone)]
pub struct LedgerActivities {
    /// The database.
    pub store: Store,
}

#[activities]
impl LedgerActivities {
    /// Idempotent: an order's revenue is recognised by one movement a day at most, so a second run writes nothing.
    #[activity(definition = workflows::RecogniseRevenue)]
    pub async fn recognise_revenue(
        self: Arc<Self>,
        ctx: ActivityContext,
        _: LedgerUpkeepStart,
    ) -> Result<u64, ActivityError> {
        while_heartbeating(&ctx, self.recognise()).await.map_err(failure)
    }

    /// Idempotent: it only reads the books, and what it found is kept once per run of the workflow.
    #[activity(definition = workflows::CheckLedger)]
    pub async fn check_ledger(
        self: Arc<Self>,
        ctx: ActivityContext,
        run: LedgerCheckRun,
    ) -> Result<LedgerChecked, ActivityError> {
        let run_key = run_key(ctx.info());
        while_heartbeating(&ctx, self.check(run, &run_key)).await.map_err(failure)
    }
}

impl LedgerActivities {
    async fn recognise(&self) -> Result<u64, StepError> {
        let (mut cursor, mut written, mut failed) = (None, 0, 0);
        loop {
            let part = self.store.recognise_revenue(cursor, PART).await?;
            written += part.made as u64;
            failed += part.failed;
            cursor = part.last;
            if cursor.is_none() {
                tracing::info!(
                    event = "revenue.recognised",
                    movements = written,
                    failed,
                    "earned revenue is recognised"
                );
                return Ok(written);
            }
        }
    }

    async fn check(&self, run: LedgerCheckRun, run_key: &str) -> Result<LedgerChecked, StepError> {
        let check_id = self.store.begin_ledger_check(run.check_id, run_key).await?;
        let report = self.store.check_ledger().await?;
        let kept = self.store.keep_ledger_check(check_id, run.recognised, &report).await?;
        let broken: Vec<&str> = kept.broken().collect();
        if kept.sound {
            tracing::info!(
                event = "ledger.sound",
                ledger_check_id = %check_id,
                movements = kept.movements,
                "the books are sound"
            );
        } else {
            tracing::error!(
                alert = "ledger.unsound",
                ledger_check_id = %check_id,
                ?broken,
                "the books are not sound"
            );
        }
        Ok(LedgerChecked { check_id, sound: kept.sound, movements: kept.movements, broken: broken.len() })
    }
}

#[cfg(test)]
mod tests;
