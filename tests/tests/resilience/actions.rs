//! The worker is killed at every step of an action and of a delete: the action has its effect once, and a server that
//! is to go is gone.

use std::time::Instant;

use activities::crash_point::{
    WHEN_ACTING, WHEN_ACTION_FAILS, WHEN_DELETING, WHEN_DELETING_A_SNAPSHOT, WHEN_LOOKING_AT_LIFE,
};
use client::Method;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    owner::Owner,
    report,
    stack::{Options, Stack},
    wait_until::until,
    worker_process::{CrashAt, WorkerProcess},
};

use crate::chaos::{EAGER, PROGRAM, chosen, replaced, system, turn};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_acting_acts_once() {
    let begun = Instant::now();
    let acting = each(WHEN_ACTING, acting);
    let deleting = each(WHEN_DELETING, deleting);
    let failing = each(WHEN_ACTION_FAILS, failing);
    let done = futures::join!(acting, deleting, failing);
    let cases = done.0 + done.1 + done.2;
    report::say(&format!("chaos, actions: {cases} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_a_server_changes_or_goes_charges_and_gives_back_once() {
    let begun = Instant::now();
    let resizing = each(WHEN_ACTING, resizing);
    let forgetting = each(WHEN_DELETING_A_SNAPSHOT, forgetting);
    let leaving = each(WHEN_LOOKING_AT_LIFE.iter().chain(WHEN_DELETING), leaving);
    let done = futures::join!(resizing, forgetting, leaving);
    let cases = done.0 + done.1 + done.2;
    report::say(&format!("chaos, changes: {cases} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

/// Runs a case for each of the points that are chosen; how many those were.
async fn each(
    points: impl IntoIterator<Item = &'static &'static str>,
    case: impl AsyncFn(&'static str),
) -> usize {
    let points = chosen(points);
    let wanted = points.len();
    let done = stream::iter(points).map(|point| case(point)).buffer_unordered(EAGER).count().await;
    assert_eq!(done, wanted);
    done
}

/// The first look is the activation's.
fn after_the_first(point: &str) -> CrashAt<'_> {
    CrashAt { name: point, passes: usize::from(WHEN_LOOKING_AT_LIFE.contains(&point)) }
}

/// A dearer plan, paid from the balance, at a provider that resizes what is on.
async fn resizing(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(after_the_first(point)));
    let owner = Owner::at(&stack, Cloud::VULTR).await;
    owner.deposit(1_000_000).await;
    let plans = owner.customer.get("/plans?provider=vultr").await.expect(200);
    let plan =
        plans["data"].as_array().expect("plans").iter().find(|plan| plan["slug"] == "vultr-regular-2gb");
    let wish = json!({ "plan_id": plan.expect("a plan")["id"], "payment_method": "WALLET" });
    let asked = owner.customer.post(&owner.path("/resizes"), &wish).await.expect(202);
    let price = asked["invoice"]["total"].as_i64().expect("a price");
    let _second = replaced(doomed, &stack, point).await;
    let path = owner.path(&format!("/resizes/{}", asked["id"].as_str().expect("an id")));
    let ended = until(&format!("the server has its plan after {point}"), || async {
        let now = owner.customer.get(&path).await.expect(200);
        now["ended_at"].is_string().then_some(now)
    })
    .await;
    assert_eq!((&ended["status"], &ended["credited"]), (&json!("COMPLETED"), &json!(0)), "{point}: {ended}");
    assert_eq!(owner.balance().await, 1_000_000 - price, "{point}");
    assert_eq!(owner.simulated().await["plan"], "vc2-1c-2gb", "{point}");
    assert_eq!(owner.told("VPS_RESIZED").await, 1, "{point}");
}

/// The delete of a snapshot, beside another one that stays.
async fn forgetting(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    let first = WorkerProcess::start(PROGRAM, &stack, None);
    let owner = Owner::at(&stack, Cloud::DIGITALOCEAN).await;
    let mut taken = Vec::new();
    for name in ["goes", "stays"] {
        let done = owner.does(json!({ "action": "snapshot", "params": { "name": name } })).await;
        taken.push(done["result"]["snapshot_id"].clone());
    }
    drop(first);
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(point.into()));
    let wish = json!({ "action": "delete_snapshot", "params": { "snapshot_id": taken[0] } });
    let action = ask(&owner.customer, &owner.server.to_string(), wish).await;
    let _second = replaced(doomed, &stack, point).await;
    let ended = ended(&owner.customer, &owner.server.to_string(), &action).await;
    assert_eq!(ended["status"], "completed", "{point}: {ended}");
    let left = owner.customer.get(&owner.path("/snapshots")).await.expect(200);
    let left: Vec<_> = left["data"].as_array().expect("snapshots").iter().map(|left| &left["id"]).collect();
    assert_eq!(left, [&taken[1]], "{point}");
}

/// A server that its owner calls off at once.
async fn leaving(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(after_the_first(point)));
    let owner = Owner::at(&stack, Cloud::DIGITALOCEAN).await;
    let off = owner.customer.post(&owner.path("/cancel"), &json!({ "when": "now" })).await.expect(202);
    let _second = replaced(doomed, &stack, point).await;
    owner.becomes("TERMINATED").await;
    assert_eq!(owner.at_provider().await, 0, "{point}");
    assert_eq!(json!(owner.balance().await), off["credited"], "{point}");
    assert_eq!(owner.told("VPS_TERMINATED").await, 1, "{point}");
    let refunds = owner.customer.get("/refunds").await.expect(200);
    assert_eq!(refunds["data"].as_array().map(Vec::len), Some(1), "{point}: {refunds}");
}

/// A snapshot: the provider would make a second one if it were asked twice.
async fn acting(point: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    let doomed = WorkerProcess::start(PROGRAM, &stack, Some(after_the_first(point)));
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
