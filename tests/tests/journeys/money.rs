//! Attempts to make money, through the whole system: none of them does, and the books stay sound.

use client::Method;
use serde_json::{Value, json};
use webrana_tests::{
    customer::{Customer, Expect},
    stack::{self, Stack},
    wait_until::until,
};

async fn balance(customer: &Customer<'_>) -> Value {
    customer.get("/wallet").await.expect(200)["balance"].clone()
}

async fn assert_books_are_sound(stack: &Stack) {
    let report = stack.store.check_ledger().await.expect("the books are read");
    let broken: Vec<_> = report.findings.iter().filter(|finding| finding.count > 0).collect();
    assert!(report.sound, "{broken:#?}");
}

#[tokio::test]
async fn a_renewal_of_a_server_that_is_gone_is_not_paid_from_an_empty_balance() {
    let stack = stack::shared().await;
    let customer = Customer::register(stack).await;
    let order = customer.place_order().await;
    customer.pay(&order).await;
    let order = customer.await_status(&order, "ACTIVE").await;
    let server = format!("/instances/{}", order["instance_id"].as_str().expect("a server"));
    let wish = json!({ "term_months": 1, "payment_method": "QRIS" });
    let renewal = customer.post(&format!("{server}/renew"), &wish).await.expect(201);
    assert_eq!(renewal["invoice"]["status"], "OPEN", "{renewal}");

    customer.call_internal(Method::DELETE, &server, None).await.expect(202);
    until("the server is TERMINATED", || async {
        (customer.get(&server).await.expect(200)["status"] == "TERMINATED").then_some(())
    })
    .await;
    let invoice = format!("/invoices/{}", renewal["invoice"]["id"].as_str().expect("an invoice"));
    assert_eq!(customer.get(&invoice).await.expect(200)["status"], "VOID");
    for _ in 0..3 {
        let pay = customer.post(&format!("{invoice}/pay"), &json!({ "payment_method": "WALLET" })).await;
        pay.expect_problem(409, "invoice_conflict");
    }
    assert_eq!(balance(&customer).await, 0);

    // Who pays the code that was shown before has that money, and no more.
    customer.pay(&renewal).await;
    assert_eq!(balance(&customer).await, renewal["invoice"]["total"]);
    assert_books_are_sound(stack).await;
}

#[tokio::test]
async fn of_two_announced_transfers_one_is_taken() {
    let stack = stack::shared().await;
    let (customer, admin) = (Customer::register(stack).await, Customer::admin(stack).await);
    let mut wish = customer.good_order().await;
    wish["payment_method"] = json!("MANUAL_TRANSFER");
    let order = customer.post("/orders", &wish).await.expect(201);
    let id = order["id"].as_str().expect("an id");
    let again = json!({ "payment_method": "MANUAL_TRANSFER" });
    let second = customer.post(&format!("/orders/{id}/pay"), &again).await.expect(201);
    let both = [&second["id"], &order["payment"]["id"]];

    let approve = format!("/admin/orders/{id}/approve-payment");
    let received = json!({ "amount_received": order["total"] });
    let unnamed = admin.post(&approve, &received).await;
    assert_eq!(unnamed.body["payment_ids"], json!(both), "{}", unnamed.body);
    unnamed.expect_problem(409, "several_payments_wait");
    let named = json!({ "payment_id": both[1], "amount_received": order["total"] });
    let request = admin.request(Method::POST, &approve).json(&named);
    request.await.expect_problem(400, "idempotency_key_required");

    let copies = (0..6).map(|_| admin.post_with_key(&approve, &named, "one-transfer"));
    for answer in futures::future::join_all(copies).await {
        let approved = answer.expect(200);
        assert_eq!((&approved["payment"]["id"], &approved["payment"]["status"]), (both[1], &json!("PAID")));
    }
    customer.await_status(&order, "ACTIVE").await;
    let other = json!({ "payment_id": both[0], "amount_received": order["total"] });
    admin.post(&approve, &other).await.expect_problem(409, "payment_conflict");
    assert_eq!(balance(&customer).await, 0);
    assert_books_are_sound(stack).await;
}
