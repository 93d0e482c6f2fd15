//! Each bad order gets a problem of its own, and nothing changes.

use std::sync::Arc;

use api::{AppState, OrderConfig};
use domain::policy::OrderPolicy;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::{Expect, Method, StatusCode, TestApi};
use uuid::Uuid;

use crate::Shop;

/// Everything an order leaves behind, counted.
const TRACES: &str = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM invoices)
    + (SELECT count(*) FROM invoice_counters) + (SELECT count(*) FROM payments)
    + (SELECT count(*) FROM provisioning_tasks) + (SELECT count(*) FROM order_timeline)
    + (SELECT count(*) FROM in_app_notifications) + (SELECT count(*) FROM outbox)
    + (SELECT count(*) FROM idempotency_keys)";

/// Fields of an order changed, and the status, code and field of the problem.
async fn cases(shop: &Shop) -> Vec<(Value, u16, &'static str, &'static str)> {
    shop.run("UPDATE plans SET is_active = false WHERE slug = 'do-basic-2gb'").await;
    shop.run("DELETE FROM plan_regions WHERE plan_id = (SELECT id FROM plans WHERE slug = 'do-cpu-4gb')")
        .await;
    shop.run(
        "DELETE FROM image_sources WHERE image_id = (SELECT id FROM images WHERE slug = 'debian-12')
         AND provider_id = (SELECT id FROM providers WHERE slug = 'digitalocean')",
    )
    .await;
    let key = Uuid::now_v7();
    vec![
        (json!({ "plan_id": Uuid::now_v7() }), 422, "unknown_plan", "plan_id"),
        (json!({ "plan_id": "do-basic-1gb" }), 422, "invalid_body", "plan_id"),
        (json!({ "plan_id": shop.plan("do-basic-2gb").await }), 422, "plan_inactive", "plan_id"),
        (json!({ "plan_id": shop.plan("do-cpu-4gb").await }), 422, "region_without_plan", "region"),
        (json!({ "region": "mars1" }), 422, "region_unknown", "region"),
        (json!({ "region": "vultr-sgp" }), 422, "region_without_plan", "region"),
        (json!({ "image": "minix-3" }), 422, "image_unknown", "image"),
        (json!({ "image": "debian-12" }), 422, "image_not_for_provider", "image"),
        (json!({ "hostname": "web_1" }), 422, "invalid_hostname", "hostname"),
        (json!({ "hostname": "" }), 422, "invalid_hostname", "hostname"),
        (
            json!({ "hostname": format!("{}.example.com", "x".repeat(52)) }),
            422,
            "invalid_hostname",
            "hostname",
        ),
        (json!({ "term_months": 2 }), 422, "term_not_offered", "term_months"),
        (json!({ "term_months": 0 }), 422, "term_not_offered", "term_months"),
        (json!({ "term_months": 4_000_000_000_u32 }), 422, "term_not_offered", "term_months"),
        (json!({ "term_months": -1 }), 422, "invalid_body", "term_months"),
        (json!({ "promo_code": "HEMAT50" }), 422, "promo_unknown", "promo_code"),
        (json!({ "ssh_key_ids": [key] }), 422, "ssh_key_unknown", "ssh_key_ids"),
        (json!({ "payment_method": "QRIS" }), 422, "payment_method_unavailable", "payment_method"),
        (json!({ "payment_method": "CASH" }), 422, "invalid_body", "payment_method"),
        (json!({ "payment_method": "VIRTUAL_ACCOUNT" }), 422, "bank_required", "bank"),
        (json!({ "bank": "BCA" }), 422, "bank_not_allowed", "bank"),
        (json!({ "discount": 100 }), 422, "invalid_body", "discount"),
        (json!({ "region": null }), 422, "invalid_body", "region"),
    ]
}

#[sqlx::test(migrations = "../migrations")]
async fn every_bad_order_has_its_own_problem_and_changes_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for (change, status, code, field) in cases(&shop).await {
        let answer = shop.place(&shop.basket_with(change.clone()).await, "k").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{change}: {:?}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.body["errors"][0]["field"], field, "{change}: {:?}", answer.body);
        assert!(!answer.body["detail"].as_str().unwrap().is_empty());
        assert_eq!(shop.count(TRACES).await, 0, "{change}");
    }
    assert_eq!(shop.place(&shop.basket().await, "k").await.status, StatusCode::CREATED);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_quote_is_refused_for_the_same_reasons(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for (change, status, code, field) in cases(&shop).await {
        if field == "bank" && change.get("payment_method").is_none() {
            continue;
        }
        let body = shop.basket_with(change.clone()).await;
        let answer = shop.me.post("/orders/quote", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{change}: {:?}", answer.body);
        assert_eq!(answer.body["errors"][0]["field"], field, "{change}: {:?}", answer.body);
    }
    let without_payment = shop.basket_with(json!({ "payment_method": null })).await;
    assert_eq!(shop.me.post("/orders/quote", &without_payment).await.status, StatusCode::OK);
    assert_eq!(shop.count(TRACES).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_read_is_refused_before_anything_else(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let good = shop.basket().await;
    let post = || shop.me.request(Method::POST, "/orders");
    post().body("application/json", "{\"plan_id\":").key("k").await.expect_problem(400, "malformed_json");
    post().json(&good).await.expect_problem(400, "idempotency_key_required");
    post().json(&good).key(&"k".repeat(256)).await.expect_problem(400, "idempotency_key_invalid");
    let stranger = shop.nobody().as_user("no-token");
    stranger.post("/orders", &good).key("k").await.expect_problem(401, "token_invalid");
    shop.nobody().post("/orders", &good).await.expect_problem(401, "token_missing");
    assert_eq!(shop.count(TRACES).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_delivered_at_the_moment_is_a_conflict(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.run(
        "UPDATE plans SET unavailable_since = now(), unavailable_reason = 'gone' WHERE slug = 'do-basic-2gb'",
    )
    .await;
    let cases = [
        // On sale, but this installation has no credentials for it.
        ("vultr-regular-1gb", "provider_disabled"),
        ("do-basic-2gb", "plan_unavailable"),
    ];
    for (plan, code) in cases {
        let body = shop.basket_with(json!({ "plan_id": shop.plan(plan).await })).await;
        let answer = shop.place(&body, "k").await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, code), "{:?}", answer.body);
        let answer = shop.me.post("/orders/quote", &body).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (409, code), "{:?}", answer.body);
    }
    shop.run("UPDATE providers SET is_active = false").await;
    let answer = shop.place(&shop.basket().await, "k").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "provider_disabled"), "{:?}", answer.body);
    assert_eq!(shop.count(TRACES).await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_sold_out_is_a_conflict(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.run("UPDATE plans SET stock_limit = 1 WHERE slug = 'do-basic-1gb'").await;
    assert_eq!(shop.place(&shop.basket().await, "first").await.status, StatusCode::CREATED);
    let second = shop.place(&shop.basket().await, "second").await;
    assert_eq!((second.status.as_u16(), second.code()), (409, "out_of_stock"));
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_unproven_email_orders_only_where_that_is_allowed(pool: PgPool) {
    let strict = OrderConfig { policy: OrderPolicy::default(), unverified_may_order: false };
    let setup = TestApi::setup(pool).state(|state| AppState { orders: Arc::new(strict), ..state });
    let shop = Shop::set_up(setup).await;
    shop.run("UPDATE users SET email_verified_at = NULL").await;
    let refused = shop.place(&shop.basket().await, "k").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "email_unverified"));
    assert_eq!(shop.count(TRACES).await, 0);
    shop.run("UPDATE users SET email_verified_at = now()").await;
    assert_eq!(shop.place(&shop.basket().await, "k").await.status, StatusCode::CREATED);
}
