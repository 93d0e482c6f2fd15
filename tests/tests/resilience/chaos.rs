//! The worker is killed at every step of an order, and the provider's answer to the create is lost: in the end there is
//! one droplet and the order is where it belongs, with one message to the customer of each kind.

use std::time::{Duration, Instant};

use activities::crash_point::{WHEN_PAID, WHEN_REFUSED, WHEN_UNPAID};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    extent, report,
    stack::{Options, Stack},
    wait_until::LONGEST,
    worker_process::WorkerProcess,
};

/// Systems with a worker in a process of its own that run at once, of all tests together: more would wait for the
/// machine and not for what is tested. Each mostly waits for the engine to notice that a worker is gone.
static SYSTEMS: Semaphore = Semaphore::const_new(AT_ONCE);
const AT_ONCE: usize = 4;
/// Cases that stand in line for that at once.
pub const EAGER: usize = 8;
/// A crash point that is passed only when the create's answer arrives.
const AFTER_ANSWER: &str = "provision_server.after_create";
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_on_the_way_to_a_server_leaves_one_server_and_an_active_order() {
    let begun = Instant::now();
    let rounds = if extent::is_full() { 3 } else { 1 };
    let cases =
        chosen((0..rounds).flat_map(|_| WHEN_PAID).flat_map(|point| [(*point, false), (*point, true)]));
    let wanted = cases.len();
    let done =
        stream::iter(cases).map(|(point, lost)| paid(point, lost)).buffer_unordered(EAGER).count().await;
    assert_eq!(done, wanted);
    report::say(&format!("chaos, paid: {done} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_recording_a_failure_or_an_expiry_records_it_once() {
    let begun = Instant::now();
    let refused = stream::iter(WHEN_REFUSED).map(|point| refused(point)).buffer_unordered(EAGER).count();
    let unpaid = stream::iter(WHEN_UNPAID).map(|point| unpaid(point)).buffer_unordered(EAGER).count();
    let done = futures::join!(refused, unpaid);
    assert_eq!(done, (WHEN_REFUSED.len(), WHEN_UNPAID.len()));
    report::say(&format!(
        "chaos, refused and unpaid: {} cases in {:.1} s",
        done.0 + done.1,
        begun.elapsed().as_secs_f64()
    ));
}

/// The cases that are run: all by `cargo verify --full`. Else every third, for each has a system and two workers of its own.
pub fn chosen<T>(cases: impl IntoIterator<Item = T>) -> Vec<T> {
    cases.into_iter().step_by(if extent::is_full() { 1 } else { 3 }).collect()
}

/// A paid order through a worker that dies at `point`, then through a second one.
async fn paid(point: &str, answer_lost: bool) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    // The new droplet is missing from lists for almost as long as the adapter believes possible.
    cloud::configure(&stack, Cloud::DIGITALOCEAN, json!({ "listing_lag_seconds": 1.0 })).await;
    if answer_lost {
        cloud::fault(
            &stack,
            Cloud::DIGITALOCEAN,
            json!({ "route": Cloud::DIGITALOCEAN.routes().create, "kind": "drop_after_create" }),
        )
        .await;
    }
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(point.into()));
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;

    if answer_lost && point == AFTER_ANSWER {
        // It is not passed in this case: the same worker finds the droplet and finishes.
        customer.await_status(&order, "ACTIVE").await;
    } else {
        let _second = replaced(doomed, &stack, point).await;
        customer.await_status(&order, "ACTIVE").await;
    }
    assert_eq!(cloud::servers_of(&stack, &order).await, 1, "{point}, answer lost: {answer_lost}");
    assert_eq!(customer.get("/instances").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        customer.notifications().await,
        ["ORDER_CREATED", "PAYMENT_CONFIRMED", "VPS_ACTIVE"],
        "{point}"
    );
}

/// An order that the provider refuses, retried by an admin in the end.
async fn refused(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    cloud::image_is_unknown(&stack).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(point.into()));
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let _second = replaced(doomed, &stack, point).await;
    customer.await_status(&order, "PROVISIONING_FAILED").await;
    assert_eq!(times(&customer, &order, "provisioning_failed").await, 1, "{point}");

    let path = format!("/orders/{}/retry-provisioning", order["id"].as_str().expect("an id"));
    assert!(customer.post_internal(&path).await.status.is_success());
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1, "{point}");
}

/// An order nobody pays.
async fn unpaid(point: &str) {
    let _turn = turn().await;
    let mut options = Options::default();
    options.policy.remind_after_ms = 3_000;
    options.policy.payment_window_ms = 6_000;
    let stack = system(options).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(point.into()));
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    let _second = replaced(doomed, &stack, point).await;
    customer.await_status(&order, "EXPIRED").await;
    assert_eq!(times(&customer, &order, "order_expired").await, 1, "{point}");
    assert_eq!(
        customer.notifications().await,
        ["ORDER_CREATED", "PAYMENT_REMINDER", "ORDER_EXPIRED"],
        "{point}"
    );
}

/// A case's turn: it lasts until it is dropped.
pub async fn turn() -> SemaphorePermit<'static> {
    SYSTEMS.acquire().await.expect("nobody closes it")
}

/// A system whose worker runs in a process of its own.
pub async fn system(options: Options) -> Stack {
    let options = Options { worker_inside: false, listing_lag: Duration::from_millis(1_500), ..options };
    Stack::start(options).await.expect("a system")
}

/// Waits until the doomed worker has died at its point, and starts another.
pub async fn replaced(mut doomed: WorkerProcess, stack: &Stack, point: &str) -> WorkerProcess {
    let end = tokio::time::timeout(LONGEST, doomed.ended()).await;
    let end = end.unwrap_or_else(|_| panic!("the worker never passed {point}"));
    assert!(!end.success(), "the worker ended by itself at {point}");
    WorkerProcess::start(PROGRAM, stack, None)
}

/// How often a step stands in an order's timeline.
async fn times(customer: &Customer<'_>, order: &Value, step: &str) -> usize {
    customer.timeline(order).await.iter().filter(|told| *told == step).count()
}
