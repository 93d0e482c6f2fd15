//! The worker is killed at every step of an order, and the provider's answer to the create is lost: in the end there is
//! one droplet and the order is ACTIVE.

use std::time::{Duration, Instant};

use activities::CRASH_POINTS;
use futures::{StreamExt, stream};
use serde_json::json;
use webrana_tests::{
    customer::Customer,
    droplets,
    stack::{Options, Stack},
    worker_process::WorkerProcess,
};

/// Cases under way at once; each mostly waits for the engine to notice that a worker is gone.
const AT_ONCE: usize = 6;
/// A crash point that is passed only when the create's answer arrives.
const AFTER_ANSWER: &str = "provision_server.after_create";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_any_step_leaves_one_server_and_an_active_order() {
    let begun = Instant::now();
    let cases = CRASH_POINTS.iter().flat_map(|point| [(*point, false), (*point, true)]);
    let done =
        stream::iter(cases).map(|(point, lost)| survive(point, lost)).buffer_unordered(AT_ONCE).count().await;
    assert_eq!(done, CRASH_POINTS.len() * 2);
    println!("chaos: {done} cases in {:.1} s", begun.elapsed().as_secs_f64());
}

/// Runs one order through a worker that dies at `point`, then through a second one.
async fn survive(point: &str, answer_lost: bool) {
    let options =
        Options { worker_inside: false, listing_lag: Duration::from_millis(1_500), ..Default::default() };
    let stack = Stack::start(options).await.expect("a system");
    // The new droplet is missing from lists for almost as long as the adapter believes possible.
    droplets::configure(&stack, json!({ "listing_lag_seconds": 1.0 })).await;
    if answer_lost {
        droplets::fault(&stack, json!({ "route": "POST /v2/droplets", "kind": "drop_after_create" })).await;
    }
    let program = env!("CARGO_BIN_EXE_webrana-with-fail-points");
    let mut doomed = WorkerProcess::start(program, &stack, Some(point));
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;

    if answer_lost && point == AFTER_ANSWER {
        // It is not passed in this case: the same worker finds the droplet and finishes.
        customer.await_status(&order, "ACTIVE").await;
    } else {
        let status = tokio::time::timeout(Duration::from_secs(60), doomed.ended()).await;
        let status = status.unwrap_or_else(|_| panic!("the worker never passed {point}"));
        assert!(!status.success(), "the worker ended by itself at {point}");
        let _second = WorkerProcess::start(program, &stack, None);
        customer.await_status(&order, "ACTIVE").await;
    }
    assert_eq!(droplets::count_of(&stack, &order).await, 1, "{point}, answer lost: {answer_lost}");
    assert_eq!(customer.get("/instances").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
}
