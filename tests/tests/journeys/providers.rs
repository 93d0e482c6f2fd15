//! A server's way at each provider: ordered, active, acted upon, deleted, and gone from the provider.

use std::time::Instant;

use client::Method;
use domain::instance::Capability;
use futures::future::join_all;
use serde_json::{Value, json};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Answer, Customer, Expect},
    report, stack,
    wait_until::until,
};

/// What no customer's patience should be tried with: an order to its deletion.
async fn journey(cloud: Cloud) {
    let begun = Instant::now();
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let order = customer.place_order_at(cloud).await;
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    let id = active["instance_id"].as_str().expect("a server");
    let server = customer.get(&format!("/instances/{id}")).await.expect(200);
    assert_eq!(
        (&server["provider"], &server["power_state"]),
        (&json!(cloud.slug()), &json!("ON")),
        "{server}"
    );

    for (capability, power) in
        [(Capability::PowerOff, "OFF"), (Capability::PowerOn, "ON"), (Capability::Reboot, "ON")]
    {
        assert!(cloud.vendor().capabilities.contains(&capability), "what customers get everywhere");
        let action = capability.to_string();
        let done = customer.act(id, &json!({ "action": action })).await;
        assert_eq!(done["status"], "completed", "{action}: {done}");
        let server = customer.get(&format!("/instances/{id}")).await.expect(200);
        assert_eq!(server["power_state"], power, "after {action}");
    }
    let renamed = customer.act(id, &json!({ "action": "rename", "params": { "name": "shop" } })).await;
    assert_eq!(renamed["status"], "completed", "{renamed}");
    assert_eq!(customer.get(&format!("/instances/{id}")).await.expect(200)["name"], "shop");
    assert_eq!(cloud::servers_of(stack, &order).await, 1, "the provider's own label stays");

    internal(&customer, Method::DELETE, &format!("/instances/{id}"), None).await.expect(202);
    until("the server is TERMINATED", || async {
        let server = internal(&customer, Method::GET, &format!("/instances/{id}"), None).await.expect(200);
        (server["status"] == "TERMINATED").then_some(())
    })
    .await;
    assert_eq!(cloud::servers_of(stack, &order).await, 0);
    let refused = customer.post(&format!("/instances/{id}/actions"), &json!({ "action": "reboot" })).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    report::say(&format!("journey at {}: {:.1} s", cloud.slug(), begun.elapsed().as_secs_f64()));
}

async fn internal(customer: &Customer<'_>, method: Method, path: &str, body: Option<&Value>) -> Answer {
    customer.call_internal(method, path, body).await
}

#[tokio::test]
async fn a_server_is_bought_acted_upon_and_deleted_at_every_provider() {
    join_all(Cloud::all().map(journey)).await;
}
