//! Prints a workflow's history in the form `tests/replay.rs` reads:
//! `TEMPORAL_ADDRESS=… cargo run -p webrana-tests --bin record-history -- order/<id> > workflows/histories/<path>.json`
//! A second argument names a run of the workflow; else it is the latest one.

use anyhow::{Context, Result};
use engine::TemporalConfig;
use temporalio_client::WorkflowFetchHistoryOptions;
use workflows::OrderWorkflow;

#[tokio::main]
async fn main() -> Result<()> {
    let workflow_id = std::env::args().nth(1).context("which workflow? give its id, such as order/<uuid>")?;
    let address = std::env::var("TEMPORAL_ADDRESS").context("TEMPORAL_ADDRESS is not set")?;
    let client = engine::connect(&TemporalConfig::plain(address)).await?;
    let mut info = client.get_workflow_handle::<OrderWorkflow>(workflow_id).info().clone();
    info.run_id = std::env::args().nth(2).or(info.run_id);
    let workflow = info.bind_untyped(client);
    let history = workflow.fetch_history(WorkflowFetchHistoryOptions::default()).to_json().await?;
    println!("{}", String::from_utf8(history)?);
    Ok(())
}
