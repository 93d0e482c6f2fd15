//! Forged money and money that a gateway takes back, through the whole system.

use client::Method;
use serde_json::{Value, json};
use webrana_tests::{
    customer::{Answer, Customer, Expect},
    gateway,
    stack::{self, Options, Stack},
    wait_until::until,
};

/// Posts a notification as anybody can.
async fn notify(customer: &Customer<'_>, body: &Value) -> Answer {
    customer.request(Method::POST, "/webhooks/midtrans").json(body).await
}

/// What staff read of the notification that closed a payment.
async fn kept(staff: &Customer<'_>, payment: &Value) -> Value {
    let list = format!("/admin/webhooks?payment_id={}", payment["id"].as_str().unwrap());
    let list = staff.get(&list).await.expect(200);
    let id = list["data"][0]["id"].as_str().expect("it is kept");
    staff.get(&format!("/admin/webhooks/{id}")).await.expect(200)
}

#[tokio::test]
async fn nobody_makes_a_settlement_of_a_cancel_that_staff_can_read() {
    let stack = Stack::start(Options::default()).await.expect("the system starts");
    stack.audit.expect_alert("webhook.bad_signature");
    let (customer, staff) = (Customer::register(&stack).await, Customer::admin(&stack).await);
    let order = customer.place_order().await;
    let wish = json!({ "amount": 10_000_000, "payment_method": "QRIS" });
    let deposit = customer.post("/wallet/deposits", &wish).await.expect(201);
    for payment in [&order["payment"], &deposit["payment"]] {
        let cancel = json!({ "order_id": payment["gateway_order_id"], "outcome": "cancel" });
        let sent = gateway::control(&stack, "pay", &cancel).await["notification"].clone();
        // Read by staff, and posted as a settlement: there is nothing to sign it with.
        let shown = kept(&staff, payment).await;
        let mut read: Value = serde_json::from_str(shown["body"].as_str().unwrap()).expect("JSON");
        assert_eq!(read["signature_key"], "[redacted]");
        read["transaction_status"] = json!("settlement");
        notify(&customer, &read).await.expect_problem(401, "bad_signature");
        // Seen on the wire, it is signed; the gateway knows better.
        let mut forged = sent;
        forged["transaction_status"] = json!("settlement");
        assert_eq!(notify(&customer, &forged).await.expect(200)["status"], "ignored");
        // A replay asks the gateway too.
        let path = format!("/admin/webhooks/{}/replay", shown["id"].as_str().unwrap());
        staff.post(&path, &Value::Null).await.expect(200);
    }
    customer.await_status(&order, "PENDING_PAYMENT").await;
    assert_eq!(customer.get("/wallet").await.expect(200)["balance"], 0);
    let report = stack.store.check_ledger().await.unwrap();
    assert!(report.sound && report.movements == 0, "{report:?}");
}

#[tokio::test]
async fn a_refund_in_the_gateways_dashboard_is_told_accepted_and_stops_the_server() {
    let stack = stack::shared().await;
    stack.audit.allow_alert("payment.disputed");
    let (customer, admin) = (Customer::register(stack).await, Customer::admin(stack).await);
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let active = customer.await_status(&order, "ACTIVE").await;
    let told = admin.notifications_of("PAYMENT_DISPUTED").await;
    gateway::control(stack, "refund", &json!({ "order_id": order["payment"]["gateway_order_id"] })).await;
    assert_eq!(admin.notifications_of("PAYMENT_DISPUTED").await, told + 1);
    let list = format!("/admin/disputes?order_id={}", order["id"].as_str().unwrap());
    let dispute = admin.get(&list).await.expect(200)["data"][0].clone();
    assert_eq!((&dispute["status"], &dispute["amount"]), (&json!("OPEN"), &order["total"]));
    let path = format!("/admin/disputes/{}/accept", dispute["id"].as_str().unwrap());
    let accepted = admin.post(&path, &json!({ "suspend_server": true })).await.expect(200);
    assert_eq!((&accepted["status"], &accepted["receivable"]), (&json!("ACCEPTED"), &json!(0)));
    let server = format!("/instances/{}", active["instance_id"].as_str().unwrap());
    until("the server is off", || async {
        let now = customer.get(&server).await.expect(200);
        now["power_state"].as_str().is_some_and(|state| state.eq_ignore_ascii_case("off")).then_some(())
    })
    .await;
    assert_eq!(customer.notifications_of("PAYMENT_TAKEN_BACK").await, 1);
    assert!(stack.store.check_ledger().await.unwrap().sound);
}
