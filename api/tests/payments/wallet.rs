//! The balance over HTTP: deposits through the gateway, orders paid from it, statements, corrections, refunds.

use domain::role::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, Method, User, redacted};

use crate::{Shop, text};

impl Shop {
    async fn deposit(&self, amount: i64, key: &str) -> Value {
        let body = json!({ "amount": amount, "payment_method": "QRIS" });
        let opened = self.me.post("/wallet/deposits", &body).key(key).await;
        assert_eq!(opened.status, 201, "{:?}", opened.body);
        opened.body
    }

    pub(crate) async fn paid_deposit(&self, amount: i64, key: &str) -> Value {
        let deposit = self.deposit(amount, key).await;
        assert_eq!(self.pay(&json!({ "order_id": deposit["payment"]["gateway_order_id"] })).await, [200]);
        deposit
    }

    pub(crate) async fn wallet(&self) -> (i64, i64) {
        let answer = self.me.get("/wallet").await;
        assert_eq!((answer.status.as_u16(), text(&answer.body, "currency")), (200, "IDR"));
        (answer.body["balance"].as_i64().unwrap(), answer.body["held"].as_i64().unwrap())
    }

    pub(crate) async fn order_from_balance(&self, key: &str) -> Answer {
        let body = json!({
            "plan_id": self.plan("do-basic-1gb").await, "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1.example.com",
            "term_months": 1, "payment_method": "WALLET",
        });
        self.me.post("/orders", &body).key(key).await
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn from_a_deposit_to_an_order_and_back(pool: PgPool) {
    let shop = Shop::open(pool).await;
    assert_eq!(shop.wallet().await, (0, 0));
    let deposit = shop.deposit(500_000, "deposit").await;
    assert!(text(&deposit["payment"], "qr_string").starts_with("000201"));
    assert_json_snapshot!("a_deposit", redacted(&deposit));
    let again = shop.deposit(500_000, "deposit").await;
    assert_eq!(again, deposit);

    let gateway_order_id = &deposit["payment"]["gateway_order_id"];
    let pay = json!({ "order_id": gateway_order_id, "duplicates": 3 });
    assert!(shop.pay(&pay).await.iter().all(|status| *status == 200));
    assert_eq!(shop.wallet().await, (500_000, 0));
    let path = format!("/wallet/deposits/{}", text(&deposit, "id"));
    let read = shop.me.get(&path).await.body;
    assert_eq!(text(&read, "status"), "PAID");
    assert!(read["credited_at"].is_string());
    let listed = shop.me.get("/wallet/deposits").await.body;
    assert_eq!(listed["data"], json!([read]));

    let placed = shop.order_from_balance("order").await;
    assert_eq!((placed.status.as_u16(), text(&placed.body, "status")), (201, "PAID"), "{:?}", placed.body);
    assert_eq!(text(&placed.body["payment"], "method"), "WALLET");
    let total = placed.body["total"].as_i64().unwrap();
    assert_eq!(shop.wallet().await, (500_000 - total, total));

    let admin = shop.user(Role::Admin).await;
    let path = format!("/admin/orders/{}/refund", text(&placed.body, "id"));
    let refunded = admin.post(&path, &json!({ "reason": "sold out" })).await;
    assert_eq!(refunded.status, 200, "{:?}", refunded.body);
    assert_eq!((&refunded.body["status"], &refunded.body["amount"]), (&json!("REFUNDED"), &json!(total)));
    assert_eq!(shop.wallet().await, (500_000, 0));
    let invoice = format!("/invoices/{}", text(&placed.body["invoice"], "id"));
    let invoice = shop.me.get(&invoice).await.body;
    let note = &invoice["credit_notes"][0];
    assert_eq!((&note["total"], &note["tax"]), (&invoice["total"], &invoice["tax"]));
    assert_json_snapshot!("an_invoice_that_went_back", redacted(&invoice));
    let again = admin.post(&path, &json!({ "reason": "sold out" })).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "order_conflict"));
}

#[sqlx::test(migrations = "../migrations")]
async fn amounts_that_are_none_move_nothing(pool: PgPool) {
    let shop = Shop::open(pool).await;
    for (change, code) in [
        (json!({ "amount": 0 }), "amount_out_of_range"),
        (json!({ "amount": -50_000 }), "amount_out_of_range"),
        (json!({ "amount": 9_999 }), "amount_out_of_range"),
        (json!({ "amount": 100_000_001 }), "amount_out_of_range"),
        (json!({ "amount": i64::MAX }), "amount_out_of_range"),
        (json!({ "amount": 50_000.5 }), "invalid_body"),
        (json!({ "amount": 1e30 }), "invalid_body"),
        (json!({ "amount": u64::MAX }), "invalid_body"),
        (json!({ "amount": "50000" }), "invalid_body"),
        (json!({ "amount": null }), "invalid_body"),
        (json!({ "currency": "USD" }), "invalid_body"),
        (json!({ "payment_method": "WALLET" }), "payment_method_unavailable"),
        (json!({ "payment_method": "MANUAL_TRANSFER" }), "payment_method_unavailable"),
        (json!({ "payment_method": "VIRTUAL_ACCOUNT" }), "bank_required"),
        (json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": "BCB" }), "invalid_body"),
        (json!({ "promo_code": "BONUS10" }), "promo_unknown"),
    ] {
        let mut body = json!({ "amount": 50_000, "payment_method": "QRIS" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = shop.me.post("/wallet/deposits", &body).key("k").await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{change}: {:?}", refused.body);
    }
    let keyless = json!({ "amount": 50_000, "payment_method": "QRIS" });
    let keyless = shop.me.request(Method::POST, "/wallet/deposits").json(&keyless).await;
    assert_eq!((keyless.status.as_u16(), keyless.code()), (400, "idempotency_key_required"));
    assert_eq!(shop.count("SELECT count(*) FROM deposits").await, 0);
    assert_eq!(shop.count("SELECT count(*) FROM ledger_movements").await, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_the_balance_does_not_cover_is_refused(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.paid_deposit(20_000, "deposit").await;
    let refused = shop.order_from_balance("order").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "insufficient_balance"));
    assert_eq!(shop.count("SELECT count(*) FROM orders").await, 0);

    let order = shop.order().await;
    let refused = shop.pay_again(&order, "again", &json!({ "payment_method": "WALLET" })).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "insufficient_balance"));
    shop.paid_deposit(500_000, "more").await;
    let paid = shop.pay_again(&order, "again", &json!({ "payment_method": "WALLET" })).await;
    assert_eq!((paid.status.as_u16(), text(&paid.body, "status")), (201, "PAID"));
    assert_eq!(text(&shop.read(&order).await, "status"), "PAID");
}

#[sqlx::test(migrations = "../migrations")]
async fn administrators_correct_balances_and_others_do_not(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let owner = shop.user(Role::Customer).await;
    let customer = owner.id;
    let support = shop.user(Role::Support).await;
    let admin = shop.user(Role::Admin).await;
    let path = format!("/admin/users/{customer}/wallet-adjustments");
    let body = |amount: Value| json!({ "amount": amount, "reason": "Sorry for the outage" });
    let adjust = async |who: &User, key: &str, amount: Value| who.post(&path, &body(amount)).key(key).await;
    for outsider in [&owner, &support] {
        let refused = adjust(outsider, "k", json!(50_000)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
    }
    for amount in [json!(0), json!(1_000_000_001), json!(-1_000_000_001)] {
        assert_eq!(adjust(&admin, "k", amount).await.code(), "validation_failed");
    }
    for amount in [json!(1.5), json!("7"), json!(u64::MAX)] {
        assert_eq!(adjust(&admin, "k", amount).await.code(), "invalid_body");
    }
    let up = adjust(&admin, "up", json!(50_000)).await;
    assert_eq!((up.status.as_u16(), &up.body["balance"]), (201, &json!(50_000)), "{:?}", up.body);
    assert_eq!(adjust(&admin, "up", json!(50_000)).await.body, up.body);
    assert_eq!(adjust(&admin, "up", json!(60_000)).await.code(), "idempotency_key_reused");
    let taken = adjust(&admin, "down", json!(-50_001)).await;
    assert_eq!((taken.status.as_u16(), taken.code()), (409, "insufficient_balance"));
    let wallet = support.get(&format!("/admin/users/{customer}/wallet")).await.body;
    assert_eq!(wallet["balance"], 50_000);
    let nobody = format!("/admin/users/{}/wallet-adjustments", uuid::Uuid::now_v7());
    assert_eq!(admin.post(&nobody, &body(json!(1))).key("k").await.status, 404);

    let log = format!("/admin/audit-log?object_id={customer}&action=wallet.adjust");
    let log = admin.get(&log).await.body;
    assert_eq!(log["data"].as_array().unwrap().len(), 1);
    assert_eq!(log["data"][0]["after"]["reason"], "Sorry for the outage");
    let lines = owner.get("/wallet/transactions").await.body;
    assert_eq!(lines["data"][0]["description"], "Correction by our team: Sorry for the outage");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_statement_has_parts_filters_and_a_file(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.paid_deposit(300_000, "one").await;
    shop.paid_deposit(200_000, "two").await;
    let order = shop.order_from_balance("order").await.body;
    let total = order["total"].as_i64().unwrap();

    let newest = shop.me.get("/wallet/transactions?limit=1").await.body;
    let line = &newest["data"][0];
    assert_eq!((text(line, "kind"), &line["amount"]), ("HOLD", &json!(-total)));
    assert_eq!((&line["balance"], &line["order_id"]), (&json!(500_000 - total), &order["id"]));
    let rest = format!("/wallet/transactions?cursor={}", text(&newest, "next_cursor"));
    let rest = shop.me.get(&rest).await.body;
    let amounts: Vec<_> =
        rest["data"].as_array().unwrap().iter().map(|line| line["amount"].clone()).collect();
    assert_eq!((amounts, rest["next_cursor"].is_null()), (vec![json!(200_000), json!(300_000)], true));

    let kinds = async |query: &str| {
        let answer = shop.me.get(&format!("/wallet/transactions?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
        answer.body["data"].as_array().unwrap().len()
    };
    assert_eq!(kinds("kind=DEPOSIT").await, 2);
    assert_eq!(kinds("kind=REFUND").await, 0);
    assert_eq!(kinds("from=2020-01-01T00:00:00Z").await, 3);
    assert_eq!(kinds("until=2020-01-01T00:00:00Z").await, 0);
    for bad in ["kind=GIFT", "from=yesterday", "format=pdf"] {
        let refused = shop.me.get(&format!("/wallet/transactions?{bad}")).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "invalid_query"), "{bad}");
    }

    for (path, accept) in [("/wallet/transactions?format=csv", "*/*"), ("/wallet/transactions", "text/csv")] {
        let file = file(&shop, path, accept).await;
        let lines: Vec<&str> = file.lines().collect();
        assert_eq!(lines[0], "at,kind,amount,balance,description,order_id,payment_id,id");
        assert_eq!(lines.len(), 4, "{file}");
        assert!(lines[1].contains(&format!(",HOLD,-{total},{},Set aside for an order,", 500_000 - total)));
    }
    let stranger = shop.user(Role::Customer).await;
    assert_eq!(stranger.get("/wallet/transactions").await.body["data"], json!([]));
    let deposits = shop.me.get("/wallet/deposits").await.body;
    let foreign = format!("/wallet/deposits/{}", text(&deposits["data"][0], "id"));
    assert_eq!(stranger.get(&foreign).await.status, 404);
}

/// A CSV file as text.
async fn file(shop: &Shop, path: &str, accept: &str) -> String {
    let answer = shop.me.get(path).header("accept", accept).reply().await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    String::from_utf8(answer.bytes.to_vec()).unwrap()
}
