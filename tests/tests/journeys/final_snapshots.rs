//! The last snapshot of a server whose plan includes one, at every provider that makes snapshots.

use domain::instance::Capability;
use futures::future::join_all;
use serde_json::{Value, json};
use testkit::http::control;
use webrana_tests::{
    cloud::{Cloud, servers_of},
    customer::{Customer, Expect},
    stack::{Options, Stack},
    wait_until::until,
};

/// An order of the provider's first plan that includes a last snapshot.
async fn order(customer: &Customer<'_>, cloud: Cloud) -> Value {
    let plans = customer.get(&format!("/plans?provider={}", cloud.slug())).await.expect(200);
    let plans = plans["data"].as_array().expect("plans");
    let plan = plans.iter().find(|plan| plan["final_snapshot_days"] == 14).expect("a plan that includes one");
    let mut wish = customer.good_order_at(cloud).await;
    wish["plan_id"] = plan["id"].clone();
    wish["region"] = plan["regions"][0].clone();
    customer.post("/orders", &wish).await.expect(201)
}

async fn snapshots_at(stack: &Stack, cloud: Cloud) -> u64 {
    let counted = control(&stack.clouds.at(cloud).simulator).get("/counters").await.expect_success();
    counted["resources"][if cloud.slug() == "linode" { "images" } else { "snapshots" }]
        .as_u64()
        .expect("a count")
}

#[tokio::test]
async fn who_cancels_keeps_the_last_snapshot_for_two_weeks_and_leaves_nothing_else() {
    let stack = Stack::start(Options::default()).await.expect("a system");
    let (system, admin) = (&stack, &Customer::admin(&stack).await);
    let clouds = Cloud::all().filter(|cloud| cloud.vendor().capabilities.contains(&Capability::Snapshot));
    join_all(clouds.map(|cloud| async move {
        let customer = Customer::register(system).await;
        let order = order(&customer, cloud).await;
        customer.pay(&order).await;
        let active = customer.await_status(&order, "ACTIVE").await;
        let server = format!("/instances/{}", active["instance_id"].as_str().expect("a server"));
        let before = snapshots_at(system, cloud).await;
        let nightly = json!({ "action": "snapshot", "params": { "name": "nightly" } });
        let taken = customer.post(&format!("{server}/actions"), &nightly).await.expect(202);
        until("the nightly snapshot is made", || async {
            let path = format!("{server}/actions/{}", taken["action"]["id"].as_str().expect("an id"));
            (customer.get(&path).await.expect(200)["status"] == "completed").then_some(())
        })
        .await;
        customer.post(&format!("{server}/cancel"), &json!({ "when": "now" })).await.expect_success();
        let gone = until("the server is gone", || async {
            let now = customer.get(&server).await.expect(200);
            (now["status"] == "TERMINATED").then_some(now)
        })
        .await;
        assert_eq!(servers_of(system, &order).await, 0, "{}", cloud.slug());
        assert!(gone["final_snapshot_until"].is_string(), "{gone}");
        assert_eq!(snapshots_at(system, cloud).await, before + 1, "{}", cloud.slug());
        let seen = admin.get(&format!("/admin{server}")).await.expect(200);
        assert!(seen["final_snapshot"]["provider_snapshot_id"].is_string(), "{seen}");
    }))
    .await;
}
