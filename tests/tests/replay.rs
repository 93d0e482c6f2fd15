//! Recorded histories replay on today's workflow code. A change that breaks one would break orders under way: guard it
//! with `ctx.patched`, and record a history of the new path (CONTRIBUTING says how).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

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

/// The paths through each workflow, each with a history in `workflows/histories/`. One that is added to a workflow is added here.
const PATHS: [(&str, &[&str]); 11] = [
    (
        "OrderWorkflow",
        &[
            "order_cancelled",
            "order_cancelled_on_its_way",
            "order_expired",
            "order_expired_then_revived",
            "order_failed_then_attached",
            "order_failed_then_refunded",
            "order_failed_then_retried",
            "order_moved",
            "order_paid",
            "order_paused",
            "order_reminded_then_paid",
            "order_sent_elsewhere",
            "order_step_refused_at_first",
        ],
    ),
    (
        "InstanceWorkflow",
        &[
            "instance_acted_upon",
            "instance_action_failed",
            "instance_called_off",
            "instance_continued",
            "instance_deleted_after_its_term",
            "instance_lived_to_its_end",
            "instance_renewed",
            "instance_renewed_from_the_balance",
            "instance_resized",
            "instance_snapshotted",
            "instance_suspended_then_resumed",
        ],
    ),
    ("DeliveryWorkflow", &["delivery_given_up", "delivery_sent"]),
    ("RefundWorkflow", &["refund_given", "refund_returned"]),
    ("CatalogSyncWorkflow", &["catalog_sync"]),
    ("CreateWatchWorkflow", &["create_watch"]),
    ("LedgerUpkeepWorkflow", &["ledger_upkeep"]),
    ("PaymentCheckWorkflow", &["payment_check"]),
    ("PurgeWorkflow", &["purge"]),
    ("ReconcileWorkflow", &["reconcile"]),
    ("SweepWorkflow", &["workflow_sweep"]),
];

fn workflows_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows")
}

/// The files of a folder with this ending, by their names without it.
fn files(folder: &Path, ending: &str) -> BTreeMap<String, PathBuf> {
    let files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let wanted = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    wanted.map(|path| (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), path)).collect()
}

#[test]
fn every_workflow_there_is_has_its_paths() {
    let mut written = BTreeSet::new();
    for source in files(&workflows_folder().join("src"), "rs").into_values() {
        let text = std::fs::read_to_string(source).expect("readable");
        let names = text.split("#[run(name = \"").skip(1).filter_map(|rest| rest.split('"').next());
        written.extend(names.map(str::to_owned));
    }
    assert_eq!(written, PATHS.iter().map(|(workflow, _)| (*workflow).to_owned()).collect());
}

#[test]
fn every_path_has_a_history_of_its_workflow_and_every_history_is_of_a_path() {
    let mut found = files(&workflows_folder().join("histories"), "json");
    for (workflow, paths) in PATHS {
        for path in paths {
            let file = found.remove(*path).unwrap_or_else(|| panic!("no recorded history {path}"));
            let history: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON");
            let started = &history["events"][0]["attributes"]["WorkflowExecutionStartedEventAttributes"];
            assert_eq!(started["workflow_type"]["name"], *workflow, "{path}");
        }
    }
    assert!(found.is_empty(), "of no path: {:?}", found.keys());
}

#[tokio::test]
async fn every_recorded_history_replays() {
    let files = files(&workflows_folder().join("histories"), "json");
    let histories: Vec<WorkflowHistory> = files
        .values()
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
    for (name, result) in files.keys().zip(results) {
        assert!(result.replay_failure.is_none(), "{name}: {:?}", result.replay_failure);
    }
}
