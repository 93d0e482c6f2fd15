//! Recorded histories replay on today's workflow code. A change that breaks one would break orders under way: guard it
//! with `ctx.patched`, and record a history of the new path (CONTRIBUTING says how).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;

use temporalio_client::WorkflowHistory;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use workflows::{
    CatalogSyncWorkflow, CreateWatchWorkflow, DeliveryWorkflow, InstanceWorkflow, LedgerUpkeepWorkflow,
    OrderWorkflow, PaymentCheckWorkflow, PurgeWorkflow, ReconcileWorkflow, RefundWorkflow, SweepWorkflow,
};

/// A run that continues another begins at once: one that the engine holds back for a while (temporal #11810) would sleep
/// through the end of the term.
#[test]
fn no_run_of_a_servers_workflow_is_held_back() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows/histories/instance_continued.json");
    let history: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON");
    let started = &history["events"][0]["attributes"]["WorkflowExecutionStartedEventAttributes"];
    assert!(started["continued_execution_run_id"].as_str().is_some_and(|run| !run.is_empty()), "{started}");
    assert!(started["first_workflow_task_backoff"].is_null(), "{started}");
}

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
        "order_reminded_then_paid",
        "order_expired_then_revived",
        "order_paused",
        "order_cancelled_on_its_way",
        "order_step_refused_at_first",
        "instance_acted_upon",
        "instance_deleted_after_its_term",
        "instance_renewed",
        "instance_continued",
        "instance_renewed_from_the_balance",
        "instance_suspended_then_resumed",
        "instance_lived_to_its_end",
        "create_watch",
        "catalog_sync",
        "reconcile",
        "payment_check",
        "ledger_upkeep",
        "purge",
        "workflow_sweep",
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
        .register_workflow::<CreateWatchWorkflow>()
        .expect("the watch's workflow")
        .register_workflow::<PaymentCheckWorkflow>()
        .expect("the payments' workflow")
        .register_workflow::<LedgerUpkeepWorkflow>()
        .expect("the books' workflow")
        .register_workflow::<PurgeWorkflow>()
        .expect("the purge's workflow")
        .register_workflow::<RefundWorkflow>()
        .expect("the refunds' workflow")
        .register_workflow::<SweepWorkflow>()
        .expect("the sweep's workflow")
        .register_workflow::<DeliveryWorkflow>()
        .expect("the deliveries' workflow")
        .build();
    let replayer = WorkflowReplayer::new(options).expect("a replayer");
    let results = replayer.replay_workflows(histories).await.expect("the replay runs");
    assert_eq!(results.len(), files.len());
    for (name, result) in names.iter().zip(results) {
        assert!(result.replay_failure.is_none(), "{name}: {:?}", result.replay_failure);
    }
}
