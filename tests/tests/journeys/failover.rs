//! Orders whose provider is sold out: they go on at another one by themselves where that is allowed, else an
//! administrator sends them there. Never two servers, also when the worker dies in between.

use activities::crash_point::WHEN_REFUSED;
use domain::failover::FailoverPolicy;
use futures::future::join_all;
use serde_json::{Value, json};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    stack::{Options, Stack},
    wait_until::LONGEST,
    worker_process::WorkerProcess,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_webrana-with-fail-points");

/// A system that lets orders go elsewhere for a tenth more.
async fn system(worker_inside: bool) -> Stack {
    let mut options = Options { worker_inside, ..Options::default() };
    options.policy.failover = FailoverPolicy { enabled: true, margin_bp: 1_000 };
    Stack::start(options).await.expect("a system")
}

async fn sold_out(stack: &Stack, cloud: Cloud) {
    cloud::fault(stack, cloud, json!({ "route": cloud.routes().create, "kind": "capacity", "times": 100 }))
        .await;
}

async fn servers_at(stack: &Stack, cloud: Cloud, order: &Value) -> usize {
    cloud::servers_with(stack, cloud, &format!("wb-{}", order["id"].as_str().unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sold_out_order_becomes_a_server_elsewhere_with_its_password() {
    let stack = system(true).await;
    sold_out(&stack, Cloud::DIGITALOCEAN).await;
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    assert_eq!(active["provider"], "digitalocean", "what was ordered stays");
    assert_eq!(
        (servers_at(&stack, Cloud::VULTR, &order).await, cloud::servers_of(&stack, &order).await),
        (1, 1)
    );
    assert_eq!(
        customer.timeline(&order).await,
        [
            "order_placed",
            "payment_confirmed",
            "provisioning_started",
            "provisioning_moved",
            "server_created",
            "server_active"
        ]
    );
    assert_eq!(
        customer.notifications().await,
        ["ORDER_CREATED", "PAYMENT_CONFIRMED", "PROVISIONING_MOVED", "VPS_ACTIVE"]
    );

    let server = format!("/instances/{}", active["instance_id"].as_str().unwrap());
    let seen = customer.get(&server).await.expect(200);
    assert_eq!((&seen["provider"], &seen["plan"]), (&json!("vultr"), &json!("vultr-regular-1gb")), "{seen}");
    let credentials = customer.get(&format!("{server}/credentials")).await.expect(200);
    assert!(credentials["password"].as_str().is_some_and(|password| password.len() >= 24));
    let rebooted =
        customer.act(active["instance_id"].as_str().unwrap(), &json!({ "action": "reboot" })).await;
    assert_eq!(rebooted["status"], "completed", "its later life is where the server is: {rebooted}");
    let id = order["id"].as_str().unwrap();
    let admin = Customer::admin(&stack).await.get(&format!("/admin/orders/{id}")).await.expect(200);
    let reasons: Vec<_> =
        admin["placements"].as_array().unwrap().iter().map(|place| &place["reason"]).collect();
    assert_eq!(reasons, ["ordered", "failover"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_nobody_has_room_for_waits_for_an_admin_who_picks_a_place() {
    let stack = system(true).await;
    join_all(Cloud::all().map(|cloud| sold_out(&stack, cloud))).await;
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let failed = customer.await_status(&order, "PROVISIONING_FAILED").await;
    assert_eq!(failed["failure"]["class"], "CAPACITY");
    let moves = customer.timeline(&order).await.iter().filter(|step| *step == "provisioning_moved").count();
    assert_eq!(moves, Cloud::all().len() - 1, "each of the others was tried once");

    cloud::clear_faults(&stack, Cloud::LINODE).await;
    let admin = Customer::admin(&stack).await;
    let plans = admin.get("/plans?provider=linode").await.expect(200);
    let wish = json!({ "plan_id": plans["data"][1]["id"], "region": "linode-id-cgk" });
    let id = order["id"].as_str().unwrap();
    admin.post(&format!("/admin/orders/{id}/retry-provisioning"), &wish).await.expect(202);
    let active = customer.await_status(&order, "ACTIVE").await;
    assert_eq!(
        (servers_at(&stack, Cloud::LINODE, &order).await, cloud::servers_of(&stack, &order).await),
        (1, 1)
    );
    let server = format!("/instances/{}", active["instance_id"].as_str().unwrap());
    assert_eq!(customer.get(&server).await.expect(200)["region"], "linode-id-cgk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_an_order_moves_moves_it_once() {
    join_all(WHEN_REFUSED.iter().map(|point| async move {
        let stack = system(false).await;
        sold_out(&stack, Cloud::DIGITALOCEAN).await;
        let mut doomed = WorkerProcess::start(PROGRAM, &stack, Some((*point).into()));
        let customer = Customer::register(&stack).await;
        let order = customer.place_order().await;
        customer.pay(&order).await;
        let end = tokio::time::timeout(LONGEST, doomed.ended()).await;
        assert!(!end.unwrap_or_else(|_| panic!("the worker never passed {point}")).success());
        let _second = WorkerProcess::start(PROGRAM, &stack, None);
        customer.await_status(&order, "ACTIVE").await;
        let moves =
            customer.timeline(&order).await.iter().filter(|step| *step == "provisioning_moved").count();
        assert_eq!(moves, 1, "{point}");
        assert_eq!(servers_at(&stack, Cloud::VULTR, &order).await, 1, "{point}");
        assert_eq!(cloud::servers_of(&stack, &order).await, 1, "{point}");
    }))
    .await;
}
