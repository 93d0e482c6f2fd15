use std::{collections::BTreeSet, time::Duration};

use insta::assert_json_snapshot;
use serde_json::json;
use sqlx::PgPool;
use testkit::http::{StatusCode, redacted};
use tokio::task::JoinSet;

use crate::Shop;

const PATIENT: Duration = Duration::from_secs(10);

#[sqlx::test(migrations = "../migrations")]
async fn an_order_is_placed_with_what_it_takes_to_pay(pool: PgPool) {
    let shop = Shop::with_gateway(pool, PATIENT).await;
    let body =
        shop.basket_with(json!({ "payment_method": "QRIS", "term_months": 3, "auto_renew": true })).await;
    let placed = shop.place(&body, "k").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{:?}", placed.body);
    let order = &placed.body;
    let id = order["id"].as_str().unwrap();
    assert_eq!(placed.headers["location"], format!("/api/v1/orders/{id}").as_str());
    assert!(order["payment"]["gateway_order_id"].as_str().unwrap().len() <= 50);
    assert_json_snapshot!(redacted(order));
    assert!(!placed.headers.contains_key("idempotency-replayed"));

    let again = shop.place(&body, "k").await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!((again.status, again.body), (StatusCode::CREATED, placed.body));
}

#[sqlx::test(migrations = "../migrations")]
async fn each_bank_has_its_own_instructions(pool: PgPool) {
    let shop = Shop::with_gateway(pool, PATIENT).await;
    for bank in ["BCA", "BNI", "BRI", "PERMATA", "MANDIRI"] {
        let body = shop.basket_with(json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": bank })).await;
        let payment = shop.place(&body, bank).await.body["payment"].clone();
        assert_eq!(payment["bank"], bank, "{payment}");
        if bank == "MANDIRI" {
            assert!(payment["bill_key"].is_string() && payment["biller_code"].is_string(), "{payment}");
        } else {
            assert!(payment["va_number"].is_string(), "{payment}");
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_bank_transfer_needs_no_gateway(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let placed = shop.place(&shop.basket().await, "k").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{:?}", placed.body);
    let payment = &placed.body["payment"];
    assert_eq!(
        (payment["method"].as_str(), payment["status"].as_str()),
        (Some("MANUAL_TRANSFER"), Some("PENDING"))
    );
    assert_eq!(placed.body["total"], 143_190);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_gateway_that_is_slow_or_down_does_not_stop_an_order(pool: PgPool) {
    let shop = Shop::with_gateway(pool, Duration::from_millis(200)).await;
    shop.expect_alert("charge.refused");
    let body = shop.basket_with(json!({ "payment_method": "QRIS" })).await;
    let cases = [
        (json!({ "route": "POST /v2/charge", "kind": "delay", "seconds": 5 }), "UNKNOWN"),
        (json!({ "route": "POST /v2/charge", "kind": "drop_after_create" }), "UNKNOWN"),
        (json!({ "route": "POST /v2/charge", "kind": "status", "status": 400 }), "DENIED"),
        (json!({ "route": "POST /v2/charge", "kind": "status", "status": 429, "seconds": 60 }), "UNKNOWN"),
        (json!({ "route": "POST /v2/charge", "kind": "status", "status": 409 }), "UNKNOWN"),
        (json!({ "route": "POST /v2/charge", "kind": "status", "status": 403, "body": "<html>" }), "UNKNOWN"),
        (json!({ "route": "POST /v2/charge", "kind": "status", "status": 502, "body": "<html>" }), "UNKNOWN"),
    ];
    for (n, (trouble, status)) in cases.into_iter().enumerate() {
        shop.fault(trouble).await;
        let placed = shop.place(&body, &n.to_string()).await;
        assert_eq!(
            (placed.status, placed.body["status"].as_str()),
            (StatusCode::CREATED, Some("PENDING_PAYMENT"))
        );
        assert_eq!(placed.body["payment"]["status"], status, "{:?}", placed.body);
        assert!(placed.body["payment"].get("qr_string").is_none());
    }
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'start_order'").await, 7);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_charge_that_the_gateway_has_no_time_for_is_made_again(pool: PgPool) {
    let shop = Shop::with_gateway(pool, PATIENT).await;
    let body = shop.basket_with(json!({ "payment_method": "QRIS" })).await;
    let busy = json!({ "route": "POST /v2/charge", "kind": "status", "status": 429, "times": 2 });
    shop.fault(busy).await;
    let placed = shop.place(&body, "k").await;
    assert!(placed.body["payment"]["qr_string"].is_string(), "{}", placed.body);
    assert_eq!((placed.body["payment"]["status"].as_str(), shop.charges()), (Some("PENDING"), 3));
}

#[sqlx::test(migrations = "../migrations")]
async fn identical_requests_at_once_get_the_same_order_and_instructions(pool: PgPool) {
    let shop = Shop::with_gateway(pool, PATIENT).await;
    // Slow enough for the later requests to arrive while the first one waits for the gateway.
    shop.fault(json!({ "route": "POST /v2/charge", "kind": "delay", "seconds": 0.3 })).await;
    let body = shop.basket_with(json!({ "payment_method": "QRIS" })).await;
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        requests.spawn(shop.me.post("/orders", &body).key("k").into_future());
    }
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED));
    let distinct: BTreeSet<String> = answers.iter().map(|answer| answer.body.to_string()).collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
    assert!(answers[0].body["payment"]["qr_string"].is_string());
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 1);
    assert_eq!(shop.charges(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_stands_for_one_request(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let first = shop.place(&shop.basket().await, "k").await;
    let spelled_out = shop.basket_with(json!({ "auto_renew": false, "ssh_key_ids": [] })).await;
    let again = shop.place(&spelled_out, "k").await;
    assert_eq!((again.status, &again.body["id"]), (StatusCode::CREATED, &first.body["id"]));

    for change in [
        json!({ "hostname": "web-2.example.com" }),
        json!({ "auto_renew": true }),
        json!({ "region": "syd1" }),
    ] {
        let other = shop.place(&shop.basket_with(change).await, "k").await;
        assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"));
    }
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 1);

    // The answer stays although nobody could place it again.
    shop.run("UPDATE plans SET is_active = false").await;
    assert_eq!(shop.place(&shop.basket().await, "k").await.body, first.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_quote_is_what_the_order_costs(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let body = shop.basket_with(json!({ "term_months": 12 })).await;
    let quote = shop.me.post("/orders/quote", &body).await;
    assert_eq!(quote.status, StatusCode::OK, "{:?}", quote.body);
    assert_eq!(quote.body["lines"][0]["total"], 1_548_000);
    assert_eq!(quote.body["lines"][1]["total"], -232_200);
    assert_eq!((quote.body["tax"].as_i64(), quote.body["total"].as_i64()), (Some(144_738), Some(1_460_538)));
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 0);
    assert_eq!(shop.place(&body, "k").await.body["total"], quote.body["total"]);
}
