use sqlx::PgPool;

use super::*;
use crate::provision::tests::{Shop, ocean};

/// An engine that runs nothing.
#[derive(Debug)]
struct Empty;

#[async_trait::async_trait]
impl RunningWorkflows for Empty {
    async fn not_running(
        &self,
        workflow_ids: &[String],
        most: usize,
    ) -> Result<HashSet<String>, EngineError> {
        Ok(workflow_ids.iter().take(most).cloned().collect())
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn trouble_with_failed_orders_keeps_no_lost_workflow_waiting(pool: PgPool) {
    let (_simulator, cloud) = ocean(0.0, std::time::Duration::ZERO).await;
    let shop = Shop::new(pool.clone(), cloud).await;
    shop.order("do-basic-1gb", "sgp1").await;
    shop.deliver_messages().await;
    shop.expect_alert("workflow.restarted");
    shop.run("UPDATE orders SET updated_at = now() - interval '3 minutes'").await;
    shop.run("ALTER TABLE bulk_retries RENAME COLUMN advanced_at TO advanced").await;
    let store = shop.activities.store.clone();
    assert!(store.advance_bulk_retries().await.is_err());
    let sweep = SweepActivities { store, engine: Arc::new(Empty) };
    let swept = sweep.sweep(SweepStart::of(domain::refund::RefundPolicy::default())).await.unwrap();
    assert_eq!(swept, Swept { expected: 1, missing: 1, stalled: 0, woken: 1 });
}
