use std::time::Duration;

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::Method;

use crate::{Shop, text};

#[sqlx::test(migrations = "../migrations")]
async fn when_the_gateway_is_slow_another_attempt_helps(pool: PgPool) {
    let shop = Shop::with_patience(pool, Duration::from_millis(300)).await;
    shop.control("faults", &json!({ "route": "POST /v2/charge", "kind": "delay", "seconds": 5 })).await;
    let order = shop.order().await;
    assert_eq!(text(&order["payment"], "status"), "UNKNOWN");
    assert!(order["payment"].get("qr_string").is_none());

    let again = shop.pay_again(&order, "again", &json!({ "payment_method": "QRIS" })).await;
    assert_eq!(again.status, 201, "{:?}", again.body);
    let second = again.body;
    assert_eq!(text(&second, "status"), "PENDING");
    assert!(text(&second, "qr_string").starts_with("000201"));
    assert_eq!(again.headers["location"], format!("/api/v1/payments/{}", text(&second, "id")));
    assert_ne!(second["gateway_order_id"], order["payment"]["gateway_order_id"]);

    // The first one exists at the gateway all the same, and its money counts.
    shop.pay(&json!({ "order_id": order["payment"]["gateway_order_id"] })).await;
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    assert_eq!(shop.payment_status(&second).await, "CANCELLED");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_whose_charge_never_began_is_charged_when_it_is_asked_for_again(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    // As a process leaves it that was cut off between the commit and the charge: the gateway knows of no such name, which
    // the guard of payments would not let become another.
    sqlx::raw_sql(
        "ALTER TABLE payments DISABLE TRIGGER USER;
         UPDATE payments SET gateway_order_id = gateway_order_id || '0', gateway_transaction_id = NULL, qr_string = NULL,
                created_at = now() - interval '1 minute';
         ALTER TABLE payments ENABLE TRIGGER USER",
    )
    .execute(&shop.pool)
    .await
    .unwrap();
    assert!(shop.read(&order).await["payment"].get("qr_string").is_none());

    let again = shop.order().await;
    assert_eq!((&again["id"], &again["payment"]["id"]), (&order["id"], &order["payment"]["id"]));
    assert!(text(&again["payment"], "qr_string").starts_with("000201"));
    assert_eq!(shop.charges(), 2);
    assert_eq!(shop.order().await["payment"], again["payment"], "once is enough");
    assert_eq!(shop.charges(), 2);
    shop.pay(&json!({ "order_id": again["payment"]["gateway_order_id"] })).await;
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_first_money_pays_and_the_second_goes_to_the_balance(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let body = json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": "BCA" });
    let second = shop.pay_again(&order, "again", &body).await.body;
    assert_eq!((text(&second, "bank"), text(&second, "va_number").is_empty()), ("BCA", false));
    assert_eq!(shop.payment_status(&order["payment"]).await, "PENDING");

    for payment in [&second, &order["payment"]] {
        assert_eq!(shop.pay(&json!({ "order_id": payment["gateway_order_id"] })).await, [200]);
    }
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    assert_eq!(shop.count("SELECT count(*) FROM payments WHERE outcome = 'APPLIED'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM payments WHERE outcome = 'CREDITED'").await, 1);
    let third = shop.pay_again(&order, "third", &body).await;
    assert_eq!((third.status.as_u16(), third.code()), (409, "order_conflict"));
    assert!(text(&third.body, "detail").contains("PAID"));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_same_key_is_the_same_attempt(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let body = json!({ "payment_method": "QRIS" });
    let (one, two) = tokio::join!(shop.pay_again(&order, "k", &body), shop.pay_again(&order, "k", &body));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (201, 201));
    assert_eq!(one.body, two.body);
    assert_eq!(shop.charges(), 2);

    let other = shop.pay_again(&order, "k", &json!({ "payment_method": "MANUAL_TRANSFER" })).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"));
}

#[sqlx::test(migrations = "../migrations")]
async fn nonsense_is_named_and_changes_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    for (body, code) in [
        (json!({ "payment_method": "VIRTUAL_ACCOUNT" }), "bank_required"),
        (json!({ "payment_method": "QRIS", "bank": "BCA" }), "bank_not_allowed"),
        (json!({ "payment_method": "BARTER" }), "invalid_body"),
        (json!({ "payment_method": "QRIS", "tip": 1 }), "invalid_body"),
        (json!({}), "invalid_body"),
    ] {
        let refused = shop.pay_again(&order, code, &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{body}");
    }
    let path = format!("/orders/{}/pay", text(&order, "id"));
    let qris = json!({ "payment_method": "QRIS" });
    let keyless = shop.me.request(Method::POST, &path).json(&qris).await;
    assert_eq!((keyless.status.as_u16(), keyless.code()), (400, "idempotency_key_required"));
    let nobody = json!({ "id": uuid::Uuid::now_v7() });
    assert_eq!(shop.pay_again(&nobody, "nobody", &qris).await.status, 404);
    assert_eq!(shop.count("SELECT count(*) FROM payments").await, 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_refused_charge_is_denied_and_its_customer_told_to_choose_another_method(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("charge.refused");
    let order = shop.order().await;
    shop.refuse_next_charge().await;
    let refused = shop.pay_again(&order, "again", &json!({ "payment_method": "QRIS" })).await;
    assert_eq!((refused.status.as_u16(), text(&refused.body, "status")), (201, "DENIED"));
    assert_eq!(text(&shop.read(&order).await, "status"), "PENDING_PAYMENT");
    let noted = "SELECT count(*) FROM payments WHERE status = 'DENIED' AND note LIKE '%402%'";
    assert_eq!(shop.count(noted).await, 1);
    let timeline = shop.me.get(&format!("/orders/{}/timeline", text(&order, "id"))).await.body;
    let step = timeline["data"].as_array().unwrap().last().unwrap();
    assert_eq!((text(step, "step"), text(step, "status")), ("payment_closed", "failed"), "{timeline}");
    assert!(text(step, "message").contains("choose another way"), "{step}");
    shop.assert_told(1, &format!("/orders/{}", text(&order, "id"))).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn whatever_a_refused_charge_was_for_its_customer_is_told(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("charge.refused");
    let qris = json!({ "payment_method": "QRIS" });
    shop.refuse_next_charge().await;
    let deposit = json!({ "amount": 50_000, "payment_method": "QRIS" });
    let deposit = shop.me.post("/wallet/deposits", &deposit).key("d").await;
    assert_eq!((deposit.status.as_u16(), text(&deposit.body, "status")), (201, "DENIED"));
    shop.assert_told(1, "/wallet").await;

    let server = shop.server().await;
    shop.refuse_next_charge().await;
    let wish = json!({ "term_months": 1, "payment_method": "QRIS" });
    let renewal = shop.me.post(&format!("/instances/{server}/renew"), &wish).key("r").await;
    assert_eq!(text(&renewal.body["payment"], "status"), "DENIED", "{}", renewal.body);
    let invoice = format!("/invoices/{}", text(&renewal.body["invoice"], "id"));
    shop.assert_told(2, &invoice).await;
    shop.refuse_next_charge().await;
    let again = shop.me.post(&format!("{invoice}/pay"), &qris).key("i").await;
    assert_eq!(text(&again.body, "status"), "DENIED");
    shop.assert_told(3, &invoice).await;

    // A gateway that denies later tells the same; what needs no money any more tells nothing.
    let attempt = shop.me.post(&format!("{invoice}/pay"), &qris).key("late").await.body;
    let name = text(&attempt, "gateway_order_id");
    assert_eq!(shop.pay(&json!({ "order_id": name, "outcome": "deny", "duplicates": 2 })).await, [200, 200]);
    shop.assert_told(4, &invoice).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_gateway_that_refuses_our_credentials_shows_in_health(pool: PgPool) {
    let shop = Shop::open(pool).await;
    // On a busy machine what it asks may not answer within its patience: then it says less, and does not say `up`.
    let health = async || -> Value {
        loop {
            let seen = shop.root().get("/health").await.body;
            if seen["gateways"]["midtrans"].is_object() && seen["dependencies"]["outbox"].is_object() {
                return seen;
            }
            assert_ne!(seen["status"], "up", "{seen}");
        }
    };
    let well = health().await;
    assert_eq!(
        (&well["status"], &well["gateways"]["midtrans"]["status"]),
        (&json!("up"), &json!("up")),
        "{well}"
    );
    assert!(shop.store.note_credentials_refused("midtrans", "401: unknown merchant").await.unwrap());
    let ill = health().await;
    assert_eq!((&ill["status"], &ill["gateways"]["xendit"]["status"]), (&json!("degraded"), &json!("up")));
    let midtrans = &ill["gateways"]["midtrans"];
    assert_eq!(
        (text(midtrans, "status"), text(midtrans, "reason")),
        ("down", "it does not accept our credentials")
    );
    assert!(
        midtrans["since"].is_string() && !ill.to_string().contains("merchant"),
        "the answer is public: {ill}"
    );
    assert!(shop.store.note_credentials_accepted("midtrans").await.unwrap());
    assert_eq!(health().await["status"], "up");
}

#[sqlx::test(migrations = "../migrations")]
async fn customers_read_their_own_payments(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let second = shop.pay_again(&order, "again", &json!({ "payment_method": "MANUAL_TRANSFER" })).await.body;
    let first = &order["payment"];
    let newest = shop.me.get("/payments?limit=1").await.body;
    assert_eq!(newest["data"][0]["id"], second["id"]);
    let rest = format!("/payments?limit=1&cursor={}", text(&newest, "next_cursor"));
    let rest = shop.me.get(&rest).await.body;
    assert_eq!((&rest["data"][0]["id"], rest["next_cursor"].is_null()), (&first["id"], true));
    let path = format!("/payments/{}", text(first, "id"));
    let mut read = shop.me.get(&path).await.body;
    assert_eq!(read.as_object_mut().unwrap().remove("proofs"), Some(json!([])));
    assert_eq!(read, *first);
    let of_order = format!("/payments?order_id={}", text(&order, "id"));
    assert_eq!(shop.me.get(&of_order).await.body["data"].as_array().unwrap().len(), 2);
    assert_eq!(shop.me.get("/payments?order_id=x").await.code(), "invalid_query");

    let stranger = shop.user(Role::Customer).await;
    assert_eq!(stranger.get(&path).await.status, 404);
    assert_eq!(stranger.get("/payments").await.body["data"], json!([]));
    assert_eq!(shop.nobody().get("/payments").await.status, 401);
}

impl Shop {
    async fn refuse_next_charge(&self) {
        let fault = json!({ "route": "POST /v2/charge", "kind": "status", "status": 402 });
        self.control("faults", &fault).await;
    }

    /// So many refused charges were told of, the last one with this to go to.
    async fn assert_told(&self, times: usize, url: &str) {
        let all = self.me.get("/notifications").await.body;
        let told: Vec<&Value> = all["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|notice| notice["type"] == "PAYMENT_FAILED")
            .collect();
        assert_eq!(told.len(), times, "{all}");
        assert_eq!(text(told[0], "action_url"), url);
        assert!(text(told[0], "message").contains("choose another way to pay"), "{all}");
    }
}
