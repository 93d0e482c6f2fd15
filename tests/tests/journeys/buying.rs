//! The customer's and the admin's ways through the whole system, on real servers.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::StreamExt;
use serde_json::{Value, json};
use temporalio_client::{WorkflowFetchHistoryOptions, WorkflowListOptions};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    report,
    stack::{self, Options, Stack},
    wait_until::until,
};
use workflows::OrderWorkflow;

/// Prints how long a journey took: the whole set must stay within two minutes.
struct Clock(&'static str, Instant);

impl Clock {
    fn start(journey: &'static str) -> Self {
        Self(journey, Instant::now())
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        report::say(&format!("journey {}: {:.1} s", self.0, self.1.elapsed().as_secs_f64()));
    }
}

#[tokio::test]
async fn from_registration_to_an_active_server() {
    let _clock = Clock::start("registration to ACTIVE");
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    assert_eq!(order["status"], "PENDING_PAYMENT");
    assert!(order["payment"]["qr_string"].is_string(), "{order}");

    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;

    let instance = active["instance_id"].as_str().expect("a server");
    let instance = customer.get(&format!("/instances/{instance}")).await.expect(200);
    assert_eq!(instance["status"], "ACTIVE");
    assert!(instance["ipv4"].is_string() && instance["expires_at"].is_string(), "{instance}");
    let invoice = order["invoice"]["id"].as_str().expect("an invoice");
    assert_eq!(customer.get(&format!("/invoices/{invoice}")).await.expect(200)["status"], "PAID");
    assert_eq!(
        customer.timeline(&order).await,
        ["order_placed", "payment_confirmed", "provisioning_started", "server_created", "server_active"]
    );
    assert_eq!(customer.notifications().await, ["ORDER_CREATED", "PAYMENT_CONFIRMED", "VPS_ACTIVE"]);
    assert_eq!(cloud::servers_of(stack, &order).await, 1);
}

#[tokio::test]
async fn the_engine_is_told_nothing_personal() {
    let _clock = Clock::start("what the engine knows");
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let mut wish = customer.good_order().await;
    wish["hostname"] = json!("a-very-personal-name");
    let order = customer.post("/orders", &wish).await.expect(201);
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    let me = customer.get("/auth/me").await.expect(200);
    let instance =
        customer.get(&format!("/instances/{}", active["instance_id"].as_str().expect("an id"))).await;

    let client = engine::connect(&stack.temporal).await.expect("the engine");
    let workflow = client
        .get_workflow_handle::<OrderWorkflow>(format!("order/{}", order["id"].as_str().expect("an id")));
    let history = workflow.fetch_history(WorkflowFetchHistoryOptions::default());
    let history = serde_json::from_slice(&history.to_json().await.expect("a history")).expect("JSON");
    let told = texts(&history).join("\n");
    assert!(told.contains(order["id"].as_str().expect("an id")), "{told}");
    for secret in [&me["email"], &me["full_name"], &wish["hostname"], &instance.expect(200)["ipv4"]] {
        assert!(!told.contains(secret.as_str().expect("text")), "{secret} is in the history");
    }
}

/// Every text in a history, payloads (base64 in its JSON) decoded.
fn texts(history: &Value) -> Vec<String> {
    match history {
        Value::String(text) => {
            let payload = BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            std::iter::once(text.clone()).chain(payload).collect()
        }
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn from_a_deposit_to_a_server_paid_from_the_balance() {
    let _clock = Clock::start("deposit to ACTIVE");
    let customer = Customer::register(stack::shared().await).await;
    let body = json!({ "amount": 200_000, "payment_method": "QRIS" });
    let deposit = customer.post("/wallet/deposits", &body).await.expect(201);
    customer.pay(&deposit).await;
    let mut wish = customer.good_order().await;
    wish["payment_method"] = json!("WALLET");
    let order = customer.post("/orders", &wish).await.expect(201);
    assert_eq!(order["status"], "PAID", "{order}");
    customer.await_status(&order, "ACTIVE").await;
    let wallet = customer.get("/wallet").await.expect(200);
    let left = 200_000 - order["total"].as_i64().expect("a total");
    assert_eq!((&wallet["balance"], &wallet["held"]), (&json!(left), &json!(0)));
    customer.post("/orders", &wish).await.expect_problem(409, "insufficient_balance");
}

#[tokio::test]
async fn a_virtual_account_is_paid_like_a_qr_code() {
    let _clock = Clock::start("virtual account to ACTIVE");
    let customer = Customer::register(stack::shared().await).await;
    let mut wish = customer.good_order().await;
    wish["payment_method"] = json!("VIRTUAL_ACCOUNT");
    wish["bank"] = json!("BRI");
    let order = customer.post("/orders", &wish).await.expect(201);
    assert!(order["payment"]["va_number"].is_string(), "{order}");
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
}

#[tokio::test]
async fn an_admin_overrides_the_payment() {
    let _clock = Clock::start("admin override to ACTIVE");
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    let id = order["id"].as_str().expect("an id");

    let admin = Customer::admin(stack).await;
    let note = json!({ "note": "seen on the bank statement" });
    admin.post(&format!("/admin/orders/{id}/approve-payment"), &note).await.expect(200);

    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(stack, &order).await, 1);
}

#[tokio::test]
async fn a_failed_order_is_retried_to_active() {
    let _clock = Clock::start("failure to retry to ACTIVE");
    let stack = Stack::start(Options::default()).await.expect("a system");
    cloud::image_is_unknown(&stack).await;
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;

    let failed = customer.await_status(&order, "PROVISIONING_FAILED").await;
    assert_eq!(failed["failure"]["class"], "CONFIGURATION", "{failed}");
    assert_eq!(cloud::servers_of(&stack, &order).await, 0);
    let seen_by_ops = r#"OrderStatus = "PROVISIONING_FAILED" AND FailureClass = "CONFIGURATION""#;
    assert_eq!(found_by(&stack, seen_by_ops, &order).await, "Running");

    // Five admins at once: one wins, the others are told where the order stands.
    let path = format!("/orders/{}/retry-provisioning", order["id"].as_str().expect("an id"));
    let answers = futures::future::join_all((0..5).map(|_| customer.post_internal(&path))).await;
    let accepted = answers.iter().filter(|a| a.status.is_success()).count();
    let refused = answers.iter().filter(|a| a.status == 409).count();
    assert_eq!((accepted, refused), (1, 4), "{answers:?}");

    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
    let told = customer.notifications().await;
    assert!(
        told.contains(&"PROVISIONING_FAILED".to_owned()) && told.contains(&"VPS_ACTIVE".to_owned()),
        "{told:?}"
    );
}

#[tokio::test]
async fn trouble_that_passes_needs_no_admin() {
    let _clock = Clock::start("503 and 429 to ACTIVE");
    let stack = Stack::start(Options::default()).await.expect("a system");
    cloud::fault(
        &stack,
        Cloud::DIGITALOCEAN,
        json!({ "route": Cloud::DIGITALOCEAN.routes().list, "kind": "status", "status": 503, "times": 2 }),
    )
    .await;
    cloud::fault(
        &stack,
        Cloud::DIGITALOCEAN,
        json!({ "route": Cloud::DIGITALOCEAN.routes().create, "kind": "status", "status": 429, "times": 2 }),
    )
    .await;
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
}

#[tokio::test]
async fn an_unpaid_order_is_reminded_of_and_expires() {
    let _clock = Clock::start("unpaid to EXPIRED");
    let stack = Stack::start(hasty()).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.await_status(&order, "EXPIRED").await;
    assert_eq!(customer.timeline(&order).await, ["order_placed", "payment_reminder", "order_expired"]);
    assert_eq!(customer.notifications().await, ["ORDER_CREATED", "PAYMENT_REMINDER", "ORDER_EXPIRED"]);
    assert_eq!(found_by(&stack, r#"OrderStatus = "EXPIRED""#, &order).await, "Completed");
}

#[tokio::test]
async fn money_that_comes_late_still_buys_the_server() {
    let _clock = Clock::start("late payment to ACTIVE");
    let stack = Stack::start(hasty()).await.expect("a system");
    let customer = Customer::register(&stack).await;
    let order = customer.place_order().await;
    customer.await_status(&order, "EXPIRED").await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(&stack, &order).await, 1);
}

#[tokio::test]
async fn the_same_notification_fifty_times_is_one_payment() {
    let _clock = Clock::start("fifty notifications, one payment");
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    let report = customer.pay_with(&order, json!({ "duplicates": 50 })).await;
    let delivered = report["deliveries"].as_array().expect("deliveries");
    assert!(delivered.len() >= 50 && delivered.iter().all(|d| d["status"] == 200), "{report}");

    let active = customer.await_status(&order, "ACTIVE").await;
    let payments = customer.get("/payments").await.expect(200);
    let paid =
        payments["data"].as_array().expect("payments").iter().filter(|p| p["status"] == "PAID").count();
    assert_eq!((paid, &active["status"]), (1, &json!("ACTIVE")));
    let steps = customer.timeline(&order).await;
    assert_eq!(steps.iter().filter(|s| *s == "payment_confirmed").count(), 1);
    assert_eq!(cloud::servers_of(stack, &order).await, 1);
}

#[tokio::test]
async fn two_identical_orders_are_one() {
    let _clock = Clock::start("two identical POST /orders, one order");
    let customer = Customer::register(stack::shared().await).await;
    let wish = customer.good_order().await;
    let (one, two) = futures::join!(
        customer.post_with_key("/orders", &wish, "k1"),
        customer.post_with_key("/orders", &wish, "k1")
    );
    assert_eq!(one.expect(201)["id"], two.expect(201)["id"]);
    assert_eq!(customer.get("/orders").await.expect(200)["data"].as_array().map(Vec::len), Some(1));

    let mut other = wish.clone();
    other["hostname"] = json!("web-2");
    customer.post_with_key("/orders", &other, "k1").await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_cancelled_order_takes_no_server() {
    let _clock = Clock::start("cancelled before payment");
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    let id = order["id"].as_str().expect("an id");
    customer.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect(200);
    customer.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_problem(409, "order_conflict");

    // Money that arrives all the same goes to the balance; the order stays cancelled, and no server is made.
    customer.pay_with(&order, json!({})).await;
    assert_eq!(customer.get(&format!("/orders/{id}")).await.expect(200)["status"], "CANCELLED");
    assert_eq!(cloud::servers_of(stack, &order).await, 0);
}

/// Orders that expire within seconds.
fn hasty() -> Options {
    let mut options = Options::default();
    options.policy.remind_after_ms = Duration::from_secs(1).as_millis().try_into().expect("it fits");
    options.policy.payment_window_ms = Duration::from_secs(2).as_millis().try_into().expect("it fits");
    options
}

/// How the order's workflow stands, once the engine's visibility finds it by `query`.
async fn found_by(stack: &Stack, query: &str, order: &Value) -> String {
    let client = engine::connect(&stack.temporal).await.expect("the engine");
    let query = format!("{query} AND WorkflowId = 'order/{}'", order["id"].as_str().expect("an id"));
    until(&format!("the engine lists {query}"), || async {
        let mut listed = client.list_workflows(query.as_str(), WorkflowListOptions::default());
        let workflow = listed.next().await?.expect("a listing");
        Some(format!("{:?}", workflow.status()))
    })
    .await
}
