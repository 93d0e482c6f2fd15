//! Many orders at every provider at once, while every third answer to a create is lost, new servers stay out of the lists
//! for ten seconds, a proxy answers some lists with a page of its own, a network swallows all connections to the database,
//! no worker's clock is right, and the worker is killed at every step: each order ends with its one server, and there is no
//! other. All the while a customer reads what there is to read of a server at each provider, over twelve connections.

use std::time::{Duration, Instant};

use activities::crash_point::WHEN_PAID;
use domain::installation::Installation;
use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    database_proxy::DatabaseProxy,
    extent, report,
    stack::{Options, Stack},
    wait_until::{LONGEST, until},
    worker_process::{CrashAt, WorkerProcess},
};

/// Orders at each provider.
fn orders_each() -> usize {
    if extent::is_full() { 100 } else { 30 }
}

/// Of these, how many creates take effect without an answer: every third of the first ones. If all of them were lost,
/// nobody would create for a while.
fn lost_each() -> usize {
    orders_each() * 3 / 10
}

/// How many lists are answered by a proxy's page: every tenth.
const PAGES: usize = 5;
/// The connections to the database are swallowed after so many kills.
const SWALLOWED_AFTER: usize = 2;
/// Seconds that the workers' clocks are ahead, one after the other.
const AHEAD: [i64; 3] = [60, -60, 3_600];
/// Seconds a new server is missing from lists.
const LAG: f64 = 10.0;
/// Customers who order and pay at the same time.
const AT_ONCE: usize = 5;
/// Connections of the customer who polls, for each server.
const CONNECTIONS: usize = 4;
/// Between two reads of one of them.
const BETWEEN_READS: Duration = Duration::from_millis(100);
const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

#[tokio::test(flavor = "multi_thread")]
async fn many_orders_at_each_provider_get_a_server_each() {
    let server = std::env::var("DATABASE_URL").expect("the run's database");
    let network = DatabaseProxy::start(&server).await.expect("a proxy");
    let stack = system(&network).await;
    let poller = Customer::register(&stack).await;
    let polled = servers_to_poll(&stack, &poller).await;
    let begun = Instant::now();
    for cloud in Cloud::all() {
        cloud::configure(&stack, cloud, json!({ "listing_lag_seconds": LAG })).await;
        let lost = json!({ "route": cloud.routes().create, "kind": "drop_after_create", "times": lost_each(), "every": 3 });
        cloud::fault(&stack, cloud, lost).await;
        let page = json!("<html><h1>Sorry, you have been blocked</h1></html>");
        let page = json!({ "route": cloud.routes().list, "kind": "status", "status": 403, "body": page, "times": PAGES,
                           "every": 10 });
        cloud::fault(&stack, cloud, page).await;
    }
    let customer = Customer::register(&stack).await;
    let orders = tokio::select! {
        orders = survive(&stack, &network, &customer) => orders,
        () = poll(&poller, &polled) => panic!("the customer stopped polling"),
    };
    for cloud in Cloud::all() {
        let servers = cloud::servers_with(&stack, cloud, &Installation::default().tag()).await;
        assert_eq!(servers, orders_each() + 1, "at {}", cloud.slug());
        let (reads, minutes) =
            (stack.clouds.calls(cloud, cloud.routes().snapshots), begun.elapsed().as_secs() / 60);
        assert!((1..=minutes + 5).contains(&reads), "{reads} reads in {minutes} minutes at {}", cloud.slug());
    }
    for order in &orders {
        assert_eq!(cloud::servers_of(&stack, order).await, 1);
    }
    report::say(&format!(
        "chaos, fleet: {} orders ACTIVE, as many servers, {} answers lost, worker killed {} times, in {:.1} s",
        orders.len(),
        lost_each() * Cloud::all().len(),
        WHEN_PAID.len(),
        begun.elapsed().as_secs_f64()
    ));
}

/// Orders at all providers, and kills the worker at every step until all are ACTIVE.
async fn survive(stack: &Stack, network: &DatabaseProxy, customer: &Customer<'_>) -> Vec<Value> {
    let wishes = join_all(Cloud::all().map(|cloud| customer.good_order_at(cloud))).await;
    let wanted = wishes.iter().flat_map(|wish| std::iter::repeat_n(wish, orders_each()));
    let orders: Vec<Value> = stream::iter(wanted)
        .map(|wish| async {
            // A busy system may ask to come back in a moment; client and gateway do.
            let key = uuid::Uuid::now_v7().to_string();
            let order = until("the order is taken", || async {
                let answer = customer.post_with_key("/orders", wish, &key).await;
                (answer.status != 503).then(|| answer.expect(201))
            })
            .await;
            customer.pay_with(&order, json!({})).await;
            order
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    for (kills, point) in WHEN_PAID.iter().enumerate() {
        // Not always the first order that passes: the later ones find the provider in the midst of its work.
        let crash = CrashAt { name: point, passes: 2 * kills };
        let ahead = AHEAD[kills % AHEAD.len()];
        let mut doomed = WorkerProcess::start_ahead(PROGRAM, stack, Some(crash), ahead);
        let end = tokio::time::timeout(LONGEST, doomed.ended()).await;
        let end = end.unwrap_or_else(|_| panic!("the worker never passed {point}"));
        assert!(!end.success(), "the worker ended by itself at {point}");
        if kills == SWALLOWED_AFTER {
            network.swallow();
        }
    }
    let _survivor = WorkerProcess::start_ahead(PROGRAM, stack, None, AHEAD[0]);
    for order in &orders {
        customer.await_status(order, "ACTIVE").await;
    }
    orders
}

/// A server at each provider for the customer who polls: their paths.
async fn servers_to_poll(stack: &Stack, poller: &Customer<'_>) -> Vec<String> {
    let orders = join_all(Cloud::all().map(|cloud| poller.place_order_at(cloud))).await;
    for order in &orders {
        poller.pay(order).await;
    }
    let _worker = WorkerProcess::start(PROGRAM, stack, None);
    let active = join_all(orders.iter().map(|order| poller.await_status(order, "ACTIVE"))).await;
    let path = |order: &Value| format!("/instances/{}", order["instance_id"].as_str().expect("a server"));
    active.iter().map(path).collect()
}

/// Reads all there is to read of these servers, again and again. Never ends.
async fn poll(poller: &Customer<'_>, servers: &[String]) {
    join_all(servers.iter().flat_map(|server| std::iter::repeat_n(server, CONNECTIONS)).map(
        |server| async move {
            for what in ["snapshots", "metrics?kind=cpu", "metrics?kind=network"].iter().cycle() {
                let answer = poller.get(&format!("{server}/{what}")).await;
                // What a provider does not measure, it says so; what it can't be asked now, when to come back.
                assert!(
                    [200, 409, 429, 503].contains(&answer.status.as_u16()),
                    "{} at {server}/{what}",
                    answer.status
                );
                tokio::time::sleep(BETWEEN_READS).await;
            }
        },
    ))
    .await;
}

/// A system whose worker runs in a process of its own, and whose orders are given the time that all this takes.
async fn system(network: &DatabaseProxy) -> Stack {
    let mut options = Options {
        worker_inside: false,
        database_url: Some(network.url().to_owned()),
        listing_lag: Duration::from_secs_f64(LAG + 1.5),
        ..Options::default()
    };
    options.policy.steps.give_up_after_ms = 15 * 60_000;
    Stack::start(options).await.expect("a system")
}
