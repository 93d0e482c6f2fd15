//! Comparing what is open in the database with what runs in the engine.

#![allow(missing_docs, reason = "the Temporal macros generate items without documentation")]

use std::{collections::HashSet, sync::Arc};

use domain::sweep::SweepStart;
use store::{Store, sweep::OpenWork};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::Swept;

use crate::{
    failure::{StepError, failure},
    heartbeat::while_heartbeating,
};

/// Servers that a run has live by newer rules.
const RULES_ADOPTED_AT_ONCE: i64 = 500;
/// Unpaid changes of plans that one sweep withdraws; the next one takes the rest.
const LAPSED_AT_ONCE: i64 = 500;
/// Parts of announcements, of 500 people each, that one sweep tells.
const PARTS_TOLD_AT_ONCE: usize = 40;

/// Why the engine did not answer a question about its workflows.
pub type EngineError = Box<dyn std::error::Error + Send + Sync>;

/// Who knows which workflows run: the engine.
#[async_trait::async_trait]
pub trait RunningWorkflows: std::fmt::Debug + Send + Sync {
    /// Which of these workflows certainly don't run, the first `most` of them.
    ///
    /// # Errors
    /// Why the engine did not answer.
    async fn not_running(&self, workflow_ids: &[String], most: usize)
    -> Result<HashSet<String>, EngineError>;
}

/// Implements the port on database and engine.
#[derive(Debug, Clone)]
pub struct SweepActivities {
    /// The database.
    pub store: Store,
    /// The engine.
    pub engine: Arc<dyn RunningWorkflows>,
}

#[activities]
impl SweepActivities {
    /// Idempotent: what a message is on its way to is left out, and a workflow that is started or woken for nothing asks
    /// the database and finds nothing to do.
    #[activity(definition = workflows::WakeLost)]
    pub async fn wake_lost(
        self: Arc<Self>,
        ctx: ActivityContext,
        start: SweepStart,
    ) -> Result<Swept, ActivityError> {
        while_heartbeating(&ctx, self.sweep(start)).await.map_err(failure)
    }
}

impl SweepActivities {
    /// What waits for a person is told, and what a person wants done with many orders goes on.
    async fn look_after_failed_orders(&self) -> Result<(), StepError> {
        let retried = self.store.advance_bulk_retries().await?;
        if retried > 0 {
            tracing::info!(event = "bulk_retry.advanced", retried, "failed orders are tried again");
        }
        let waiting = self.store.escalate_failed_orders().await?;
        if waiting > 0 {
            tracing::error!(
                alert = "order.waits_for_staff",
                orders = waiting,
                "paid orders have failed and wait for a person"
            );
        }
        Ok(())
    }

    /// New rules reach the servers that live by older ones, and staff hear of what is held back.
    async fn look_after_lives(&self) -> Result<(), StepError> {
        let adopted = self.store.adopt_life_rules(RULES_ADOPTED_AT_ONCE).await?;
        if adopted > 0 {
            tracing::info!(event = "life.rules_adopted", adopted, "servers live by newer rules");
        }
        let held = self.store.tell_of_held().await?;
        if held > 0 {
            tracing::error!(
                alert = "life.held_back",
                held,
                "more servers than usual were to be suspended or deleted: they wait for staff"
            );
        }
        Ok(())
    }

    /// What is to be told to customers is told part by part; the next run tells the rest.
    async fn look_after_announcements(&self) -> Result<(), StepError> {
        let told = self.store.tell_announcements(PARTS_TOLD_AT_ONCE).await?;
        if told > 0 {
            tracing::info!(event = "announcement.told", told, "customers are told what is new");
        }
        Ok(())
    }

    async fn sweep(&self, start: SweepStart) -> Result<Swept, StepError> {
        // Trouble with these keeps no lost workflow waiting; the next run tries again.
        if let Err(error) = self.look_after_failed_orders().await {
            tracing::error!(event = "escalation.failed", %error, "failed orders could not be looked after");
        }
        if let Err(error) = self.look_after_lives().await {
            tracing::error!(event = "lives.failed", %error, "servers' lives could not be looked after");
        }
        if let Err(error) = self.look_after_announcements().await {
            tracing::error!(event = "announcement.failed", %error, "an announcement could not be told further");
        }
        match self.store.lapse_resizes(LAPSED_AT_ONCE).await {
            Ok(0) => {}
            Ok(lapsed) => {
                tracing::info!(event = "resize.lapsed", lapsed, "plans that were not paid are withdrawn")
            }
            Err(error) => tracing::error!(event = "resize.lapsing_failed", %error, "unpaid plans stay open"),
        }
        let most = usize::try_from(start.rules.most).unwrap_or(usize::MAX);
        let expected = self.store.expected_workflows(&start.rules).await?;
        let ids: Vec<String> = expected.iter().map(|expected| expected.work.workflow_id()).collect();
        let missing = self.engine.not_running(&ids, most).await.map_err(StepError::Engine)?;
        let (mut lost, mut stalled) = (Vec::new(), 0);
        for (of, id) in expected.iter().zip(&ids) {
            let is_missing = missing.contains(id);
            stalled += u64::from(of.is_stalled && !is_missing);
            if is_missing || of.is_stalled {
                metrics::counter!("workflows_woken_total", "kind" => of.work.kind(),
                                  "reason" => if is_missing { "missing" } else { "stalled" })
                .increment(1);
                lost.push(of.work);
            }
        }
        lost.truncate(most);
        let woken = self.store.wake_lost(&lost, start.refund).await?;
        if woken > 0 {
            let first = lost.first().map(|work: &OpenWork| work.workflow_id());
            tracing::warn!(
                alert = "workflow.restarted",
                missing = missing.len(),
                stalled,
                woken,
                first,
                "workflows were gone or asleep and are started again"
            );
        }
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(Swept { expected: count(ids.len()), missing: count(missing.len()), stalled, woken: count(woken) })
    }
}

#[cfg(test)]
mod tests;
