//! A network swallows every connection to the database, as a failover or a NAT that forgot them does: nothing says so, and
//! whoever waits for an answer would wait for ever.

use std::time::{Duration, Instant};

use serde_json::json;
use webrana_tests::{
    cloud,
    customer::Customer,
    database_proxy::DatabaseProxy,
    report,
    stack::{Options, Stack},
    wait_until::until,
};

/// Longest time until everything goes on.
const LONGEST: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_swallowed_hold_nobody_up_for_long() {
    let server = std::env::var("DATABASE_URL").expect("the run's database");
    let network = DatabaseProxy::start(&server).await.expect("a proxy");
    let options = Options { database_url: Some(network.url().to_owned()), ..Options::default() };
    let stack = Stack::start(options).await.expect("a system");
    let customer = Customer::register(&stack).await;
    // One order is on its way when it happens, another comes after.
    cloud::configure(&stack, cloud::Cloud::DIGITALOCEAN, json!({ "boot_seconds": 3.0 })).await;
    let wish = customer.good_order().await;
    let before = customer.place_order().await;
    customer.pay(&before).await;
    customer.await_status(&before, "PROVISIONING").await;

    network.swallow();
    let begun = Instant::now();
    let key = uuid::Uuid::now_v7().to_string();
    let after = until("an order is taken", || async {
        let answer = customer.post_with_key("/orders", &wish, &key).await;
        (answer.status == 201).then_some(answer.body)
    })
    .await;
    let taken = begun.elapsed();
    customer.pay(&after).await;
    for order in [&before, &after] {
        customer.await_status(order, "ACTIVE").await;
        assert_eq!(cloud::servers_of(&stack, order).await, 1);
    }
    let active = begun.elapsed();
    report::say(&format!(
        "every connection swallowed: an order taken after {:.1} s, all ACTIVE after {:.1} s",
        taken.as_secs_f64(),
        active.as_secs_f64()
    ));
    assert!(active < LONGEST, "{active:?}");
}
