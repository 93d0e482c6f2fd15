//! Many orders at every provider at once, while answers to creates are lost, new servers stay out of the lists for ten
//! seconds, and the worker is killed at every step: each order ends with its one server, and there is no other.

use std::time::{Duration, Instant};

use activities::crash_point::WHEN_PAID;
use domain::provisioning::FLEET_TAG;
use futures::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::Customer,
    patience::{LONGEST, until},
    report,
    stack::{Options, Stack},
    worker_process::{CrashAt, WorkerProcess},
};

/// Orders at each provider.
const ORDERS: usize = 100;
/// Of these, how many creates take effect without an answer.
const LOST: usize = 30;
/// Seconds a new server is missing from lists.
const LAG: f64 = 10.0;
/// Customers who order and pay at the same time.
const AT_ONCE: usize = 5;
const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_orders_at_each_provider_get_a_hundred_servers_each() {
    let begun = Instant::now();
    let stack = system().await;
    for cloud in Cloud::ALL {
        cloud::configure(&stack, cloud, json!({ "listing_lag_seconds": LAG })).await;
        let lost = json!({ "route": cloud.create(), "kind": "drop_after_create", "times": LOST });
        cloud::fault(&stack, cloud, lost).await;
    }
    let customer = Customer::register(&stack).await;
    let wishes = join_all(Cloud::ALL.map(|cloud| customer.good_order_at(cloud))).await;
    let wanted = wishes.iter().flat_map(|wish| std::iter::repeat_n(wish, ORDERS));
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
        let mut doomed = WorkerProcess::start(PROGRAM, &stack, Some(crash));
        let end = tokio::time::timeout(LONGEST, doomed.ended()).await;
        let end = end.unwrap_or_else(|_| panic!("the worker never passed {point}"));
        assert!(!end.success(), "the worker ended by itself at {point}");
    }
    let _survivor = WorkerProcess::start(PROGRAM, &stack, None);
    for order in &orders {
        customer.await_status(order, "ACTIVE").await;
    }
    for cloud in Cloud::ALL {
        let servers = cloud::servers_with(&stack, cloud, FLEET_TAG).await;
        assert_eq!(servers, ORDERS, "at {}", cloud.slug());
    }
    for order in &orders {
        assert_eq!(cloud::servers_of(&stack, order).await, 1);
    }
    report::say(&format!(
        "chaos, fleet: {} orders ACTIVE, as many servers, {} answers lost, worker killed {} times, in {:.1} s",
        orders.len(),
        LOST * Cloud::ALL.len(),
        WHEN_PAID.len(),
        begun.elapsed().as_secs_f64()
    ));
}

/// A system whose worker runs in a process of its own, and whose orders are given the time that all this takes.
async fn system() -> Stack {
    let mut options = Options {
        worker_inside: false,
        listing_lag: Duration::from_secs_f64(LAG + 1.5),
        ..Options::default()
    };
    options.policy.give_up_after_ms = 15 * 60_000;
    Stack::start(options).await.expect("a system")
}
