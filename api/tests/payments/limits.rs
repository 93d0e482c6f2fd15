//! How much a method takes at once: told, and refused before anything is written, wherever an attempt to pay begins.

use domain::{Rupiah, role::Role};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use sqlx::PgPool;

use testkit::http::{Answer, redacted};

use crate::{Shop, text};

/// Everything that an attempt to pay writes.
const WRITTEN: &str = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM payments)
    + (SELECT count(*) FROM deposits) + (SELECT count(*) FROM invoices) + (SELECT count(*) FROM renewals)
    + (SELECT count(*) FROM idempotency_keys) + (SELECT coalesce(sum(last), 0)::bigint FROM invoice_counters)";

impl Shop {
    /// From now on a month of any plan costs more than a QR code takes.
    async fn raise_prices(&self) {
        self.run("UPDATE plans SET price_monthly = 20000000").await;
    }

    async fn basket(&self, way: &Value) -> Value {
        let plan = self.plan("do-basic-1gb").await;
        let mut body = json!({
            "plan_id": plan, "region": "sgp1", "image": "ubuntu-24-04", "hostname": "web-1.example.com",
            "term_months": 1,
        });
        body.as_object_mut().unwrap().extend(way.as_object().unwrap().clone());
        body
    }

    /// The gateway was not asked, nothing is written, and the answer says what is too much and what takes it.
    async fn assert_refused(&self, answer: &Answer, written: i64, mentions: &[&str]) {
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "payment_method_limit"), "{}", answer.body);
        for words in mentions {
            assert!(text(&answer.body, "detail").contains(words), "{words}: {}", answer.body);
        }
        assert_eq!(answer.body["errors"][0]["field"], "payment_method");
        assert_eq!(self.count(WRITTEN).await, written);
        assert_eq!(self.charges(), 0);
    }
}

fn by(way: &str) -> Value {
    match way {
        "QRIS" | "WALLET" | "MANUAL_TRANSFER" => json!({ "payment_method": way }),
        bank => json!({ "payment_method": "VIRTUAL_ACCOUNT", "bank": bank }),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn an_order_beyond_a_methods_limit_is_refused_at_the_quote_and_before_it_is_written(pool: PgPool) {
    let shop = Shop::open(pool).await;
    shop.raise_prices().await;
    let quote = shop.me.post("/orders/quote", &shop.basket(&json!({})).await).await;
    assert_eq!(quote.status, 200, "{}", quote.body);
    let usable: Vec<(&str, bool)> = quote.body["payment_methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|way| (way["bank"].as_str().unwrap_or(text(way, "method")), way["usable"].as_bool().unwrap()))
        .collect();
    let works = |way: &str| usable.iter().find(|(name, _)| *name == way).unwrap().1;
    assert!(!works("QRIS") && works("BCA") && works("MANUAL_TRANSFER") && works("WALLET"), "{usable:?}");

    let too_much = format!("QRIS takes at most {}", Rupiah::new(10_000_000));
    let said = [too_much.as_str(), "VIRTUAL_ACCOUNT of BCA", "MANUAL_TRANSFER"];
    let qris = shop.basket(&by("QRIS")).await;
    shop.assert_refused(&shop.me.post("/orders/quote", &qris).await, 0, &said).await;
    shop.assert_refused(&shop.me.post("/orders", &qris).key("k").await, 0, &said).await;

    // The same key is still free, and another way is taken.
    let placed = shop.me.post("/orders", &shop.basket(&by("MANUAL_TRANSFER")).await).key("k").await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    let written = shop.count(WRITTEN).await;
    let refused = shop.pay_again(&placed.body, "again", &by("QRIS")).await;
    shop.assert_refused(&refused, written, &said).await;
    let invoice = format!("/invoices/{}/pay", text(&placed.body["invoice"], "id"));
    shop.assert_refused(&shop.me.post(&invoice, &by("QRIS")).key("i").await, written, &said).await;
    assert_eq!(shop.pay_again(&placed.body, "bni", &by("BNI")).await.status, 201);
}

#[sqlx::test(migrations = "../migrations")]
async fn deposits_renewals_and_bills_are_bounded_alike(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let deposit = |amount: i64, way: &str| {
        let mut body = by(way);
        body["amount"] = json!(amount);
        body
    };
    let qris = shop.me.post("/wallet/deposits", &deposit(10_000_001, "QRIS")).key("q").await;
    shop.assert_refused(&qris, 0, &["QRIS takes at most", "VIRTUAL_ACCOUNT of BNI"]).await;
    assert!(!text(&qris.body, "detail").contains("WALLET"), "a balance does not fill itself");
    let bca = shop.me.post("/wallet/deposits", &deposit(50_000_001, "BCA")).key("b").await;
    shop.assert_refused(&bca, 0, &["VIRTUAL_ACCOUNT of BCA takes at most"]).await;

    let admin = shop.user(Role::Admin).await;
    let me = shop.me.get("/auth/me").await.body["id"].clone();
    let line = json!({ "description": "Migration", "quantity": 1, "unit_price": 20_000_000 });
    let draft = admin.post("/admin/invoices", &json!({ "user_id": me, "lines": [line] })).key("d").await;
    let id = text(&draft.body, "id").to_owned();
    let issue = format!("/admin/invoices/{id}/issue");
    let issued = admin.post(&issue, &json!({})).await;
    assert_eq!(issued.status, 200, "{}", issued.body);
    let written = shop.count(WRITTEN).await;
    let bill = shop.me.post(&format!("/invoices/{id}/pay"), &by("QRIS")).key("q").await;
    shop.assert_refused(&bill, written, &["QRIS", "VIRTUAL_ACCOUNT of BRI", "WALLET"]).await;

    assert_eq!(shop.me.post("/wallet/deposits", &deposit(10_000_000, "QRIS")).key("ok").await.status, 201);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_further_term_beyond_the_limit_is_refused_and_the_earlier_wish_stays(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let server = shop.server().await;
    let path = format!("/instances/{server}/renew");
    let wish = |way: &str| {
        let mut body = by(way);
        body["term_months"] = json!(1);
        body
    };
    assert_eq!(shop.me.post(&path, &wish("QRIS")).key("first").await.status, 201);
    shop.raise_prices().await;
    let written = shop.count(WRITTEN).await;
    let refused = shop.me.post(&path, &wish("QRIS")).key("second").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "payment_method_limit"), "{}", refused.body);
    assert_eq!(shop.count(WRITTEN).await, written);
    assert_eq!(shop.count("SELECT count(*) FROM invoices WHERE status = 'VOID'").await, 0);
    assert_eq!(shop.me.post(&path, &wish("BRI")).key("third").await.status, 201);
}

#[sqlx::test(migrations = "../migrations")]
async fn anybody_may_read_how_much_each_way_takes(pool: PgPool) {
    let shop = Shop::open(pool).await;
    let all = shop.nobody().get("/payment-methods").await;
    assert_eq!(all.status, 200, "{}", all.body);
    assert_json_snapshot!("payment_methods", redacted(&all.body));
    assert!(all.headers.contains_key("etag") && all.headers.contains_key("cache-control"));

    let much = shop.nobody().get("/payment-methods?amount=12000000").await.body;
    let reason = text(&much["data"][0], "reason");
    let (most, wanted) = (Rupiah::new(10_000_000), Rupiah::new(12_000_000));
    assert_eq!(reason, format!("QRIS takes at most {most} at once; this is {wanted}"));
    assert_eq!((&much["data"][0]["usable"], &much["data"][1]["usable"]), (&json!(false), &json!(true)));
    let deposits = shop.nobody().get("/payment-methods?for=DEPOSIT&amount=5000").await.body;
    let usable: Vec<_> = deposits["data"].as_array().unwrap().iter().map(|way| &way["usable"]).collect();
    assert_eq!(usable, [true, false, true, true, true, true], "BCA takes Rp10.000 and more");

    for (query, code) in [
        ("amount=0", "amount_out_of_range"),
        ("amount=-5", "amount_out_of_range"),
        ("amount=x", "invalid_query"),
        ("for=TEA", "invalid_query"),
    ] {
        let refused = shop.nobody().get(&format!("/payment-methods?{query}")).await;
        assert_eq!(refused.code(), code, "{query}: {}", refused.body);
    }
}
