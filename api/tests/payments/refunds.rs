//! Refunds over HTTP: bad requests, both ways back, and who sees what.

use domain::role::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, Method, User, redacted};

use crate::{Shop, text};

struct Desk {
    shop: Shop,
    admin: User,
}

impl Desk {
    async fn open(pool: PgPool) -> Self {
        let shop = Shop::open(pool).await;
        let admin = shop.user(Role::Admin).await;
        Self { shop, admin }
    }

    /// An order by QRIS that is paid; answers with its id and price.
    async fn paid_order(&self) -> (String, i64) {
        let order = self.shop.order().await;
        let name = text(&order["payment"], "gateway_order_id");
        self.shop.pay(&json!({ "order_id": name })).await;
        (text(&order, "id").to_owned(), order["total"].as_i64().unwrap())
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Answer {
        let request = self.admin.request(Method::POST, path).json(body);
        key.into_iter().fold(request, |request, key| request.key(key)).await
    }

    async fn refund(&self, order: &str, key: &str, change: Value) -> Answer {
        let mut body = json!({ "reason": "sold out" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.post(&format!("/admin/orders/{order}/refund"), Some(key), &body).await
    }

    async fn all(&self, query: &str) -> Vec<Value> {
        let page = self.admin.get(&format!("/admin/refunds{query}")).await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        page.body["data"].as_array().unwrap().clone()
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn requests_that_make_no_sense_move_nothing(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (order, total) = desk.paid_order().await;
    for (change, status, code) in [
        (json!({ "amount": 0 }), 422, "validation_failed"),
        (json!({ "amount": -1 }), 422, "validation_failed"),
        (json!({ "amount": i64::MIN }), 422, "validation_failed"),
        (json!({ "amount": 10.5 }), 422, "invalid_body"),
        (json!({ "amount": 1e30 }), 422, "invalid_body"),
        (json!({ "amount": u64::MAX }), 422, "invalid_body"),
        (json!({ "amount": "1000" }), 422, "invalid_body"),
        (json!({ "amount": total + 1 }), 409, "refund_exceeds_available"),
        (json!({ "amount": i64::MAX }), 409, "refund_exceeds_available"),
        (json!({ "amount": total + 1, "destination": "GATEWAY" }), 409, "refund_exceeds_available"),
        (json!({ "destination": "BANK" }), 422, "invalid_body"),
        (json!({ "destination": "wallet" }), 422, "invalid_body"),
        (json!({ "unserved": true }), 409, "order_conflict"),
        (json!({ "unserved": true, "amount": 1_000 }), 422, "validation_failed"),
        (json!({ "reason": "  " }), 422, "validation_failed"),
        (json!({ "reason": null }), 422, "invalid_body"),
        (json!({ "currency": "USD" }), 422, "invalid_body"),
    ] {
        let refused = desk.refund(&order, "k", change.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{change}: {:?}", refused.body);
    }
    for change in [
        json!({}),
        json!({ "amount": 1_000 }),
        json!({ "unserved": true }),
        json!({ "destination": "GATEWAY" }),
    ] {
        let mut body = json!({ "reason": "sold out" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let keyless = desk.post(&format!("/admin/orders/{order}/refund"), None, &body).await;
        assert_eq!((keyless.status.as_u16(), keyless.code()), (400, "idempotency_key_required"), "{change}");
    }
    let nobody = "0193e7d0-4362-7709-b262-4de1f9ad2f5e";
    for path in [
        format!("/admin/orders/{nobody}/refund"),
        format!("/admin/invoices/{nobody}/refund"),
        format!("/admin/refunds/{nobody}/retry"),
    ] {
        let unknown = desk.post(&path, Some("k"), &json!({ "reason": "sold out" })).await;
        assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "not_found"), "{path}");
    }
    assert!(desk.all("").await.is_empty());
    assert_eq!(desk.shop.wallet().await, (0, 0));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_part_goes_to_the_balance_and_the_rest_through_the_gateway(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let (order, total) = desk.paid_order().await;
    let part = desk.refund(&order, "part", json!({ "amount": 11_100 })).await;
    assert_eq!(part.status, 200, "{:?}", part.body);
    assert_json_snapshot!("a_part_that_went_to_the_balance", redacted(&part.body));
    let made = &part.body["refund"];
    assert_eq!(made["net"].as_i64().unwrap() + made["tax"].as_i64().unwrap(), 11_100);
    let again = desk.refund(&order, "part", json!({ "amount": 11_100 })).await;
    assert_eq!(again.body, part.body);
    let reused = desk.refund(&order, "part", json!({ "amount": 11_101 })).await;
    assert_eq!((reused.status.as_u16(), reused.code()), (422, "idempotency_key_reused"));
    assert_eq!(desk.shop.wallet().await, (11_100, 0));

    let rest = desk.refund(&order, "rest", json!({ "destination": "GATEWAY" })).await;
    assert_eq!((text(&rest.body, "status"), &rest.body["amount"]), ("REFUNDED", &json!(total - 11_100)));
    let sent = rest.body["refund"].clone();
    assert_eq!((text(&sent, "status"), text(&sent, "gateway")), ("REQUESTED", "midtrans"));
    assert_eq!(desk.shop.wallet().await, (11_100, 0));
    let read = desk.admin.get(&format!("/admin/refunds/{}", text(&sent, "id"))).await;
    assert_eq!(read.body, sent);
    let retried = desk.post(&format!("/admin/refunds/{}/retry", text(&sent, "id")), None, &json!({})).await;
    assert_eq!((retried.status.as_u16(), &retried.body), (202, &sent));
    let ended = desk.post(&format!("/admin/refunds/{}/retry", text(made, "id")), None, &json!({})).await;
    assert_eq!((ended.status.as_u16(), ended.code()), (409, "refund_conflict"));

    assert_eq!(desk.all("").await, [sent.clone(), made.clone()]);
    assert_eq!(desk.all("?status=COMPLETED").await, std::slice::from_ref(made));
    assert_eq!(desk.all("?destination=GATEWAY").await, std::slice::from_ref(&sent));
    assert_eq!(desk.all(&format!("?order_id={order}")).await.len(), 2);
    assert!(desk.all("?invoice_id=0193e7d0-4362-7709-b262-4de1f9ad2f5e").await.is_empty());
    assert_eq!(desk.all("?limit=1").await, std::slice::from_ref(&sent));
    let unknown = desk.admin.get("/admin/refunds?status=GONE").await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (400, "invalid_query"));

    let mine = desk.shop.me.get("/refunds").await.body;
    let seen: Vec<_> = mine["data"].as_array().unwrap().iter().map(|r| (&r["id"], &r["status"])).collect();
    assert_eq!(seen, [(&sent["id"], &sent["status"]), (&made["id"], &made["status"])]);
    assert!(mine["data"][0].get("last_error").is_none() && mine["data"][0].get("requested_by").is_none());
    let other = desk.shop.user(Role::Customer).await;
    let theirs = other.get(&format!("/refunds?order_id={order}")).await.body;
    assert_eq!(theirs["data"], json!([]));
    let invoice = desk.shop.me.get(&format!("/invoices/{}", text(&sent, "invoice_id"))).await;
    assert_eq!(invoice.body["credit_notes"].as_array().map(Vec::len), Some(2));
    assert_eq!(text(&invoice.body, "status"), "REFUNDED");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_not_paid_by_code_goes_to_the_balance_only(pool: PgPool) {
    let desk = Desk::open(pool).await;
    let order = desk.shop.order().await;
    let by_account = json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": "BCA" });
    let payment = desk.shop.pay_again(&order, "account", &by_account).await.body;
    let name = text(&payment, "gateway_order_id");
    desk.shop.pay(&json!({ "order_id": name })).await;
    let id = text(&order, "id");
    let refused = desk.refund(id, "gateway", json!({ "destination": "GATEWAY" })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "refund_channel_unavailable"));
    assert!(desk.all("").await.is_empty());
    let whole = desk.refund(id, "wallet", json!({})).await;
    assert_eq!((whole.status.as_u16(), text(&whole.body, "status")), (200, "REFUNDED"));
    let of_order = format!("/admin/invoices/{}/refund", text(&order["invoice"], "id"));
    let refused = desk.post(&of_order, Some("order's"), &json!({ "reason": "sold out" })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "invoice_conflict"));
}
