//! What a worker says about itself, and that it ends when a part of it is gone.

use reqwest::StatusCode;
use serde_json::{Value, json};
use webrana_tests::{
    api_process::free_port,
    cloud::{self, Cloud},
    customer::Customer,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::WorkerProcess,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

async fn system() -> Stack {
    let options = Options { worker_inside: false, ..Options::versioned() };
    Stack::start(options).await.expect("a system")
}

async fn get(port: u16, path: &str) -> Option<(StatusCode, String)> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.ok()?;
    Some((answer.status(), answer.text().await.ok()?))
}

fn read(body: &str) -> Value {
    serde_json::from_str(body).expect("JSON")
}

/// Of each part of a worker something.
const FIGURES: [&str; 11] = [
    "worker_role_up{role=\"orders\"} 1",
    "task_queue_pollers{queue=\"orders\",tasks=\"WORKFLOW\"} 1",
    "worker_role_heard_timestamp_seconds{role=\"dispatcher\"}",
    "order_paid_to_active_seconds_count 1",
    "db_pool_connections{pool=\"main\",state=\"used\"}",
    "db_pool_connections{pool=\"leases\",state=\"used\"}",
    "db_pool_connections_max{pool=\"dispatcher\"} 4",
    "orders{status=\"PENDING_PAYMENT\"}",
    "temporal_workflow_task_execution_latency_seconds_bucket",
    "temporal_request_total{",
    "temporal_num_pollers{",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_at_work_says_so_and_shows_its_figures() {
    let stack = system().await;
    let port = free_port();
    let own_port = port.to_string();
    let variables = [("METRICS_PORT", own_port.as_str()), ("PROMETHEUS_ENABLED", "true")];
    let _worker = WorkerProcess::start_with(PROGRAM, &stack, &variables);
    let ready = until("the worker is ready", || async {
        get(port, "/readyz").await.filter(|(status, _)| *status == StatusCode::OK)
    })
    .await;
    let ready = read(&ready.1);
    let roles: Vec<&str> =
        ready["roles"].as_array().expect("roles").iter().filter_map(|role| role["role"].as_str()).collect();
    for role in
        ["orders", "instances", "upkeep", "lifecycle", "dispatcher", "digitalocean", "vultr", "linode"]
    {
        assert!(roles.contains(&role), "{role}: {ready}");
    }
    assert_eq!(get(port, "/livez").await.expect("an answer").0, StatusCode::OK);

    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
    // What is told of an activation is counted after its commit.
    let figures = until("the figures are complete", || async {
        let (_, figures) = get(port, "/metrics").await?;
        FIGURES.iter().all(|figure| figures.contains(figure)).then_some(figures)
    })
    .await;
    let unsuffixed =
        figures.lines().find(|line| line.starts_with("temporal_") && line.contains("_milliseconds"));
    assert_eq!(unsuffixed, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_its_engine_is_alive_and_not_ready_and_says_why() {
    let stack = system().await;
    let port = free_port();
    let (own_port, nowhere) = (port.to_string(), format!("127.0.0.1:{}", free_port()));
    let variables = [
        ("METRICS_PORT", own_port.as_str()),
        ("TEMPORAL_ADDRESS", nowhere.as_str()),
        ("WORKER_QUEUES", "orders"),
    ];
    let _worker = WorkerProcess::start_with(PROGRAM, &stack, &variables);
    let told = until("the worker says why", || async {
        let (status, body) = get(port, "/readyz").await?;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let problem = read(&body)["roles"][0]["problem"].as_str()?.to_owned();
        (problem != "it is starting").then_some(problem)
    })
    .await;
    assert!(told.contains("no connection to Temporal"), "{told}");
    assert_eq!(get(port, "/livez").await.expect("an answer").0, StatusCode::OK);
    assert_eq!(get(port, "/metrics").await.expect("an answer").0, StatusCode::NOT_FOUND, "metrics are off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_when_the_thread_of_a_role_panics() {
    let stack = system().await;
    let mut worker = WorkerProcess::start_with(PROGRAM, &stack, &[("FAILPOINTS", "worker.role=panic")]);
    let status = worker.ended().await;
    assert_eq!(status.code(), Some(1), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_cannot_have_its_connections_is_refused_at_its_start() {
    let stack = system().await;
    let mut worker = WorkerProcess::start_with(PROGRAM, &stack, &[("DATABASE_MAX_CONNECTIONS", "100000")]);
    assert_eq!(worker.ended().await.code(), Some(1));
}

/// What an activity has left when its worker is told to stop, and a little.
const LONGEST_STOP: std::time::Duration = std::time::Duration::from_secs(25);

/// Has a worker get a server, stops it as soon as the provider was asked for one, and has another worker go on.
async fn stopped_after_the_create(stack: &Stack) {
    let mut worker = WorkerProcess::start(PROGRAM, stack, None);
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let create = Cloud::DIGITALOCEAN.routes().create;
    until("the provider is asked for a server", || async {
        (stack.clouds.calls(Cloud::DIGITALOCEAN, create) > 0).then_some(())
    })
    .await;
    worker.terminate();
    let ended = tokio::time::timeout(LONGEST_STOP, worker.ended()).await.expect("it ends in time");
    assert!(ended.success(), "{ended}");

    let _next = WorkerProcess::start(PROGRAM, stack, None);
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(stack.clouds.calls(Cloud::DIGITALOCEAN, create), 1);
    assert_eq!(cloud::servers_of(stack, &order).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_lets_a_create_come_to_its_end() {
    let stack = system().await;
    let slow =
        json!({ "route": Cloud::DIGITALOCEAN.routes().create, "kind": "delay", "seconds": 1.5, "times": 1 });
    cloud::fault(&stack, Cloud::DIGITALOCEAN, slow).await;
    stopped_after_the_create(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_stop_hands_a_long_wait_over() {
    let stack = system().await;
    cloud::configure(&stack, Cloud::DIGITALOCEAN, json!({ "boot_seconds": 20.0 })).await;
    stopped_after_the_create(&stack).await;
}
