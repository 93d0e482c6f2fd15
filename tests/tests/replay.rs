//! Recorded histories replay on today's workflow code. A change that breaks one would break orders under way: guard it
//! with `ctx.patched`, and record a history of the new path (CONTRIBUTING says how).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;

use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use workflows::{
    CatalogSyncWorkflow, InstanceWorkflow, LedgerUpkeepWorkflow, OrderWorkflow, PaymentCheckWorkflow,
    PurgeWorkflow, ReconcileWorkflow, RefundWorkflow,
};

#[tokio::test]
async fn every_recorded_history_replays() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows/histories");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the histories' folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    let names: Vec<String> = files
        .iter()
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    for needed in [
        "order_cancelled",
        "order_expired",
        "order_failed_then_retried",
        "order_paid",
        "order_moved",
        "order_sent_elsewhere",
        "instance_acted_upon",
        "instance_deleted_after_its_term",
        "instance_renewed",
        "catalog_sync",
        "reconcile",
        "payment_check",
        "ledger_upkeep",
        "purge",
        "refund_given",
        "refund_returned",
    ] {
        assert!(names.iter().any(|name| name == needed), "no recorded history {needed}: {names:?}");
    }

    let histories: Vec<WorkflowHistory> = files
        .iter()
        .map(|path| WorkflowHistory::from_json(&std::fs::read(path).expect("readable")).expect("a history"))
        .collect();
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<OrderWorkflow>()
        .expect("the order's workflow")
        .register_workflow::<InstanceWorkflow>()
        .expect("the server's workflow")
        .register_workflow::<CatalogSyncWorkflow>()
        .expect("the catalog's workflow")
        .register_workflow::<ReconcileWorkflow>()
        .expect("the reconciler's workflow")
        .register_workflow::<PaymentCheckWorkflow>()
        .expect("the payments' workflow")
        .register_workflow::<LedgerUpkeepWorkflow>()
        .expect("the books' workflow")
        .register_workflow::<PurgeWorkflow>()
        .expect("the purge's workflow")
        .register_workflow::<RefundWorkflow>()
        .expect("the refunds' workflow")
        .build();
    let replayer = WorkflowReplayer::new(options).expect("a replayer");
    let results = replayer.replay_workflows(histories).await.expect("the replay runs");
    assert_eq!(results.len(), files.len());
    for (name, result) in names.iter().zip(results) {
        assert!(result.replay_failure.is_none(), "{name}: {:?}", result.replay_failure);
    }
}
