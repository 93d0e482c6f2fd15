//! One payment with what is around it, and asking its gateway.

use domain::{billing::PaymentMethod, role::Role};
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{
    SimulatedGateway,
    http::{Expect, TestApi},
};
use uuid::Uuid;

#[sqlx::test(migrations = "../migrations")]
async fn a_gateway_is_asked_now(pool: PgPool) {
    let gateway = SimulatedGateway::start("midtrans").await;
    let app = TestApi::setup(pool).gateway(gateway).open().await;
    let (admin, support, sari) =
        (app.user(Role::Admin).await, app.user(Role::Support).await, app.user(Role::Customer).await);
    let plan = app.plan("do-basic-1gb").await;
    let basket = json!({
        "plan_id": plan, "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1.example.com", "term_months": 1,
        "payment_method": "QRIS",
    });
    let placed = sari.post("/orders", &basket).await.expect(201);
    let id = placed["payment"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/payments/{id}");
    let waits = support.get(&path).await.expect(200);
    assert_eq!((&waits["status"], &waits["checked_at"]), (&json!("PENDING"), &Value::Null));
    assert_eq!((waits["attempts"].as_array().unwrap().len(), &waits["movements"]), (1, &json!([])));

    let unpaid = admin.post(&format!("{path}/check"), &Value::Null).await.expect(200);
    assert_eq!(unpaid["status"], "PENDING");
    assert!(unpaid["checked_at"].is_string());
    // The customer pays, and the notification is lost.
    let control = app.gateway("midtrans").control();
    control.post("/config", &json!({ "notification_url": "http://127.0.0.1:9/" })).await.expect_success();
    let pay = json!({ "order_id": placed["payment"]["gateway_order_id"], "reorder": true });
    control.post("/pay", &pay).await.expect_success();
    let paid = admin.post(&format!("{path}/check"), &Value::Null).await.expect(200);
    assert_eq!((&paid["status"], &paid["outcome"]), (&json!("PAID"), &json!("APPLIED")));
    assert_eq!(paid["movements"].as_array().unwrap().len(), 1);
    assert_eq!(paid["movements"][0]["amount"], placed["total"]);
    let again = admin.post(&format!("{path}/check"), &Value::Null).await.expect(200);
    assert_eq!(again["movements"], paid["movements"], "it takes effect once");
    assert_eq!(app.count("SELECT count(*) FROM audit_log WHERE action = 'payment.check'").await, 3);
    let attempts = support.get(&format!("/admin/payments?order_id={}", placed["id"].as_str().unwrap())).await;
    assert_eq!(attempts.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_no_gateway_takes_can_t_be_asked_about(pool: PgPool) {
    let app = TestApi::new(pool).await;
    let admin = app.user(Role::Admin).await;
    let transfer = app.order().paid_by(PaymentMethod::ManualTransfer).place().await;
    let path = format!("/admin/payments/{}/check", transfer.payment.id);
    admin.post(&path, &Value::Null).await.expect_problem(409, "payment_conflict");
    assert_eq!(app.count("SELECT count(*) FROM audit_log WHERE action = 'payment.check'").await, 0);
    let nothing = Uuid::now_v7();
    assert_eq!(
        admin.post(&format!("/admin/payments/{nothing}/check"), &Value::Null).await.problem(),
        (404, "not_found")
    );
    assert_eq!(admin.get(&format!("/admin/payments/{nothing}")).await.problem(), (404, "not_found"));
}
