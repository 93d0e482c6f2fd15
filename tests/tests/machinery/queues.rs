//! What staff see of the task queues, and where they look in the engine's web UI.

use domain::views;
use serde_json::{Value, json};
use temporalio_common::protos::temporal::api::workflowservice::v1::ListWorkflowExecutionsRequest;
use webrana_tests::{
    customer::{Customer, Expect},
    stack::{self, Options, Stack},
    wait_until::until,
    worker_process::WorkerProcess,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

fn of<'a>(queues: &'a Value, name: &str, tasks: &str) -> Option<&'a Value> {
    queues["queues"].as_array()?.iter().find(|queue| queue["name"] == name && queue["tasks"] == tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn work_without_a_worker_is_seen_until_there_is_one() {
    let stack =
        Stack::start(Options { worker_inside: false, ..Options::versioned() }).await.expect("a system");
    let admin = Customer::admin(&stack).await;
    let _dispatcher = WorkerProcess::start_with(PROGRAM, &stack, &[("WORKER_QUEUES", "dispatcher")]);
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let waiting = until("the order is seen to wait for a worker", || async {
        let queues = admin.get("/admin/queues").await.expect(200);
        let orders = of(&queues, "orders", "WORKFLOW")?.clone();
        (orders["backlog"].as_i64()? > 0).then_some(orders)
    })
    .await;
    assert_eq!(waiting["pollers"], 0, "{waiting}");

    let _worker = WorkerProcess::start(PROGRAM, &stack, None);
    customer.await_status(&order, "ACTIVE").await;
    let seen = until("the worker is seen, and nothing waits", || async {
        let queues = admin.get("/admin/queues").await.expect(200);
        let orders = of(&queues, "orders", "WORKFLOW")?;
        let is_served = orders["backlog"] == 0 && orders["pollers"].as_i64()? > 0;
        (is_served && queues["versions"][0]["status"] == "CURRENT").then_some(queues)
    })
    .await;
    assert_eq!(seen["versions"][0]["build_id"], json!(temporal::versions::build_id()));
    assert_eq!((&seen["is_stale"], &seen["problem"]), (&json!(false), &Value::Null));
    for queue in ["instances", "upkeep", "lifecycle"] {
        assert!(of(&seen, queue, "WORKFLOW").is_some_and(|queue| queue["pollers"] != 0), "{queue}: {seen}");
    }
    for queue in ["provider-digitalocean", "provider-vultr", "provider-linode"] {
        assert!(of(&seen, queue, "ACTIVITY").is_some_and(|queue| queue["pollers"] != 0), "{queue}: {seen}");
    }
    assert_eq!(of(&seen, "payments", "ACTIVITY").expect("it")["pollers"], 0, "no gateway is asked here");
}

#[tokio::test]
async fn the_engine_understands_every_view() {
    let config = stack::engine().expect("the run's engine");
    let client = engine::connect(&config).await.expect("the engine answers");
    temporal::bootstrap::ensure(&client).await.expect("the search attributes are there");
    let day = "2026-11-30".parse().expect("a day");
    for view in views::all("", day).into_iter().chain(views::all("t1-", day)) {
        let request = ListWorkflowExecutionsRequest {
            namespace: config.namespace.clone(),
            page_size: 1,
            query: view.query.clone(),
            ..Default::default()
        };
        let mut service = client.connection().workflow_service();
        let answer = service.list_workflow_executions(engine::timed(request)).await;
        assert!(answer.is_ok(), "{}: {:?}", view.query, answer.err());
    }
}
