//! The worker is killed at every step of a refund, or the gateway's answer to it is lost: the money goes back exactly once.

use std::time::Instant;

use activities::crash_point::{WHEN_REFUND_RETURNS, WHEN_REFUNDED};
use futures::{StreamExt, stream};
use serde_json::json;
use webrana_tests::{
    cloud,
    customer::{Customer, Expect},
    gateway, report,
    stack::Options,
    stack::Stack,
    wait_until::until,
    worker_process::WorkerProcess,
};

use crate::chaos::{EAGER, PROGRAM, replaced, system, turn};

/// A crash point that the worker of the payments' queue passes.
const AT_THE_GATEWAY: &str = "send_refund.";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_on_moneys_way_back_gives_it_back_once() {
    let begun = Instant::now();
    let given = WHEN_REFUNDED.iter().map(|point| (*point, "COMPLETED"));
    let returned = WHEN_REFUND_RETURNS.iter().map(|point| (*point, "RETURNED_TO_WALLET"));
    let cases: Vec<_> = given.chain(returned).collect();
    let wanted = cases.len();
    let done =
        stream::iter(cases).map(|(point, end)| killed(point, end)).buffer_unordered(EAGER).count().await;
    assert_eq!(done, wanted);
    report::say(&format!("chaos, refunds: {done} cases in {:.1} s", begun.elapsed().as_secs_f64()));
}

/// A refund of a failed order through a worker that dies at `point`, then through a second one.
async fn killed(point: &str, end: &str) {
    let _turn = turn().await;
    let stack = system(Options::default()).await;
    cloud::image_is_unknown(&stack).await;
    let at_the_gateway = point.starts_with(AT_THE_GATEWAY);
    let crash = Some(point.into());
    let orders = WorkerProcess::start(PROGRAM, &stack, crash.filter(|_| !at_the_gateway));
    let payments = WorkerProcess::start_payments(PROGRAM, &stack, crash.filter(|_| at_the_gateway));
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "PROVISIONING_FAILED").await;
    if end == "RETURNED_TO_WALLET" {
        refuse_refunds(&stack).await;
    }
    let body = json!({ "reason": "sold out", "destination": "GATEWAY" });
    let path = format!("/admin/orders/{}/refund", order["id"].as_str().expect("an id"));
    let refund = admin.post(&path, &body).await.expect(200)["refund"].clone();
    let _others = if at_the_gateway {
        (orders, replaced_by(WorkerProcess::start_payments, payments, &stack, point).await)
    } else {
        (replaced(orders, &stack, point).await, payments)
    };

    let path = format!("/admin/refunds/{}", refund["id"].as_str().expect("an id"));
    until(&format!("{point}: the refund becomes {end}"), || async {
        (admin.get(&path).await.expect(200)["status"] == end).then_some(())
    })
    .await;
    let total = order["total"].as_i64().expect("a total");
    let (given, on_balance) = if end == "COMPLETED" { (vec![total], 0) } else { (vec![], total) };
    assert_eq!(given_back(&stack).await, given, "{point}");
    let balance = customer.get("/wallet").await.expect(200)["balance"].clone();
    assert_eq!(balance, json!(on_balance), "{point}");
    let told = customer.notifications().await;
    assert_eq!(told.iter().filter(|kind| *kind == "ORDER_REFUNDED").count(), 2, "{point}: begun and ended");
    let report = stack.store.check_ledger().await.expect("the books");
    assert!(report.sound, "{point}: {:#?}", report.findings);
}

/// Waits until a doomed worker has died at its point, and starts another of its kind.
async fn replaced_by(
    start: fn(&str, &Stack, Option<webrana_tests::worker_process::CrashAt<'_>>) -> WorkerProcess,
    mut doomed: WorkerProcess,
    stack: &Stack,
    point: &str,
) -> WorkerProcess {
    let end = tokio::time::timeout(webrana_tests::wait_until::LONGEST, doomed.ended()).await;
    let end = end.unwrap_or_else(|_| panic!("the worker never passed {point}"));
    assert!(!end.success(), "the worker ended by itself at {point}");
    start(PROGRAM, stack, None)
}

/// From now on the gateway refuses to give money back.
async fn refuse_refunds(stack: &Stack) {
    let refusal =
        json!({ "route": "POST /v2/{order_id}/refund", "kind": "status", "status": 412, "times": 1_000 });
    gateway::control(stack, "faults", &refusal).await;
}

/// What the gateway gave back in all.
async fn given_back(stack: &Stack) -> Vec<i64> {
    gateway::given_back(stack).await.into_iter().map(|(_, amount)| amount).collect()
}
