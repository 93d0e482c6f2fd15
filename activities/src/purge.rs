//! Deleting what serves nobody any more.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use store::Store;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::{PurgeRun, Purged};

use crate::{
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Implements the port on the database.
#[derive(Debug, Clone)]
pub struct PurgeActivities {
    /// The database.
    pub store: Store,
}

#[activities]
impl PurgeActivities {
    /// Idempotent: what is gone is not there to be deleted again. A second run's count is of what it deleted itself.
    #[activity(definition = workflows::PurgeRows)]
    pub async fn purge_rows(
        self: Arc<Self>,
        ctx: ActivityContext,
        run: PurgeRun,
    ) -> Result<Purged, ActivityError> {
        while_heartbeating(&ctx, self.purge(run)).await.map_err(failure)
    }
}

impl PurgeActivities {
    async fn purge(&self, run: PurgeRun) -> Result<Purged, StepError> {
        let PurgeRun { rule, bounds } = run;
        let (begun, longest) = (Instant::now(), Duration::from_millis(bounds.longest_ms));
        let mut purged = Purged { what: rule.what, rows: 0, is_done: false };
        while !purged.is_done && begun.elapsed() < longest {
            let rows = self.store.purge(&rule, bounds.rows_at_once).await?;
            purged.rows += rows;
            purged.is_done = rows < u64::from(bounds.rows_at_once);
            metrics::counter!("purged_rows_total", "what" => rule.what.as_str()).increment(rows);
        }
        tracing::info!(
            event = "purge.deleted",
            what = %rule.what,
            rows = purged.rows,
            is_done = purged.is_done,
            "old rows are deleted"
        );
        Ok(purged)
    }
}

#[cfg(test)]
mod tests {
    use domain::purge::{PurgeBounds, PurgeRule, Purgeable};
    use sqlx::PgPool;
    use testkit::TestApp;

    use super::*;

    /// Fifty throttles of which the last five are young.
    async fn throttles(pool: PgPool) -> (TestApp, PurgeActivities) {
        let app = TestApp::unseeded(pool);
        app.run(
            "INSERT INTO auth_throttles (subject_hash, network, failures, updated_at)
             SELECT decode(lpad(to_hex(n), 8, '0'), 'hex'), '', 1, now() - make_interval(days => 51 - n)
             FROM generate_series(1, 50) n",
        )
        .await;
        let activities = PurgeActivities { store: app.store.clone() };
        (app, activities)
    }

    fn run(longest_ms: u64) -> PurgeRun {
        PurgeRun {
            rule: PurgeRule { what: Purgeable::LoginThrottles, kept_for_ms: 5 * 24 * 3_600_000 + 60_000 },
            bounds: PurgeBounds { rows_at_once: 10, longest_ms },
        }
    }

    #[sqlx::test(migrations = "../migrations")]
    async fn rows_go_a_few_at_a_time_until_none_is_left(pool: PgPool) {
        let (_app, activities) = throttles(pool).await;
        let purged = activities.purge(run(60_000)).await.unwrap();
        assert_eq!((purged.rows, purged.is_done), (45, true));
        let again = activities.purge(run(60_000)).await.unwrap();
        assert_eq!((again.rows, again.is_done), (0, true));
    }

    #[sqlx::test(migrations = "../migrations")]
    async fn a_run_without_time_leaves_the_rest_to_the_next(pool: PgPool) {
        let (_app, activities) = throttles(pool).await;
        let purged = activities.purge(run(0)).await.unwrap();
        assert_eq!((purged.rows, purged.is_done), (0, false));
    }
}
