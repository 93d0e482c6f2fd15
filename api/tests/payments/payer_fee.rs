//! Fees that Midtrans makes payers pay: nothing signed stands behind them, so Midtrans is asked.

use domain::role::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{Shop, signed, text};

const STATUS: &str = "GET /v2/{order_id}/status";

impl Shop {
    /// The payments as staff see them.
    async fn shown_to_staff(&self) -> Vec<Value> {
        let list = self.user(Role::Support).await.get("/admin/payments").await.body;
        list["data"].as_array().unwrap().clone()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_payer_paid_on_top_is_shown_as_a_fee_and_not_credited(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let order = shop.order().await;
    let name = &order["payment"]["gateway_order_id"];
    assert_eq!(shop.pay(&json!({ "order_id": name, "payer_fee": 932, "duplicates": 3 })).await, [200; 3]);
    assert!(shop.calls("midtrans", STATUS) >= 1);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
    assert_eq!(shop.me.get("/wallet").await.body["balance"], 0);
    let shown = shop.shown_to_staff().await;
    assert_eq!((&shown[0]["amount"], &shown[0]["payer_fee"]), (&order["payment"]["amount"], &json!(932)));
    let report = shop.store.check_ledger().await.unwrap();
    assert!(report.sound, "{:#?}", report.findings);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_fee_that_midtrans_knows_nothing_of_pays_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.expect_alert("webhook.mismatch");
    let order = shop.order().await;
    let name = text(&order["payment"], "gateway_order_id");
    let charged = order["payment"]["amount"].as_i64().unwrap();
    // Somebody has a signature over more than is due, and says that the rest is a fee.
    let mut forged = signed(name, &format!("{}.00", charged + 932));
    forged["metadata"] = json!({ "extra_info": { "gross_amount_info": {
        "original_amount": charged.to_string(), "customer_imposed_payment_fee": "932",
    } } });
    let refused = shop.notify(forged.to_string()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "amount_mismatch"));
    assert_eq!(text(&shop.read(&order).await, "status"), "PENDING_PAYMENT");
    assert_eq!(shop.calls("midtrans", STATUS), 1);

    // While it can't be asked, it is to tell again.
    let fault = json!({ "route": STATUS, "kind": "status", "status": 503, "times": 1 });
    shop.control("faults", &fault).await;
    assert_eq!(shop.pay(&json!({ "order_id": name, "payer_fee": 932 })).await, [503]);
    assert_eq!(shop.count("SELECT count(*) FROM webhook_events WHERE outcome = 'UNANSWERED'").await, 1);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 0);
    assert_eq!(shop.pay(&json!({ "order_id": name, "payer_fee": 932 })).await, [200]);
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}
