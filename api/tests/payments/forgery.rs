//! A signature covers less than its notification says: whoever has seen one must not be able to make money of it.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{Shop, text};

impl Shop {
    /// A signed notification that closed an attempt, as it went over the wire.
    async fn cancelled(&self, name: &Value) -> Value {
        let told = self.control("pay", &json!({ "order_id": name, "outcome": "cancel" })).await;
        assert_eq!(told["deliveries"][0]["status"], 200);
        told["notification"].clone()
    }

    async fn wallet_balance(&self) -> Value {
        self.me.get("/wallet").await.body["balance"].clone()
    }

    async fn deposit_by_name(&self, amount: i64) -> Value {
        let body = json!({ "amount": amount, "payment_method": "VIRTUAL_ACCOUNT", "bank": "BNI" });
        let opened = self.me.post("/wallet/deposits", &body).key("deposit").await;
        assert_eq!(opened.status, 201, "{:?}", opened.body);
        opened.body["payment"]["gateway_order_id"].clone()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_cancel_that_was_made_a_settlement_moves_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let deposit = shop.deposit_by_name(100_000_000).await;
    for name in [order["payment"]["gateway_order_id"].clone(), deposit] {
        let mut forged = shop.cancelled(&name).await;
        for word in ["settlement", "capture", "refund"] {
            forged["transaction_status"] = json!(word);
            let taken = shop.notify(forged.to_string()).await;
            assert_eq!((taken.status.as_u16(), &taken.body["status"]), (200, &json!("ignored")), "{word}");
        }
    }
    assert_eq!(text(&shop.read(&order).await, "status"), "PENDING_PAYMENT");
    assert_eq!(shop.wallet_balance().await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM payments WHERE status = 'PAID'").await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn while_the_gateway_can_not_be_asked_nothing_moves_and_it_is_kept(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let name = &order["payment"]["gateway_order_id"];
    let mut forged = shop.cancelled(name).await;
    forged["transaction_status"] = json!("settlement");
    let fault = json!({ "route": "GET /v2/{order_id}/status", "kind": "status", "status": 503, "times": 2 });
    shop.control("faults", &fault).await;
    for _ in 0..2 {
        let later = shop.notify(forged.to_string()).await;
        assert_eq!((later.status.as_u16(), later.code()), (503, "gateway_unavailable"));
        assert!(later.headers.contains_key("retry-after"));
    }
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNANSWERED'").await, 1);
    assert_eq!(text(&shop.read(&order).await, "status"), "PENDING_PAYMENT");
    // A settlement of a closed attempt that is true counts when the gateway says so.
    assert_eq!(shop.pay(&json!({ "order_id": name })).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_open_attempt_is_paid_without_asking(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    assert_eq!(shop.pay(&json!({ "order_id": order["payment"]["gateway_order_id"] })).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    assert_eq!(shop.calls("midtrans", "GET /v2/{order_id}/status"), 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn nobody_is_shown_a_proof(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.bad_signature");
    let order = shop.order().await;
    let name = &order["payment"]["gateway_order_id"];
    let told = shop.cancelled(name).await;
    shop.pay(&json!({ "order_id": name, "tamper": "signature" })).await;
    let proof = text(&told, "signature_key");
    for role in [Role::Support, Role::Admin, Role::Superadmin] {
        let staff = shop.user(role).await;
        let list = staff.get("/admin/webhooks").await.body;
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
        for webhook in list["data"].as_array().unwrap() {
            let shown = staff.get(&format!("/admin/webhooks/{}", text(webhook, "id"))).await.body;
            assert!(text(&shown, "body").contains("[redacted]"), "{shown}");
            assert!(!shown.to_string().contains(&proof[..32]), "{shown}");
        }
    }
}
