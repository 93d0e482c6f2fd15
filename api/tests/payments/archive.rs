use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::User;

use crate::{PATIENT, Shop, text};

impl Shop {
    /// Changes payments past their guard.
    async fn unguarded(&self, sql: &'static str) {
        for sql in [
            "ALTER TABLE payments DISABLE TRIGGER payments_transition_legal",
            sql,
            "ALTER TABLE payments ENABLE TRIGGER payments_transition_legal",
        ] {
            sqlx::query(sql).execute(&self.pool).await.unwrap();
        }
    }

    /// Every notification that staff see with a filter.
    async fn archive(&self, admin: &User, filter: &str) -> Vec<Value> {
        let answer = admin.get(&format!("/admin/webhooks{filter}")).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.body["data"].as_array().unwrap().clone()
    }

    /// What comes of taking the latest notification with an outcome in once more.
    async fn replay(&self, admin: &User, outcome: &str) -> (u16, String) {
        let latest = self.archive(admin, &format!("?outcome={outcome}")).await.remove(0);
        let path = format!("/admin/webhooks/{}/replay", text(&latest, "id"));
        let answer = admin.post(&path, &Value::Null).await;
        let said = answer.body["status"].as_str().map_or_else(|| answer.code().to_owned(), str::to_owned);
        (answer.status.as_u16(), said)
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn staff_find_what_gateways_told(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.mismatch");
    let admin = shop.user(Role::Admin).await;
    let order = shop.order().await;
    let id = json!({ "order_id": order["payment"]["gateway_order_id"] });
    shop.pay(&json!({ "order_id": id["order_id"], "amount": 1 })).await;
    shop.pay(&id).await;

    let all = shop.archive(&admin, "").await;
    assert_eq!((text(&all[0], "outcome"), text(&all[1], "outcome")), ("APPLIED", "MISMATCH"));
    assert_eq!((&all[0]["order_id"], &all[0]["payment_id"]), (&order["id"], &order["payment"]["id"]));
    assert!(text(&all[1], "reason").starts_with("says 1.00 IDR"));
    assert_eq!(shop.archive(&admin, "?gateway=xendit").await, Vec::<Value>::new());
    assert_eq!(shop.archive(&admin, "?gateway=midtrans&outcome=MISMATCH").await, [all[1].clone()]);
    let of_payment = format!("?payment_id={}", text(&order["payment"], "id"));
    assert_eq!(shop.archive(&admin, &of_payment).await.len(), 2);
    let page = admin.get("/admin/webhooks?limit=1").await.body;
    let rest = shop.archive(&admin, &format!("?cursor={}", text(&page, "next_cursor"))).await;
    assert_eq!(rest, [all[1].clone()]);
    assert_eq!(admin.get("/admin/webhooks?outcome=LOST").await.code(), "invalid_query");

    let detail = admin.get(&format!("/admin/webhooks/{}", text(&all[0], "id"))).await.body;
    let body: Value = serde_json::from_str(text(&detail, "body")).unwrap();
    assert_eq!(body["transaction_status"], "settlement");
    assert!(text(&detail, "dedupe_key").ends_with(":settlement:200:accept::PAID"));
    let nobody = format!("/admin/webhooks/{}", uuid::Uuid::now_v7());
    assert_eq!(admin.get(&nobody).await.status, 404);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_notification_can_be_taken_in_again_and_takes_effect_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.bad_signature");
    shop.expect_alert("webhook.mismatch");
    shop.expect_alert("webhook.unknown_payment");
    let admin = shop.user(Role::Admin).await;
    let order = shop.order().await;
    let name = &order["payment"]["gateway_order_id"];
    shop.pay(&json!({ "order_id": name, "tamper": "signature", "outcome": "pending" })).await;
    assert_eq!(shop.replay(&admin, "BAD_SIGNATURE").await, (200, "ignored".to_owned()), "Midtrans was asked");
    shop.pay(&json!({ "order_id": name, "amount": 1 })).await;
    assert_eq!(shop.replay(&admin, "MISMATCH").await, (422, "amount_mismatch".to_owned()));

    // Money for a payment that was lost, and is back: as after a restore from a backup, which no guard sees.
    let hide = "UPDATE payments SET gateway_order_id = gateway_order_id || '-lost'";
    shop.unguarded(hide).await;
    assert_eq!(shop.pay(&json!({ "order_id": name })).await, [422]);
    let restore = "UPDATE payments SET gateway_order_id = replace(gateway_order_id, '-lost', '')";
    shop.unguarded(restore).await;
    assert_eq!(shop.replay(&admin, "UNKNOWN_PAYMENT").await, (200, "applied".to_owned()));
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    assert_eq!(shop.replay(&admin, "UNKNOWN_PAYMENT").await, (200, "already_handled".to_owned()));
    assert_eq!(shop.replay(&admin, "APPLIED").await, (200, "already_handled".to_owned()));
    assert_eq!(shop.count("SELECT count(*) FROM outbox WHERE kind = 'payment_confirmed'").await, 1);
    let audited =
        "SELECT count(*) FROM audit_log WHERE action = 'webhook.replay' AND object_kind = 'webhook'";
    assert_eq!(shop.count(audited).await, 5);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_came_with_a_wrong_token_is_worth_what_the_gateway_says(pool: PgPool) {
    let shop = Shop::through(pool, "xendit", PATIENT).await;
    shop.expect_alert("webhook.bad_signature");
    let admin = shop.user(Role::Admin).await;
    let order = shop.order().await;
    let pay = json!({ "reference_id": order["payment"]["gateway_order_id"], "tamper": "token" });
    assert_eq!(shop.pay_at("xendit", &pay).await, [401]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PENDING_PAYMENT");
    assert_eq!(shop.replay(&admin, "BAD_SIGNATURE").await, (200, "applied".to_owned()));
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}
