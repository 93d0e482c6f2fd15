//! As much as an account may begin without paying, as its owner is told.

use domain::unpaid::UnpaidLimits;
use serde_json::json;
use sqlx::PgPool;

use crate::{Shop, text};

const STANDARD: UnpaidLimits = UnpaidLimits::STANDARD;

#[sqlx::test(migrations = "../migrations")]
async fn one_unpaid_order_too_many_is_a_conflict_until_one_is_called_off(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let first = shop.order().await;
    for n in 1..STANDARD.orders {
        shop.order_again(&n.to_string(), "web-1").await;
    }
    let order = json!({
        "plan_id": first["plan_id"], "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1.example.com",
        "term_months": 1, "payment_method": "QRIS",
    });
    let refused = shop.me.post("/orders", &order).key("beyond").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "too_many_unpaid_orders"));
    assert!(text(&refused.body, "detail").contains("20 orders that wait for payment"), "{}", refused.body);
    assert!(!refused.headers.contains_key("retry-after"));
    // What was placed is still the answer to its own key.
    let again = shop.me.post("/orders", &order).key("order").await;
    assert_eq!((again.status.as_u16(), &again.body["id"]), (201, &first["id"]));

    let cancel = format!("/orders/{}/cancel", text(&first, "id"));
    assert_eq!(shop.me.post(&cancel, &json!({})).key("-").await.status, 200);
    assert_eq!(shop.me.post("/orders", &order).key("beyond").await.status, 201);
}

#[sqlx::test(migrations = "../migrations")]
async fn one_unpaid_deposit_too_many_is_a_conflict(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let deposit = json!({ "amount": 50_000, "payment_method": "QRIS" });
    for n in 0..STANDARD.deposits {
        assert_eq!(shop.me.post("/wallet/deposits", &deposit).key(&n.to_string()).await.status, 201);
    }
    let refused = shop.me.post("/wallet/deposits", &deposit).key("beyond").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "too_many_unpaid_deposits"));
    assert_eq!(shop.charges(), u64::from(STANDARD.deposits));
}

#[sqlx::test(migrations = "../migrations")]
async fn one_attempt_too_many_says_when_the_next_is_possible(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let qris = json!({ "payment_method": "QRIS" });
    for n in 1..STANDARD.attempts {
        assert_eq!(shop.pay_again(&order, &n.to_string(), &qris).await.status, 201);
    }
    let refused = shop.pay_again(&order, "beyond", &qris).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "too_many_attempts"));
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((86_000..=86_400).contains(&wait), "{wait}");
    assert_eq!(shop.charges(), u64::from(STANDARD.attempts));
}
