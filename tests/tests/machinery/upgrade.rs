//! A new version of the workflow code while orders and servers are under way: what is pinned ends where it began, what is
//! not goes on with the new one, and no workflow's task fails.
//!
//! The new version is this program with a further step in both workflows (`workflows::next_version`). The old one is the same
//! program without it, or, for a change in earnest, the program that `WEBRANA_UPGRADE_FROM` names. `cargo verify --full` has a
//! thousand servers under way; `WEBRANA_UPGRADE_SERVERS` says another number.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use temporal::versions::{Deployment, Version};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::TimeoutType,
    history::v1::{HistoryEvent, history_event::Attributes},
    workflowservice::v1::{GetWorkflowExecutionHistoryRequest, ListWorkflowExecutionsRequest},
};
use webrana_tests::{
    cloud,
    customer::{Customer, Expect},
    extent,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::WorkerProcess,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");
const OLD: &str = "old";
const NEW: &str = "new";
/// Customers who act at once.
const AT_ONCE: usize = 10;
/// Servers of a customer.
const EACH: usize = 20;
/// Orders that began on the old version and are not over when the new one comes.
const WAITING: usize = 5;

fn servers_wanted() -> usize {
    let said = std::env::var("WEBRANA_UPGRADE_SERVERS").ok().and_then(|number| number.parse().ok());
    said.unwrap_or(if extent::is_full() { 1_000 } else { 20 })
}

/// A running workflow or one that is over, with all that happened to it.
struct Run {
    id: String,
    events: Vec<HistoryEvent>,
}

impl Run {
    /// The versions that took its tasks, first to last, each once in a row.
    fn versions(&self) -> Vec<String> {
        let mut versions: Vec<String> = self.events.iter().filter_map(build_of).collect();
        versions.dedup();
        versions
    }

    fn failed_tasks(&self) -> usize {
        self.events.iter().filter(|event| is_failed_task(event)).count()
    }
}

/// Whether a worker failed a task, or did not end it. One that nobody took in time from the queue of the worker that had the
/// workflow in its memory is offered to all: that is how a workflow leaves a worker.
fn is_failed_task(event: &HistoryEvent) -> bool {
    match &event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(_)) => true,
        Some(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out)) => {
            timed_out.timeout_type() != TimeoutType::ScheduleToStart
        }
        _ => false,
    }
}

fn build_of(event: &HistoryEvent) -> Option<String> {
    let Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) = &event.attributes else {
        return None;
    };
    completed.deployment_version.as_ref().map(|version| version.build_id.clone())
}

/// All workflows of a system.
async fn runs(client: &Client, stack: &Stack) -> Vec<Run> {
    let query = format!("TaskQueue STARTS_WITH '{}'", stack.temporal.queue_prefix);
    let (mut found, mut next_page_token) = (Vec::new(), Vec::new());
    loop {
        let request = ListWorkflowExecutionsRequest {
            namespace: stack.temporal.namespace.clone(),
            page_size: 500,
            next_page_token,
            query: query.clone(),
        };
        let mut service = client.connection().workflow_service();
        let page =
            service.list_workflow_executions(engine::timed(request)).await.expect("a list").into_inner();
        found.extend(page.executions.into_iter().filter_map(|run| run.execution));
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() {
            break;
        }
    }
    stream::iter(found).map(|run| history(client, stack, run)).buffer_unordered(AT_ONCE).collect().await
}

async fn history(client: &Client, stack: &Stack, execution: WorkflowExecution) -> Run {
    let id = execution.workflow_id.clone();
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: stack.temporal.namespace.clone(),
        execution: Some(execution),
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    let answer = service.get_workflow_execution_history(engine::timed(request)).await.expect("a history");
    Run { id, events: answer.into_inner().history.unwrap_or_default().events }
}

async fn version(client: &Client, stack: &Stack, build_id: &str) -> Option<Version> {
    let versions =
        Deployment::of(client, &stack.temporal.queue_prefix).versions().await.expect("the versions");
    versions.into_iter().find(|version| version.build_id == build_id)
}

/// Servers that run, by their orders.
async fn buy(stack: &Stack, wanted: usize) -> Vec<Value> {
    let each = wanted.min(EACH);
    let buying = stream::iter(0..wanted.div_ceil(each)).map(|_| async move {
        let customer = Customer::register(stack).await;
        let mut orders = Vec::new();
        for _ in 0..each {
            let order = customer.place_order().await;
            customer.pay(&order).await;
            orders.push(order);
        }
        let mut bought = Vec::new();
        for order in orders {
            bought.push(customer.await_status(&order, "ACTIVE").await);
        }
        bought
    });
    buying.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.concat()
}

/// Orders that failed and wait for staff.
async fn fail(customer: &Customer<'_>) -> Vec<Value> {
    let mut failed = Vec::new();
    for _ in 0..WAITING {
        cloud::image_is_unknown(customer.stack).await;
        let order = customer.place_order().await;
        customer.pay(&order).await;
        failed.push(customer.await_status(&order, "PROVISIONING_FAILED").await);
    }
    failed
}

/// `webrana worker-version make-current`, as an operator calls it.
async fn make_current(stack: &Stack) {
    let variables = [("WORKER_BUILD_ID", NEW)];
    let done =
        WorkerProcess::command(PROGRAM, stack, &["worker-version", "make-current"], &variables).ended().await;
    assert!(done.success(), "{done}");
}

/// Gives the workflows of servers something to do.
async fn wake(admin: &Customer<'_>, servers: impl Iterator<Item = &Value>) {
    let waking = stream::iter(servers).map(|server| async move {
        let path = format!("/admin/instances/{}/wake", server.as_str().expect("a server"));
        admin.post(&path, &json!({})).await.expect(202)
    });
    waking.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

fn workflow_of(kind: &str, id: &Value) -> String {
    format!("{kind}/{}", id.as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_takes_over_servers_leaves_orders_to_the_old_one_and_fails_no_task() {
    let stack =
        Stack::start(Options { worker_inside: false, ..Options::versioned() }).await.expect("a system");
    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    let from = std::env::var("WEBRANA_UPGRADE_FROM").unwrap_or_else(|_| PROGRAM.to_owned());
    let old = WorkerProcess::start_with(&from, &stack, &[("WORKER_BUILD_ID", OLD)]);
    let begun = Instant::now();
    let servers = buy(&stack, servers_wanted()).await;
    let customer = Customer::register(&stack).await;
    let failed = fail(&customer).await;
    println!("{} servers run after {:?}", servers.len(), begun.elapsed());

    let variables = [("WORKER_BUILD_ID", NEW), ("PRETEND_NEXT_VERSION", "1")];
    let _new = WorkerProcess::start_with(PROGRAM, &stack, &variables);
    until("the engine knows the new version", || version(&client, &stack, NEW)).await;
    assert!(!version(&client, &stack, NEW).await.expect("it").status.is_current(), "nobody said so");
    make_current(&stack).await;

    let admin = Customer::admin(&stack).await;
    wake(&admin, servers.iter().map(|order| &order["instance_id"])).await;
    let later = buy(&stack, 2).await;
    for order in &failed {
        let path = format!("/admin/orders/{}/retry-provisioning", order["id"].as_str().expect("an id"));
        admin.post(&path, &json!({})).await.expect(202);
    }
    for order in &failed {
        customer.await_status(order, "ACTIVE").await;
    }
    let lives: BTreeMap<String, &Value> = servers
        .iter()
        .map(|order| (workflow_of("instance", &order["instance_id"]), &order["instance_id"]))
        .collect();
    let runs = until("every server goes on with the new version", || async {
        let runs = runs(&client, &stack).await;
        let moved: BTreeSet<&str> = runs
            .iter()
            .filter(|run| run.versions().last().is_some_and(|last| last == NEW))
            .map(|run| run.id.as_str())
            .collect();
        let left: Vec<&Value> =
            lives.iter().filter(|(id, _)| !moved.contains(id.as_str())).map(|(_, server)| *server).collect();
        // The engine tells its parts of the current version one after the other: a first task may still have gone to the old one.
        wake(&admin, left.iter().copied()).await;
        left.is_empty().then_some(runs)
    })
    .await;

    let failed_tasks: usize = runs.iter().map(Run::failed_tasks).sum();
    assert_eq!(failed_tasks, 0, "tasks of workflows that failed");
    let of = |id: String| runs.iter().find(|run| run.id == id).map(Run::versions).expect("a workflow");
    for order in &servers {
        assert_eq!(of(workflow_of("order", &order["id"])), [OLD]);
        assert_eq!(of(workflow_of("instance", &order["instance_id"])), [OLD, NEW]);
    }
    for order in &failed {
        assert_eq!(of(workflow_of("order", &order["id"])), [OLD], "it ended on the code it began on");
    }
    for order in &later {
        assert_eq!(of(workflow_of("order", &order["id"])), [NEW]);
    }
    until("nothing is left on the old version", || async {
        let left = version(&client, &stack, OLD).await.map_or(0, |version| version.open_runs);
        (left == 0).then_some(())
    })
    .await;
    drop(old);
    println!("{} workflows, {failed_tasks} failed tasks, {:?} in all", runs.len(), begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_to_a_version_that_is_gone_is_taken_over() {
    let stack =
        Stack::start(Options { worker_inside: false, ..Options::versioned() }).await.expect("a system");
    let client = engine::connect(&stack.temporal).await.expect("the engine answers");
    let old = WorkerProcess::start_with(PROGRAM, &stack, &[("WORKER_BUILD_ID", OLD)]);
    let customer = Customer::register(&stack).await;
    let failed = fail(&customer).await;
    until("the engine lists them", || async {
        let open = version(&client, &stack, OLD).await?.open_runs;
        (open == i64::try_from(failed.len()).ok()?).then_some(())
    })
    .await;
    drop(old);

    let variables =
        [("WORKER_BUILD_ID", NEW), ("PRETEND_NEXT_VERSION", "1"), ("WORKER_MAKE_CURRENT", "true")];
    let _new = WorkerProcess::start_with(PROGRAM, &stack, &variables);
    let admin = Customer::admin(&stack).await;
    for order in &failed {
        let path = format!("/admin/orders/{}/retry-provisioning", order["id"].as_str().expect("an id"));
        admin.post(&path, &json!({})).await.expect(202);
    }
    for order in &failed {
        customer.await_status(order, "ACTIVE").await;
    }
    for run in runs(&client, &stack).await.iter().filter(|run| run.id.starts_with("order/")) {
        assert_eq!(
            (run.versions(), run.failed_tasks()),
            (vec![OLD.to_owned(), NEW.to_owned()], 0),
            "{}",
            run.id
        );
    }
}
