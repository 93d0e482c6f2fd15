//! How long the histories are that orders leave in the engine.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use domain::{ids::OrderId, outbox::order_workflow_id};
use temporalio_client::{Client, WorkflowDescribeOptions};
use workflows::OrderWorkflow;

/// Orders that are asked about; they hardly differ.
const SAMPLE: usize = 50;
const PAUSE: Duration = Duration::from_millis(50);
/// A workflow ends moments after its order is ACTIVE.
const TRIES: usize = 200;

/// Mean number of history events of the workflows of some of these orders.
///
/// # Errors
/// When the engine does not answer, or a workflow does not end.
pub async fn mean_events(engine: &Client, orders: &[OrderId]) -> Result<f64> {
    let sample = &orders[..orders.len().min(SAMPLE)];
    let mut events = 0;
    for order in sample {
        events += events_of(engine, *order).await?;
    }
    Ok(events as f64 / sample.len().max(1) as f64)
}

async fn events_of(engine: &Client, order: OrderId) -> Result<i64> {
    let workflow = engine.get_workflow_handle::<OrderWorkflow>(order_workflow_id(order));
    for _ in 0..TRIES {
        let seen = workflow.describe(WorkflowDescribeOptions::default()).await;
        let seen = seen.with_context(|| format!("the workflow of order {order} cannot be described"))?;
        if seen.close_time().is_some() {
            let info =
                seen.raw_description.workflow_execution_info.context("a description without its body")?;
            return Ok(info.history_length);
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!("the workflow of order {order} does not end")
}
