use domain::role::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::http::redacted;

use crate::{Shop, signed, text};

/// What changes when money arrives; nothing of it may change otherwise.
const TRACES: &[&str] = &[
    "SELECT count(*) FROM payments WHERE status <> 'PENDING'",
    "SELECT count(*) FROM orders WHERE status <> 'PENDING_PAYMENT'",
    "SELECT count(*) FROM invoices WHERE status <> 'OPEN'",
    "SELECT count(*) FROM outbox WHERE kind <> 'start_order'",
    "SELECT count(*) FROM in_app_notifications WHERE type NOT IN ('ORDER_CREATED', 'PAYMENT_ALERT')",
];

async fn assert_nothing_moved(shop: &Shop) {
    for sql in TRACES {
        assert_eq!(shop.count(sql).await, 0, "{sql}");
    }
}

fn gateway_order_id(order: &Value) -> &str {
    text(&order["payment"], "gateway_order_id")
}

#[sqlx::test(migrations = "../migrations")]
async fn a_paid_qris_code_pays_the_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    assert_eq!(shop.pay(&json!({ "order_id": gateway_order_id(&order) })).await, [200]);

    let paid = shop.read(&order).await;
    assert_json_snapshot!("a_paid_order", redacted(&paid));
    let timeline = shop.me.get(&format!("/orders/{}/timeline", text(&order, "id"))).await.body;
    assert_json_snapshot!("the_timeline_of_a_paid_order", redacted(&timeline));
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_notification_fifty_times_at_once_is_one_payment(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let answers = shop.pay(&json!({ "order_id": gateway_order_id(&order), "duplicates": 50 })).await;
    assert_eq!(answers, [200; 50]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    for (sql, expected) in [
        ("SELECT count(*) FROM payments WHERE outcome = 'APPLIED'", 1),
        ("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'", 1),
        ("SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_CONFIRMED'", 1),
        ("SELECT count(*) FROM webhook_events", 1),
    ] {
        assert_eq!(shop.count(sql).await, expected, "{sql}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_not_signed_by_the_gateway_is_kept_and_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.bad_signature");
    let order = shop.order().await;
    for tamper in ["signature", "amount"] {
        let forged = json!({ "order_id": gateway_order_id(&order), "tamper": tamper });
        assert_eq!(shop.pay(&forged).await, [401], "{tamper}");
    }
    let mut unsigned = signed(gateway_order_id(&order), "143190.00");
    unsigned.as_object_mut().unwrap().remove("signature_key");
    let refused = shop.notify(unsigned.to_string()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "bad_signature"));
    assert!(refused.headers.contains_key("www-authenticate"));
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'BAD_SIGNATURE'").await, 3);
    assert_nothing_moved(&shop).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn another_amount_is_kept_and_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.mismatch");
    let order = shop.order().await;
    let id = gateway_order_id(&order);
    for amount in [json!(1), json!("143190.50"), json!("143191.00")] {
        assert_eq!(shop.pay(&json!({ "order_id": id, "amount": amount })).await, [422], "{amount}");
    }
    let mut dollars = signed(id, "143190.00");
    dollars["currency"] = json!("USD");
    let refused = shop.notify(dollars.to_string()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "amount_mismatch"));
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'MISMATCH'").await, 4);
    assert_nothing_moved(&shop).await;

    assert_eq!(shop.pay(&json!({ "order_id": id })).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_can_not_be_read_or_placed_is_said_so(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.unknown_payment");
    shop.order().await;
    for malformed in ["", "{", "[]", r#"{"order_id":1}"#] {
        let refused = shop.notify(malformed).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "malformed_notification"), "{malformed}");
    }
    let large = shop.notify(format!("\"{}\"", "x".repeat(70_000))).await;
    assert_eq!((large.status.as_u16(), large.code()), (413, "body_too_large"));
    let stray = shop.notify(signed("WB-nobody-1", "1.00").to_string()).await;
    assert_eq!((stray.status.as_u16(), stray.code()), (422, "unknown_payment"));
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNKNOWN_PAYMENT'").await, 1);
    let alerts = "SELECT count(*) FROM in_app_notifications WHERE type = 'PAYMENT_ALERT'";
    assert_eq!(shop.count(alerts).await, 0, "there is no administrator");
    shop.user(Role::Admin).await;
    let mut another = signed("WB-nobody-2", "1.00");
    another["transaction_id"] = json!("another");
    for _ in 0..2 {
        assert_eq!(shop.notify(another.to_string()).await.status, 422);
    }
    assert_eq!(shop.count(alerts).await, 1, "each is told of once");
    assert_nothing_moved(&shop).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failure_at_the_gateway_closes_the_attempt_never_the_order(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    for (outcome, status) in [("pending", "PENDING"), ("expire", "EXPIRED"), ("deny", "EXPIRED")] {
        let told = json!({ "order_id": gateway_order_id(&order), "outcome": outcome });
        assert_eq!(shop.pay(&told).await, [200], "{outcome}");
        let read = shop.read(&order).await;
        assert_eq!((text(&read, "status"), text(&read["payment"], "status")), ("PENDING_PAYMENT", status));
    }
    // The money comes after all.
    shop.pay(&json!({ "order_id": gateway_order_id(&order) })).await;
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn money_after_a_cancellation_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let path = format!("/orders/{}/cancel", text(&order, "id"));
    assert_eq!(shop.me.post(&path, &Value::Null).await.status, 200);
    assert_eq!(shop.pay(&json!({ "order_id": gateway_order_id(&order) })).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "CANCELLED");
    let paid = &order["payment"]["amount"];
    let wallet = shop.me.get("/wallet").await.body;
    assert_eq!((&wallet["balance"], &wallet["held"]), (paid, &json!(0)));
}

#[sqlx::test(migrations = "../migrations")]
async fn without_the_database_the_gateway_is_asked_to_come_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    shop.store.close().await;
    let answer = shop.notify(signed(gateway_order_id(&order), "143190.00").to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, "unavailable"));
    assert!(answer.headers.contains_key("retry-after"));
}
