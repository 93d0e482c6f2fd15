//! The engine as others run it: TLS with certificates on both sides, a key with every call, and nothing that we may make
//! there ourselves.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};

use engine::{
    ConnectError, TemporalConfig, connect,
    security::{Pem, Tls},
};
use temporal::{
    bootstrap::{self, BootstrapError},
    dev_server::DevServer,
    schedules::{Ensured, PurgeSettings, Schedule},
};
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::{IndexedValueType, WorkflowExecutionStatus},
    history::v1::{WorkflowExecutionStartedEventAttributes, history_event::Attributes},
    operatorservice::v1::AddSearchAttributesRequest,
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1::{
        DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest, RegisterNamespaceRequest,
    },
};
use tokio::process::{Child, Command};
use tonic::IntoRequest;
use webrana::{progress::Progress, stack::temporal_binary};
use webrana_tests::{
    api_process::free_port,
    customer::Customer,
    engine_proxy::{EngineProxy, Manner},
    stack::{self, Options, Stack},
    wait_until::until,
    worker_process::WorkerProcess,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

async fn proxy(manner: Manner) -> EngineProxy {
    EngineProxy::start(&stack::engine().expect("the run's engine"), manner).await.expect("a proxy")
}

/// The engine as its operator reaches it.
async fn operator(namespace: &str) -> Client {
    let engine = stack::engine().expect("the run's engine");
    connect(&TemporalConfig { namespace: namespace.to_owned(), ..engine }).await.expect("the engine answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_gets_its_server_where_everything_is_proven_and_nothing_may_be_made() {
    let proxy = proxy(Manner::Kept).await;
    let options = Options { temporal: Some(proxy.way_in()), worker_inside: false, ..Options::versioned() };
    let stack = Stack::start(options).await.expect("a system");
    let _worker = WorkerProcess::start(PROGRAM, &stack, None);
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_too_little_is_refused() {
    let proxy = proxy(Manner::Kept).await;
    connect(&proxy.way_in()).await.expect("with everything it is let in");

    let without = |change: &dyn Fn(&mut TemporalConfig)| {
        let mut config = proxy.way_in();
        change(&mut config);
        async move { connect(&config).await.map(drop).expect_err("it is refused").to_string() }
    };
    fn tls(config: &mut TemporalConfig) -> &mut Tls {
        config.security.tls.as_mut().expect("TLS")
    }
    // Without a reason where the two only hang up: TLS 1.3 tells it after the client believes that all is well.
    let refusals = [
        ("no TLS", without(&|config| config.security.tls = None).await, ""),
        ("no key", without(&|config| config.security.api_key = None).await, "a key is needed"),
        (
            "another key",
            without(&|config| config.security.api_key = Some("x".into())).await,
            "a key is needed",
        ),
        ("no certificate", without(&|config| tls(config).client = None).await, ""),
        ("a stranger's", without(&|config| tls(config).client = Some(proxy.client("stranger"))).await, ""),
        ("another authority", without(&|config| tls(config).authority = None).await, "UnknownIssuer"),
        ("another name", without(&|config| tls(config).server_name = None).await, "not valid for name"),
        (
            "a file that is not there",
            without(&|config| tls(config).authority = Some(Pem::File(proxy.file("none.pem")))).await,
            "none.pem can't be read",
        ),
    ];
    for (what, refusal, wanted) in refusals {
        assert!(refusal.contains(wanted), "{what}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_takes_connections_and_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = listener.accept().await {
            held.push(connection);
        }
    });
    let config = TemporalConfig::plain(address);
    let outcome = tokio::time::timeout(Duration::from_secs(30), connect(&config)).await.expect("a bound");
    assert!(matches!(outcome, Err(ConnectError::Silent | ConnectError::Connect(_))));
    silent.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_and_not_ours_to_make_is_named() {
    let proxy = proxy(Manner::Kept).await;
    let namespace = format!("kept-{}", uuid::Uuid::now_v7().simple());
    let ours = TemporalConfig { namespace: namespace.clone(), ..proxy.way_in() };
    let ours = connect(&ours).await.expect("the proxy lets it in");

    let refusal = bootstrap::ensure(&ours).await.expect_err("there is no namespace");
    assert!(matches!(refusal, BootstrapError::NoNamespace { .. }), "{refusal}");
    assert!(refusal.to_string().contains(&namespace), "{refusal}");

    let operator = operator(&namespace).await;
    register(&operator, &namespace).await;
    let names = until("the namespace is known", || async {
        match bootstrap::ensure(&ours).await {
            Err(BootstrapError::NoSearchAttributes { names, .. }) => Some(names),
            Err(BootstrapError::NoNamespace { .. }) => None,
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert_eq!(names, workflows::search::ALL);

    let (first, rest) = workflows::search::ALL.split_at(4);
    add(&operator, &namespace, first).await;
    until("the first attributes are known", || async {
        let refusal = bootstrap::ensure(&ours).await.expect_err("some are missing");
        let named = format!("search attributes {},", rest.join(", "));
        refusal.to_string().contains(&named).then_some(())
    })
    .await;
    add(&operator, &namespace, rest).await;
    until("nothing is missing", || async { bootstrap::ensure(&ours).await.ok() }).await;

    let schedule = || Schedule::of_purge("", &PurgeSettings::default());
    assert_eq!(schedule().ensure(&ours).await.expect("an answer"), Ensured::Missing("purge".to_owned()));
    assert_eq!(schedule().ensure(&operator).await.expect("an answer"), Ensured::Set);
    assert_eq!(schedule().ensure(&ours).await.expect("an answer"), Ensured::Left);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_ones_own_is_made_once_with_its_attributes() {
    let namespace = format!("own-{}", uuid::Uuid::now_v7().simple());
    let client = operator(&namespace).await;
    until("the namespace is ready", || async { bootstrap::ensure(&client).await.ok() }).await;
    bootstrap::ensure(&client).await.expect("a second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_orders_get_their_servers_where_a_signal_ends_no_delay() {
    let stack =
        Stack::start(Options { worker_inside: false, ..Options::versioned() }).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let sleeper = customer.place_order().await;
    let operator = operator("default").await;
    let before = WorkerProcess::start(PROGRAM, &stack, None);
    let run_id = until("the order sleeps in its workflow's delay", || async {
        let found = describe(&operator, &sleeper, "").await?;
        found.execution.map(|execution| execution.run_id)
    })
    .await;
    drop(before);

    let proxy = proxy(Manner::WakesNobody).await;
    let _after = WorkerProcess::start_at(PROGRAM, &stack, &proxy.way_in());
    let later = customer.place_order().await;
    for order in [&sleeper, &later] {
        customer.pay(order).await;
        customer.await_status(order, "ACTIVE").await;
    }
    let slept = describe(&operator, &sleeper, &run_id).await.expect("the first run");
    assert_eq!(slept.status(), WorkflowExecutionStatus::Terminated, "no signal woke it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_continues_a_servers_workflow_is_not_held_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let (_engine, config) = engine_that_suggests_to_continue(directory.path()).await;
    let options = Options { temporal: Some(config.clone()), ..Options::versioned() };
    let stack = Stack::start(options).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    let server = active["instance_id"].as_str().expect("a server");
    let client = connect(&config).await.expect("the engine answers");
    let workflow = format!("instance/{server}");
    let first = until("the workflow runs", || first_event(&client, &workflow)).await;

    assert_eq!(customer.act(server, &json!({ "action": "reboot" })).await["status"], "completed");
    let continued = until("the workflow continues as a new run", || async {
        first_event(&client, &workflow).await.filter(|now| now.0 != first.0)
    })
    .await;
    let held_back = continued.1.first_workflow_task_backoff.unwrap_or_default();
    assert!(held_back.seconds <= 1, "{held_back:?}: more than the engine's pause between two runs");
    assert_eq!(customer.act(server, &json!({ "action": "power_off" })).await["status"], "completed");
}

/// An engine of the test's own, whose workflows are to continue as new after a few events.
async fn engine_that_suggests_to_continue(directory: &Path) -> (Child, TemporalConfig) {
    let program = temporal_binary::find(&Progress::default()).await.expect("the program `temporal`");
    let server =
        DevServer { port: free_port(), ui_port: free_port(), database: directory.join("temporal.db") };
    let mut command = Command::new(program);
    command
        .args(server.arguments())
        .args(["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=8"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let child = command.spawn().expect("it starts");
    let config = TemporalConfig::plain(server.address());
    until("the engine is ready", || async {
        let client = connect(&config).await.ok()?;
        bootstrap::ensure(&client).await.ok()
    })
    .await;
    (child, config)
}

/// The latest run of a workflow, and what it began with.
async fn first_event(
    client: &Client,
    workflow_id: &str,
) -> Option<(String, WorkflowExecutionStartedEventAttributes)> {
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution { workflow_id: workflow_id.to_owned(), ..Default::default() }),
        maximum_page_size: 1,
        ..Default::default()
    };
    let mut service = client.connection().workflow_service();
    let answer = service.get_workflow_execution_history(request.into_request()).await.ok()?;
    match answer.into_inner().history?.events.into_iter().next()?.attributes? {
        Attributes::WorkflowExecutionStartedEventAttributes(started) => {
            Some((started.original_execution_run_id.clone(), started))
        }
        _ => None,
    }
}

async fn describe(operator: &Client, order: &Value, run_id: &str) -> Option<WorkflowExecutionInfo> {
    let request = DescribeWorkflowExecutionRequest {
        namespace: "default".to_owned(),
        execution: Some(WorkflowExecution {
            workflow_id: format!("order/{}", order["id"].as_str().expect("an id")),
            run_id: run_id.to_owned(),
        }),
    };
    let mut service = operator.connection().workflow_service();
    let answer = service.describe_workflow_execution(request.into_request()).await.ok()?;
    answer.into_inner().workflow_execution_info
}

async fn register(operator: &Client, namespace: &str) {
    let request = RegisterNamespaceRequest {
        namespace: namespace.to_owned(),
        workflow_execution_retention_period: Duration::from_secs(24 * 3600).try_into().ok(),
        ..Default::default()
    };
    let mut service = operator.connection().workflow_service();
    service.register_namespace(request.into_request()).await.expect("a namespace");
}

async fn add(operator: &Client, namespace: &str, names: &[&str]) {
    let keyword = IndexedValueType::Keyword as i32;
    let request = AddSearchAttributesRequest {
        search_attributes: names.iter().map(|name| ((*name).to_owned(), keyword)).collect(),
        namespace: namespace.to_owned(),
    };
    until("the engine takes them", || async {
        let mut service = operator.connection().operator_service();
        service.add_search_attributes(request.clone().into_request()).await.ok()
    })
    .await;
}
