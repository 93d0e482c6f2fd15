//! Money on its way back, through the whole system: one click of an administrator, and the gateway's simulator shows it.

use domain::{
    policy::StepPolicy,
    refund::{RefundDestination, RefundPolicy},
};
use serde_json::{Value, json};
use store::{
    audit::{Actor, Origin},
    idempotency::Idempotency,
    money_act::MoneyAct,
    refunds::{NewRefund, Part},
};
use webrana_tests::{
    cloud::{self, Cloud},
    customer::{Customer, Expect},
    gateway, report,
    stack::{self, Options, Stack},
    wait_until::until,
};

/// What the gateway gave back of an order's payment.
async fn given_back(stack: &Stack, order: &Value) -> Vec<i64> {
    let own = &order["payment"]["gateway_order_id"];
    let all = gateway::given_back(stack).await.into_iter();
    all.filter(|(charge, _)| charge == own).map(|(_, amount)| amount).collect()
}

async fn refund(admin: &Customer<'_>, order: &Value, wish: Value) -> Value {
    let mut body = json!({ "reason": "The region is sold out" });
    body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
    admin.post(&format!("/admin/orders/{}/refund", order["id"].as_str().unwrap()), &body).await.expect(200)
}

/// Waits until a refund has the wanted status; answers with it as staff see it.
async fn await_refund(admin: &Customer<'_>, refund: &Value, wanted: &str) -> Value {
    let id = refund["id"].as_str().expect("an id");
    until(&format!("refund {id} becomes {wanted}"), || async {
        let now = admin.get(&format!("/admin/refunds/{id}")).await.expect(200);
        (now["status"] == wanted).then_some(now)
    })
    .await
}

async fn balance(customer: &Customer<'_>) -> i64 {
    customer.get("/wallet").await.expect(200)["balance"].as_i64().expect("a balance")
}

#[tokio::test]
async fn the_money_of_a_failed_order_goes_back_the_way_it_came() {
    let stack = Stack::start(Options::default()).await.expect("the system starts");
    cloud::image_is_unknown(&stack).await;
    let (customer, admin) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "PROVISIONING_FAILED").await;

    let total = order["total"].as_i64().unwrap();
    let part = refund(&admin, &order, json!({ "amount": 11_100 })).await;
    assert_eq!((&part["status"], balance(&customer).await), (&json!("PROVISIONING_FAILED"), 11_100));
    let rest = refund(&admin, &order, json!({ "destination": "GATEWAY" })).await;
    assert_eq!((&rest["status"], &rest["amount"]), (&json!("REFUNDED"), &json!(total - 11_100)));
    let done = await_refund(&admin, &rest["refund"], "COMPLETED").await;
    report::say(&format!("refunded through the gateway: refund/{}", done["id"].as_str().unwrap()));
    assert_eq!(given_back(&stack, &order).await, [total - 11_100]);
    assert_eq!((done["attempts"].as_i64(), &done["last_error"]), (Some(1), &Value::Null));
    assert!(done["gateway_refund_id"].is_string());
    assert_eq!(balance(&customer).await, 11_100);

    let mine = customer.get("/refunds").await.expect(200);
    let seen: Vec<_> = mine["data"].as_array().unwrap().iter().map(|refund| &refund["status"]).collect();
    assert_eq!(seen, ["COMPLETED", "COMPLETED"]);
    let steps = customer.timeline(&order).await;
    let of_money: Vec<_> = steps.iter().filter(|step| step.starts_with("money")).collect();
    assert_eq!(of_money, ["money_returned", "money_on_its_way", "money_returned"]);
    let invoice = format!("/invoices/{}", order["invoice"]["id"].as_str().unwrap());
    let invoice = customer.get(&invoice).await.expect(200);
    assert_eq!(
        (&invoice["status"], invoice["credit_notes"].as_array().map(Vec::len)),
        (&json!("REFUNDED"), Some(2))
    );
    assert!(stack.store.check_ledger().await.unwrap().sound);
}

#[tokio::test]
async fn a_running_server_stays_when_a_part_goes_back() {
    let stack = stack::shared().await;
    let (customer, admin) = (Customer::register(stack).await, Customer::admin(stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
    let path = format!("/admin/orders/{}/refund", order["id"].as_str().unwrap());
    admin.post(&path, &json!({ "reason": "too late" })).await.expect_problem(409, "order_conflict");
    let goodwill = refund(&admin, &order, json!({ "amount": 22_200, "destination": "GATEWAY" })).await;
    assert_eq!(goodwill["status"], "ACTIVE");
    await_refund(&admin, &goodwill["refund"], "COMPLETED").await;
    let unserved = refund(&admin, &order, json!({ "unserved": true })).await;
    assert_eq!(unserved["refund"]["status"], "COMPLETED");
    assert_eq!(given_back(stack, &order).await, [22_200]);
    customer.await_status(&order, "ACTIVE").await;
    assert_eq!(cloud::servers_of(stack, &order).await, 1);

    let mut by_account = customer.good_order_at(Cloud::DIGITALOCEAN).await;
    by_account["payment_method"] = json!("VIRTUAL_ACCOUNT");
    by_account["bank"] = json!("BCA");
    let by_account = customer.post("/orders", &by_account).await.expect(201);
    customer.pay(&by_account).await;
    customer.await_status(&by_account, "ACTIVE").await;
    let path = format!("/admin/orders/{}/refund", by_account["id"].as_str().unwrap());
    let to_gateway = json!({ "reason": "goodwill", "amount": 1_000, "destination": "GATEWAY" });
    admin.post(&path, &to_gateway).await.expect_problem(409, "refund_channel_unavailable");
}

#[tokio::test]
async fn what_the_gateway_refuses_goes_to_the_balance() {
    let stack = stack::shared().await;
    let (customer, admin) = (Customer::register(stack).await, Customer::admin(stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
    let name = order["payment"]["gateway_order_id"].as_str().unwrap();
    let refusal = json!({ "route": format!("POST /v2/{name}/refund"), "kind": "status", "status": 412 });
    gateway::control(stack, "faults", &refusal).await;
    let asked = refund(&admin, &order, json!({ "amount": 5_550, "destination": "GATEWAY" })).await;
    let returned = await_refund(&admin, &asked["refund"], "RETURNED_TO_WALLET").await;
    report::say(&format!("refused by the gateway: refund/{}", returned["id"].as_str().unwrap()));
    assert!(returned["last_error"].as_str().unwrap().contains("412"), "{returned}");
    assert_eq!((balance(&customer).await, given_back(stack, &order).await), (5_550, vec![]));
}

#[tokio::test]
async fn what_is_in_doubt_waits_for_somebody_who_has_it_asked_for_again() {
    let stack = stack::shared().await;
    stack.audit.allow_alert("refund.in_doubt");
    let (customer, admin) = (Customer::register(stack).await, Customer::admin(stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    customer.await_status(&order, "ACTIVE").await;
    let name = order["payment"]["gateway_order_id"].as_str().unwrap();
    // The gateway gives the money back and never says so; nor does it say anything when it is asked again.
    let route = format!("POST /v2/{name}/refund");
    gateway::control(stack, "faults", &json!({ "route": &route, "kind": "drop_after_create" })).await;
    let staff = admin.get("/auth/me").await.expect(200)["id"].as_str().unwrap().parse().unwrap();
    let policy = RefundPolicy {
        steps: StepPolicy {
            heartbeat_timeout_ms: 2_000,
            retry_initial_ms: 60_000,
            retry_max_ms: 60_000,
            give_up_after_ms: 1_500,
        },
        ..RefundPolicy::default()
    };
    let new = NewRefund {
        part: Part::Amount(domain::Rupiah::new(7_770)),
        destination: RefundDestination::Gateway,
        reason: "goodwill",
        gateways: &["midtrans"],
        policy,
    };
    let act = MoneyAct {
        by: staff,
        origin: Origin { actor: Actor::User(staff), ip: None, request_id: None },
        request: Idempotency::new("test", "in doubt", &()).unwrap(),
    };
    let id = order["id"].as_str().unwrap().parse().unwrap();
    let asked = stack.store.refund_order(id, &new, &act).await.unwrap().refund.id;
    let asked = json!({ "id": asked });
    let open = await_refund(&admin, &asked, "SENT").await;
    assert!(open["in_doubt_since"].is_string(), "{open}");
    let client = engine::connect(&stack.temporal).await.expect("the engine");
    let workflow = client.get_workflow_handle::<workflows::RefundWorkflow>(format!(
        "refund/{}",
        asked["id"].as_str().unwrap()
    ));
    let ended = workflow.get_result(Default::default()).await.expect("it ends by itself");
    assert_eq!(ended.status, domain::refund::RefundStatus::Sent);
    report::say(&format!("left open by the gateway: refund/{}", asked["id"].as_str().unwrap()));
    assert_eq!((balance(&customer).await, given_back(stack, &order).await), (0, vec![7_770]));

    let path = format!("/admin/refunds/{}/retry", asked["id"].as_str().unwrap());
    assert_eq!(admin.post(&path, &json!({})).await.expect(202)["status"], "SENT");
    await_refund(&admin, &asked, "COMPLETED").await;
    assert_eq!((balance(&customer).await, given_back(stack, &order).await), (0, vec![7_770]));
    admin.post(&path, &json!({})).await.expect_problem(409, "refund_conflict");
}
