//! What administrators press when orders don't get on: pauses, another server, a server that was found, calling off.

use serde_json::{Value, json};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    stack::{Options, Stack},
    steps,
    wait_until::until,
};

async fn system() -> Stack {
    Stack::start(Options::default()).await.expect("a system")
}

/// An order whose server gets no address.
async fn stuck(stack: &Stack, customer: &Customer<'_>) -> (Value, String) {
    let fault = json!({ "route": Cloud::DIGITALOCEAN.routes().create, "kind": "active_without_ip", "seconds": 3600, "times": 1 });
    cloud::fault(stack, Cloud::DIGITALOCEAN, fault).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let id = order["id"].as_str().expect("an id").to_owned();
    until("its server is made", || async {
        (cloud::servers_of(stack, &order).await == 1
            && customer.timeline(&order).await.contains(&"server_created".to_owned()))
        .then_some(())
    })
    .await;
    (order, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_orders_back_says_so_and_lets_them_go_on() {
    let stack = system().await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    admin.put("/admin/pauses/digitalocean", &json!({ "reason": "an incident" })).await.expect(200);
    // What does not answer within its patience is left out, so a busy machine is asked again.
    until("the pause shows in the health", || async {
        let health = customer.at_root().get("/health").await.body;
        (health["paused"] == json!(["digitalocean"])).then_some(())
    })
    .await;

    let order = customer.place_order().await;
    customer.pay(&order).await;
    until("the engine shows why it waits", || async {
        let pending = steps::pending(&stack, &order).await;
        let paused = pending.iter().any(|step| {
            step.name == "await_resumption"
                && step.last_failure.contains("provisioning is paused: an incident")
        });
        paused.then_some(())
    })
    .await;
    let elsewhere = customer.place_order_at(Cloud::LINODE).await;
    customer.pay(&elsewhere).await;
    customer.await_status(&elsewhere, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 0);

    // One more is called off while it waits.
    let unwanted = customer.place_order().await;
    customer.pay(&unwanted).await;
    customer.await_status(&unwanted, "PROVISIONING").await;
    let path = format!("/admin/orders/{}/cancel", unwanted["id"].as_str().expect("an id"));
    admin.post(&path, &json!({ "reason": "not wanted any more" })).await.expect(200);

    admin.delete("/admin/pauses/digitalocean").await.expect(204);
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
    customer.await_status(&unwanted, "CANCELLED").await;
    assert_eq!(cloud::servers_of(&stack, &unwanted).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_come_up_is_replaced() {
    let stack = system().await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let (order, id) = stuck(&stack, &customer).await;
    let path = format!("/admin/orders/{id}/replace-server");
    let replaced = admin.post(&path, &json!({ "reason": "it gets no address" })).await.expect(202);
    assert_eq!(replaced["status"], json!("PROVISIONING"), "{replaced}");
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
    assert_eq!(stack.clouds.calls(Cloud::DIGITALOCEAN, Cloud::DIGITALOCEAN.routes().create), 2);
    admin.post(&path, &json!({ "reason": "once more" })).await.expect_problem(409, "order_conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_called_off_on_its_way_leaves_no_server() {
    let stack = system().await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let (order, id) = stuck(&stack, &customer).await;
    let path = format!("/admin/orders/{id}/cancel");
    let cancelled = admin.post(&path, &json!({ "reason": "it takes too long" })).await.expect(200);
    assert_eq!(cancelled["server_may_exist"], json!(true), "{cancelled}");
    assert!(cancelled["returned"].as_i64().is_some_and(|rupiah| rupiah > 0), "{cancelled}");
    until("its server is gone", || async { (cloud::servers_of(&stack, &order).await == 0).then_some(()) })
        .await;
    customer.await_status(&order, "CANCELLED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_order_is_given_a_server_that_is_there() {
    let stack = system().await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    cloud::image_is_unknown(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "PROVISIONING_FAILED").await;
    let id = order["id"].as_str().expect("an id");
    let path = format!("/admin/orders/{id}/attach-server");
    let wanted = |server: &str| json!({ "provider_instance_id": server, "reason": "made by hand" });
    admin.post(&path, &wanted("999999999")).await.expect_problem(422, "server_unknown");

    // Somebody's running server is not to be had; one that a vendor's console made is.
    let theirs = customer.place_order().await;
    customer.pay(&theirs).await;
    customer.await_status(&theirs, "ACTIVE").await;
    let taken =
        admin.get(&format!("/admin/orders/{}", theirs["id"].as_str().expect("an id"))).await.expect(200);
    let taken = taken["task"]["provider_instance_id"].as_str().expect("an id").to_owned();
    admin.post(&path, &wanted(&taken)).await.expect_problem(409, "server_conflict");

    let own = cloud::droplet_by_hand(&stack).await;
    admin.post(&path, &wanted(&own)).await.expect(200);
    let active = customer.await_status(&order, "ACTIVE").await;
    let server =
        customer.get(&format!("/instances/{}", active["instance_id"].as_str().expect("a server"))).await;
    assert_eq!(server.expect(200)["status"], json!("ACTIVE"));
    admin.post(&path, &wanted(&own)).await.expect(200);
}
