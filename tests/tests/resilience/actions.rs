//! The worker is killed at every step of an action and of a delete: the action has its effect once, and a server that
//! is to go is gone.

use std::time::Instant;

use activities::crash_point::{WHEN_ACTING, WHEN_ACTION_FAILS, WHEN_DELETING, WHEN_LOOKING_AT_LIFE};
use client::Method;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use webrana_tests::{
    cloud,
    customer::{Customer, Expect},
    report,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::{CrashAt, WorkerProcess},
};

use crate::chaos::{EAGER, PROGRAM, replaced, system, turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_acting_acts_once() {
    let begun = Instant::now();
    let acting = stream::iter(WHEN_ACTING).map(|point| acting(point)).buffer_unordered(EAGER).count();
    let deleting = stream::iter(WHEN_DELETING).map(|point| deleting(point)).buffer_unordered(EAGER).count();
    let failing = stream::iter(WHEN_ACTION_FAILS).map(|point| failing(point)).buffer_unordered(EAGER).count();
    let done = futures::join!(acting, deleting, failing);
    assert_eq!(done, (WHEN_ACTING.len(), WHEN_DELETING.len(), WHEN_ACTION_FAILS.len()));
    let cases = done.0 + done.1 + done.2;
    report::say(&format!("chaos, actions: {cases} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

/// A snapshot: the provider would make a second one if it were asked twice.
async fn acting(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    // The first look is the activation's.
    let passes = usize::from(WHEN_LOOKING_AT_LIFE.contains(&point));
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(CrashAt { name: point, passes }));
    let (customer, _, server) = server(&stack).await;
    let action = ask(&customer, &server, json!({ "action": "snapshot", "params": { "name": "one" } })).await;
    let _second = replaced(doomed, &stack, point).await;
    let ended = ended(&customer, &server, &action).await;
    assert_eq!(ended["status"], "completed", "{point}: {ended}");
    let snapshots = customer.get(&format!("/instances/{server}/snapshots")).await.expect(200);
    let ids: Vec<_> =
        snapshots["data"].as_array().expect("snapshots").iter().map(|snapshot| &snapshot["id"]).collect();
    assert_eq!(ids, [&ended["result"]["snapshot_id"]], "{point}");
}

async fn deleting(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(point.into()));
    let (customer, order, server) = server(&stack).await;
    let path = format!("/instances/{server}");
    customer.call_internal(Method::DELETE, &path, None).await.expect(202);
    let _second = replaced(doomed, &stack, point).await;
    until(&format!("the server is gone after {point}"), || async {
        (customer.get(&path).await.expect(200)["status"] == "TERMINATED").then_some(())
    })
    .await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 0, "{point}");
    let told = customer.notifications().await;
    assert_eq!(told.iter().filter(|kind| *kind == "VPS_TERMINATED").count(), 1, "{point}: {told:?}");
}

async fn failing(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(point.into()));
    let (customer, _, server) = server(&stack).await;
    customer.act(&server, &json!({ "action": "power_off" })).await;
    let action = ask(&customer, &server, json!({ "action": "reboot" })).await;
    let _second = replaced(doomed, &stack, point).await;
    assert_eq!(ended(&customer, &server, &action).await["status"], "failed", "{point}");
    assert_eq!(
        customer.act(&server, &json!({ "action": "power_on" })).await["status"],
        "completed",
        "{point}"
    );
}

/// A customer's order that became a server.
async fn server(stack: &Stack) -> (Customer<'_>, Value, String) {
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    let server = active["instance_id"].as_str().expect("a server").to_owned();
    (customer, order, server)
}

async fn ask(customer: &Customer<'_>, server: &str, request: Value) -> String {
    let taken = customer.post(&format!("/instances/{server}/actions"), &request).await.expect(202);
    taken["action"]["id"].as_str().expect("an id").to_owned()
}

async fn ended(customer: &Customer<'_>, server: &str, action: &str) -> Value {
    until(&format!("action {action} ends"), || async {
        let now = customer.get(&format!("/instances/{server}/actions/{action}")).await.expect(200);
        now["finished_at"].is_string().then_some(now)
    })
    .await
}
