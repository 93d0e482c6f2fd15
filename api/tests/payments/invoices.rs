//! Invoices that belong to no order over HTTP: what staff bill by hand, and further terms of a server.

use domain::{ids::OrderId, role::Role};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, redacted};

use crate::{Shop, text};

impl Shop {
    async fn my_id(&self) -> Value {
        self.me.get("/auth/me").await.body["id"].clone()
    }

    /// A running server with a month paid from the balance; answers with its id.
    pub(crate) async fn server(&self) -> String {
        self.paid_deposit(1_000_000, "for-the-server").await;
        let order = self.order_from_balance("the-server").await.body;
        let id: OrderId = text(&order, "id").parse().unwrap();
        self.activate(id).await;
        text(&self.read(&order).await, "instance_id").to_owned()
    }
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{}", answer.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_bill_made_by_hand_is_issued_and_paid(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let admin = shop.user(Role::Admin).await;
    let line = json!({ "description": "Migration by our team, hours", "quantity": 3, "unit_price": 250_000 });
    let body = json!({ "user_id": shop.my_id().await, "lines": [line], "note": "as agreed" });
    let draft = admin.post("/admin/invoices", &body).key("draft").await;
    assert_eq!(draft.status, 201, "{}", draft.body);
    let id = text(&draft.body, "id");
    assert_json_snapshot!("a_draft", redacted(&draft.body));
    refused(&shop.me.get(&format!("/invoices/{id}")).await, 404, "not_found");

    let change = json!({ "lines": [{ "description": "Two hours", "quantity": 2, "unit_price": 250_000 }] });
    let path = format!("/admin/invoices/{id}/draft");
    let changed = admin.put(&path, &change).await;
    assert_eq!(changed.body["total"], 555_000, "{}", changed.body);
    let path = format!("/admin/invoices/{id}/issue");
    let issued = admin.post(&path, &json!({})).await;
    assert_eq!((issued.status.as_u16(), text(&issued.body, "status")), (200, "OPEN"), "{}", issued.body);
    refused(&admin.post(&path, &json!({})).await, 409, "invoice_conflict");

    let pay = |method: &str| json!({ "payment_method": method });
    let path = format!("/invoices/{id}/pay");
    refused(&shop.me.post(&path, &pay("MANUAL_TRANSFER")).key("t").await, 422, "payment_method_unavailable");
    refused(&shop.me.post(&path, &pay("WALLET")).key("w").await, 409, "insufficient_balance");
    let attempt = shop.me.post(&path, &pay("QRIS")).key("q").await;
    assert_eq!(attempt.status, 201, "{}", attempt.body);
    let name = text(&attempt.body, "gateway_order_id");
    assert!(name.starts_with("WI-") && attempt.body["qr_string"].is_string(), "{}", attempt.body);
    assert_eq!(shop.pay(&json!({ "order_id": name, "duplicates": 2 })).await, [200, 200]);
    let paid = shop.me.get(&format!("/invoices/{id}")).await.body;
    assert_eq!((text(&paid, "status"), paid["order_id"].is_null()), ("PAID", true), "{paid}");
    refused(&shop.me.post(&path, &pay("QRIS")).key("late").await, 409, "invoice_conflict");
    let void = admin.post(&format!("/admin/invoices/{id}/void"), &json!({ "reason": "billed twice" })).await;
    refused(&void, 409, "invoice_conflict");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_billed_is_refused(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let admin = shop.user(Role::Admin).await;
    let me = shop.my_id().await;
    let with = |line: Value| json!({ "user_id": me, "lines": [line] });
    let good = json!({ "description": "Two hours", "quantity": 2, "unit_price": 250_000 });
    for (n, (body, code)) in [
        (json!({ "user_id": me, "lines": [] }), "validation_failed"),
        (with(json!({ "description": "   ", "quantity": 1, "unit_price": 1 })), "validation_failed"),
        (with(json!({ "description": "Hours", "quantity": 0, "unit_price": 1 })), "validation_failed"),
        (with(json!({ "description": "Hours", "quantity": 1, "unit_price": 0 })), "validation_failed"),
        (with(json!({ "description": "Hours", "quantity": 1, "unit_price": -5 })), "validation_failed"),
        (
            with(json!({ "description": "Hours", "quantity": 1, "unit_price": 99_999_999_999_i64 })),
            "validation_failed",
        ),
        (with(json!({ "description": "Hours", "quantity": 1, "unit_price": 1.5 })), "invalid_body"),
        (with(json!({ "description": "Hours", "quantity": 1, "price": 1 })), "invalid_body"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = admin.post("/admin/invoices", &body).key(&format!("bad-{n}")).await;
        refused(&answer, 422, code);
    }
    let nobody = json!({ "user_id": uuid::Uuid::now_v7(), "lines": [good] });
    refused(&admin.post("/admin/invoices", &nobody).key("nobody").await, 404, "not_found");
    assert_eq!(shop.count("SELECT count(*) FROM invoices").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_server_is_renewed_from_the_balance_or_through_the_gateway(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.server().await;
    let path = format!("/instances/{server}/renew");
    let from_balance = json!({ "term_months": 3, "payment_method": "WALLET" });
    let renewed = shop.me.post(&path, &from_balance).key("three").await;
    assert_eq!(renewed.status, 201, "{}", renewed.body);
    assert_json_snapshot!("a_renewal", redacted(&renewed.body));
    let instance = shop.me.get(&format!("/instances/{server}")).await.body;
    assert_eq!(instance["expires_at"], renewed.body["ends_at"]);
    let again = shop.me.post(&path, &from_balance).key("three").await;
    assert_eq!((again.status.as_u16(), &again.body["id"]), (201, &renewed.body["id"]));
    let other = json!({ "term_months": 6, "payment_method": "WALLET" });
    refused(&shop.me.post(&path, &other).key("three").await, 422, "idempotency_key_reused");

    let by_code = json!({ "term_months": 1, "payment_method": "QRIS" });
    let open = shop.me.post(&path, &by_code).key("one").await.body;
    assert!(open["ends_at"].is_null() && open["payment"]["qr_string"].is_string(), "{open}");
    assert_eq!(shop.pay(&json!({ "order_id": open["payment"]["gateway_order_id"] })).await, [200]);
    let one = format!("/instances/{server}/renewals/{}", text(&open, "id"));
    let paid = shop.me.get(&one).await.body;
    assert_eq!(paid["starts_at"], renewed.body["ends_at"]);
    let all = shop.me.get(&format!("/instances/{server}/renewals")).await.body;
    assert_eq!(all["data"].as_array().map(Vec::len), Some(2));

    let stranger = shop.user(Role::Customer).await;
    refused(&stranger.get(&one).await, 404, "not_found");
    refused(&stranger.post(&path, &by_code).key("mine").await, 404, "not_found");
    for (n, (body, code)) in [
        (json!({ "term_months": 2, "payment_method": "QRIS" }), "term_not_offered"),
        (json!({ "term_months": 0, "payment_method": "QRIS" }), "term_not_offered"),
        (json!({ "term_months": 1, "payment_method": "MANUAL_TRANSFER" }), "payment_method_unavailable"),
        (json!({ "term_months": 1, "payment_method": "VIRTUAL_ACCOUNT" }), "bank_required"),
        (json!({ "term_months": 1, "payment_method": "QRIS", "bank": "BCA" }), "bank_not_allowed"),
        (json!({ "term_months": 1, "payment_method": "CASH" }), "invalid_body"),
    ]
    .into_iter()
    .enumerate()
    {
        refused(&shop.me.post(&path, &body).key(&format!("bad-{n}")).await, 422, code);
    }
    let poor = json!({ "term_months": 12, "payment_method": "WALLET" });
    refused(&shop.me.post(&path, &poor).key("poor").await, 409, "insufficient_balance");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_payout_is_booked_once(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let admin = shop.user(Role::Admin).await;
    shop.paid_deposit(500_000, "deposit").await;
    let book = async |body: &Value| admin.post("/admin/payouts", body).await;
    let payout =
        json!({ "gateway": "midtrans", "reference": "2026-11-28-1", "gross": 500_000, "fee": 3_500 });
    let booked = book(&payout).await;
    assert_eq!(booked.status, 201, "{}", booked.body);
    assert_json_snapshot!("a_payout", redacted(&booked.body));
    refused(&book(&payout).await, 409, "payout_conflict");
    let another = json!({ "gateway": "midtrans", "reference": "2026-11-28-2", "gross": 1_000, "fee": 0 });
    let again = async |body: &Value| admin.post("/admin/payouts", body).key("payout").await;
    let one = again(&another).await;
    assert_eq!((one.status.as_u16(), again(&another).await.body), (201, one.body));
    refused(&again(&payout).await, 422, "idempotency_key_reused");
    let all = admin.get("/admin/payouts").await.body;
    assert_eq!(
        (all["data"][1]["gross"].as_i64(), all["data"].as_array().map(Vec::len)),
        (Some(500_000), Some(2))
    );
    for (field, value, code) in [
        ("gateway", json!("stripe"), "gateway_unknown"),
        ("fee", json!(500_001), "fee_too_large"),
        ("fee", json!(-1), "validation_failed"),
        ("gross", json!(0), "validation_failed"),
        ("reference", json!("a b"), "validation_failed"),
    ] {
        let mut bad = payout.clone();
        bad[field] = value;
        refused(&book(&bad).await, 422, code);
    }
    let books = shop.store.check_ledger().await.unwrap();
    assert!(books.sound, "{:#?}", books.findings);
}
